"""What the parser says: each mistake by its own sentence, help in the reader's language."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import Any

import pytest

import gyakusan.cli
from gyakusan.cli import main
from gyakusan.text import tell


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setenv("COLUMNS", "100")

    def call(*arguments: str, lang: str = "en") -> tuple[int, str, str]:
        monkeypatch.setenv("GYAKUSAN_LANG", lang)
        code = main(arguments)
        out, err = capsys.readouterr()
        return code, out, err

    return call


MISTAKES = {
    ("inspct",): "There is no command inspct. Did you mean inspect? See `gyakusan --help`.",
    ("zzz",): "There is no command zzz. See `gyakusan --help`.",
    ("-x",): "There is no option -x. See `gyakusan --help`.",
    ("inspect",): (
        "MODEL is missing. Write a model's name (gyakusan catalog list models) or a GGUF file. See `gyakusan inspect --help`."
    ),
    ("bench", "show"): "NUMBER is missing. The numbers: gyakusan bench list",
    ("bench", "show", "x"): "NUMBER needs a whole number, not 'x'. The numbers: gyakusan bench list",
    ("inspect", "a", "--contxt", "3"): (
        "There is no option --contxt. Did you mean --context? See `gyakusan inspect --help`."
    ),
    ("get", "1", "--lan"): (
        "There is no option --lan. --lan belongs to gyakusan plan and gyakusan export; gyakusan serve has --host 0.0.0.0."
        " See `gyakusan get --help`."
    ),
    ("serve", "1", "--lan"): "There is no option --lan. Did you mean --host 0.0.0.0? See `gyakusan serve --help`.",
    ("inspect", "a", "--server", "vllm"): (
        "There is no option --server. Did you mean --engine? See `gyakusan inspect --help`."
    ),
    ("keys", "list", "--server", "vllm"): "There is no option --server. See `gyakusan keys list --help`.",
    ("inspect", "a", "--zzz"): "There is no option --zzz. See `gyakusan inspect --help`.",
    ("inspect", "a", "--ubatch", "many"): ("--ubatch needs a whole number, not 'many'. See `gyakusan inspect --help`."),
    ("serve", "--threads", "x"): "--threads needs a whole number, not 'x'. See `gyakusan serve --help`.",
    (
        "plan",
        "--budget",
        "-100USD",
    ): "--budget takes an amount above zero, not '-100USD'. Type for example --budget 100USD.",
    ("plan", "--budget", "--users"): "The option --budget needs a value. See `gyakusan plan --help`.",
    ("inspect", "a", "--context"): "The option --context needs a value. See `gyakusan inspect --help`.",
    ("inspect", "a", "b"): "'b' is one argument too many. See `gyakusan inspect --help`.",
    ("plan", "—users", "5"): "'5' is one argument too many. Options begin with two hyphens: --users",
    ("plan", "ーーusers", "5"): "'5' is one argument too many. Options begin with two hyphens: --users",
    ("inspect", "a", "--lang", "fr"): "--lang cannot be 'fr'. Choose one of: en, ja.",
    ("inspect", "a", "--why=3"): "--why cannot be '3'. See `gyakusan inspect --help`.",
}


@pytest.mark.parametrize(("arguments", "line"), list(MISTAKES.items()), ids=lambda x: " ".join(x)[:40])
def test_a_mistake_has_its_own_sentence(run: Any, arguments: tuple[str, ...], line: str) -> None:
    assert run(*arguments) == (2, "", f"gyakusan: {line}\n")


def test_a_mistake_in_japanese(run: Any) -> None:
    line = (
        "オプション --contxt はありません。もしかして: --context。詳しくは gyakusan inspect --help を参照してください。"
    )
    assert run("inspect", "a", "--contxt", "3", lang="ja") == (2, "", f"gyakusan: {line}\n")


def test_a_long_mistake_is_cut(run: Any) -> None:
    code, out, err = run("inspect", "a", "--" + "x" * 5000)
    assert (code, out) == (2, "")
    assert len(err) < 200


def test_help_says_what_an_option_takes(run: Any) -> None:
    code, out, err = run("inspect", "--help")
    assert (code, err) == (0, "")
    text = " ".join(out.replace("│", "").split())
    assert text.startswith("Usage: gyakusan inspect [OPTIONS] MODEL Show the memory a model takes, and why.")
    for part in ("[required]", "[one of: auto, on, off] [default: auto]", "[default: on]", "[default: 2048]"):
        assert part in text
    assert "False" not in text


def test_help_in_japanese(run: Any) -> None:
    _, out, _ = run("inspect", "--help", lang="ja")
    text = " ".join(out.replace("│", "").split())
    assert text.startswith("使い方: gyakusan inspect [オプション] MODEL モデルに必要なメモリと、その根拠を表示する。")
    for part in (
        "引数とオプション",
        "[必須]",
        "[選択肢: 自動(auto)、オン(on)、オフ(off)] [既定値: auto]",
        "[既定値: 有効]",
    ):
        assert part in text


def help_texts() -> set[str]:
    """Every text of help in the source: what stands in _() and behind help=."""
    found: set[str] = set()
    for path in Path(gyakusan.cli.__file__).parent.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Call):
                given = [k.value for k in node.keywords if k.arg == "help"]
                given += node.args if getattr(node.func, "id", "") == "_" else []
                found |= {g.value for g in given if isinstance(g, ast.Constant) and isinstance(g.value, str)}
    return found


def test_help_has_one_style() -> None:
    """Japanese help is written in plain form, as labels are; only answers and errors say です and ます."""
    polite = re.compile(r"(?:です|ます|ません|でした|ました|ください)(?=[。、()]|$)")
    texts = help_texts()
    assert len(texts) > 250
    assert {told for text in texts if polite.search(told := tell(text, "ja"))} == set()


def test_a_refused_choice_names_the_choices_in_japanese_too(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["plan", "--task", "料理", "--lang", "ja"]) == 2
    assert "コーディング(coding)、文書への質問(rag)" in capsys.readouterr().err
    assert main(["plan", "--task", "cooking", "--lang", "en"]) == 2
    assert "Choose one of: chat, coding, rag, agents, translation." in capsys.readouterr().err


WRONG_AMOUNTS = ("-5人", "-5", "5.5人", "みんな", "", "0", "9e99")
"""What is no amount of anything, as a person may type it."""


@pytest.mark.parametrize("language", ["en", "ja"])
@pytest.mark.parametrize("option", ["--users", "--context", "--ram", "--budget", "--prompt", "--answer"])
@pytest.mark.parametrize("command", ["plan", "inspect"])
def test_a_wrong_amount_names_its_option_and_a_mend(
    command: str, option: str, language: str, capsys: pytest.CaptureFixture[str]
) -> None:
    if command == "inspect" and option == "--budget":
        return
    machine = () if option == "--budget" else ("--device", "RTX 4090")
    model = ("qwen3-8b",) if command == "inspect" else ()
    for amount in WRONG_AMOUNTS:
        assert main([command, *model, *machine, option, amount, "--lang", language]) == 2, amount
        said = capsys.readouterr().err
        assert option in said, (amount, said)
        assert "--help" not in said, (amount, said)
        assert len(said.split("。" if language == "ja" else ". ")) > 1, (amount, said)


@pytest.mark.parametrize("language", ["en", "ja"])
def test_every_wrong_choice_is_said_alike(language: str, capsys: pytest.CaptureFixture[str]) -> None:
    """The parser's choices and those of a request had two sentences for one mistake."""
    heads = set()
    for words in (
        ["plan", "--task", "x"], ["plan", "--prefer", "x"], ["plan", "--os", "x"], ["inspect", "qwen3-8b", "--task", "x"],
        ["inspect", "qwen3-8b", "--flash-attention", "x"], ["inspect", "qwen3-8b", "--outputs", "x"],
    ):  # fmt: skip
        assert main([*words, "--lang", language]) == 2
        said = capsys.readouterr().err
        heads.add(said.replace(words[-2], "OPTION").split("." if language == "en" else "。")[0])
    assert len(heads) == 1, heads
