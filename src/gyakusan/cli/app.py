"""The tree of commands, and the one place where an exception becomes a line and an exit code."""

from __future__ import annotations

import errno
import sys
import threading
from collections.abc import Sequence
from typing import Any

from cyclopts import App, CycloptsError, Parameter

from gyakusan._version import __version__
from gyakusan.catalog import places
from gyakusan.cli import empty_paths, lean, repeated
from gyakusan.cli.defaults import fill
from gyakusan.cli.words import Help, mistake
from gyakusan.cli.writing import drop, unwritten, warn
from gyakusan.doors.notices import notice
from gyakusan.errors import GyakusanError, UsageError
from gyakusan.message import Message
from gyakusan.text import Language, tell
from gyakusan.typed_words import remember

COMMANDS = {
    "inspect": "Show the memory a model takes, and why.",
    "compare": "Compare devices and models in charts.",
    "plan": "Plan backwards: from a machine or a budget to model, server and command.",
    "upgrade": "Find the best next purchase for a machine you own.",
    "fleet": "Count the machines for many people, and their cost.",
    "detect": "Show this computer's devices and memory.",
    "doctor": "Show what this computer has for serving, and what is missing.",
    "get": "Get a model's files: found on this computer, or fetched and checked.",
    "serve": "Start the planned endpoint and check the prediction.",
    "deploy": "Run a plan on a Ray cluster: start, look, scale, delete.",
    "export": "Write a plan as a file for Kubernetes, Compose, podman, systemd or Caddy.",
    "bench": "Load a server and compare it with the prediction.",
    "calibrate": "Measure this computer, so that its forecasts are closer.",
    "ps": "Show the servers that gyakusan started and that run.",
    "watch": "Show what a running server does: requests, speed, memory.",
    "status": "Show what a running server does and holds now.",
    "logs": "Print the end of a server's log.",
    "stop": "Stop a running server.",
    "keys": "Give people keys for shared servers, list and revoke them.",
    "chat": "Talk to a running server in the terminal.",
    "connect": "Print what other programs need to use a running server.",
    "web": "Show the same answers as pages in a browser.",
    "mcp": "Answer an assistant's questions over the Model Context Protocol (stdin and stdout).",
    "catalog": "Show catalogue facts with their sources; add your own.",
    "demo": "Try every step in 2 to 5 minutes with a small model.",
    "accuracy": "Show the accuracy of the predictions, from recorded measurements.",
    "config": "Keep defaults: device, currency, language, key file.",
    "completion": "Print a script with which a shell completes names.",
    "schema": "Show the JSON Schemas of the --json documents.",
}
ABOUT = "Plan a local LLM endpoint backwards: from memory or money to model, quantisation and command."


def build(language: Language) -> App:
    """The commands, none of them imported yet."""
    app = _empty(language)
    for name, about in COMMANDS.items():
        app.command(f"gyakusan.cli.{name}:app", name=name, help=about)
    return app


def _empty(language: Language) -> App:
    """No command. Of a repeated option the last value counts: screens say what to add."""
    return App(
        "gyakusan",
        help=ABOUT,
        version=__version__,
        help_format="plaintext",
        help_formatter=Help(language),
        default_parameter=Parameter(allow_repeating=True, negative_iterable=()),
        config=(empty_paths.check, repeated.check, fill),
    )


def _call(arguments: Sequence[str], language: Language) -> Any:
    """Parse and call; what the command returns. Raises CycloptsError for a mistake, what the command raises."""
    needed = lean.parameters(arguments)
    if needed is not None:
        app = _empty(language)
        app.command(lean.reduced(*needed), name=arguments[0])
        try:
            return _call_by(app, arguments)
        except CycloptsError:
            pass  # the whole parser knows what was meant
    return _call_by(build(language), arguments)


def _call_by(app: App, arguments: Sequence[str]) -> Any:
    return app(list(arguments), exit_on_error=False, print_error=False, result_action="return_value")


def run(arguments: Sequence[str], language: Language) -> int:
    """Parse and call; every error is one line on stderr. No traceback reaches a user, from no thread."""
    remember(arguments)
    notice.hear(lambda message: warn("gyakusan: " + tell(message, language)))
    before = threading.excepthook
    threading.excepthook = lambda thread: _crashed_thread(thread.exc_value, arguments, language)
    try:
        return _run(arguments, language)
    except BrokenPipeError:
        drop(sys.stdout)
        return 0
    except SystemExit as error:
        if isinstance(error.__context__, BrokenPipeError):  # rich ends with 1, which means "no" here
            return 0
        raise
    except OSError as error:
        return unwritten(error, language) if _is_full(error) else crashed(error, arguments, language)
    except Exception as error:  # noqa: BLE001 - a fault of ours is reported
        return crashed(error, arguments, language)
    finally:
        threading.excepthook = before


def _run(arguments: Sequence[str], language: Language) -> int:
    try:
        _check_own_records()
        result = _call(arguments, language)
    except CycloptsError as error:
        return _complain(UsageError.__name__, *mistake(error), 2, language, json="--json" in arguments)
    except GyakusanError as error:
        kind = type(error).__name__
        message = _with_option(error.message, arguments)
        return _complain(kind, message, error.mend, error.exit_code, language, json="--json" in arguments)
    except KeyboardInterrupt:
        warn(tell("Interrupted.", language))
        return 130
    return result if isinstance(result, int) else 0


def _with_option(message: Message, arguments: Sequence[str]) -> Message:
    """Return a message about a key with the option that was typed for it; a key that a file says stays."""
    option = f"--{message.facts.get('key', '')}"
    if not any(a == option or a.startswith(f"{option}=") for a in arguments):
        return message
    return Message(message.template, {**message.facts, "key": option})


def _crashed_thread(error: BaseException | None, arguments: Sequence[str], language: Language) -> None:
    """Report what a thread died of; the command goes on."""
    if error is not None and not isinstance(error, SystemExit):
        crashed(error, [a for a in arguments if a != "--json"], language)


def crashed(error: BaseException, arguments: Sequence[str], language: Language) -> int:
    """Report what nothing expected, in one line and a file; the exit code."""
    from gyakusan.cli.crash import told

    return _complain(*told(error, arguments), 3, language, json="--json" in arguments)


def _check_own_records() -> None:
    """Name what is broken in the user's own records, so that no command stumbles over it."""
    if places.own_files():
        from gyakusan.catalog.own import leave_out_broken

        leave_out_broken()


def flushed(code: int, language: Language) -> int:
    """Write what stdout still holds; the exit code, 3 where it cannot be written."""
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        drop(sys.stdout)
    except OSError as error:
        return unwritten(error, language)
    return code


def _is_full(error: OSError) -> bool:
    """Return True for an error of writing that names no file: the disk behind stdout is full or gone."""
    return error.filename is None and error.errno in (errno.ENOSPC, errno.EIO, errno.EDQUOT, errno.EBADF)


def _complain(kind: str, message: Message, mend: Message | None, code: int, language: Language, *, json: bool) -> int:
    """Say what is wrong on stderr, and with --json as a document on stdout; the exit code."""
    if json:
        from gyakusan.cli.writing import print_json
        from gyakusan.documents.served import ErrorJson

        print_json(ErrorJson(error=message, mend=mend, kind=kind, exit_code=code), language)
    line = tell(message, language)
    if mend is not None:
        line += ("" if line.endswith("。") else " ") + tell(mend, language)
    warn("gyakusan: " + " ".join(line.splitlines()))
    return code
