"""gyakusan demo: detect, plan, serve, ask, compare, measure, load, stop: the whole product with a small model."""

from __future__ import annotations

import contextlib
import gc
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cyclopts import App

from gyakusan.cli.ending import INTERRUPTED, asked_to_end
from gyakusan.cli.options import Screen
from gyakusan.cli.writing import terminal
from gyakusan.core.load import Load
from gyakusan.message import Message, say
from gyakusan.show.tree import Next, Pause, Text, Title, Tree

if TYPE_CHECKING:
    from gyakusan.engines.deployment import Deployment
    from gyakusan.load_testing.calibration import Onlooker
    from gyakusan.load_testing.conditions import Conditions
    from gyakusan.load_testing.connection import Target
    from gyakusan.load_testing.result import BenchResult
    from gyakusan.load_testing.workload import Step
    from gyakusan.serving.service import Service
    from gyakusan.show.terminal import Terminal
    from gyakusan.text import Language

app = App(name="demo", help="Try every step in 2 to 5 minutes with a small model.", help_format="plaintext")

USERS, CONTEXT = 4, 2048
MOST = 8
"""People of the last load, for whom the small model is served."""
LOADS = (1, 4, 8)
PROMPT, ANSWER = 64, 32
"""Of the loads: other lengths than those that were calibrated with. [tokens]"""
SECONDS = 8.0
"""How long each load is measured where nothing is learned. [s]"""
CLOSE = 0.01
"""The memory is right within this share."""
PROMPTS = {
    "en": (
        "What is the capital of Japan?",
        "Name three fruits.",
        "Write one sentence about the sea.",
        "What is two plus three?",
    ),
    "ja": (
        "日本の首都はどこですか?",
        "果物の名前を3つ挙げてください。",
        "海について1文で書いてください。",
        "2足す3はいくつですか?",
    ),
}
"""What is asked, in the language of the screen. SmolLM2 learned English: its answers are not judged."""


@dataclass(frozen=True, slots=True)
class Seen:
    """What the loads gave.

    result: of the loads
    state: of the computer meanwhile
    learned: True if this computer was measured in turn with them
    """

    result: BenchResult
    state: Conditions
    learned: bool


@app.default
def demo(*, output: Screen = Screen()) -> int:
    """Run `gyakusan demo` and return its exit code."""
    import gyakusan
    from gyakusan.machines import this_computer_noted
    from gyakusan.show import machine, plan

    screen = terminal(output)
    screen.show(*_head(1, "This computer"), *machine.screen(*this_computer_noted()))
    screen.show(*_head(2, "What it can serve to 4 people with 8,192 tokens each"))
    screen.show(*plan.screen(gyakusan.plan(users=USERS, context=8192)))
    with asked_to_end() as ending:
        return ending.code(_serve(screen, output.language))


def _head(number: int, text: str) -> Tree:
    return Pause(), Title(say("{n}. {text}", n=number, text=Message(text)), chapter=True)


def _serve(screen: Terminal, language: Language) -> int:
    from gyakusan import api
    from gyakusan.serving.buffer_comparison import compare_deployment
    from gyakusan.serving.chat import chat_many
    from gyakusan.serving.server import ServerOptions
    from gyakusan.serving.service import Service, ServiceOptions
    from gyakusan.show import ledger, served

    gc.enable()  # `main` switched it off
    asked = api.deployment("smollm2", load=Load(MOST, CONTEXT), device="cpu", memory=None)
    screen.show(*_head(3, "SmolLM2 for 8 people: the memory it takes"), *ledger.tables(asked.ledger))
    screen.show(*_head(4, "The real server"))
    progress, prompts = screen.progress(), PROMPTS[language]
    with contextlib.closing(progress), Service(asked, ServiceOptions(ServerOptions(on_progress=progress))) as server:
        progress.close()
        rows = compare_deployment(asked, server.report)
        screen.show(Text(say("OpenAI base URL: {url}", url=server.url)))
        screen.show(*served.answers(prompts, chat_many(server.url, prompts, USERS, 40, server.key)))
        if language == "ja":
            screen.show(
                Text(say("SmolLM2 is small and learned English: the point is the server, not the answers."), "note")
            )
        screen.show(*_head(5, "Predicted and reported"), served.comparison(rows))
        right = all(row.exact or (row.kind == "scratch" and abs(row.error_share or 1) <= CLOSE) for row in rows)
        screen.show(Text(say("Every buffer was predicted." if right else "Some buffers differ from the prediction.")))
        seen = _measured(screen, server, language)
        if seen.result.interrupted:
            return INTERRUPTED
        close = _compared(screen, server, seen)
    screen.show(
        Pause(), Text(say("Stopped; nothing is left running.")), Pause(), Next(("gyakusan plan", "gyakusan calibrate"))
    )
    return 0 if right and close else 1


