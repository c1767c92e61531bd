"""Servers that a page starts: what was asked is checked in words, then `gyakusan serve` runs as with --detach."""

from __future__ import annotations

import signal
import subprocess
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from msgspec import Struct

from gyakusan.engines.registry import DEFAULT
from gyakusan.errors import BadReference, BadSetting
from gyakusan.message import Message, people, quoted, say
from gyakusan.serving import background
from gyakusan.serving.background import Named
from gyakusan.text import Language
from gyakusan.web.problems import Busy
from gyakusan.web.queries import StartForm

if TYPE_CHECKING:
    from gyakusan.engines.deployment import Deployment

MOST_STARTING = 4
"""Servers that start at the same time."""
STOPPED = (0, -signal.SIGTERM, -signal.SIGINT, 128 + signal.SIGTERM, 128 + signal.SIGINT)
"""Exit codes of a server that somebody has stopped."""


class Start(Struct, frozen=True):
    """A server that was started from a page and is not ready yet.

    name: of the server
    model: as it was typed
    seconds: since its start [s]
    failed: what it said last where it did not start, None while it starts
    """

    name: str
    model: str
    seconds: float
    failed: Message | str | None = None


class _Child(Struct):
    """A process that was started.

    model: as it was typed
    named: its name and log
    process: that starts the server
    begun: when, by the monotonic clock [s]
    was_ready: True once its server was seen to be ready
    """

    model: str
    named: Named
    process: subprocess.Popen[bytes]
    begun: float
    was_ready: bool = False


class Starts:
    """What pages start."""

    def __init__(self, launch: Callable[..., subprocess.Popen[bytes]] = background.launch) -> None:
        """Prepare. launch: starts the command in the background."""
        self._launch = launch
        self._lock = threading.Lock()
        self._children: dict[str, _Child] = {}

    def begin(self, form: StartForm, language: Language) -> str:
        """Start a server in the background; its name. Raises GyakusanError for what would not run."""
        check(form)
        with self._lock:
            if sum(c.process.poll() is None and not background.ready(c.process) for c in self._children.values()) >= (
                MOST_STARTING
            ):
                raise Busy("{n} servers are starting.", n=MOST_STARTING, mend="Wait until one is ready.")
            other = self._children.get(form.name or "")
            if other is not None and other.process.poll() is None and background.ready(other.process) is None:
                raise BadSetting(
                    "{name} is starting.", name=quoted(form.name, mark='"'), mend="Wait, or give another name."
                )
            named = Named.of(form.model, form.name, None)
            try:
                process = self._launch(named, words(form, language))
            except BaseException:
                named.close()
                raise
            self._children[named.name] = _Child(form.model, named, process, time.monotonic())
            return named.name

    def starting(self) -> tuple[Start, ...]:
        """Return those that are not ready, by name; one that did not start stays until it is forgotten."""
        with self._lock:
            found = []
            for name, child in list(self._children.items()):
                told = self._state(name, child)
                found += [] if told is None else [told]
            return tuple(sorted(found, key=lambda s: s.name))

    def forget(self, name: str) -> None:
        """Show a server that did not start no more; end one that starts. Raises BadReference."""
        with self._lock:
            child = self._children.pop(name, None)
        if child is None:
            raise BadReference(
                "No server called {name} is starting.", name=quoted(name, 80, mark='"'), mend="Look again."
            )
        if child.process.poll() is None:
            background.end(child.process)
        child.named.close()

    def _state(self, name: str, child: _Child) -> Start | None:
        """Return the state of a start, None where it is over: its entry stands for the server now."""
        seconds = time.monotonic() - child.begun
        code = child.process.poll()
        if code is None and not child.was_ready:
            child.was_ready = background.ready(child.process) is not None
            if not child.was_ready:
                return Start(name, child.model, seconds)
            child.named.close()
        if code is None:
            return None
        if child.was_ready or code in STOPPED:
            child.named.close()
            del self._children[name]  # it ran, and has ended or been stopped since
            return None
        said = background.last_words(child.named)
        child.named.close()
        return Start(name, child.model, seconds, said or say("{name} ended before it was ready.", name=name))


def words(form: StartForm, language: Language) -> list[str]:
    """Return the words of the command: each value behind its option, the model behind all options."""
    given = [f"--engine={form.engine}", f"--users={form.users}"]
    given += [f"--context={form.context}"] if form.context else []
    return ["serve", "--host=127.0.0.1", "--port=0", f"--lang={language}", *given, "--", form.model]


def check(form: StartForm) -> None:
    """Raise GyakusanError for what is not on this computer, does not fit or is refused."""
    from gyakusan.python.options import deployed
    from gyakusan.serving.model_files import model_file

    if form.model.startswith("-"):
        raise BadReference(
            "{name} is no model.", name=quoted(form.model, 80, mark='"'), mend="Name a model of the catalogue."
        )
    asked = deployed(
        form.model, {}, context=form.context, users=form.users, engine=form.engine, offline=True
    )  # fmt: skip
    usual = form.engine == DEFAULT
    model_file(asked, form.model, f"gyakusan get {form.model}" + ("" if usual else f" --engine {form.engine}"))
    if asked.refusals:
        raise BadSetting(asked.refusals[0].template, **asked.refusals[0].facts)
    trained, context = asked.model.trained_context, int(asked.load.context)
    if trained and context > trained:
        raise BadSetting(
            "{name} was trained for {trained} tokens, and {context} were requested.", name=asked.name,
            trained=f"{trained:,}", context=f"{context:,}", mend="Ask for {trained} tokens of context or less.",
        )  # fmt: skip
    if not asked.ledger.fits:
        raise _short(asked)


def _short(asked: Deployment) -> BadSetting:
    """Return by how much it does not fit, and what would."""
    from gyakusan.planning.predict.capacity import find_capacity
    from gyakusan.units import format_bytes

    account = next(a for a in asked.ledger.accounts if not a.fits)
    limits = find_capacity(asked)
    ways = [say("{n} tokens of context", n=f"{limits.context:,}")] * (limits.context > 0)
    ways += [people(limits.users)] * (limits.users > 0)
    facts = {"device": account.device.name, "bytes": format_bytes(float(account.short_by))}
    if not ways:
        return BadSetting(
            "It does not fit: {device} is short by {bytes}.", **facts, mend="Choose a smaller model or quantisation."
        )
    either = ways[0] if len(ways) == 1 else say("{one} or {other}", one=ways[0], other=ways[1])
    return BadSetting(
        "It does not fit: {device} is short by {bytes}.", **facts, ways=either, mend="It fits with {ways}."
    )
