"""Does the server take the arguments? Its own parser where it is installed, else its recorded options (options.json)."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from benchmarks.plan_judges.verdict import Verdict
from gyakusan.engines.llamacpp.engine import VERSION
from gyakusan.planning.select.plan import Plan

BUILD = re.compile(r"\bb\d{4,}\b")
OPTIONS = Path(__file__).with_name("options.json")
HUB = ("-hf", "-hfr", "--hf-repo")
TRIES = 4
"""On a busy computer llama-server may end before it has written that the model is missing."""
Parser = Callable[[tuple[str, ...]], str]
"""Arguments without the program -> what the parser says against them, "" if nothing."""
ASK = {
    "mlx_lm.server": """
import argparse, json, sys
import mlx_lm.server as server
original = argparse.ArgumentParser.parse_args
class Parsed(Exception): pass
def parse_args(self, args=None, namespace=None):
    original(self, given); raise Parsed
argparse.ArgumentParser.parse_args = parse_args
def error(self, message): raise SystemExit(message)
argparse.ArgumentParser.error = error
def judge(arguments):
    global given
    given = arguments
    try: server.main()
    except Parsed: return ""
    except SystemExit as said: return str(said)
""",
    "vllm": """
import sys, json
from vllm.entrypoints.openai.cli_args import make_arg_parser
from vllm.utils.argparse_utils import FlexibleArgumentParser
parser = make_arg_parser(FlexibleArgumentParser())
def error(message): raise SystemExit(message)
parser.error = error
def judge(arguments):
    try: parser.parse_args(arguments[1:] if arguments[:1] == ["serve"] else arguments)
    except SystemExit as said: return str(said)
    return ""
""",
}
LOOP = """
import json as _json, sys as _sys
for line in _sys.stdin:
    print(_json.dumps(judge(_json.loads(line))), flush=True)
"""


@cache
def recorded() -> Mapping[str, Any]:
    """Return the recorded options of every server."""
    found: Mapping[str, Any] = json.loads(OPTIONS.read_text("utf-8"))
    return found


def builds(llama: str | None = None) -> str:
    """Return of which build of llama-server the options are, and of which the plans. llama: path of a real one, None = none."""
    source = recorded()["llama-server"]["source"]
    found = BUILD.search(source)
    asked = f"those of {llama}" if llama else f"recorded of {found[0] if found else source}"
    return f"{asked}, plans are made for {VERSION}"


def table_parser(program: str) -> Parser:
    """Return a judge by the recorded options of a program: unknown ones, missing and superfluous values, other words."""
    options: Mapping[str, Any] = recorded()[program]["options"]

    def judge(arguments: tuple[str, ...]) -> str:
        at = 2 if program == "vllm" else 0  # `vllm serve MODEL`
        while at < len(arguments):
            name, equals, inline = arguments[at].partition("=")
            option = options.get(name)
            if option is None:
                return f"no option {name}"
            rest = [inline] if equals else _values(arguments[at + 1 :], option["takes"])
            if option["takes"] == "flag" and equals:
                return f"{name} takes no value"
            if option["takes"] != "flag" and not rest:
                return f"{name} needs a value"
            wrong = [v for v in rest if option["choices"] and v not in option["choices"]]
            if wrong:
                return f"{name} cannot be {wrong[0]}"
            at += 1 + (0 if equals else len(rest))
        return ""

    return judge


def _values(rest: Sequence[str], takes: str) -> list[str]:
    if takes == "flag":
        return []
    if takes == "value":
        return [v for v in rest[:1] if not v.startswith("--")]
    return list(rest[: next((i for i, v in enumerate(rest) if v.startswith("-")), len(rest))])


def llama_parser(program: str) -> Parser:
    """Return a judge that starts llama-server without a model: it parses first, and stops at the missing file."""

    @cache
    def judge(arguments: tuple[str, ...]) -> str:
        nowhere = ("--model", "/nonexistent/none.gguf", "--host", "127.0.0.1", "--port", "0")
        for _ in range(TRIES):
            argv = (program, *_without_model(arguments), *nowhere)
            done = subprocess.run(argv, capture_output=True, text=True, timeout=120, check=False)
            text = done.stdout + done.stderr
            wrong = [line for line in text.splitlines() if line.startswith("error")]
            if wrong:
                return wrong[0]
            if "failed to load model" in text:
                return ""
        return text.strip()[-200:] or f"exit code {done.returncode}"

    return judge


def _without_model(arguments: Sequence[str]) -> tuple[str, ...]:
    """Return the arguments without what names the model, the host and the port: nothing is fetched, nothing listens."""
    found: list[str] = []
    at = 0
    while at < len(arguments):
        if arguments[at] in (*HUB, "--model", "-m", "--host", "--port"):
            at += 2
        else:
            found.append(arguments[at])
            at += 1
    return tuple(found)


class PythonParser:
    """A server's own parser, asked in the Python where it is installed: one process for all questions."""

    def __init__(self, python: str, program: str) -> None:
        argv = [python, "-c", ASK[program] + LOOP]
        self._process = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def __call__(self, arguments: tuple[str, ...]) -> str:
        """Return what the parser says against the arguments."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(arguments) + "\n")
        self._process.stdin.flush()
        answer: str = json.loads(self._process.stdout.readline())
        return answer

    def close(self) -> None:
        """End the process."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(30)


def parsers(llama: str | None = None, mlx: str | None = None, vllm: str | None = None) -> dict[str, Parser]:
    """Return the judge of each program: the real parser where a path is given."""
    found: dict[str, Parser] = {name: table_parser(name) for name in recorded()}
    if llama:
        found["llama-server"] = llama_parser(llama)
    if mlx:
        found["mlx_lm.server"] = PythonParser(mlx, "mlx_lm.server")
    if vllm:
        found["vllm"] = PythonParser(vllm, "vllm")
    return found


def judge(question: str, plan: Plan, by: Mapping[str, Parser]) -> Iterator[Verdict]:
    """Yield one verdict on the arguments of a plan; programs without arguments of their own (Ollama) have none."""
    program, *arguments = plan.command.argv
    if program in by:
        why = by[program](tuple(arguments))
        yield Verdict("arguments", f"{question}: {' '.join(plan.command.argv)}", why)
    elif program != "ollama":
        yield Verdict("arguments", f"{question}: {' '.join(plan.command.argv)}", f"no parser of {program} is known")