def _measured(screen: Terminal, server: Service, language: Language) -> Seen:
    """Load the server with people; in turn with it measure this computer, unless learning is switched off."""
    from gyakusan.learning import known
    from gyakusan.load_testing.calibration import QUICK_SECONDS, ROUNDS, calibrate
    from gyakusan.load_testing.conditions import OtherPrograms, conditions
    from gyakusan.load_testing.workload import Shape, Step
    from gyakusan.show import calibrate as shown

    others = OtherPrograms()  # the server is a child of this process
    steps = tuple(Step(Shape(PROMPT, ANSWER), users=n) for n in LOADS)
    learns = known.is_on()
    with _watched(language, QUICK_SECONDS / ROUNDS if learns else SECONDS) as onlooker:
        if not learns:
            return Seen(_loaded(server, steps, onlooker), conditions(others.cores), learned=False)
        screen.show(*_head(6, "This computer, measured"))
        found = calibrate(_planned, quick=True, onlooker=onlooker, target=_direct(server), beside=steps)
    screen.show(*shown.screen(found))
    assert found.beside is not None  # they were asked for
    return Seen(found.beside, conditions(others.cores), learned=True)


def _loaded(server: Service, steps: tuple[Step, ...], onlooker: Onlooker) -> BenchResult:
    import secrets

    from gyakusan.load_testing.session import Bench, BenchRequest
    from gyakusan.load_testing.workload import Limits

    asked = BenchRequest(_direct(server), steps, Limits(SECONDS), seed=secrets.randbelow(2**31))
    return Bench(asked, on_progress=onlooker.on_progress).run()


def _compared(screen: Terminal, server: Service, seen: Seen) -> bool:
    """Compare the loads with what is predicted of them; return True if the memory is right."""
    from dataclasses import replace

    from gyakusan.load_testing import said_and_seen
    from gyakusan.show import bench as shown

    screen.show(*_head(7 if seen.learned else 6, "Loaded with 1, 4 and 8 people"))
    if seen.learned:
        screen.show(Text(say("Measured in turn with the loads above, and not learned from."), "note"))
    result, asked = seen.result, _planned(None)
    found = [*said_and_seen.reported_memory(asked, server.report), *said_and_seen.speeds(asked, result)]
    told = said_and_seen.explained(found, asked, result, MOST, seen.state)
    screen.show(*shown.screen(replace(result, comparisons=told, planned="smollm2")))
    memory = [c for c in told if c.quantity == "memory"]
    return bool(memory) and all(abs(c.error_share) <= CLOSE for c in memory)


def _direct(server: Service) -> Target:
    """Return the model server itself: what is predicted is its speed, not that of the front before it."""
    from gyakusan.load_testing.endpoint import target_of

    return target_of(server.server.url, server.server.key)


@contextlib.contextmanager
def _watched(language: Language, seconds: float) -> Iterator[Onlooker]:
    """Show on one line how a load gets on. seconds: of one load [s]."""
    from gyakusan.cli.bench_progress import LiveLine
    from gyakusan.load_testing.calibration import Onlooker
    from gyakusan.show.calibrate import STAGE_TEXTS

    line = LiveLine(language, None, f"{seconds:.3g}s")
    try:
        yield Onlooker(on_stage=lambda stage: line.say(STAGE_TEXTS[stage]), on_progress=line.update)
    finally:
        line.close()


def _planned(bandwidth: str | None) -> Deployment:
    """Return the small model as it is served, with what was learned of this computer until now."""
    from gyakusan import api

    return api.deployment("smollm2", load=Load(MOST, CONTEXT), device="cpu", memory=None, bandwidth=bandwidth)
