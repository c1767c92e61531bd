"""Writes the generated parts of every Markdown page, or checks them.

python tools/docs.py            write
python tools/docs.py --check    exit code 1 and a diff where a page differs from what would be written

A generated part stands between two lines of its own; what is between them is replaced:

    <!-- generated: output gyakusan inspect gpt-oss-20b --device "RTX 4090" | head -9 -->
    <!-- end -->

Kinds: output COMMAND, help COMMAND, json COMMAND (lists shortened), printed (runs the Python block above it), tree,
tree packages, layers [CONTRACT], errors, commands, decisions, accuracy [SECTION ...], accuracy line, devices, computers, models,
embeddings, guide TABLE, quality TABLE, names SECTION, glossary. A COMMAND may end in "| head -N" or "| tail -N".
Pages under docs/ja/ and *.ja.md are written in Japanese; headings and sentences of this tool are in docs/ja/texts.json.
Only commands that say the same on every computer may be embedded: always with --device, never detect or serve.
"""

from __future__ import annotations

import ast
import contextlib
import difflib
import io
import json
import os
import re
import shlex
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "src"), str(ROOT)]
PACKAGE = ROOT / "src" / "gyakusan"
WIDTH, PIPED = "100", "80"
"""Of the screens, and of what goes through head or tail, as `show/terminal.py` has it. [cells]"""
PART = re.compile(r"^<!-- generated: (?P<what>.+?) -->\n(?P<old>.*?)^<!-- end -->$", re.MULTILINE | re.DOTALL)
BLOCK = re.compile(r"^```python\n(?P<code>.*?)^```$", re.MULTILINE | re.DOTALL)
KEPT = 2
"""Entries that are kept of each list in a shortened JSON."""


def pages(root: Path = ROOT) -> list[Path]:
    """Every page of the project, README first, and the manual pages of man(7)."""
    return [*sorted(root.glob("*.md")), *sorted((root / "docs").rglob("*.md")), *sorted((root / "docs").rglob("*.1"))]


def language_of(path: Path) -> str:
    """en or ja."""
    return "ja" if path.name.endswith(".ja.md") or "ja" in path.parts[-3:-1] else "en"


def written(path: Path, text: str) -> str:
    """The page with its parts made anew, a manual page as a whole. Raises ValueError for an unknown kind, naming the page."""

    if path.suffix == ".1":
        from tools import docs_manual

        return docs_manual.page(language_of(path), translated)

    def part(match: re.Match[str]) -> str:
        what = match["what"]
        name, _, rest = what.partition(" ")
        if name not in KINDS:
            raise ValueError(f"{path.name}: nothing generates {name!r}; there are {', '.join(KINDS)}")
        made = KINDS[name](rest, language_of(path), text[: match.start()]).rstrip("\n")
        return f"<!-- generated: {what} -->\n{made}\n<!-- end -->"

    return PART.sub(part, text)


def run(arguments: Sequence[str], language: str, width: str = WIDTH) -> str:
    """What a command prints, without colours, standard error last. width: of the screen, or of a pipe [cells]."""
    from gyakusan.cli import main

    out, err = io.StringIO(), io.StringIO()
    fixed = _environment(
        COLUMNS=width, NO_COLOR="1", GYAKUSAN_LANG=language, GYAKUSAN_LEARNED="off", GYAKUSAN_DEFAULTS="off",
        LC_ALL="", LC_MONETARY="ja_JP.UTF-8",
    )  # fmt: skip  # in yen, in English, too
    with fixed, contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        main([*arguments, "--lang", language])
    return "\n".join(line.rstrip() for line in (out.getvalue() + err.getvalue()).splitlines()).strip("\n")


@contextlib.contextmanager
def _environment(**values: str) -> Iterator[None]:
    before = dict(os.environ)
    for name in ("FORCE_COLOR", "CLICOLOR_FORCE", "TTY_COMPATIBLE", "TTY_INTERACTIVE"):
        os.environ.pop(name, None)
    os.environ.update(values)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


def words(command: str) -> tuple[list[str], int | None]:
    """'gyakusan plan --device "RTX 4090" | head -5' -> (['plan', '--device', 'RTX 4090'], 5); "| tail -5" -> -5."""
    line, _, end = command.partition(" | ")
    name, *arguments = shlex.split(line)
    if name != "gyakusan":
        raise ValueError(f"{command!r} is no gyakusan command")
    if not end:
        return arguments, None
    which, _, count = end.partition(" -")
    if which not in ("head", "tail") or not count.isdigit():
        raise ValueError(f"{command!r} ends in neither head nor tail with a number")
    return arguments, int(count) if which == "head" else -int(count)


def output(command: str, language: str, _before: str) -> str:
    """A command and what it prints."""
    arguments, most = words(command)
    lines = run(arguments, language, WIDTH if most is None else PIPED).splitlines()
    kept = lines[most:] if most is not None and most < 0 else lines[:most]
    return fenced("console", "\n".join([f"$ {command}", *kept]).rstrip())


