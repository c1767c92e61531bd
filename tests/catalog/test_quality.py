"""The quality index: what it rests on, how right it is on hidden scores, look-up by name, the prior, own scores."""

from __future__ import annotations

import csv
import gzip
import io
import json
import math
import re
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
    as_year,
    default_mode,
    mode_of,
    native_bits,
    sizes_in,
    traits,
)
from gyakusan.catalog.quality_shared import shared_items
from gyakusan.core.quality import BOTTOM, TOP, logit, tied
from gyakusan.errors import BadRecord, BadReference, UnknownName
from tools import fit_quality, quality_2026, quality_checks, quality_index, quality_scores
from tools import quality_model as qm

TRUTH = json.loads((Path(__file__).parents[1] / "truth" / "quality.json").read_text("utf-8"))
INDEX: dict[str, Any] = json.loads((QUALITY / "index.json").read_text("utf-8"))
LICENCES = {"CC BY 4.0", "Apache-2.0", "MIT", quality_2026.MAKER}


@pytest.fixture(scope="module")
def scores() -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(gzip.decompress((QUALITY / "scores.csv.gz").read_bytes()).decode("utf-8"))))


@pytest.fixture(scope="module")
def table(scores: list[dict[str, str]]) -> qm.Table:
    return qm.table(scores, qm.read_sizes(QUALITY / "sizes.csv"))


@pytest.fixture(scope="module")
def blind(table: qm.Table) -> quality_index.Blind:
    return quality_index.blind(table)


# What may be shipped


def test_every_score_has_licence_source_and_date(scores: list[dict[str, str]]) -> None:
    assert len(scores) > 3000
    for r in scores:
        assert r["licence"] in LICENCES, r
        assert r["url"].startswith("https://"), r
        as_year(r["date"])
        assert 0 <= float(r["value"]) <= 1, r
        assert r["source"] in INDEX["sources"], r


def test_nothing_without_a_licence_is_shipped(scores: list[dict[str, str]]) -> None:
    for word in ("lmarena", "livebench.ai", "livebench/", "nejumi", "artificial", "openrouter", "arena-catalog"):
        assert not [r for r in scores if word in " ".join(r.values()).casefold()], word


def test_a_figure_of_another_origin_is_no_mit_figure() -> None:
    """models.dev quotes Artificial Analysis: its licence does not cover those figures."""
    assert quality_scores.CARDS.match("MIT (models.dev)")
    assert not quality_scores.CARDS.match("MIT (models.dev), origin Artificial Analysis: facts only")
    assert not quality_scores.CARDS.match("Gemma terms; facts only")


def test_no_score_stands_twice(scores: list[dict[str, str]]) -> None:
    keys = [(r["hf_id"], r["mode"], r["effort"], r["item"]) for r in scores]
    assert len(set(keys)) == len(keys)


def test_a_maker_speaks_of_its_own_models_only(scores: list[dict[str, str]]) -> None:
    assert {r["vendor"] for r in scores} == {"0", "1"}
    for r in scores:
        page = re.match(r"https://huggingface\.co/([^/]+)/", r["url"])
        if r["vendor"] == "1" and page:
            assert page[1].casefold() == r["hf_id"].split("/")[0].casefold(), r
        assert r["vendor"] == "1" or r["licence"] != quality_2026.MAKER, r


def test_what_is_no_strength_or_has_no_licence_is_left_out(scores: list[dict[str, str]]) -> None:
    for word in ("bullshit", "vectara", "nyt-connections", "svgbench", "generalization", "tb-core80"):
        assert not [r for r in scores if word in r["item"]], word


def test_rows_of_2026_are_shipped_by_the_rule() -> None:
    row = {
        "model": "acme/model-8b",
        "benchmark": "vendor/gpqa",
        "score": "61.5",
        "unit": "percent",
        "mode": "unknown",
        "effort": "",
        "vendor": "1",
        "licence": "Modified MIT; facts only",
        "source": "https://huggingface.co/acme/model-8b (table 1)",
        "date": "2026-05-01",
        "reporter": "acme",
        "harness": "",
    }
    (ours,) = quality_2026.shipped([row])
    assert (ours["value"], ours["licence"], ours["mode"], ours["domain"]) == (
        "0.615",
        quality_2026.MAKER,
        "off",
        "reason",
    )
    assert ours["url"] == "https://huggingface.co/acme/model-8b"
    judged = row | {"benchmark": "shaberi-gpt-5.1/elyza100", "score": "4", "unit": "judge points", "vendor": "0"}
    assert next(quality_2026.shipped([judged]))["value"] == "0.75"
    assert not list(quality_2026.shipped([row | {"vendor": "competitor"}]))
    assert not list(quality_2026.shipped([row | {"benchmark": "indep/vectara-factual", "vendor": "0"}]))
    older = ours | {"value": "0.5", "date": "2026-01-01"}
    assert [r["value"] for r in quality_2026.merged([older], [row])] == ["0.615"]


@pytest.mark.parametrize(
    ("item", "domain"),
    [("vendor/swe-verified", "agent"), ("openhands/gaia", "agent"), ("vendor/tb2.1", "agent"), ("vendor/lcb-v6", "code"),
     ("shaberi-gpt-4.1/tengu", "ja"), ("ja/jmedqa", "ja"), ("swallow2/ja_post/JHumanEval", "ja+code"),
     ("swallow2/ja_post/PolyMathJaHT", "ja+reason"), ("swallow2/ja_mtb/reasoning", "ja"), ("vendor/mmlu-pro", "general"),
     ("vendor/hmmt-feb25", "reason")],
)  # fmt: skip
def test_what_an_item_measures(item: str, domain: str) -> None:
    assert quality_2026.domain(item) == domain


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


