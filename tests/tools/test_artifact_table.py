"""tools/artifact_table.py: which rows count, how parts add up, and in which order lists of repositories stand."""

from __future__ import annotations

import json

from gyakusan.catalog import artifacts
from gyakusan.catalog.models import find, model_names
from tools import artifact_table as tool


def _row(**changes: str) -> tool.Row:
    usual = {
        "model": "m-7b",
        "repo": "maker/M-7B-Instruct-GGUF",
        "kind": "gguf",
        "tuned": "instruct",
        "quant": "Q4_K_M",
        "file": "M-7B-Instruct-Q4_K_M.gguf",
        "bytes": "",
        "mmproj_file": "",
        "mmproj_bytes": "",
        "mtp": "",
        "publisher_rank": "1",
        "source": "a list",
        "date": "2026-08",
        "licence_of_source": "MIT",
        "confidence": "listing",
    }
    return usual | changes


def _repositories(*rows: tool.Row) -> list[str]:
    lines = tool.encoded(list(rows), ("m-7b",)).splitlines()
    return [r[0] for r in json.loads(lines[1])[1]] if len(lines) > 1 else []


def test_what_nobody_vouches_for_is_left_out() -> None:
    assert _repositories(_row(confidence="inferred")) == []
    assert _repositories(_row(model="other")) == []
    assert _repositories(_row(model="m7b")) == ["maker/M-7B-Instruct-GGUF"]  # the same name, written otherwise
    assert _repositories(_row(quant="INVALID")) == []
    assert _repositories(_row(file="M-7B-Instruct-q4.gguf")) == []
    assert _repositories(_row(source="a list: FIRST upload")) == []
    assert _repositories(_row(kind="ollama", repo="other:7b", quant="")) == []
    assert _repositories(_row(kind="awq", repo="x/M-7B-AWQ-6Bit", quant="AWQ")) == []


def test_a_base_model_counts_only_without_a_tuned_one() -> None:
    base = _row(repo="maker/M-7B-GGUF", tuned="base")
    assert _repositories(base) == ["maker/M-7B-GGUF"]
    assert _repositories(base, _row()) == ["maker/M-7B-Instruct-GGUF"]


def test_the_best_stands_first() -> None:
    rows = (
        _row(repo="x/M-7B-Instruct-MTP-GGUF"),
        _row(repo="b/M-7B-Instruct-GGUF", publisher_rank="3", bytes="5"),
        _row(repo="c/M-7B-Instruct-GGUF", publisher_rank="3"),
        _row(repo="t/M-7B-Instruct-GGUF", confidence="used-in-text"),
        _row(),
    )
    assert [name.split("/")[0] for name in _repositories(*rows)] == ["maker", "b", "c", "t", "x"]


def test_a_tag_that_finds_another_file_is_left_out() -> None:
    hidden = (_row(file="M-iq6_k.gguf", quant="IQ6_K"), _row(file="M-q6_k.gguf", quant="Q6_K"))
    lines = tool.encoded(list(hidden), ("m-7b",)).splitlines()
    assert [record[0] for record in json.loads(lines[1])[1][0][-1]] == ["IQ6_K"]


def test_parts_add_up_only_where_all_are_known() -> None:
    parts = [_row(file=f"M-Q4_K_M-0000{n}-of-00002.gguf", bytes=f"{n}000") for n in (1, 2)]
    assert tool._sum(parts, parts[0]) == (3000, False)
    assert tool._sum(parts[:1], parts[0]) == (0, False)
    summed = [parts[0] | {"bytes": "~7000", "source": "a page (bytes = both parts)"}, parts[1]]
    assert tool._sum(summed, summed[0]) == (7000, True)


def test_base_models_go_last_in_lists_of_repositories() -> None:
    names = ["m:7b", "maker/M-7B", "maker/M-7B-Instruct", "Other/N-8B"]
    assert tool.base_last(names, {}) == ["m:7b", "maker/M-7B-Instruct", "Other/N-8B", "maker/M-7B"]
    assert tool.base_last(names, {"maker/m-7b": "instruct"}) == names
    text = 'aliases = ["a/X", "a/X-it"]\nname = "x"\n'
    assert tool.ordered(text, []) == 'aliases = ["a/X-it", "a/X"]\nname = "x"\n'


def test_every_repository_belongs_to_the_model_that_it_names() -> None:
    """A base model may have its tuned one's name without an ending.

    DeepSeek-V4-Flash of April, quality 87, was planned with the files of that of 31 July, which has 91.
    """
    known = tool.names_of_models()
    wrong = [
        (name, repository, other)
        for name in model_names()
        for repository in sorted(_all_repositories(name))
        if (other := tool.named_in(repository, known)) not in ("", name, name.removesuffix("-base"))
    ]
    assert wrong == []


def _all_repositories(name: str) -> set[str]:
    """Every repository of a model: of the table, and of its record."""
    record = find(name)
    table = {a.repository for a in artifacts.artifacts(name) if a.format != "ollama"}
    return table | {*record.gguf, *record.mlx, *(a for a in record.aliases if "/" in a)}


def test_the_longest_name_counts() -> None:
    known = tool.names_of_models()
    assert tool.named_in("ggml-org/DeepSeek-V4-Flash-0731-GGUF", known) == "deepseek-v4-flash-0731"
    assert tool.named_in("unsloth/DeepSeek-V4-Flash-GGUF", known) == "deepseek-v4-flash"
    assert tool.named_in("google/gemma-4-E2B-it-qat-w4a16-ct", known) == "gemma4-e2b-qat"
    assert tool.named_in("somebody/never-heard-of", known) == ""
