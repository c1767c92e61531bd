"""Japanese: every template has a translation, it is well written, and tables still line up.

How the Japanese is written: half-width letters and digits; no space between Japanese and what surrounds it, except
around what is typed on a command line (--flags, commands), so that it can be picked out and copied.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path
from string import Formatter
from typing import Any

import pytest
from rich.cells import cell_len
from tests.show.drawing import text_of
from tools.messages import templates

import gyakusan
from gyakusan.cli import main
from gyakusan.core.machine import Device, Machine
from gyakusan.errors import BadSetting
from gyakusan.message import Choices, Listed, Message, quoted, say
from gyakusan.planning.request.parse_request import file_values
from gyakusan.serving.buffer_comparison import BufferComparison
from gyakusan.show import machine as show_machine
from gyakusan.show import served
from gyakusan.text import choose, knows, tell
from gyakusan.units import GIB, MIB

JAPANESE: dict[str, str] = json.loads((Path(gyakusan.__file__).parent / "locale" / "ja.json").read_text("utf-8"))
LETTER = "[ぁ-ゖァ-ヺー一-龠々]"
SAME_EVERYWHERE = {
    "JEDEC",
    *(
        "gpu",
        "host",
        "{n} GiB of RAM",
        "backend",
        "{name}: {reason}.",
        "{model}: {reason}.",
        "first",
        "a {name}",
        "an {name}",
        "the {name}",
    ),
    *("cpu", "nvlink_gb_s", "first token", "{n} % of all", "{advice}: {gain}.", "{file}: {why}.", "{file}: {problem}."),
    *("GB", "GB/s", "FP16", "W", "KV", "{n} W", "{type} cache", "{part} {size} GiB", "{part}, {size} GiB, {basis}"),
    *("{part}, {size} GiB ({low}-{high}), {basis}", "{users} x {context}, {quantization}, {engine}"),
    *(
        "{told}.",
        "{first}; {rest}",
        "{first}; {second}",
        "{n} %",
        "95 %",
        "{error} ({near}%)",
        "{error} ({near}%, {inside}%)",
    ),
}
"""What is written GPU, API and TTFT in Japanese, too; templates without words, whose full stop is another; articles."""

TYPED = re.compile(
    r" ?(?:--[a-z]+(?:-[a-z]+)*(?:[ =](?:\{\w+\}|[\w.,:=/]+))*|--\{\w+\}|\{(?:flag|options?)\}"
    r"|\{command\}(?: --help)?| \{url\}| \{address\}"
    r"|gyakusan(?: [a-z]+)+|\w+ = \w+) ?",
    re.ASCII,
)
GPT_OSS = ("inspect", "gpt-oss-20b", "--quant", "MXFP4", "--context", "131072", "--device", "RTX 4090")
SIZE = re.compile(r"-?[\d,.]+ (?:B|[KMGT]iB)(?= |$)")


def fields(template: str) -> set[str]:
    return {name for _, name, _, _ in Formatter().parse(template) if name is not None}


def test_every_template_is_translated() -> None:
    assert sorted(t for t in templates() if not knows(t, "ja")) == []


def test_what_was_typed_has_the_quotation_marks_of_each_language() -> None:
    told = say("No {kind} is called {name}.", kind=say("device"), name=quoted("RTX\x1b 5099\u3000" + "x" * 300, 9))
    assert tell(told, "ja") == "「RTX? 5099」というデバイスは見つかりません。"
    assert tell(told, "en") == str(told) == r"No device is called 'RTX\x1b 5099'."
    assert tell(say("{value}", value=quoted(2.5)), "ja") == "2.5"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[a]\n[a]\n", "「a」を2回定義しています"),
        ("a = 1\na.b = 2\n", ""),
        ("a = {b = 1, b = 2}", ""),
        ('a = "\x01"', ""),
        ("a = 1 b", ""),
    ],
)
def test_what_the_parser_of_toml_quotes(text: str, told: str) -> None:
    """Its marks are Japanese ones, too."""
    with pytest.raises(BadSetting) as refused:
        file_values(text, "x.toml")
    shown = tell(refused.value.message, "ja")
    assert told in shown
    assert "'" not in shown
    assert '"' not in shown


def test_no_translation_is_left_over() -> None:
    assert sorted(set(JAPANESE) - templates()) == []


def test_a_translation_has_the_fields_of_its_template() -> None:
    assert {t: j for t, j in JAPANESE.items() if fields(t) != fields(j)} == {}


def test_a_translation_is_japanese() -> None:
    assert [t for t, j in JAPANESE.items() if not re.search(LETTER, j) and t not in SAME_EVERYWHERE] == []


def test_letters_digits_and_signs_are_half_width() -> None:
    assert [j for j in JAPANESE.values() if re.search("[\uff01-\uff65\u3000]", j)] == []


def test_a_percentage_has_no_blank() -> None:
    """80%, as a Japanese counter; English writes 80 %."""
    assert [j for j in JAPANESE.values() if re.search(r"[\d}] +%", j)] == []


def test_a_sentence_ends_like_a_sentence() -> None:
    """Except where the end is to be typed."""
    typed = re.compile(r"(?:pip install|git lfs|ollama pull|--set) \S.*$")
    ends = {t: j for t, j in JAPANESE.items() if t.endswith((".", "?")) and not typed.search(j)}
    assert [j for j in ends.values() if not j.endswith("。")] == []
    assert [j for t, j in JAPANESE.items() if not t.endswith((".", "?", "}")) and j.endswith("。")] == []


def test_spaces_stand_only_around_what_is_typed() -> None:
    bare = {j: TYPED.sub("", j) for j in JAPANESE.values()}
    assert [
        j for j, b in bare.items() if re.search(rf"[。、」]? ?{LETTER} [\w{{(]|[\w}})] {LETTER}", b, re.ASCII)
    ] == []


def test_options_stand_apart_from_the_words_around_them() -> None:
    glued = re.compile(rf"{LETTER}--(?:[a-z]|\{{name)|(?<![\w-])--(?:[a-z][a-z-]*[a-z]|\{{name\}}){LETTER}")
    assert [j for j in JAPANESE.values() if glued.search(j)] == []


def test_names_have_a_japanese_comma_and_what_is_typed_keeps_its_own() -> None:
    assert tell(Message("{options}", {"options": "--json, --csv"}), "ja") == "--json、--csv"
    typed = "--device 'RTX 4090, RTX 3060'"
    assert tell(Message("{options}", {"options": typed}), "ja") == typed


def test_one_word_for_one_thing() -> None:
    """A few words of the glossary that are easily written in two ways."""
    other_ways = (
        "ディレクトリー|アーキテクチャー|コンピュータ(?!ー)|コンマ|分か[りら]|基のGPU|個のGPU|バッファー|メモリー|"
        "ユーザ(?!ー)|サーバ(?!ー)|フォルダ|ウェイト|レイヤー|ウェブ"
    )
    assert [j for j in JAPANESE.values() if re.search(other_ways, j)] == []


@pytest.mark.parametrize(
    ("asked", "environment", "expected"),
    [
        (None, {}, "en"),
        ("ja", {"LANG": "en_US.UTF-8"}, "ja"),
        ("en", {"GYAKUSAN_LANG": "ja"}, "en"),
        (None, {"GYAKUSAN_LANG": "ja", "LC_ALL": "C"}, "ja"),
        (None, {"LANG": "ja_JP.UTF-8"}, "ja"),
        (None, {"LC_MESSAGES": "ja_JP.UTF-8", "LANG": "en_US.UTF-8"}, "ja"),
        (None, {"LC_ALL": "C.UTF-8", "LANG": "ja_JP.UTF-8"}, "en"),
        (None, {"LC_ALL": "", "LANG": "ja_JP.UTF-8"}, "ja"),
        (None, {"LANG": "de_DE.UTF-8"}, "en"),
    ],
)
def test_the_environment_chooses(asked: str | None, environment: dict[str, str], expected: str) -> None:
    assert choose(asked, environment) == expected


def test_facts_that_are_sentences_are_translated_too() -> None:
    message = say("No {kind} is called {name}.", kind=say("device"), name="'RTX 1'")
    assert tell(message, "en") == "No device is called 'RTX 1'."
    assert tell(message, "ja") == "'RTX 1'というデバイスは見つかりません。"
    roles = say("{plan}: {roles}", plan="a", roles=Listed((say("balanced"), say("fastest"))))
    assert (str(roles), tell(roles, "ja")) == ("a: balanced, fastest", "a: バランス型、速度重視")


def test_what_has_no_translation_stays_english() -> None:
    assert tell(Message("Nobody {verb} this.", {"verb": "says"}), "ja") == "Nobody says this."
    assert tell("{{x}}", "en") == "{x}"


@pytest.fixture
def screen(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Any:
    """Lines that a command prints on a terminal of `width` cells."""

    def call(width: int, *arguments: str) -> list[str]:
        monkeypatch.setenv("COLUMNS", str(width))
        monkeypatch.setenv("GYAKUSAN_LANG", "ja")  # main() sets it; so it is undone after the test
        main([*arguments, "--lang", "ja"])
        out, err = capsys.readouterr()
        return [*out.splitlines(), *err.splitlines()]

    return call


def right_edges(lines: Sequence[str], pattern: re.Pattern[str] = SIZE) -> list[list[int]]:
    """For each line the cells at which what `pattern` finds ends."""
    return [[cell_len(line[: m.end()]) for m in pattern.finditer(line)] for line in lines]


@pytest.mark.parametrize("width", [80, 100])
def test_the_ledger_lines_up(screen: Any, width: int) -> None:
    lines = screen(width, *GPT_OSS)
    kinds = ("weights", "KV cache", "KV cache, window", "compute buffer", "CUDA overhead", "  total", "embeddings")
    rows = [line for line in lines if line.startswith(tuple(f"  {JAPANESE[k].strip()}" for k in kinds))]
    assert len(rows) == 7
    assert len({edges[0] for edges in right_edges(rows, re.compile(r"\d+\.\d\d"))}) == 1
    assert max(map(cell_len, lines)) <= width


@pytest.mark.parametrize("width", [80, 100])
def test_the_plan_lines_up(screen: Any, width: int) -> None:
    lines = screen(width, "plan", "--device", "RTX 4090", "--all")
    at = [i for i, line in enumerate(lines) if line.split()[:1] == [JAPANESE["files"]]][-1]
    body = [line for line in lines[at + 1 : at + 20] if re.match(r" ?\d+  ", line)]  # a model has a line of its own
    head, rows = lines[at], [line.replace(" ±", "_±") for line in body]
    assert len(rows) >= 8
    assert {cell_len(r) for r in body} == {cell_len(head)}
    edges = right_edges(rows, re.compile(r"\S+"))
    assert {len(e) for e in edges} == {8}
    assert len({tuple(e[3:]) for e in edges}) == 1
    assert edges[0][3:] == right_edges([head], re.compile(r"\S+"))[0][2:]


@pytest.mark.parametrize("width", [80, 100])
def test_machines_and_comparisons_line_up(width: int) -> None:
    host = Device("AMD EPYC", "host", 256 * GIB, "cpu")
    gpu = Device("NVIDIA GeForce RTX 4090", "gpu", 24 * GIB, "cuda", bandwidth=1008e9)
    machine = Machine("box", (gpu,), host, "AMD EPYC", 16)
    rows = text_of(*show_machine.screen(machine, ()), language="ja", width=width).splitlines()[1:]
    assert all(r == r.rstrip() for r in rows)
    assert len({tuple(e[:2]) for e in right_edges(rows[1:])}) == 1

    seen = [
        BufferComparison("weights", "host", 1 * MIB, 1 * MIB, 0.0, 0.0),
        BufferComparison("kv_cache", "gpu0", 1e9, 1e9, 0.0, 0.0),
    ]
    rows = text_of(served.comparison(seen), language="ja", width=width).splitlines()
    assert {cell_len(r) for r in rows} == {cell_len(rows[0])}
    assert len({tuple(e) for e in right_edges(rows[1:])}) == 1


SCREENS = (
    ("--help",),
    ("inspect", "--help"),
    ("plan", "--help"),
    ("serve", "--help"),
    ("plan", "--device", "RTX 3060", "--all"),
    ("inspect", "qwen2.5-72b", "--device", "RTX 4090", "--why"),
    ("detect",),
    ("inspect", "gpt-oss-20b", "--memory", "24"),
    ("inspect", "gpt-oss-20b", "--nope"),
    ("inspect", "gpt-oss-20b", "--device", "RTX 5099"),
)


@pytest.mark.parametrize("arguments", SCREENS, ids=" ".join)
def test_no_english_sentence_is_left(screen: Any, arguments: tuple[str, ...]) -> None:
    """Every longer piece of an English template would show up; spaces are left out because lines are folded."""
    text = "".join("".join(screen(100, *arguments)).replace("│", "").split())
    pieces = {p.strip() for t in templates() for p in re.split(r"\{\w+\}", t) if len(p.split()) > 1 and len(p) > 12}
    assert [p for p in pieces if "".join(p.split()) in text] == []
    assert re.search(LETTER, text)


def test_a_japanese_quotation_with_marks_of_its_own_stands_in_double_ones() -> None:
    message = say("{name}", name=quoted("a「b", 80))
    assert tell(message, "ja") == "『a「b』"
    assert tell(say("{name}", name=quoted("ab", 80)), "ja") == "「ab」"


def test_choices_stand_with_their_japanese_names_first() -> None:
    message = say("{choices}", choices=Choices("prefer", ("quality", "speed")))
    assert tell(message, "ja") == "品質(quality)、速度(speed)"
    assert tell(message, "en") == str(message) == "quality, speed"
    assert tell(say("{choices}", choices=Choices("", ("F16", "Q8_0"))), "ja") == "F16、Q8_0"