def help_of(command: str, language: str, _before: str) -> str:
    """What `gyakusan COMMAND --help` prints."""
    arguments = command.split()[1:] if command.startswith("gyakusan") else command.split()
    shown = " ".join(["gyakusan", *arguments, "--help"])
    return fenced("console", f"$ {shown}\n" + run([*arguments, "--help"], language))


def json_of(command: str, language: str, _before: str) -> str:
    """The JSON of a command; of each list the first entries only, then an ellipsis."""
    found = shortened(json.loads(run(words(command)[0], language)))
    return fenced("json", json.dumps(found, ensure_ascii=False, indent=2))


def shortened(value: Any, most: int = KEPT) -> Any:
    """`value` with all lists cut to `most` entries."""
    if isinstance(value, Mapping):
        return {k: shortened(v, most) for k, v in value.items()}
    if isinstance(value, list):
        return [shortened(v, most) for v in value[:most]] + ["..."] * (len(value) > most)
    return value


def printed(_rest: str, _language: str, before: str) -> str:
    """What the last Python block of the page prints. All blocks above it run first, in one namespace."""
    return fenced("text", execute(before))


def execute(text: str) -> str:
    """Runs the Python blocks of a page in order; what the last one printed."""
    space: dict[str, Any] = {"__name__": "docs"}
    out = io.StringIO()
    for match in BLOCK.finditer(text):
        out = io.StringIO()
        with contextlib.redirect_stdout(out):
            exec(compile(match["code"], "<docs>", "exec"), space)
    return out.getvalue().rstrip("\n")


def tree(rest: str, language: str, _before: str) -> str:
    """src/gyakusan with the first sentence of each docstring; "packages": only its folders."""
    rows = list(_branches(PACKAGE, 0, files=rest != "packages"))
    rows = [("src/gyakusan/", ""), *(("  " + name, translated(about, language)) for name, about in rows)]
    width = max(len(name) for name, _ in rows) + 2
    return fenced("text", "\n".join(f"{name:{width}}{about}".rstrip() for name, about in rows))


def _branches(folder: Path, depth: int, *, files: bool) -> Iterator[tuple[str, str]]:
    for path in sorted(folder.iterdir(), key=lambda p: (p.is_dir(), p.name)):
        package = (path / "__init__.py").is_file()
        if package:
            yield "  " * depth + path.name + "/", sentence(path / "__init__.py")
        if package and files and depth < 1:
            inner = sorted(p for p in path.iterdir() if (p / "__init__.py").is_file())
            yield from (("  " * (depth + 1) + p.name + "/", sentence(p / "__init__.py")) for p in inner)
        elif files and path.suffix == ".py" and not path.name.startswith("_"):
            yield "  " * depth + path.name, sentence(path)


def sentence(path: Path) -> str:
    """The first sentence of a module's docstring, without its last full stop."""
    text = ast.get_docstring(ast.parse(path.read_text("utf-8"))) or ""
    first = re.split(r"(?<=[.])\s|\n", text.strip(), maxsplit=1)[0]
    return first.rstrip(".")


def errors(_rest: str, _language: str, _before: str) -> str:
    """The tree of exceptions in the docstring of gyakusan.errors."""
    text = ast.get_docstring(ast.parse((PACKAGE / "errors.py").read_text("utf-8"))) or ""
    return fenced("text", text.split("\n\n", 1)[1])


def commands(_rest: str, language: str, _before: str) -> str:
    """The commands and what they are for."""
    from gyakusan.cli.app import COMMANDS
    from gyakusan.text import tell

    rows = [(f"`gyakusan {name}`", tell(about, language)) for name, about in COMMANDS.items()]  # type: ignore[arg-type]
    return table((translated("command", language), translated("what for", language)), rows)


def layers(contract: str, _language: str, _before: str) -> str:
    """The layers of one contract of import-linter, highest first. contract: how its name begins, "" = of the package."""
    import tomllib

    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["importlinter"]["contracts"]
    names = next(c["layers"] for c in contracts if c["name"].startswith(contract or "one way"))
    return fenced("text", "\n".join(name.replace("gyakusan.", "") for name in names))


def decisions(_rest: str, _language: str, _before: str) -> str:
    """A list of the decision records."""
    files = sorted((ROOT / "docs" / "decisions").glob("*.md"))
    titles = [(f.name, f.read_text("utf-8").splitlines()[0].lstrip("# ")) for f in files]
    return "\n".join(f"- [{title}](../decisions/{name})" for name, title in titles)


