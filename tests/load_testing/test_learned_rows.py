"""From a bench to rows: which steps count, and that they name no person, place or prompt."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest
from tests.load_testing.test_said_and_seen import IDLE, result, step

from gyakusan import api
from gyakusan.core.load import Load
from gyakusan.engines.deployment import Deployment
from gyakusan.learning import known
from gyakusan.learning.rows import written
from gyakusan.load_testing.conditions import Conditions
from gyakusan.load_testing.learned_rows import learn, narrower, on_this_computer, rows_of
from gyakusan.load_testing.result import Distribution, Figure, StepResult
from gyakusan.load_testing.said_and_seen import compare


@pytest.fixture(autouse=True)
def _learning(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    monkeypatch.delenv(known.SWITCH, raising=False)
    monkeypatch.setattr(known, "today", lambda: date(2026, 11, 29))


@pytest.fixture(scope="module")
def here() -> Deployment:
    return api.deployment("smollm2", load=Load(8, 4096), device="cpu", bandwidth="20GB/s")


def test_a_bench_becomes_rows(here: Deployment) -> None:
    slow = result(step(here, 1, 0.5), step(here, 4, 0.5))
    rows = rows_of(here, slow, Conditions(0.5, 2), "bench")
    assert [(r.quantity, r.users) for r in rows] == [
        ("decode", 1), ("prefill", 1), ("ttft", 1), ("decode", 4), ("ttft", 4),
    ]  # fmt: skip
    assert all(r.shift == pytest.approx(-0.6931, abs=0.01) for r in rows)
    assert {(r.cores > 0, r.engine, r.model, r.busy, r.origin) for r in rows} == {
        (True, "llama.cpp", rows[0].model, 0.25, "bench")
    }
    assert [r.prompts for r in rows[:3]] == [1.0, 1.0, 1.0]
    assert 0 < rows[4].prompts < 1


@pytest.mark.parametrize(
    "fault",
    [{"requests": 2}, {"counted_share": 0.5}, {"completion_tokens": 100.0}],
    ids=["few", "not counted", "short answers"],
)
def test_a_step_that_says_little_does_not_count(here: Deployment, fault: dict[str, object]) -> None:
    plain = step(here, 1)
    assert rows_of(here, result(replace(plain, **fault)), IDLE, "bench") == ()  # type: ignore[arg-type]


def test_neither_random_arrivals_nor_more_people_than_planned_count(here: Deployment) -> None:
    assert rows_of(here, result(step(here, 16)), IDLE, "bench") == ()


def test_the_next_prediction_is_nearer_and_narrower_and_the_rows_stay_against_what_is_built_in(
    here: Deployment,
) -> None:
    first = result(step(here, 1, 0.6), step(here, 2, 0.6), step(here, 4, 0.6))
    learnt = learn(rows_of(here, first, IDLE, "bench"))
    assert not learnt.refused
    share = narrower(here, first)
    assert share is not None
    assert share > 0.2
    other = _built_in(here, 8, 0.6)
    rows = compare(here, result(other), 8, IDLE)
    decode = next(r for r in rows if r.quantity == "decode")
    assert abs(decode.error_share) < 0.1
    again = rows_of(here, result(other), IDLE, "bench")
    assert again[0].shift == pytest.approx(-0.51, abs=0.01)


def test_the_second_setting_is_within_15_percent(here: Deployment) -> None:
    """A computer slower by other factors in decode and prefill, 30 ms late: learned at 1 and 4 people, asked at 2 and 8."""
    seen = [_built_in(here, n, 0.62, prefill=0.5, delay=0.03) for n in (1, 4)]
    learn(rows_of(here, result(*seen), IDLE, "calibrate"))
    for n in (2, 8):
        rows = compare(here, result(_built_in(here, n, 0.62, prefill=0.5, delay=0.03)), 8, IDLE)
        errors = {r.quantity: r.error_share for r in rows if r.quantity in ("decode", "ttft")}
        assert all(abs(e) < 0.15 for e in errors.values()), errors


def _built_in(asked: Deployment, users: int, decode: float, prefill: float = 1.0, delay: float = 0.0) -> StepResult:
    """A step that is slower than what is built in, whatever was learned before."""
    from gyakusan.load_testing.said_and_seen import speed_of

    plain = replace(step(asked, users), each=None)
    speed = speed_of(asked, plain, learned=False)
    assert speed is not None
    steps = speed.tpot.value if users > 1 else 0.0
    late = (speed.ttft.value - steps) / prefill + steps / decode + delay
    return replace(
        plain,
        each=Figure(speed.decode_each.value * decode),
        prefill=Figure(speed.prefill.value * prefill),
        ttft=Distribution(20, Figure(late), Figure(late)),
    )


def test_outliers_are_refused_and_nothing_of_them_is_kept(here: Deployment) -> None:
    learnt = learn(rows_of(here, result(_built_in(here, 1, 1 / 40, 1 / 40)), IDLE, "bench"))
    assert learnt.kept == ()
    assert "40 times as slow as predicted" in str(learnt.refused[0].why)
    assert known.current() == ()


def test_rows_name_no_person_place_or_prompt(here: Deployment, tmp_path: Path) -> None:
    import getpass
    import platform
    import shutil

    private = tmp_path / "home-of-somebody" / "secret-project.gguf"
    private.parent.mkdir()
    shutil.copy(here.model.source, private)
    own = api.deployment(str(private), load=Load(4, 2048), device="cpu", bandwidth="20GB/s")
    text = written(rows_of(own, result(step(own, 1)), IDLE, "bench"))
    hidden = ["/", "\\", "secret", "somebody", "127.0.0.1", "http", platform.node(), getpass.getuser()]
    assert [h for h in hidden if h and h in text.replace("gyakusan/measurements/1", "")] == []


def test_which_chip_is_of_this_computer(here: Deployment) -> None:
    assert on_this_computer(here)
    assert not on_this_computer(api.deployment("gpt-oss-20b", load=Load(4, 8192), device="RTX 4090"))
