"""The quality index: how right it is on hidden scores, look-up by name, modes, losses by format."""

from __future__ import annotations

import csv
import gzip
import io
import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest

from gyakusan.catalog import quality, quality_own
from gyakusan.catalog import quality_index as quality_index_file
from gyakusan.catalog.models import model_names
from gyakusan.catalog.quality_names import (
    QUALITY,
    Mode,
    mode_of,
    native_bits,
)
from gyakusan.core.quality import BOTTOM, TOP, logit, tied
from gyakusan.errors import UnknownName
from tools import fit_quality, quality_checks, quality_index
from tools import quality_model as qm

TRUTH = json.loads((Path(__file__).parents[1] / "truth" / "quality.json").read_text("utf-8"))
INDEX: dict[str, Any] = json.loads((QUALITY / "index.json").read_text("utf-8"))


@pytest.fixture(scope="module")
def scores() -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(gzip.decompress((QUALITY / "scores.csv.gz").read_bytes()).decode("utf-8"))))


@pytest.fixture(scope="module")
def table(scores: list[dict[str, str]]) -> qm.Table:
    return qm.table(scores, qm.read_sizes(QUALITY / "sizes.csv"))


@pytest.fixture(scope="module")
def blind(table: qm.Table) -> quality_index.Blind:
    return quality_index.blind(table)


# How right it is


def test_the_index_is_what_the_scores_give(table: qm.Table, blind: quality_index.Blind) -> None:
    f = qm.fit(table, rounds=80, tau=blind.tau)
    mix, offset = quality_index.scale(table, f)
    value = f.z[:, : qm.D] @ mix.T + offset
    stored = {
        (h, m): np.array(INDEX["scale"]["mix"]) @ row["ability"] + INDEX["scale"]["offset"]
        for h, modes in INDEX["models"].items()
        for m, row in modes.items()
    }
    fresh = {table.models[n]: value[n] for n in np.flatnonzero(table.open) if table.models[n][1] in get_args(Mode)}
    assert fresh.keys() == stored.keys()
    assert max(float(np.abs(stored[k] - v).max()) for k, v in fresh.items()) < 0.11


def hidden(table: qm.Table, kind: str) -> tuple[Any, Any, Any]:
    """Miss in points of scores that the fit does not see, that of the additive rule, and the miss in standard errors."""
    truth = {tuple(r[:3]): r[3] for r in TRUTH[kind]["rows"]}
    keys = [(r["hf_id"], r["mode"], r["item"]) for r in table.rows]
    hide = np.array([k in truth for k in keys])
    f = qm.fit(table, weight=np.where(hide, 0.0, 1.0), tau=0.16)
    rows = np.flatnonzero(hide)
    assert len(rows) == len(truth)
    middle, spread = qm.predict(table, f, rows)
    y, simple = table.y[rows], quality_checks.additive(table, ~hide)[rows]
    percent = quality_checks.percent
    return percent(y) - percent(middle), percent(y) - percent(simple), np.abs(y - middle) / spread


def test_hidden_scores_are_predicted(table: qm.Table) -> None:
    """393 scores that the fit does not see: nearer than the additive rule, and the intervals hold."""
    points, simple, away = hidden(table, "hidden")
    assert len(points) == 393
    assert math.sqrt(np.mean(points**2)) < 8
    assert math.sqrt(np.mean(points**2)) < 0.8 * math.sqrt(np.mean(simple**2))
    assert 0.75 < np.mean(away < 1.2816) < 0.86
    assert 0.89 < np.mean(away < 1.96) < 0.97


def test_hidden_scores_of_2026_are_predicted(table: qm.Table) -> None:
    """200 scores of the newest models, most of them makers' own. Bounds: 80 and 95 % within three standard errors of 200."""
    points, simple, away = hidden(table, "hidden_2026")
    assert math.sqrt(np.mean(points**2)) < 0.8 * math.sqrt(np.mean(simple**2))
    assert 0.715 < np.mean(away < 1.2816) < 0.885
    assert np.mean(away < 1.96) > 0.90


@pytest.mark.parametrize("row", TRUTH["unseen"]["rows"])
def test_a_score_never_seen_is_inside_the_interval(scores: list[dict[str, str]], row: list[Any]) -> None:
    name, mode, item, score = row
    assert not [r for r in scores if (r["hf_id"], r["mode"], r["item"]) == (name, mode, item)]
    (q,) = quality.find(name, mode)
    line = quality_own.items()[item]
    middle = line.level + sum(a * b for a, b in zip(line.loading, q.ability, strict=True))
    variance = sum(a * a * q.covariance[i][i] for i, a in enumerate(line.loading)) + line.variance
    assert abs(logit(score) - middle) < 1.96 * math.sqrt(variance)


def test_the_anchors_hold() -> None:
    for name, mode, value in quality_index.ANCHORS:
        (q,) = [q for q in quality.find(name) if q.mode == mode]
        columns = (q.overall, q.general, q.japanese, q.coding, q.reasoning, q.agentic, q.algorithmic)
        assert [c.value for c in columns] == pytest.approx([value] * len(columns), abs=0.05)
        assert q.basis == "measured"


