"""The command `gyakusan`. Each command is one module, imported when it is called."""

from __future__ import annotations

import atexit
import gc
import os
import sys
from collections.abc import Sequence
from errno import EBADF

from gyakusan._version import __version__
from gyakusan.cli.typed import in_yen, read_words
from gyakusan.text import LANGUAGES, Language, choose, tell


def program() -> int:
    """Run the command line of this process and end the process with the exit code; what started threads returns it instead.

    Python takes apart everything that was imported when it ends, 4 % of a plan. All that others may wait for is done first:
    what was registered for the end, and what the streams hold.
    """
    code = main()
    from threading import active_count

    run_registered = getattr(atexit, "_run_exitfuncs", None)  # of CPython alone
    if active_count() > 1 or run_registered is None:
        return code
    run_registered()
    for stream in (sys.stdout, sys.stderr):
        if stream is not None:
            try:
                stream.flush()
            except (OSError, ValueError):  # closed, or nobody reads: `main` has said so
                return code
    os._exit(code)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; the exit code: 0 yes, 1 no, 2 usage, 3 failure, 130 interrupted."""
    arguments = read_words(sys.argv[1:] if argv is None else argv)
    asked, rest = _language(arguments)
    language = choose(asked or _kept())
    try:
        return _run(in_yen(rest) if language == "ja" else rest, language)
    except KeyboardInterrupt:  # while modules are imported
        print(tell("Interrupted.", language), file=sys.stderr)
        return 130


def _run(rest: list[str], language: Language) -> int:
    if rest == ["--version"] and sys.stdout is not None:  # scripts ask often: answered without the command-line library
        try:
            print(__version__, flush=True)
        except OSError as error:
            from gyakusan.cli.writing import unwritten

            return unwritten(error, language)
        return 0
    if rest[:1] == ["--complete"] and sys.stdout is not None:  # a shell waits after every TAB
        return _complete(rest[1:], language)
    gc.disable()  # a command is short, and what it imports stays: 4 % of its time; `serve` and `demo` switch it on again
    _prepare()
    if sys.stdout is None:  # closed by the shell: `>&-`
        from gyakusan.cli.writing import unwritten

        return unwritten(OSError(EBADF, os.strerror(EBADF)), language)
    from gyakusan.cli.app import flushed, run

    before = os.environ.get("GYAKUSAN_LANG")
    os.environ["GYAKUSAN_LANG"] = language
    try:
        return flushed(run(rest, language), language)
    finally:
        gc.enable()
        if before is None:
            del os.environ["GYAKUSAN_LANG"]
        else:
            os.environ["GYAKUSAN_LANG"] = before


def _complete(words: list[str], language: Language) -> int:
    """Print what the last word may become, a line each; nothing where nothing is known or can be read."""
    from gyakusan.cli.app import build
    from gyakusan.cli.candidates import candidates
    from gyakusan.errors import GyakusanError

    try:
        found = candidates(build(language), words)
        print("".join(f"{name}\n" for name in found), end="", flush=True)
    except (GyakusanError, OSError):
        return 1
    return 0


def _prepare() -> None:
    """Let no character and no COLUMNS break an answer: what a stream cannot encode is written as its code."""
    if sys.stderr is None:
        sys.stderr = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    columns = os.environ.get("COLUMNS", "")
    if columns and not (columns.isdecimal() and 20 <= int(columns[:9]) <= 1000):
        os.environ["COLUMNS"] = "80"


def _kept() -> str | None:
    """The language of the user's own file, where no variable of ours says it."""
    if os.environ.get("GYAKUSAN_LANG"):
        return None
    from gyakusan.cli.defaults import kept_language

    return kept_language()


def _language(arguments: list[str]) -> tuple[str | None, list[str]]:
    """The value of --lang, wherever it stands, and the other arguments: the language decides how help is written."""
    for i, text in enumerate(arguments):
        if text == "--":
            break
        if text.startswith("--lang=") and text[7:] in LANGUAGES:
            return text[7:], arguments[:i] + arguments[i + 1 :]
        if text == "--lang" and arguments[i + 1 : i + 2] and arguments[i + 1] in LANGUAGES:
            return arguments[i + 1], arguments[:i] + arguments[i + 2 :]
    first = arguments[0] if arguments else ""
    if first.startswith("--lang=") and arguments[1:2] and not arguments[1].startswith("-"):
        return None, [*arguments[1:], first]  # a language that is none: commands with a screen say which there are
    if first == "--lang" and arguments[2:3] and not arguments[2].startswith("-"):
        return None, arguments[2:] + arguments[:2]
    return None, arguments
