"""The pages: their commands exist, their examples run, their links lead somewhere, every command has a page."""

from __future__ import annotations

import json
import re
import shlex
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from cyclopts import CycloptsError

from gyakusan.cli import main
from gyakusan.cli.app import COMMANDS, build
from tools import docs

ROOT = Path(__file__).parents[2]
PAGES = [page for page in docs.pages(ROOT) if page.suffix == ".md"]
NAMES = [str(p.relative_to(ROOT)) for p in PAGES]
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\(([^)\s]+)\)")
MACHINE_DEPENDENT = {"detect", "serve", "demo"}


def test_marked_parts_are_replaced_and_nothing_else() -> None:
    page = "before\n<!-- generated: tree packages -->\nold\n<!-- end -->\nafter\n"
    new = docs.written(Path("x.md"), page)
    assert new.startswith("before\n<!-- generated: tree packages -->\n```text\nsrc/gyakusan/\n")
    assert new.endswith("```\n<!-- end -->\nafter\n")
    assert "old" not in new
    assert docs.written(Path("x.md"), new) == new


def test_an_unknown_kind_is_named() -> None:
    with pytest.raises(ValueError, match=r"x\.md: nothing generates 'sums'"):
        docs.written(Path("x.md"), "<!-- generated: sums -->\n<!-- end -->\n")


def test_check_tells_drift_and_writing_mends_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    page = tmp_path / "page.md"
    page.write_text("<!-- generated: errors -->\nold\n<!-- end -->\n")
    monkeypatch.setattr(docs, "ROOT", tmp_path)
    monkeypatch.setattr(docs, "pages", lambda: [page])
    assert docs.main(["--check"]) == 1
    out = capsys.readouterr().out
    assert "-old" in out
    assert "+├── UsageError" in out
    assert "old" in page.read_text()
    assert docs.main([]) == 0
    assert docs.main(["--check"]) == 0
    assert "UsageError" in page.read_text()


def test_output_is_plain_and_as_wide_as_a_page() -> None:
    text = docs.run(["inspect", "gpt-oss-20b", "--device", "RTX 4090", "--why"], "en")
    assert "\x1b" not in text
    assert max(map(len, text.splitlines())) <= int(docs.WIDTH)
    assert not any(line.endswith(" ") for line in text.splitlines())


def test_output_of_a_mistake_is_the_error_line() -> None:
    said = docs.run(["inspect", "gpt-oss-20b", "--memory", "24"], "en")
    assert said.startswith("gyakusan: --memory: '24' has no unit.")


def test_help_is_in_the_language_of_the_page() -> None:
    english, japanese = docs.run(["plan", "--help"], "en"), docs.run(["plan", "--help"], "ja")
    assert "from a machine or a budget" in english
    assert english == docs.run(["plan", "--help"], "en")
    assert "--device" in japanese


def test_words_of_a_command() -> None:
    assert docs.words('gyakusan plan --device "RTX 4090" | head -5') == (["plan", "--device", "RTX 4090"], 5)
    assert docs.words("gyakusan detect") == (["detect"], None)
    assert docs.words("gyakusan detect | tail -2") == (["detect"], -2)
    with pytest.raises(ValueError, match="neither head nor tail"):
        docs.words("gyakusan detect | wc -l")
    with pytest.raises(ValueError, match="no gyakusan command"):
        docs.words("rm -rf /")


def test_the_first_or_the_last_lines_are_kept() -> None:
    command = 'gyakusan inspect gpt-oss-20b --device "RTX 4090"'
    whole = docs.output(f"{command} | head -99", "en", "").splitlines()[2:-1]
    assert docs.output(f"{command} | head -4", "en", "").splitlines()[2:-1] == whole[:4]
    assert docs.output(f"{command} | tail -3", "en", "").splitlines()[2:-1] == whole[-3:]


def test_shortened_lists() -> None:
    assert docs.shortened({"a": [1, 2, 3], "b": [{"c": [1]}]}) == {"a": [1, 2, "..."], "b": [{"c": [1]}]}


@pytest.mark.parametrize(
    ("share", "shown"),
    [(0, "0"), (None, "?"), (0.00249, "0.25 %"), (0.000_000_7, "0.0001 %"), (0.1431, "14.4 %"), (1.0, "100.0 %")],
)
def test_errors_are_never_shown_smaller_than_they_are(share: float | None, shown: str) -> None:
    assert docs.percent(share) == shown


def test_every_package_is_described() -> None:
    packages = [p for p in docs.PACKAGE.rglob("__init__.py") if "data" not in p.parts]
    assert [str(p) for p in packages if not docs.sentence(p)] == []


def test_the_japanese_tree_is_japanese() -> None:
    tree = docs.tree("packages", "ja", "")
    assert [line for line in tree.splitlines()[2:-1] if not re.search("[ぁ-んァ-ン一-龥]", line)] == []


