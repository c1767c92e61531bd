"""A bench in the background: one at a time, kept, ended early with what was measured, its failure said."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from msgspec import structs
from tests.fakes.fake_load_server import FakeChat, serving

from gyakusan import api
from gyakusan.core.load import Load
from gyakusan.errors import BadReference, BadSetting, GyakusanError
from gyakusan.load_testing.store import Store
from gyakusan.planning.request.request import Task
from gyakusan.python.benching import BenchOptions, request_of
from gyakusan.python.served import planned_again
from gyakusan.serving import running_servers
from gyakusan.serving.registration import entry_of
from gyakusan.serving.running_servers import RunningServer
from gyakusan.web.bench_job import BenchJob, options_of
from gyakusan.web.problems import Busy
from gyakusan.web.queries import BenchForm

ENTRY = RunningServer(name="office", url="", model="m", users=2, context=512, ready=True)


@pytest.fixture(autouse=True)
def _home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))


@pytest.fixture
def fake() -> Iterator[FakeChat]:
    with serving(FakeChat(gap=0.002)) as found:
        running_servers.claim(running_servers.here(structs.replace(ENTRY, url=f"{found.url}/v1")))
        yield found


def test_to_its_end(fake: FakeChat) -> None:
    job = BenchJob()
    assert job.state is None
    job.begin(BenchForm(name="office", users="1,2", seconds="0.3s"))
    with pytest.raises(Busy, match="A bench of office runs"):
        job.begin(BenchForm(name="office"))
    assert job.join(30)
    assert job.state is not None
    assert (job.state.number, job.state.problem) == (1, None)
    assert [s.step.users for s in Store().read(1).steps] == [1, 2]
    assert Store().every()[0].finished


def test_ended_early_keeps_what_was_measured(fake: FakeChat) -> None:
    job = BenchJob()
    with pytest.raises(BadReference, match="No bench runs"):
        job.end_early()
    job.begin(BenchForm(name="office", users="1,2,4,8", seconds="2s"))
    end = time.monotonic() + 30
    while not Store().every() and time.monotonic() < end:
        time.sleep(0.05)
    assert job.state is not None
    assert "Measuring" in str(job.state.told)
    job.end_early()
    assert job.join(30)
    kept = Store().read(1)
    assert kept.interrupted
    assert 1 <= len(kept.steps) < 4


def test_a_server_that_is_gone(fake: FakeChat) -> None:
    fake.fault = "500"
    job = BenchJob()
    job.begin(BenchForm(name="office", users="1", seconds="0.2s"))
    assert job.join(30)
    assert job.state is not None
    assert job.state.problem is not None
    assert job.state.number is None


@pytest.mark.parametrize("form", [BenchForm(name="nosuch"), BenchForm(name="office", users="x")])
def test_what_is_refused_begins_nothing(fake: FakeChat, form: BenchForm) -> None:
    job = BenchJob()
    with pytest.raises(GyakusanError):
        job.begin(form)
    assert job.state is None


@pytest.mark.parametrize("task", ["chat", "coding"])
def test_a_bench_asks_what_the_command_asks(task: Task) -> None:
    """The page named the model alone: without its format, settings and thinking another deployment was predicted."""
    form = BenchForm(name="office", task=task)
    known = structs.replace(ENTRY, source="llama3.1-8b", engine="llama.cpp", context=32768, log_file="/l")
    asked = options_of(form, known)
    assert asked == BenchOptions(users="1,2,4", seconds="10s", task=task, log="/l")
    short = options_of(form, ENTRY)
    assert (short.prompt, short.answer) == (256, 64), "a short context holds them"
    with pytest.raises(BadSetting, match="No task is called"):
        options_of(structs.replace(form, task="x"), ENTRY)


def test_a_bench_has_the_key_and_the_plan_of_its_server(tmp_path: Path, fake: FakeChat) -> None:
    """Thinking, format and settings are those of the entry; so is the key's file."""
    asked = structs.replace(api.deployment("qwen3-8b", load=Load(2, 8192), device="RTX 4090"), mode="off")
    key = tmp_path / "key"
    key.write_text("sk-0123456789abcdef0123456789abcdef\n")
    entry = structs.replace(entry_of("two", asked, key, None), url=f"{fake.url}/v1")
    again = planned_again(entry)
    assert again is not None
    assert (again.mode, again.settings, again.machine) == ("off", asked.settings, asked.machine)
    running_servers.claim(running_servers.here(entry))
    assert request_of("two", options_of(BenchForm(name="two"), entry)).target.key == key.read_text().strip()
