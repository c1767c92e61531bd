"""Every English template in the source, and those without a translation.

python tools/messages.py          what is missing in each language (exit code 1 if anything is)
python tools/messages.py --all    every template
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parent.parent / "src" / "gyakusan"
sys.path.insert(0, str(ROOT.parent))
CALLS = {"say", "tell", "_", "Message"}


def templates(root: Path = ROOT) -> set[str]:
    """Templates given as literals to say(), tell(), _(), exceptions of gyakusan.errors, and `mend=`."""
    errors = {n.name for n in ast.walk(ast.parse((root / "errors.py").read_text())) if isinstance(n, ast.ClassDef)}
    out: set[str] = set()
    for path in sorted(root.rglob("*.py")):
        tree = ast.parse(path.read_text("utf-8"))
        out |= set(_calls(tree, CALLS | errors)) | set(_marked(tree))
    return {t for t in out if any(c.isalpha() for c in t) and t != "{first}"}


def _calls(tree: ast.AST, names: set[str]) -> Iterator[str]:
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        if name in names and node.args:
            yield from _strings(node.args[0])
        for keyword in node.keywords:
            if keyword.arg == "mend":
                yield from _strings(keyword.value)


def _marked(tree: ast.AST) -> Iterator[str]:
    """Tables of templates: module constants whose comment-free name ends in _TEXTS, and COMMANDS, ABOUT."""
    for node in getattr(tree, "body", ()):
        targets = [node.target] if isinstance(node, ast.AnnAssign) else getattr(node, "targets", ())
        names = {getattr(t, "id", "") for t in targets}
        if any(n in ("COMMANDS", "ABOUT") or n.endswith("_TEXTS") for n in names) and node.value is not None:
            values = node.value.values if isinstance(node.value, ast.Dict) else [node.value]
            for value in values:
                yield from (s for v in ast.walk(value) for s in _strings(v))


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
    """Print what is missing."""
    from gyakusan.text import LANGUAGES, knows

    found = sorted(templates())
    if "--all" in sys.argv:
        print("\n".join(found))
        return 0
    missing = [(lang, t) for lang in LANGUAGES for t in found if not knows(t, lang)]
    for lang, template in missing:
        print(f"{lang}: {template!r}")
    return 1 if missing else 0


if __name__ == "__main__":
    sys.exit(main())
