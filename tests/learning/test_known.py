"""What is known of a device: by setting, fresh, of today's constants, and never where it is switched off."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest
from msgspec import structs

from gyakusan import machines
from gyakusan.catalog.models import find as model_record
from gyakusan.learning import known, rule, store
from gyakusan.learning.rows import Row
from gyakusan.models.assemble import from_record
from gyakusan.planning.predict.speed import TurnShape, estimate_speed

LLAMA = from_record(model_record("llama3.1-8b"), "Q4_K_M")


@pytest.fixture(autouse=True)
def _learning(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    monkeypatch.delenv(known.SWITCH, raising=False)
    monkeypatch.setattr(known, "today", lambda: date(2026, 11, 29))


def row(**more: object) -> Row:
    plain = Row("decode", "GeForce RTX 4090", "llama.cpp", 0, known.rules(), 100.0, 80.0, "2026-11-28", "m", "Q4", 1)
    return structs.replace(plain, **more)


def test_nothing_is_known_without_a_file() -> None:
    assert known.find("GeForce RTX 4090", "llama.cpp", 0) == known.NOTHING
    assert known.bandwidth("x") is None


def test_rows_of_one_setting_are_one_cell() -> None:
    store.add([row(), row(measured=90.0), row(users=4), row(users=4, origin="import")])
    found = known.find("GeForce RTX 4090", "llama.cpp", 0)
    assert (found.rows, found.own) == (3, {"decode"})  # the import is not of this computer
    assert found.date == "2026-11-28"
    assert [c.trust for c in found.decode] == [1.0, 1.0, known.TRUST_IN_OTHERS]
    assert found.decode[0].noise == pytest.approx(row().noise / 2)
    assert found.prefill == found.ttft == ()


@pytest.mark.parametrize(
    "other", [{"device": "RTX 9"}, {"engine": "vllm"}, {"cores": 4}, {"date": "2026-08-01"}, {"rules": "older"}]
)
def test_what_is_of_another_device_engine_or_time_does_not_count(other: dict[str, object]) -> None:
    store.add([row(**other)])
    assert known.find("GeForce RTX 4090", "llama.cpp", 0) == known.NOTHING


def test_the_switch(monkeypatch: pytest.MonkeyPatch) -> None:
    store.add([row()])
    assert known.find("GeForce RTX 4090", "llama.cpp", 0).rows == 1
    monkeypatch.setenv(known.SWITCH, "off")
    assert known.find("GeForce RTX 4090", "llama.cpp", 0) == known.NOTHING
    assert store.forget() == 1
    assert store.read() == ()
    assert store.forget() == 0


def test_a_broken_file_is_said_and_passed_by() -> None:
    from gyakusan.doors.notices import notice

    store.path().parent.mkdir(parents=True, exist_ok=True)
    store.path().write_bytes(b"no database at all, but long enough to be read as one" * 50)
    said: list[str] = []
    notice.hear(lambda m: said.append(str(m)))
    try:
        assert known.find("GeForce RTX 4090", "llama.cpp", 0) == known.NOTHING
    finally:
        from gyakusan.doors.notices import log

        notice.hear(log)
    assert "cannot be read or written" in said[0]


@pytest.mark.parametrize("engine", ["llama.cpp", "vllm"])
def test_predictions_move_and_narrow_on_the_same_device_and_engine_only(engine: str) -> None:
    machine = machines.parse("RTX 4090", None)
    before = estimate_speed(LLAMA, machine, engine, TurnShape(users=4))
    store.add([row(users=n, predicted=100.0, measured=80.0) for n in (1, 2, 4)])
    store.add([row(quantity="prefill", predicted=5000.0, measured=5500.0)])
    after = estimate_speed(LLAMA, machine, engine, TurnShape(users=4))
    built_in = estimate_speed(LLAMA, machine, engine, TurnShape(users=4), learned=False)
    assert before
    assert after
    assert built_in == before
    if engine == "vllm":
        assert after == before
        return
    assert 0.8 < after.decode_each.value / before.decode_each.value < 0.9
    assert 1.0 < after.prefill.value / before.prefill.value < 1.1
    assert after.decode_each.high / after.decode_each.low < before.decode_each.high / before.decode_each.low
    assert after.throughput.high / after.throughput.low < before.throughput.high / before.throughput.low
    assert (after.decode_each.basis, after.measurements_here, after.measured_on) == ("measured_here", 4, "2026-11-28")


def test_a_first_token_follows_from_the_prompts() -> None:
    machine = machines.parse("RTX 4090", None)
    turn = TurnShape(users=1)
    before = estimate_speed(LLAMA, machine, turn=turn)
    assert before
    halved = [row(quantity="prefill", model=f"m{n}", predicted=2.0, measured=1.0) for n in range(5)]
    late = [row(quantity="ttft", model=f"m{n}", predicted=1.0, measured=2.0) for n in range(5)]
    store.add([*halved, *late])
    after = estimate_speed(LLAMA, machine, turn=turn)
    assert after
    longer = turn.prompt * (1 / after.prefill.value - 1 / before.prefill.value)
    assert after.ttft.value - before.ttft.value == pytest.approx(longer, rel=0.02)
    assert before.prefill.value / after.prefill.value == pytest.approx(2.0, rel=0.15)
    assert after.ttft.high / after.ttft.low < before.ttft.high / before.ttft.low


@pytest.mark.parametrize("prompt", [64, 512, 4096])
def test_a_delay_is_the_same_for_short_and_long_prompts(prompt: int) -> None:
    """Prompts are as fast as predicted, and first tokens come 60 ms later: that is no share of a longer prompt."""
    machine = machines.parse("RTX 4090", None)
    turn = TurnShape(users=1, prompt=prompt)
    before = estimate_speed(LLAMA, machine, turn=turn)
    told = [row(quantity="prefill", prompt=128.0 * n, predicted=100.0, measured=100.0) for n in (1, 3, 5)]
    late = [row(quantity="ttft", prompt=128.0 * n, predicted=0.02 * n, measured=0.02 * n + 0.06) for n in (1, 3, 5)]
    store.add([*told, *late])
    after = estimate_speed(LLAMA, machine, turn=turn)
    assert before
    assert after
    assert after.ttft.value - before.ttft.value == pytest.approx(0.06, abs=0.006)
    assert after.prefill.value == pytest.approx(before.prefill.value, rel=0.001)


def test_a_first_token_cannot_come_before_its_prompt_is_read() -> None:
    machine = machines.parse("RTX 4090", None)
    turn = TurnShape(users=1, prompt=16)
    early = [row(quantity="ttft", prompt=64.0 * n, predicted=0.5, measured=0.3) for n in range(1, 20)]
    store.add([*early, row(quantity="prefill", predicted=100.0, measured=100.0)])
    after = estimate_speed(LLAMA, machine, turn=turn)
    assert after
    assert 0 < after.ttft.low < after.ttft.value
    assert after.ttft.value > 0.9 * 16 / after.prefill.value - 0.02


def test_first_tokens_without_their_prompts_say_no_delay() -> None:
    store.add([row(quantity="ttft", predicted=0.1, measured=0.2), row(quantity="prefill", model="another")])
    assert known.find("GeForce RTX 4090", "llama.cpp", 0).delay == 0.0


def test_a_measured_model_is_known_better_than_another() -> None:
    machine = machines.parse("RTX 4090", None)
    before = estimate_speed(LLAMA, machine, turn=TurnShape(users=1))
    told = {}
    for name in ("llama3.1-8b", "another"):
        store.forget()
        store.add([row(model=name)])
        told[name] = estimate_speed(LLAMA, machine, turn=TurnShape(users=1))
    own, other = (found.decode_each for found in told.values() if found)
    assert before
    assert own.value < other.value < before.decode_each.value
    assert own.high / own.low < other.high / other.low


def test_the_sweep_and_one_model_are_corrected_alike() -> None:
    import gyakusan

    asked = {"device": "RTX 4090", "users": 2, "context": 8192}
    store.add([row(users=n) for n in (1, 2, 4)])
    found = gyakusan.plan(**asked)
    first = found.plans[0]
    assert first.pace is not None
    assert first.pace.measurements_here == 3
    cells = found.to_dict()["plans"][0]["pace"]
    assert cells["measured_here"] == {"measurements": 3, "date": "2026-11-28"}
    assert cells["decode_each"]["basis"] == "measured_here"


def test_the_measured_bandwidth_of_this_computers_ram(monkeypatch: pytest.MonkeyPatch) -> None:
    plain = machines.parse("cpu", None)
    assert plain.host is not None
    unknown = structs.replace(plain, host=structs.replace(plain.host, bandwidth=None))
    monkeypatch.setattr("gyakusan.machines.detect.detect", lambda: (unknown, ()))
    name = known.device_name(plain.processor)
    rows = [row(quantity="bandwidth", device=name, engine="", predicted=3e10, measured=b) for b in (1e10, 2e10, 9e10)]
    store.add(rows)
    host = machines.this_computer().host
    assert host is not None
    assert host.bandwidth == 9e10


def test_a_file_of_another_version_is_refused() -> None:
    import sqlite3
    from contextlib import closing

    from gyakusan.errors import SourceError

    store.add([row()])
    with closing(sqlite3.connect(store.path())) as db, db:
        db.execute("PRAGMA user_version = 7")
    with pytest.raises(SourceError, match="version 7"):
        store.read()


def test_no_test_reads_the_developers_measurements() -> None:
    """Of a new process as of this one: what a test starts inherits it. This module alone switches it on."""
    import subprocess
    import sys

    root = Path(__file__).parents[2]
    code = "import tests.conftest, os; print(os.environ['GYAKUSAN_LEARNED'])"
    told = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True)
    assert told.stdout.strip() == "off"


def test_the_built_in_accuracy_never_learns() -> None:
    """It judges constants and formulas alone: neither it nor what it is made of knows the room."""
    import subprocess
    import sys

    root = Path(__file__).parents[2]
    code = "import sys; import benchmarks.speed_accuracy; print([m for m in sys.modules if '.learning' in m])"
    told = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True)
    assert told.stdout.strip() == "[]"


def test_many_imports_weigh_a_quarter_of_what_was_measured_here() -> None:
    own = [row(model=f"own-{i}", measured=80.0) for i in range(3)]
    store.add([*own, *(row(model=f"m-{i}", measured=300.0, origin="import") for i in range(300))])
    found = known.find("GeForce RTX 4090", "llama.cpp", 0)
    trust = [c.trust for c in found.decode]
    assert sum(t for t in trust if t < 1) == pytest.approx(known.TRUST_IN_OTHERS * 3)
    speed, _ = rule.corrected(1.6, found.decode)
    assert speed < 1.1  # three say 0.8, and the others, however many, cannot say more than 3 for a quarter


def test_imports_never_push_out_what_was_measured_here(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "MOST_ROWS", 5)
    store.add([row(model="own")])
    store.add([row(model=f"m-{i}", origin="import") for i in range(7)])
    left = store.read()
    assert (len(left), left[0].model) == (5, "own")


def test_a_file_whose_first_write_failed_is_empty(tmp_path: Path) -> None:
    (tmp_path / "new.sqlite").touch()
    assert store.read(tmp_path / "new.sqlite") == ()


@pytest.mark.parametrize(
    ("more", "why"),
    [
        ({"date": "2026-12-24"}, "still to come"),
        ({"date": "2026-01-01"}, "older than 90 days"),
        ({"rules": "00000000"}, "another version"),
        ({}, None),
    ],
)
def test_rows_that_would_not_count_are_told(more: dict[str, str], why: str | None) -> None:
    said = known.stale(row(**more))
    assert said is None if why is None else why in str(said)