def devices(_rest: str, language: str, _before: str) -> str:
    """Every device of the catalogue."""
    from gyakusan.catalog.devices import device_records
    from gyakusan.core.machine import Price
    from gyakusan.message import say
    from gyakusan.show.amounts import amount_words
    from gyakusan.text import tell
    from gyakusan.units import format_bytes

    def price(prices: Sequence[Price]) -> str:
        last = prices[-1] if prices else None
        if last is None:
            return "?"
        amount = amount_words(f"{last.amount:,.0f}", last.currency)
        return tell(say("{price} ({date})", price=amount, date=last.date), language)

    rows = [
        (
            r.name,
            ", ".join(map(str, r.sizes_gib)),
            ", ".join(format_bytes(r.device(size).usable) for size in r.sizes_gib),
            f"{r.bandwidth_gb_s:,.0f}",
            f"{r.power_w:,g}" if r.power_w else "?",
            r.released,
            price(r.prices),
        )
        for r in device_records()
    ]
    head = ("device", "memory as sold (GB)", "usable", "bandwidth (GB/s)", "power (W)", "released", "last price")
    return table([translated(h, language) for h in head], rows)


def computers(_rest: str, language: str, _before: str) -> str:
    """Every whole computer of the catalogue."""
    from gyakusan.catalog.devices import machine_records

    rows = [(r.name, r.device, ", ".join(map(str, r.sizes_gib))) for r in machine_records()]
    return table([translated(h, language) for h in ("computer", "device", "memory as sold (GB)")], rows)


def models(_rest: str, language: str, _before: str) -> str:
    """Every model of the catalogue that answers."""
    from gyakusan.catalog.models import model_records

    return _models(model_records(), language)


def embeddings(_rest: str, language: str, _before: str) -> str:
    """Every embedding model of the catalogue."""
    from gyakusan.catalog.models import embedding_records

    return _models(embedding_records(), language)


def _models(records: Iterable[Any], language: str) -> str:
    from gyakusan.show.source_words import licence_words
    from gyakusan.text import tell
    from gyakusan.units import format_count

    rows = [
        (
            f"`{r.name}`",
            r.architecture,
            format_count(r.parameters),
            f"{r.trained_context:,}" if r.trained_context else "?",
            r.quantization,
            tell(licence_words(r.license), language),
            r.basis,
        )
        for r in records
    ]
    head = ("model", "architecture", "parameters", "trained context", "usual quantisation", "licence", "basis")
    return table([translated(h, language) for h in head], rows)


def accuracy(rest: str, language: str, _before: str) -> str:
    """Tables of exact rows and relative errors; "line": one sentence; else the sections that are named."""
    from tools import docs_accuracy

    return docs_accuracy.parts(rest, language, translated, table)  # type: ignore[arg-type]


def guide(rest: str, language: str, _before: str) -> str:
    """A table of the guide: hardware, models, or fits with the names of devices."""
    from tools import docs_guide

    return docs_guide.part(rest, language, docs_guide.Tools(translated, table))


def quality(rest: str, language: str, _before: str) -> str:
    """A table of the page of quality: summary, hidden, prior, trials or pairs."""
    from tools import docs_quality

    return docs_quality.part(rest, language, translated, table)


def percent(share: float | None) -> str:
    """0.0025 -> "0.25 %", as every table of errors writes it."""
    from gyakusan.show.accuracy import percent as written_as

    return str(written_as(share))


def names(section: str, language: str, before: str) -> str:
    """A section of the nomenclature page."""
    from tools import docs_names

    return docs_names.names(section, language, before)


def glossary(_rest: str, language: str, _before: str) -> str:
    """The words of the field, from docs/glossary.toml."""
    from tools import docs_glossary

    return docs_glossary.glossary(language, table)


@cache
def _texts() -> Mapping[str, str]:
    found: Mapping[str, str] = json.loads((ROOT / "docs" / "ja" / "texts.json").read_text("utf-8"))
    return found


def translated(text: str, language: str) -> str:
    """`text` in Japanese where docs/ja/texts.json has it; English else."""
    return text if language == "en" else _texts().get(text, text)


def fenced(kind: str, text: str) -> str:
    return f"```{kind}\n{text}\n```"


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)


KINDS: dict[str, Callable[[str, str, str], str]] = {
    "output": output,
    "help": help_of,
    "json": json_of,
    "printed": printed,
    "tree": tree,
    "errors": errors,
    "commands": commands,
    "layers": layers,
    "decisions": decisions,
    "devices": devices,
    "computers": computers,
    "models": models,
    "embeddings": embeddings,
    "accuracy": accuracy,
    "guide": guide,
    "quality": quality,
    "names": names,
    "glossary": glossary,
}
"""Kind -> what writes it, from the rest of the marker, the language, and the page's text above it."""


def main(arguments: Sequence[str]) -> int:
    """Write or check all pages."""
    drift = 0
    for path in pages():
        old = path.read_text("utf-8")
        new = written(path, old)
        name = str(path.relative_to(ROOT))
        if old != new and "--check" in arguments:
            drift = 1
            diff = difflib.unified_diff(old.splitlines(), new.splitlines(), name, f"{name} (generated)", lineterm="")
            print("\n".join(diff))
        elif old != new:
            path.write_text(new, "utf-8")
            print(f"wrote {name}")
    if drift:
        print("Generated parts are out of date. Run: make docs")
    return drift


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