def test_japanese_texts_are_those_of_the_tool() -> None:
    texts = json.loads((ROOT / "docs" / "ja" / "texts.json").read_text())
    source = "".join(p.read_text() for p in sorted((ROOT / "tools").glob("docs*.py")))
    source += "".join(docs.sentence(p) for p in docs.PACKAGE.rglob("*.py"))
    source += "".join((ROOT / "benchmarks" / name).read_text() for name in ("quality.json", "quality_trials.json"))
    joined = re.sub(r'"\s+"', "", source)
    assert [text for text in texts if text not in joined] == []
    assert all(set(re.findall(r"\{\w+\}", k)) == set(re.findall(r"\{\w+\}", v)) for k, v in texts.items())


@pytest.mark.parametrize("name", NAMES)
def test_examples_run(name: str) -> None:
    docs.execute((ROOT / name).read_text())


def test_the_python_page_has_examples() -> None:
    page = (ROOT / "docs/en/python.md").read_text()
    assert len(docs.BLOCK.findall(page)) >= 5
    assert "gpt-oss-20b MXFP4_MOE, llama.cpp, 1 x 131,072 tokens: fits" in page


def shell_lines(text: str) -> Iterator[str]:
    """Lines in fenced blocks, in code spans and in markers that begin with `gyakusan `."""
    for kind, body in FENCE.findall(text):
        if kind in ("sh", "console", "text", ""):
            for line in body.replace("\\\n", " ").splitlines():
                if re.match(r"(\$ )?gyakusan [a-z-]", line):
                    yield line.removeprefix("$ ")
    yield from (m for m in re.findall(r"`(gyakusan [a-z-][^`]*)`", FENCE.sub("", text)) if "..." not in m)


@pytest.mark.parametrize("name", NAMES)
def test_every_command_and_option_exists(name: str) -> None:
    app = build("en")
    for line in shell_lines((ROOT / name).read_text()):
        tokens = shlex.split(line.partition(" | ")[0], comments=True)[1:]
        if tokens[0].startswith("-") or "--help" in tokens:
            continue
        assert tokens[0] in COMMANDS, line
        if len(tokens) == 1:
            continue
        try:
            app.parse_args(tokens, exit_on_error=False, print_error=False)
        except CycloptsError as error:
            pytest.fail(f"{line}: {error}")