def test_a_prior_is_less_sure_than_a_measurement(blind: quality_index.Blind) -> None:
    measured = [r["error"][0] for m in INDEX["models"].values() for r in m.values() if r["basis"] == "measured"]
    assert INDEX["prior"]["error"][0] > 1.5 * float(np.median(measured))
    assert INDEX["prior"]["models"] == blind.n
    assert min(measured) > 0.5


def test_basis_says_what_was_counted() -> None:
    for name, modes in INDEX["models"].items():
        for row in modes.values():
            n = row["independent"]
            assert row["basis"] == ("measured" if n >= 8 else "few" if n else "vendor"), name
            if not n and row["scores"] < 3:
                assert row["error"][0] >= INDEX["prior"]["error"][0] - 0.06, name


def test_what_the_rows_say_is_what_the_ability_says() -> None:
    """The overall error of a row follows from its covariance, but for rounding: own scores start from there."""
    for name, modes in INDEX["models"].items():
        for mode in modes:
            (q,) = [q for q in quality.find(name) if q.mode == mode and q.model == name]
            again = quality.with_ability(q, q.ability, q.covariance)
            assert again.overall.error == pytest.approx(q.overall.error, abs=0.15), name


# Look-up


@pytest.mark.parametrize(
    ("name", "model", "mode"),
    [
        ("llama3.1-8b", "meta-llama/Llama-3.1-8B-Instruct", "off"),
        ("meta-llama/Meta-Llama-3.1-8B-Instruct", "meta-llama/Llama-3.1-8B-Instruct", "off"),
        ("META-LLAMA/llama-3.1-8b-instruct", "meta-llama/Llama-3.1-8B-Instruct", "off"),
        ("unsloth/Qwen3-8B-GGUF", "Qwen/Qwen3-8B", "on"),
        ("mlx-community/Qwen3.5-9B-4bit", "Qwen/Qwen3.5-9B", "on"),
        ("gpt-oss 20b", "openai/gpt-oss-20b", "on"),
        ("qwen2.5:14b", "Qwen/Qwen2.5-14B-Instruct", "off"),
        ("gemma3-27b", "google/gemma-3-27b-it", "off"),
    ],
)
def test_names_find_their_scores(name: str, model: str, mode: str) -> None:
    assert (model, mode) in [(q.model, q.mode) for q in quality.find(name)]


def test_a_base_is_not_its_fine_tune() -> None:
    (q,) = quality.find("meta-llama/Llama-3.1-8B")
    assert (q.basis, q.kind) == ("assumed", "base")


def test_every_model_of_the_catalogue_has_a_figure_with_basis_and_error() -> None:
    for name in model_names():
        for q in quality.find(name):
            assert q.overall.error > 0, name
            assert q.basis in ("measured", "few", "vendor", "assumed")
            assert bool(q.sources) == (q.basis != "assumed"), name


def test_an_unknown_model_of_unknown_size_is_refused() -> None:
    with pytest.raises(UnknownName, match="nobody/nothing"):
        quality.find("nobody/nothing")


def test_reasoning_is_apart() -> None:
    by = {(q.model, q.mode): q for q in quality.find("deepseek-ai/DeepSeek-V3.2-Exp")}
    on, off = (by["deepseek-ai/DeepSeek-V3.2-Exp", m] for m in ("on", "off"))
    assert on.overall.value > off.overall.value


def test_each_effort_is_a_mode_of_its_own() -> None:
    modes = [q.mode for q in quality.find("openai/gpt-oss-120b")]
    assert modes == ["on", "high", "low"]
    low, medium, high = (quality.find("gpt-oss-120b", m)[0].overall.value for m in ("low", "on", "high"))
    assert low < medium < high
    assert mode_of("openai/gpt-oss-120b", "on", "medium") == mode_of("openai/gpt-oss-120b", "on", "") == "on"
    assert mode_of("deepseek-ai/DeepSeek-V4-Pro", "on", "max") is None
    assert mode_of("Qwen/Qwen3.8-27B", "on", "xhigh") == "on"
    assert mode_of("Qwen/Qwen3-8B", "off", "none") == "off"


def test_a_mode_that_nobody_tested_is_told_from_the_tested_one() -> None:
    (tested,), (derived,) = quality.find("Qwen/Qwen3-14B"), quality.find("Qwen/Qwen3-14B", "off")
    blind = quality.assumed("Qwen/Qwen3-14B", "off")
    assert (derived.mode, derived.basis, derived.scores, derived.sources) == ("off", "assumed", 0, ())
    assert derived.overall.value < tested.overall.value
    assert tested.overall.error < derived.overall.error < blind.overall.error
    (measured,) = quality.find("Qwen/Qwen3-8B", "off")
    again = quality.in_mode(quality.find("Qwen/Qwen3-8B", "on")[0], "off")
    assert again.overall.value == pytest.approx(measured.overall.value, abs=2 * again.overall.error)
    assert [q.mode for q in quality.find("acme/model-8b", "high")] == ["high"]


