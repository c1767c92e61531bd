"""Own scores in a file: they move their models and no others, and a bad file is named with its line."""

from __future__ import annotations

import csv
import gzip
import io
from pathlib import Path

import pytest

from gyakusan.catalog import quality, quality_own
from gyakusan.catalog.quality_names import (
    QUALITY,
    default_mode,
)
from gyakusan.errors import BadRecord, BadReference


def write(path: Path, text: str) -> Path:
    path.write_text(text, "utf-8")
    return path


def test_own_scores_move_a_model_and_no_other(tmp_path: Path) -> None:
    own = quality_own.read(
        write(tmp_path / "own.csv", "hf_id,item,score\nQwen/Qwen3-14B,swallow2/ja_post/JamC-QA,10%\n")
    )
    (before,), (after,) = quality.find("Qwen/Qwen3-14B"), quality_own.find("Qwen/Qwen3-14B", own)
    assert own[0].score == pytest.approx(0.1)
    assert after.overall.value < before.overall.value
    assert after.japanese.value < before.japanese.value
    assert after.overall.error < before.overall.error
    assert (after.scores, after.independent) == (before.scores + 1, before.independent + 1)
    assert after.sources[-1] == "own (1)"
    assert quality_own.find("gpt-oss-20b", own) == quality.find("gpt-oss-20b")


def test_own_scores_make_an_assumed_model_known(tmp_path: Path) -> None:
    items = [i for i in quality_own.items() if i.startswith("swallow2/ja_post")]
    text = "hf_id,item,score,mode\n" + "".join(f"unsloth/Qwen3-4B-Instruct-2507-GGUF,{i},0.6,off\n" for i in items)
    own = quality_own.read(write(tmp_path / "own.csv", text))
    before = quality.assumed("Qwen/Qwen3-4B-Instruct-2507", "off")
    (after,) = quality_own.updated([before], own)
    assert len(items) == 8
    assert (after.basis, after.japanese_basis, after.independent) == ("measured", "measured", 8)
    assert after.overall.error < 0.7 * before.overall.error


def test_own_scores_of_the_other_mode_add_a_row(tmp_path: Path) -> None:
    own = quality_own.read(write(tmp_path / "own.csv", "hf_id,item,score,mode\nQwen/Qwen3-14B,JamC-QA,0.5,off\n"))
    on, off = quality_own.find("Qwen/Qwen3-14B", own)
    assert (on.mode, off.mode, off.basis) == ("on", "off", "few")


def test_a_hidden_leaderboard_is_recovered_from_own_scores() -> None:
    """Swallow's 30 scores of a model, given as the user's own on top of the prior, lead back to the figure of the full fit."""
    rows = list(csv.DictReader(io.StringIO(gzip.decompress((QUALITY / "scores.csv.gz").read_bytes()).decode("utf-8"))))
    for name in ("Qwen/Qwen3-14B", "google/gemma-3-12b-it", "openai/gpt-oss-20b"):
        mode = default_mode(name)
        mine = [
            quality_own.OwnScore(name, r["item"], float(r["value"]), mode, 0)
            for r in rows
            if r["hf_id"] == name and r["source"] == "swallow"
        ]
        (after,) = quality_own.updated([quality.assumed(name, mode)], mine)
        (full,) = [q for q in quality.find(name) if q.mode == mode]
        assert len(mine) == 30
        assert after.overall.value == pytest.approx(full.overall.value, abs=2 * full.overall.error)
        assert after.japanese.value == pytest.approx(full.japanese.value, abs=2 * full.japanese.error)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "line 1: the header is missing"),
        ("hf_id,item\nQwen/Qwen3-8B,GPQA\n", "line 1: the column score is missing"),
        ("hf_id,item,score,colour\n", "line 1: unknown column 'colour'"),
        ("hf_id,item,score,score\n", "line 1: a column occurs twice"),
        ("hf_id,item,score\nQwen/Qwen3-8B,JamC-QA\n", "line 2: 2 cells, and the header has 3"),
        (
            "hf_id,item,score\n\nQwen/Qwen3-8B,JamC-QB,0.5\n",
            "line 3: unknown item 'JamC-QB'; similar: swallow2/ja_post/JamC-QA",
        ),
        ("hf_id,item,score\nQwen/Qwen3-8B,JamC-QA,61.5\n", "line 2: the score 61.5 is outside 0 to 1"),
        ("hf_id,item,score\nQwen/Qwen3-8B,JamC-QA,nan\n", "line 2: the score nan is outside 0 to 1"),
        ("hf_id,item,score\nQwen/Qwen3-8B,JamC-QA,good\n", "line 2: the score 'good' is not a number"),
        ("hf_id,item,score\n,JamC-QA,0.5\n", "line 2: hf_id is missing"),
        ('hf_id,item,score\n"a\nb",JamC-QA,2\n', "line 3: the score 2 is outside 0 to 1"),
        ('hf_id,item,score\n"a"b,JamC-QA,1\n', "line 2: not a CSV file"),
        ("hf_id,item,score\na/b,GPQA,0.5\n", "line 2: unknown item 'GPQA'; similar: swallow2/en_post/GPQA, "),
        ("hf_id,item,score,mode\nQwen/Qwen3-8B,JamC-QA,0.5,high\n", "line 2: mode is 'high'"),
        (
            "hf_id,item,score\na/b,JamC-QA,0.5\nA/b,JamC-QA,0.6\n",
            "line 3: line 2 has the same model, item and mode",
        ),
    ],
)
def test_a_bad_file_is_named_with_its_line(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(BadRecord) as error:
        quality_own.read(write(tmp_path / "own.csv", text))
    assert f"own.csv, {message}" in str(error.value)


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(BadReference, match=r"missing\.csv"):
        quality_own.read(tmp_path / "missing.csv")
    (tmp_path / "latin.csv").write_bytes(b"hf_id,item,score\n\xff,JamC-QA,0.5\n")
    with pytest.raises(BadReference, match=r"latin\.csv"):
        quality_own.read(tmp_path / "latin.csv")