@pytest.mark.parametrize("name", ["README.md", "README.ja.md"])
def test_the_line_of_python_runs(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    (code,) = re.findall(r"^python -c '(.+)'$", (ROOT / name).read_text(), re.MULTILINE)
    exec(code, {})
    assert capsys.readouterr().out == "True\n"


def test_commands_are_found_at_all() -> None:
    assert len(list(shell_lines((ROOT / "README.md").read_text()))) >= 4


@pytest.mark.parametrize("name", NAMES)
def test_only_commands_that_say_the_same_everywhere_are_embedded(name: str) -> None:
    for match in docs.PART.finditer((ROOT / name).read_text()):
        kind, _, command = match["what"].partition(" ")
        if kind in ("output", "json"):
            tokens, _ = docs.words(command)
            assert tokens[0] not in MACHINE_DEPENDENT
            assert tokens[0] == "compare" or {"--device", "--memory", "--budget", "--nodes"} & set(tokens)
            assert "cpu" not in tokens


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_a_page_and_stands_in_the_index(command: str) -> None:
    pages = [p for p in PAGES if p.parent.name == "en"]
    assert any(f"<!-- generated: help {command} -->" in p.read_text() for p in pages)
    assert f"`gyakusan {command}`" in (ROOT / "docs/en/index.md").read_text()


def anchors(path: Path) -> set[str]:
    heads = re.findall(r"^#+ (.+)$", FENCE.sub("", path.read_text()), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", head.casefold()).replace(" ", "-") for head in heads}


@pytest.mark.parametrize("name", NAMES)
def test_links_resolve(name: str) -> None:
    page = ROOT / name
    for target in LINK.findall(FENCE.sub("", page.read_text())):
        if "://" in target or target.startswith("mailto:"):
            continue
        path, _, anchor = target.partition("#")
        there = (page.parent / path).resolve() if path else page
        assert there.exists(), target
        assert not anchor or anchor in anchors(there), target


@pytest.mark.parametrize("language", ["en", "ja"])
def test_the_index_leads_to_every_page(language: str) -> None:
    folder = ROOT / "docs" / language
    linked = set(LINK.findall((folder / "index.md").read_text()))
    assert {p.name for p in folder.glob("*.md")} - {"index.md"} <= linked
    assert "guide/index.md" in linked
    assert {f"howto/{p.name}" for p in (folder / "howto").glob("*.md")} <= linked
    guide = {target.partition("#")[0] for target in LINK.findall((folder / "guide" / "index.md").read_text())}
    assert {p.name for p in (folder / "guide").glob("*.md")} - {"index.md"} <= guide


def test_both_languages_have_the_same_pages() -> None:
    """The manual page apart, which stands where man looks for it."""
    english, japanese = (
        {str(p.relative_to(ROOT / "docs" / language)) for p in (ROOT / "docs" / language).rglob("*.md")}
        for language in ("en", "ja")
    )
    assert english == japanese


QUESTIONS = (
    "--budget 1000000JPY --users 5 --context 32k --language ja",
    '--device "RTX 5090" --users 2 --context 64k',
    '--device "DGX Spark" --prefer quality',
    '--device "Mac Studio M4 Max 128GB" --os macos --users 10',
)


@pytest.mark.parametrize("language", ["en", "ja"])
def test_the_plan_page_works_through_four_questions(language: str) -> None:
    page = (ROOT / "docs" / language / "plan.md").read_text()
    assert [q for q in QUESTIONS if f"<!-- generated: output gyakusan plan {q} -->" not in page] == []


def test_both_guides_have_the_same_pages_and_generated_parts() -> None:
    def parts(path: Path) -> list[str]:
        return [re.sub(r" \| head -\d+", "", m["what"]) for m in docs.PART.finditer(path.read_text())]

    english, japanese = ((ROOT / "docs" / language / "guide") for language in ("en", "ja"))
    names = [p.name for p in sorted(english.glob("*.md"))]
    assert names == [p.name for p in sorted(japanese.glob("*.md"))]
    assert [n for n in names if parts(english / n) != parts(japanese / n)] == []


@pytest.mark.parametrize("name", ["README.md", "README.ja.md"])
def test_the_readme_is_one_screen(name: str) -> None:
    text = (ROOT / name).read_text()
    assert len(text.splitlines()) <= 60
    assert "make demo" in text
    assert "make test" in text


INSTALLING = [f"docs/{language}/{page}.md" for language in ("en", "ja") for page in ("tutorial", "install")]


@pytest.mark.parametrize("name", ["README.md", "README.ja.md", *INSTALLING])
def test_what_is_installed_has_a_python_of_its_own(name: str) -> None:
    """`pip install '.[serve,nvidia]'` replaced packages of the system's Python."""
    lines = (ROOT / name).read_text().splitlines()
    first = next(i for i, line in enumerate(lines) if line.startswith("pip install"))
    assert lines[first - 1].startswith("python3 -m venv ~/gyakusan-venv && . ~/gyakusan-venv/bin/activate")


def test_the_contract_page_names_every_field() -> None:
    page = (ROOT / "docs/en/json.md").read_text()
    command = 'inspect gpt-oss-20b --device "RTX 4090" --json'
    found = json.loads(docs.run(shlex.split(command), "en"))
    device, line = found["devices"][0], found["devices"][0]["lines"][0]
    names = [k for k in found if k not in ("model", "engine", "load", "devices")]
    names += [f"{part}.{k}" for part in ("model", "engine", "load") for k in found[part]]
    names += [f"devices[].{k}" for k in device if k != "lines"] + [f"devices[].lines[].{k}" for k in line]
    assert [n for n in names if f"`{n}`" not in page] == []


HOW_TOS = ("office-server", "kubernetes", "two-sparks")


@pytest.mark.parametrize("language", ["en", "ja"])
@pytest.mark.parametrize("name", HOW_TOS)
def test_what_a_how_to_plans_and_writes_comes_about(
    name: str, language: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The lines that need no machine of their own; those that start servers are read by the test above."""
    shutil.copytree(ROOT / "docs" / "examples", tmp_path / "docs" / "examples")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    lines = list(shell_lines((ROOT / "docs" / language / f"{name}.md").read_text("utf-8")))
    run = [shlex.split(line.partition(" | ")[0], comments=True)[1:] for line in lines]
    run = [words for words in run if words[0] in ("plan", "inspect", "fleet", "export", "keys")]
    assert run
    for words in run:
        if len(words) > 1:
            assert main(words) in ((0, 1) if words[0] == "inspect" else (0,)), words


PAIRS = (("howto/office.md", "office-server.md"), ("howto/dgx-spark.md", "two-sparks.md"))
"""How-tos about one subject: what each is for stands in its first lines, with a link to the other."""


@pytest.mark.parametrize("language", ["en", "ja"])
@pytest.mark.parametrize("pair", PAIRS, ids=lambda pair: pair[1])
def test_how_tos_of_one_subject_are_apart(pair: tuple[str, str], language: str) -> None:
    texts = [(ROOT / "docs" / language / name).read_text("utf-8") for name in pair]
    commands = [re.findall(r"^\$ (gyakusan .*)$", text, re.MULTILINE) for text in texts]
    first, second = ({c.partition(" | ")[0] for c in found} for found in commands)
    assert first & second == set(), "both show the answer of one command"
    if "office" in pair[1]:  # which machine is chosen on the first page alone
        assert not [c for c in second if c.startswith("gyakusan plan")]
    for text, other in zip(texts, reversed(pair), strict=True):
        assert other.rpartition("/")[2] in text, "no link to the other"
