"""Every English template in the source, and those without a translation.

python tools/messages.py            what is missing or left over in each language (exit code 1 if anything is)
python tools/messages.py --all      every template
python tools/messages.py --prune    deletes what is left over, sorts the rest

Found are: literals given to say(), tell(), _(), to exceptions of gyakusan.errors and as `mend=` (or a constant there);
whole sentences wherever they stand (a template in a variable, a constant, a helper's argument); assignments to `template`;
the values of module
constants that end in _TEXTS; the words that stand as they are in the JSON (kinds, bases); literals given to t() in the
templates of the page; what the catalogue's sources give.
"""

from __future__ import annotations

import ast
import json
import re
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parent.parent / "src" / "gyakusan"
CALLS = {"say", "tell", "_tell", "_", "_head", "Message"}
WORDS = {
    "core/ledger.py": {"LineKind", "Basis"},
    "core/machine.py": {"Kind", "Basis"},
    "engines/llamacpp/log.py": {"BufferKind"},
}
"""Literals whose values are shown as words."""

TABLES = {"COMMANDS", "ABOUT"}
SPOKEN = {"PROMPTS", "NOTHING_HERE"}
"""Constants that are sentences but are said to a model, not to the user."""
ANSWERED = {"ApiRoute", "Refusal", "Counter", "Gauge", "Histogram"}
"""Calls whose sentences go to programs, in English as all of OpenAI's API and of Prometheus."""

SOURCES = "catalog/data/sources.toml"
"""The catalogue's sources: what each gives is said on a screen."""

_SENTENCE = re.compile(r"[A-Z{](?=.* ).*[\w)}\]`'\"][.?]", re.DOTALL)


FOR_PROGRAMS = {"web/openapi.py", "web/tools.py"}
"""Modules whose sentences are the description of the API."""
_IN_TEMPLATE = re.compile(r"""\bt\((["'])(.+?)\1[,)]""")
"""A template given to `t` in a page."""


def templates(root: Path = ROOT) -> set[str]:
    """Every template under `root`."""
    errors = {n.name for n in ast.walk(ast.parse((root / "errors.py").read_text())) if isinstance(n, ast.ClassDef)}
    out: set[str] = set()
    for path in sorted(root.rglob("*.py")):
        tree = ast.parse(path.read_text("utf-8"))
        words = _words(tree, WORDS.get(path.relative_to(root).as_posix(), set()))
        sentences = set() if path.relative_to(root).as_posix() in FOR_PROGRAMS else {*_sentences(tree)}
        out |= {*_calls(tree, CALLS | errors), *_marked(tree), *words, *sentences}
    for page in sorted(root.glob("web/templates/*.html")):
        out |= {match[2] for match in _IN_TEMPLATE.finditer(page.read_text("utf-8"))}
    out |= {s["gives"] for s in tomllib.loads((root / SOURCES).read_text("utf-8"))["source"]}
    return {
        t
        for t in out
        if t.endswith("}.") or "%" in t or "; " in t or any(c.isalpha() for c in re.sub(r"\{\w+\}", "", t))
    }


def _calls(tree: ast.AST, names: set[str]) -> Iterator[str]:
    constants = {name: node.value for node in ast.walk(tree) if isinstance(node, ast.Assign) for name in _names(node)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            for argument in node.args if name in names else ():
                yield from _strings(argument)
            for keyword in node.keywords:
                if keyword.arg == "mend":
                    given = keyword.value
                    yield from _strings(constants.get(given.id, given) if isinstance(given, ast.Name) else given)
        elif isinstance(node, ast.Assign) and _names(node) & {"template", "mend"}:
            yield from _strings(node.value)


def _marked(tree: ast.AST) -> Iterator[str]:
    """Tables of templates: module constants whose names end in _TEXTS, and TABLES."""
    for node in getattr(tree, "body", ()):
        if any(n in TABLES or n.endswith("_TEXTS") for n in _names(node)) and node.value is not None:
            values = node.value.values if isinstance(node.value, ast.Dict) else [node.value]
            for value in values:
                yield from (s for v in ast.walk(value) for s in _strings(v))


def _words(tree: ast.AST, wanted: set[str]) -> Iterator[str]:
    """The words of `Kind = Literal["gpu", ...]`."""
    for node in getattr(tree, "body", ()):
        if _names(node) & wanted and isinstance(node.value, ast.Subscript):
            yield from (s for v in ast.walk(node.value.slice) for s in _strings(v))


def _sentences(tree: ast.Module) -> Iterator[str]:
    """Whole sentences that are no docstring, no part of an f-string, and not SPOKEN."""
    passed: set[int] = set()
    for node in ast.walk(tree):
        silent = isinstance(node, ast.JoinedStr) or (
            isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
        )
        answered = isinstance(node, ast.Call) and getattr(node.func, "id", "") in ANSWERED
        if silent or answered or _names(node) & SPOKEN:
            passed |= {id(v) for v in ast.walk(node)}
    for node in ast.walk(tree):
        text = node.value if isinstance(node, ast.Constant) and id(node) not in passed else None
        if isinstance(text, str) and _SENTENCE.fullmatch(text):
            yield text


def _names(node: ast.AST) -> set[str]:
    """What an assignment assigns to."""
    targets = [node.target] if isinstance(node, ast.AnnAssign) else getattr(node, "targets", ())
    return {getattr(t, "id", "") for t in targets}


def _strings(node: ast.AST) -> Iterator[str]:
    match node:
        case ast.Constant(value=str(text)):
            yield text
        case ast.IfExp(body=a, orelse=b):
            yield from _strings(a)
            yield from _strings(b)
        case ast.BoolOp(values=parts):
            for part in parts:
                yield from _strings(part)


def main() -> int:
    """Print what is missing and what is left over."""
    found = templates()
    if "--all" in sys.argv:
        print("\n".join(sorted(found)))
        return 0
    wrong = 0
    for path in sorted((ROOT / "locale").glob("*.json")):
        table = json.loads(path.read_text("utf-8"))
        if "--prune" in sys.argv:
            table = {k: table[k] for k in sorted(found & set(table))}
            path.write_text(json.dumps(table, ensure_ascii=False, indent=1) + "\n", "utf-8")
        for what, some in (("missing", found - set(table)), ("left over", set(table) - found)):
            wrong += len(some)
            print("".join(f"{path.stem}: {what}: {t!r}\n" for t in sorted(some)), end="")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