# Two models in one table


def test_shared_items_of_one_reporter_and_one_harness() -> None:
    same = shared_items("qwen3.8-27b", "qwen3.6-27b")
    assert same is not None
    assert (same.better, same.worse, same.of, same.reporter, same.own) == (9, 0, 9, "Qwen", True)
    back = shared_items("qwen3.6-27b", "qwen3.8-27b")
    assert back is not None
    assert (back.better, back.worse) == (0, 9)
    other = shared_items("gemma-3-27b-it", "qwen3-32b")
    assert other is not None
    assert (other.of, other.own, other.modes) == (30, False, ("off", "on"))
    assert shared_items("qwen3-coder-next", "gpt-oss-120b") is None
    assert shared_items("qwen3-coder-next", "nobody/nothing") is None


def test_names_of_boards_are_names_of_the_hub() -> None:
    assert quality.repositories("qwen-3-swallow-8b-rl-v0.2") == quality.repositories(
        "tokyotech-llm/Qwen3-Swallow-8B-RL-v0.2"
    )
    assert quality.find("tokyotech-llm/Qwen3-Swallow-8B-CPT-v0.2")[0].scores


# The prior


def test_bigger_and_newer_is_expected_to_be_better() -> None:
    sizes = [
        quality.assumed("acme/model", "off", parameters=p, released="2026-01").overall.value
        for p in (1e9, 8e9, 32e9, 120e9)
    ]
    dates = [
        quality.assumed("acme/model", "off", parameters=8e9, released=d).overall.value
        for d in ("2024-01", "2025-06", "2026-06")
    ]
    assert sizes == sorted(sizes)
    assert dates == sorted(dates)


def test_what_is_unknown_widens_the_error() -> None:
    known = quality.assumed("Qwen/Qwen4-8B", "on", parameters=8e9, released="2026-09")
    dateless = quality.assumed("Qwen/Qwen-8B-undated", "on", parameters=8e9)
    stranger = quality.assumed("acme/model-8b", "on", parameters=8e9, released="2026-09")
    assert traits("Qwen/Qwen-8B-undated", "on").released is None
    assert known.overall.error < stranger.overall.error
    assert known.overall.error < dateless.overall.error
    assert quality.assumed("acme/model", "off", parameters=0.3e9).overall.error > stranger.overall.error


def test_experts_count_by_what_is_used() -> None:
    dense = quality.assumed("acme/model", "off", parameters=30e9, released="2026-01")
    sparse = quality.assumed("acme/model", "off", parameters=30e9, active=3e9, released="2026-01")
    assert sparse.overall.value < dense.overall.value


@pytest.mark.parametrize(
    ("name", "total", "active"),
    [("qwen3-30b-a3b", 30e9, 3e9), ("mixtral-8x7b-instruct-v0.1", 8 * 7e9 * 0.87, 2 * 7e9 * 0.87),
     ("gemma-3-270m-it", 270e6, None), ("phi-4", None, None),
     ("gemma-4-e4b-it", 4e9, None), ("llama-3.1-8b-instruct", 8e9, None)],
)  # fmt: skip
def test_sizes_in_names(name: str, total: float | None, active: float | None) -> None:
    assert sizes_in(name) == (total, active)


@pytest.mark.parametrize(
    ("name", "gigaparameters", "most"),
    [("mixtral-8x7b", 12.9, 0.1), ("qwen3-30b-a3b", 3.35, 0.1), ("qwen3-235b-a22b", 22.2, 0.2)],
)
def test_weights_used_for_a_token(name: str, gigaparameters: float, most: float) -> None:
    """Published: 12.9e9, 3.3e9 and 22e9."""
    from gyakusan.catalog.models import find

    assert quality.active_parameters(find(name)) == pytest.approx(gigaparameters * 1e9, abs=most * 1e9)
    assert quality.active_parameters(find("llama3.1-8b")) is None


@pytest.mark.parametrize(
    ("name", "mode"),
    [("Qwen/Qwen3-8B", "on"), ("Qwen/Qwen3-4B-Instruct-2507", "off"), ("openai/gpt-oss-20b", "on"),
     ("google/gemma-3-27b-it", "off"), ("Qwen/Qwen3-Coder-30B-A3B-Instruct", "off"), ("deepseek-ai/DeepSeek-R1", "on"),
     ("meta-llama/Llama-3.3-70B-Instruct", "off")],
)  # fmt: skip
def test_modes_by_default(name: str, mode: str) -> None:
    assert default_mode(name) == mode


# Quantisation by name


def test_natively_narrow_models_are_exempt() -> None:
    assert quality.penalty("MXFP4", 4.25, 20.9e9, "gpt-oss-20b").value == 0
    assert quality.penalty("Q4_K_M", 4.85, 20.9e9, "openai/gpt-oss-20b").value == 0
    assert quality.penalty("Q4_K_M", 4.85, 8e9, "llama3.1-8b").value > 1
    assert native_bits("deepseek-ai/DeepSeek-R1-Distill-Qwen-32B") is None
    assert quality.native_width("google/gemma-3-12b-it-qat-q4_0-gguf") == 4.5


def test_mlx_loses_more_than_gguf_at_the_same_width() -> None:
    assert quality.penalty("MLX-4bit", 4.5, 8e9).value > 1.5 * quality.penalty("Q4_K_S", 4.54, 8e9).value


# Own scores


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
