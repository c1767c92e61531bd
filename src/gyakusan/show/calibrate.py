"""A calibration on the terminal: each figure before and after, and what is kept."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from gyakusan.learning.known import KEPT_DAYS
from gyakusan.learning.rows import is_crowded
from gyakusan.load_testing.calibration import USERS, CalibratedFigure, Calibration
from gyakusan.load_testing.learned_rows import Learnt
from gyakusan.message import Message, duration, say
from gyakusan.planning.predict.speed import Estimate
from gyakusan.show.tree import Column, Next, Pause, Table, Text, Tree, Verdict, whole

HEAD_TEXTS = ("people", "prompt", "predicted", "measured", "factor", "now")
LABEL_TEXTS = {
    "decode": "answer tokens/s",
    "prefill": "prompts, tokens/s",
    "ttft": "first token, s",
    "bandwidth": "RAM, GB/s",
}
STAGE_TEXTS = {
    "ram": "Measuring the RAM",
    "server": "Starting SmolLM2",
    "load": "Loading it with people",
}
EQUAL = 0.03
"""Nearer than this a speed is as it was assumed."""


def beginning(quick: bool) -> Message:
    """Return what is said before anything is measured."""
    if quick:
        return say(
            "This takes about 40 s, longer on a slow or busy computer: SmolLM2 is loaded with 1 and {most} people. "
            "Ctrl-C ends it and keeps nothing.",
            most=USERS,
        )
    return say(
        "This takes about 3 minutes, longer on a slow or busy computer: SmolLM2 is loaded with 1 and {most} people. "
        "Ctrl-C ends it and keeps nothing.",
        most=USERS,
    )


def screen(found: Calibration) -> Tree:
    """Return what a calibration found."""
    if found.interrupted:
        return (Verdict((say("Ended early: *nothing* was kept."),), tone="fails"),)
    parts: Tree = (_verdict(found), Pause(), table(found.figures))
    notes = tuple(_notes(found))
    if notes:
        parts = (*parts, Pause(), *(Text(n, "note") for n in notes))
    took = say("Took {time} with {model}.", time=duration(found.seconds), model=found.model)
    if not any(r.quantity == "decode" for r in found.learnt.kept):  # what was kept of the RAM makes no speed known
        again = "gyakusan calibrate"
        ram = next((f for f in found.figures if f.quantity == "bandwidth"), None)
        if ram is None:
            return (*parts, Pause(), Text(took), Next((again,)))
        command = whole(f"gyakusan plan --bandwidth {ram.measured / 1e9:.0f}GB/s")
        meanwhile = say("Until it works, plan with what was measured of the RAM: {command}", command=command)
        return (*parts, Pause(), Text(took), Text(meanwhile), Next((command, again)))
    kept = say("Kept for {days} days. Undo: gyakusan calibrate --forget", days=KEPT_DAYS)
    return (*parts, Pause(), Text(took), Text(kept), Next(("gyakusan plan", "gyakusan calibrate export here.json")))


def table(figures: Sequence[CalibratedFigure]) -> Table:
    """Return each figure, predicted, measured and as it is predicted from now on."""
    heads = (Column(), *(Column(Message(h), "number", wide=h == "factor") for h in HEAD_TEXTS))
    return Table(heads, tuple((Message(LABEL_TEXTS[f.quantity]), *_load(f), *_cells(f)) for f in figures))


def measurements(action: str, count: int, learnt: Learnt | None, file: str = "", ram: int = 0) -> Tree:
    """Return what was exported, imported or forgotten. ram: of those that were forgotten, how many are of the RAM."""
    n = f"{count:,}"
    if action == "forgotten":
        if count == 1:
            return (Text(say("Forgot 1 measurement: forecasts are the built-in ones again.")),)
        if ram:  # a plan counts those of speeds
            return (
                Text(
                    say(
                        "Forgot {n} measurements, {ram} of them of the RAM: forecasts are the built-in ones again.",
                        n=n,
                        ram=f"{ram:,}",
                    )
                ),
            )
        return (Text(say("Forgot {n} measurements: forecasts are the built-in ones again.", n=n)),)
    if action == "exported":
        file = whole(file)
        told = say("Wrote {n} measurements to {file}.", n=n, file=file)
        told = say("Wrote 1 measurement to {file}.", file=file) if count == 1 else told
        return Text(told), Text(say("They name devices and models, and no person, computer, path or prompt."), "note")
    refused = tuple(Text(r, "note") for r in refusals(learnt or Learnt()))
    return Text(_imported(count, empty=not refused)), *refused


def _imported(count: int, *, empty: bool) -> Message:
    """Return what was kept of an import. empty: its file had no measurement."""
    if count == 0:
        return say("Nothing was kept: the file has no measurements.") if empty else say("Nothing was kept.")
    if count == 1:
        return say("Kept 1 measurement of another computer; it counts a quarter of an own one.")
    return say(
        "Kept {n} measurements of another computer; together they count a quarter of the own ones.", n=f"{count:,}"
    )


def refusals(learnt: Learnt) -> Iterator[Message]:
    """Yield why measurements are not learned from, each reason once."""
    for why in learnt.reasons:
        yield say("Not learned from: {why}.", why=why)


def _verdict(found: Calibration) -> Verdict:
    answers = [f for f in found.figures if f.quantity == "decode"]
    if not answers or not any(r.quantity == "decode" for r in found.learnt.kept):
        return Verdict((say("*Nothing* was learned of the speed of answers."),), tone="doubt")
    ratio = math.exp(sum(math.log(f.ratio) for f in answers) / len(answers))
    n = f"{100 * abs(ratio - 1):.0f}"
    if abs(ratio - 1) < EQUAL:
        told = say("This computer answers *as fast as predicted*.")
    elif ratio > 1:
        told = say("This computer answers {n} % *faster* than predicted.", n=n)
    else:
        told = say("This computer answers {n} % *slower* than predicted.", n=n)
    widths = [_width(f.now) / _width(f.predicted) for f in answers]
    share = 1 - sum(widths) / len(widths)
    if share < 0.005:
        return Verdict((told,), tone="fits")
    narrower = say("Intervals of its speeds are now {n} % narrower.", n=f"{100 * share:.0f}")
    return Verdict((told, narrower), tone="fits")


def _width(figure: Estimate) -> float:
    return math.log(figure.high / figure.low)


def _notes(found: Calibration) -> Iterator[Message]:
    yield from refusals(found.learnt)
    if found.busy is not None and is_crowded(found.busy, found.machine.cores or 1):
        facts = {"busy": f"{found.busy:.1f}", "cores": found.machine.cores or 1}
        yield say("Other programs kept {busy} of {cores} cores busy. Close them and repeat.", **facts)


def _load(figure: CalibratedFigure) -> tuple[str, str]:
    """Return people and length of the prompts; nothing for the RAM."""
    return str(figure.users or ""), f"{figure.prompt:,}" if figure.prompt else ""


def _cells(f: CalibratedFigure) -> tuple[str, ...]:
    ratio = f"x{f.ratio:.2f}"
    if f.quantity == "bandwidth":
        return (*(f"{v / 1e9:,.1f}" for v in (f.predicted.value, f.measured)), ratio, f"{f.now.value / 1e9:,.1f}")
    return _interval(f.predicted), _short(f.measured), ratio, _interval(f.now)


def _interval(value: Estimate) -> str:
    return f"{_short(value.value)} ({_short(value.low)}-{_short(value.high)})"


def _short(value: float) -> str:
    if value >= 9.95:
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 1 else f"{value:.2f}"