def test_a_mode_that_nobody_tested_takes_the_size_of_the_record() -> None:
    """MiniMax-M2: no size in the name."""
    for name in ("MiniMaxAI/MiniMax-M2", "phi4-14b"):
        for mode in ("off", "on", "low", "medium", "high"):
            assert {q.mode for q in quality.find(name, mode)} == {mode}
    (known, *_) = quality.find("MiniMaxAI/MiniMax-M2")
    with pytest.raises(UnknownName, match="MiniMax-M2"):
        quality.in_mode(known, "off")
    assert quality.in_mode(known, "off", parameters=230e9, active=10e9).basis == "assumed"


def test_points_of_quantisation_are_on_the_scale_of_the_index() -> None:
    loading = INDEX["items"]["swallow2/en_post/MMLU-Pro"]["loading"][0]
    assert quality.penalty_law().points == pytest.approx(INDEX["scale"]["mix"][0][0] / loading, abs=0.001)


def test_nothing_leaves_the_scale() -> None:
    every = [q for name in INDEX["models"] for q in quality.find(name)]
    columns = [getattr(q, c).value for q in every for c in quality_index_file.COLUMNS]
    assert min(columns) == BOTTOM
    assert max(columns) == TOP
    tiny = quality.assumed("acme/model", "off", parameters=1e7, released="2023-01")
    assert tiny.overall.value == BOTTOM


def test_overall_is_the_mean_of_what_is_shown() -> None:
    for name in ("Qwen/Qwen3.6-27B", "openai/gpt-oss-20b", "google/gemma-3-12b-it"):
        q = quality.find(name)[0]
        assert q.overall.value == pytest.approx((q.general.value + q.coding.value + q.reasoning.value) / 3, abs=0.01)
        assert q.coding.value == pytest.approx((q.agentic.value + q.algorithmic.value) / 2, abs=0.01)


def test_agents_and_functions_are_two_things() -> None:
    """Coder models lead where repositories are changed, and not in contest problems."""
    coder, chat = quality.find("qwen3-coder-next")[0], quality.find("gpt-oss-120b")[0]
    assert coder.agentic.value > chat.agentic.value
    assert not tied(coder.agentic, chat.agentic)
    assert coder.algorithmic.value - chat.algorithmic.value < coder.agentic.value - chat.agentic.value
    assert coder.agentic_basis == "measured"
    assert chat.agentic_basis == "inferred"


def test_only_makers_figures_and_no_japanese_ones_are_less_sure() -> None:
    for name in INDEX["models"]:
        for q in quality.find(name):
            if q.basis == "vendor":
                least = zip((q.overall, q.coding, q.reasoning), (3.5, 4.5, 3.5), strict=True)
                assert all(score.error >= e for score, e in least), name
            if q.japanese_basis != "measured":
                assert q.japanese.error >= 6.0, name


@pytest.mark.parametrize(
    ("name", "gigaparameters", "most"),
    [("mixtral-8x7b", 12.9, 0.1), ("qwen3-30b-a3b", 3.35, 0.1), ("qwen3-235b-a22b", 22.2, 0.2)],
)
def test_weights_used_for_a_token(name: str, gigaparameters: float, most: float) -> None:
    """Published: 12.9e9, 3.3e9 and 22e9."""
    from gyakusan.catalog.models import find

    assert quality.active_parameters(find(name)) == pytest.approx(gigaparameters * 1e9, abs=most * 1e9)
    assert quality.active_parameters(find("llama3.1-8b")) is None


# Quantisation by name


def test_natively_narrow_models_are_exempt() -> None:
    assert quality.penalty("MXFP4", 4.25, 20.9e9, "gpt-oss-20b").value == 0
    assert quality.penalty("Q4_K_M", 4.85, 20.9e9, "openai/gpt-oss-20b").value == 0
    assert quality.penalty("Q4_K_M", 4.85, 8e9, "llama3.1-8b").value > 1
    assert native_bits("deepseek-ai/DeepSeek-R1-Distill-Qwen-32B") is None
    assert quality.native_width("google/gemma-3-12b-it-qat-q4_0-gguf") == 4.5


def test_mlx_loses_more_than_gguf_at_the_same_width() -> None:
    assert quality.penalty("MLX-4bit", 4.5, 8e9).value > 1.5 * quality.penalty("Q4_K_S", 4.54, 8e9).value


# The tool


def test_the_table_of_one_line_per_model_is_json() -> None:
    document = {"about": "x", "items": {"a": [1]}, "models": {"b": {"on": 1}}, "sources": {}}
    assert json.loads(fit_quality.text(document)) == document


def test_generations() -> None:
    assert quality_index.generation("meta-llama/Meta-Llama-3.1-8B-Instruct") == "llama-3.1"
    assert quality_index.generation("Qwen/Qwen3-8B") == quality_index.generation("Qwen/Qwen3-32B") == "qwen3"


def test_a_quality_is_a_value() -> None:
    q = quality.find("gpt-oss-20b")[0]
    assert replace(q, mode="off").mode == "off"
