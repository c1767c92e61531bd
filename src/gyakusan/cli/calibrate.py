"""gyakusan calibrate: measure this computer with a small model, and learn from it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import App, Parameter

from gyakusan.cli.options import Output, _
from gyakusan.cli.writing import draw, warn, write_json

if TYPE_CHECKING:
    from gyakusan.python.calibrating import Measurements

app = App(
    name="calibrate",
    help="Measure this computer, so that its forecasts are closer.",
    help_format="plaintext",
)


@app.default
def calibrate(
    *,
    quick: Annotated[bool, Parameter(help=_("Measure for 40 s instead of 3 minutes."), negative="")] = False,
    forget: Annotated[bool, Parameter(help=_("Forget all measurements instead."), negative="")] = False,
    output: Output = Output(),
) -> int:
    """Run `gyakusan calibrate` and return its exit code."""
    import gc
    from contextlib import closing

    from gyakusan.cli.bench_progress import LiveLine
    from gyakusan.cli.ending import INTERRUPTED, asked_to_end
    from gyakusan.load_testing.calibration import FULL, FULL_SECONDS, QUICK, QUICK_SECONDS, ROUNDS, Onlooker
    from gyakusan.python.calibrating import calibrated, forgotten
    from gyakusan.show import calibrate as shown
    from gyakusan.text import tell

    if forget:
        return _told(forgotten(), output)
    gc.enable()  # a calibration is long
    warn(tell(shown.beginning(quick), output.language))
    seconds, loads = (QUICK_SECONDS, QUICK) if quick else (FULL_SECONDS, FULL)
    line = LiveLine(output.language, None, f"{seconds / ROUNDS:.3g}s", loads)
    onlooker = Onlooker(on_stage=lambda stage: line.say(shown.STAGE_TEXTS[stage]), on_progress=line.update)
    with asked_to_end() as ending, closing(line):
        answer = calibrated(quick=quick, onlooker=onlooker)
    if output.json:
        write_json(answer.document(), output)
    else:
        draw(*shown.screen(answer.found), output=output)
    if answer.found.interrupted:
        return ending.code(INTERRUPTED)
    return 0 if any(r.quantity != "bandwidth" for r in answer.found.learnt.kept) else 1


@app.command(name="export", help="Write the measurements of this computer to a file, without names or paths.")
def export(file: Annotated[Path, Parameter(help=_("Where to write them."))], *, output: Output = Output()) -> int:
    """Run `gyakusan calibrate export` and return its exit code."""
    from gyakusan.python.calibrating import calibrate_export

    return _told(calibrate_export(file), output, str(file))


@app.command(name="import", help="Learn from measurements of another computer.")
def import_(
    file: Annotated[Path, Parameter(help=_("A file that `gyakusan calibrate export` wrote."))],
    *,
    output: Output = Output(),
) -> int:
    """Run `gyakusan calibrate import` and return its exit code."""
    from gyakusan.python.calibrating import calibrate_import

    return _told(calibrate_import(file), output)


def _told(found: Measurements, output: Output, file: str = "") -> int:
    """Write what was done; exit code 1 if an import kept nothing."""
    from gyakusan.show.calibrate import measurements

    if output.json:
        write_json(found.document(), output)
    else:
        draw(*measurements(found.action, found.count, found.learnt, file, found.ram), output=output)
    return 1 if found.learnt is not None and not found.learnt.kept else 0
