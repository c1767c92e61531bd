"""The bench that a page runs in the background: one at a time, told while it runs, ended early with what was measured kept."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from msgspec import Struct

from gyakusan.errors import BadReference, GyakusanError
from gyakusan.message import Message, say
from gyakusan.serving.running_servers import RunningServer, find_running
from gyakusan.web.problems import Busy
from gyakusan.web.queries import BenchForm

if TYPE_CHECKING:
    from gyakusan.load_testing.drive import StepRun
    from gyakusan.load_testing.session import Bench
    from gyakusan.python.benching import BenchOptions


ROOM = 1.25
"""A context of this many times a task's prompt and answer holds them, with what the chat template adds."""


class BenchState(Struct, frozen=True):
    """How the bench gets on.

    name: of the server
    told: what it does
    runs: True until it ends
    number: under which it is kept, None while it runs, or where nothing was
    problem: why it ended, None where nothing went wrong
    mend: what mends that
    """

    name: str
    told: Message
    runs: bool = True
    number: int | None = None
    problem: Message | None = None
    mend: Message | None = None


class BenchJob:
    """The bench of this page's server."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._state: BenchState | None = None
        self._running: Bench | None = None
        self._ended_early = False
        self._thread: threading.Thread | None = None

    @property
    def state(self) -> BenchState | None:
        """The bench that runs or ran last, None before the first."""
        return self._state

    def begin(self, form: BenchForm) -> None:
        """Begin. Raises GyakusanError for what cannot be measured, Busy while another one runs."""
        from gyakusan.load_testing.workload import parse_seconds
        from gyakusan.python.benching import request_of

        entry = find_running(form.name)
        limit = parse_seconds(form.seconds)
        options = options_of(form, entry)
        request_of(entry.name, options)  # what cannot be read is said at once
        with self._lock:
            if self._state is not None and self._state.runs:
                raise Busy("A bench of {name} runs.", name=self._state.name, mend="Wait for its end, or end it.")
            self._state = BenchState(entry.name, say("The bench begins."))
            self._running, self._ended_early = None, False
        self._thread = threading.Thread(target=self._run, args=(entry, options, limit), name="bench", daemon=True)
        self._thread.start()

    def end_early(self) -> None:
        """End it; what was measured is kept. Raises BadReference where none runs."""
        with self._lock:
            if self._state is None or not self._state.runs:
                raise BadReference("No bench runs.", mend="Look again.")
            self._ended_early = True
            self._state = BenchState(self._state.name, say("The bench is being ended."))
            if self._running is not None:
                self._running.end_early()

    def join(self, seconds: float) -> bool:
        """Wait for its end; False if it still runs. For tests."""
        if self._thread is not None:
            self._thread.join(seconds)
        return self._state is None or not self._state.runs

    def _run(self, entry: RunningServer, options: BenchOptions, limit: float) -> None:
        from gyakusan.python.benching import measured
        from gyakusan.show.bench_line import progress

        def told(run: StepRun, now: float) -> None:
            with self._lock:
                if not self._ended_early:
                    self._state = BenchState(entry.name, progress(run, now, limit))

        try:
            found = measured(entry.name, options, {}, told, self._begun)
        except GyakusanError as error:
            self._end(BenchState(entry.name, say("The bench has ended."), False, None, error.message, error.mend))
        except Exception as error:
            kind = say("The bench failed: {kind}.", kind=type(error).__name__)
            self._end(BenchState(entry.name, say("The bench has ended."), False, None, kind))
            raise
        else:
            nothing = None if any(s.requests for s in found.result.steps) else say("No answer came.")
            self._end(BenchState(entry.name, say("The bench has ended."), False, found.result.number, nothing))

    def _begun(self, running: Bench) -> None:
        with self._lock:
            self._running = running
            if self._ended_early:
                running.end_early()

    def _end(self, state: BenchState) -> None:
        with self._lock:
            self._state, self._running = state, None


def options_of(form: BenchForm, entry: RunningServer) -> BenchOptions:
    """Return the options of a bench as the command has them: what was planned for the server and its key its entry tells.

    Raises BadSetting for a task that is none.
    """
    from gyakusan.python.benching import BenchOptions

    prompt, answer = _lengths(form.task, entry.context)
    return BenchOptions(
        users=form.users, seconds=form.seconds, task=form.task, prompt=prompt, answer=answer, log=entry.log_file
    )


def _lengths(task: str, context: int) -> tuple[int, int] | tuple[None, None]:
    """Return lengths that a short context holds, None for one that holds the task's. context: of each person [tokens]."""
    from gyakusan.load_testing.workload import shape_of

    usual = shape_of(task, None, None, 0)
    if context <= 0 or ROOM * (usual.prompt + usual.answer) <= context:
        return None, None
    return max(1, context // 2), max(1, context // 8)
