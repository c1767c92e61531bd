"""gyakusan get: the files that a planned server loads, found on this computer or fetched."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Annotated

from cyclopts import App, Parameter

from gyakusan.cli.options import Images, Offline, Output, _
from gyakusan.cli.writing import draw, warn, write_json
from gyakusan.engines.registry import DEFAULT
from gyakusan.errors import BadSetting, GyakusanError
from gyakusan.message import say
from gyakusan.text import tell

if TYPE_CHECKING:
    from pathlib import Path

    from gyakusan.engines.deployment import Deployment
    from gyakusan.fetching.get import Ask, Getter, Got, Progress
    from gyakusan.fetching.wanted import Wanted

app = App(
    name="get", help="Get a model's files: found on this computer, or fetched and checked.", help_format="plaintext"
)


@app.default
def get(
    what: Annotated[
        str | None,
        Parameter(help=_("Number of a plan of the last answer, a saved plan, a model, owner/name:TAG, or ollama:TAG.")),
    ] = None,
    *,
    quant: Annotated[str | None, Parameter(help=_("Format of the files, e.g. Q4_K_M."))] = None,
    engine: Annotated[str, Parameter(help=_("The server that loads them: llama.cpp, ollama, vllm or mlx."))] = DEFAULT,
    images: Images = False,
    to: Annotated[str | None, Parameter(help=_("Folder for the files; default: Hugging Face's cache."))] = None,
    dry_run: Annotated[bool, Parameter(help=_("Say what would be fetched; fetch nothing."), negative="")] = False,
    listed: Annotated[
        bool, Parameter(name="--list", help=_("List the models that are on this computer, with sizes."), negative="")
    ] = False,
    offline: Offline = False,
    output: Output = Output(),
) -> int:
    """Run `gyakusan get` and return its exit code."""
    if listed:
        return _list(what, output)
    if what is None:
        raise BadSetting(
            "A plan or a model is missing.", mend="For example: gyakusan get 1, or gyakusan get gpt-oss-20b"
        )
    wanted, planned = _wanted(what, quant, engine, images=images)
    from pathlib import Path

    from gyakusan.fetching.get import Getter

    watch = _Watch(output, what)
    getter = Getter(None if to is None else Path(to), dry_run, offline, watch.ask, watch.came)
    try:
        got = watch.run(getter, wanted)
    except KeyboardInterrupt:
        watch.steps.close()
        return _interrupted(watch, output)
    return _shown(got, what, planned, output)


def _wanted(what: str, quant: str | None, engine: str, *, images: bool) -> tuple[Wanted, Deployment | None]:
    """Return what is wanted, with the deployment of a plan."""
    from gyakusan.cli.numbered import is_plan, numbered_plan, other_machine
    from gyakusan.doors.notices import notice
    from gyakusan.fetching import wanted

    if not is_plan(what):
        return wanted.of_text(what, quant, engine, images=images), None
    if quant is not None or engine != DEFAULT:
        raise BadSetting(
            "{what} is a plan, which has its own format and server.", what=what, mend="Leave out --quant and --engine."
        )
    plan = numbered_plan(what)
    other = other_machine(plan.deployment, what)  # no mistake: files may be fetched for another machine
    if other is not None:
        notice(other)
    return wanted.of_deployment(plan.deployment, projector=images or plan.projector == "counted"), plan.deployment


def _list(what: str | None, output: Output) -> int:
    """Show all models on this computer."""
    from gyakusan.fetching.stock import stock

    if what is not None:
        raise BadSetting("--list names every model; {what} is one argument too many.", what=what, mend="Leave it out.")
    found = stock()
    if output.json:
        from gyakusan.documents.get import get_list

        write_json(get_list(found), output)
    else:
        from gyakusan.show import get as show

        draw(*show.stock(found), output=output)
    return 0


def _shown(got: Got, what: str, planned: Deployment | None, output: Output) -> int:
    if output.json:
        from gyakusan.documents.get import get as document

        write_json(document(got), output)
        return 0
    from gyakusan.show import get as show

    draw(*show.screen(got, what, _memory(got.path, planned)), output=output)
    return 0


def _memory(path: Path | None, planned: Deployment | None) -> tuple[float, float, int, int] | None:
    """Return the plan's memory, the memory by the file's header, users and context; None where there is no header."""
    if planned is None or path is None or not path.is_file():
        return None
    from gyakusan.fetching.agreement import memory_by_header, total

    found = memory_by_header(planned, path)
    load = planned.load
    return None if found is None else (total(planned), found, int(load.users), int(load.context))


def _interrupted(watch: _Watch, output: Output) -> int:
    """Say that what is here is kept."""
    from gyakusan.fetching.get import gigabytes

    told = {"command": f"gyakusan get {watch.what}", "done": gigabytes(watch.done), "total": gigabytes(watch.total)}
    template = "Interrupted at {done} of {total}. {command} goes on from there."
    warn(tell(say(template, **told) if watch.done else say("Interrupted."), output.language))
    return 130


class _Watch:
    """What is shown while files are fetched, and how far it came. what: as it was typed."""

    def __init__(self, output: Output, what: str) -> None:
        from gyakusan.cli.steps import Steps

        self.steps = Steps(output.language)
        self.what = what
        self.done, self.total = 0, 0
        self._begun, self._had = 0.0, -1

    def run(self, getter: Getter, wanted: Wanted) -> Got:
        """Get the files. An error that leaves something behind says how far it came."""
        try:
            return getter.get(wanted)
        except GyakusanError as error:
            raise self._with_progress(error) from None
        finally:
            self.steps.close()

    def ask(self, ask: Ask) -> None:
        """Say what is to be fetched."""
        from gyakusan.show import get as show

        self.steps.done(say("Checking"), show.checking(ask))
        for skipped in ask.skipped:
            self.steps.done(say("Skipped"), say("{file}: {why}", file=skipped.file, why=skipped.why))

    def came(self, progress: Progress) -> None:
        """Show how far it is."""
        from gyakusan.fetching.get import gigabytes
        from gyakusan.message import duration

        self.done, self.total = progress.done, progress.total or 0
        now = time.monotonic()
        if self._had < 0:
            self._begun, self._had = now, progress.done
        speed = (progress.done - self._had) / max(now - self._begun, 1e-3)
        share = progress.done / self.total if self.total else 0.0
        left = (self.total - progress.done) / speed if speed > 0 and self.total else 0.0
        bar = "#" * round(12 * share)
        about = say(
            "{place} of {files}  {bar}  {share} %  {done}  {speed} MB/s  {left}", place=progress.place, files=progress.files,
            bar=bar.ljust(12, "."), share=f"{int(100 * share):2d}", done=gigabytes(progress.done), speed=f"{speed / 1e6:.0f}",
            left=duration(left),
        )  # fmt: skip
        self.steps.running(say("Comparing") if progress.checking else say("Fetching"), about)

    def _with_progress(self, error: GyakusanError) -> GyakusanError:
        """Return the error with how far it came, and the command that goes on from there, where what is here is kept."""
        kept = error.message.facts.get("kept")
        if not self.done or not self.total or not kept:
            return error
        from gyakusan.errors import SourceError
        from gyakusan.fetching.get import gigabytes

        told = {
            "done": gigabytes(self.done),
            "total": gigabytes(self.total),
            "command": f"gyakusan get {self.what}",
            "then": error.mend or "",
        }
        template = "{first} {done} of {total} are here."
        if kept == 1:
            return SourceError(template, first=error.message, **told, mend="{command} goes on from there.")
        return SourceError(template, first=error.message, **told, mend="{then} {command} goes on from there.")
