"""gyakusan watch: what a running server does now."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from tests.documents.valid import valid
from tests.fakes.fake_model_server import KEY, Open, opened
from tests.machines.test_detect import fake_nvml

from gyakusan import api
from gyakusan.cli import main
from gyakusan.cli import watch as command
from gyakusan.core.load import Load
from gyakusan.serving import running_servers
from gyakusan.serving.model_group import growing_memory, planned_memory
from gyakusan.serving.running_servers import RunningServer

__all__ = ["opened"]  # the fixture


@pytest.fixture(autouse=True)
def _home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    monkeypatch.delenv("GYAKUSAN_API_KEY", raising=False)


def test_one_look(opened: Open, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    running = opened()
    running.front.app.metrics.plan({("RTX 4090", "kv.full"): 2**30})
    running.front.app.metrics.watch_memory(lambda: 2.0**29)
    key = tmp_path / "key"
    key.write_text(KEY)
    running.post()
    base = [running.url, "--once", "--every", "0.1", "--key-file", str(key)]
    assert main(["watch", *base]) == 0
    out = capsys.readouterr().out
    for part in ("is idle", "KV cache", "1.00", "requests: 1", "Planned: 1.00 GiB; the server holds 0.50 GiB"):
        assert part in out
    assert main(["watch", *base, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    valid(found)
    assert (found["requests"], found["running"], found["resident_bytes"]) == (1, 0, 2**29)
    assert found["memory"] == [{"device": "RTX 4090", "part": "kv.full", "bytes": 2**30, "at_most": None}]
    assert main(["watch", *base, "--lang", "ja"]) == 0
    assert "は待機中です。" in capsys.readouterr().out


def test_what_the_gpus_hold_is_told_of_servers_here(
    opened: Open, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pynvml", fake_nvml())
    running = opened(key=None)
    entry = RunningServer(name="office", url=f"{running.url}/v1", ready=True)
    running_servers.claim(running_servers.here(entry))
    told = "RTX 4090: 0.55 of 23.99 GiB in use now, by all programs."
    for where, here in (("office", True), (running.url, False)):
        assert main(["watch", where, "--once", "--every", "0.1", "--lang", "en"]) == 0
        assert (told in capsys.readouterr().out.replace("\N{NO-BREAK SPACE}", " ")) is here


def test_what_grows_with_use_is_not_beyond_the_plan(opened: Open, capsys: pytest.CaptureFixture[str]) -> None:
    running, cache = opened(key=None), ("CPU", "overhead.prompt_cache")
    running.front.app.metrics.plan({("CPU", "kv.full"): 2**30, cache: 0.0}, {cache: 8.0 * 2**30})
    running.front.app.metrics.watch_memory(lambda: 3.0 * 2**30)
    assert main(["watch", running.url, "--once", "--every", "0.1"]) == 0
    out = " ".join(capsys.readouterr().out.split())
    assert "GiB planned GiB at most" in out
    assert "prompt cache 0.00 8.00" in out
    assert "Planned: 1.00 GiB at the start, up to 9.00 with use; the server holds 3.00 GiB of RAM now." in out
    assert main(["watch", running.url, "--once", "--every", "0.1", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    valid(found)
    assert [(m["bytes"], m["at_most"]) for m in found["memory"]] == [(2**30, None), (0.0, 8 * 2**30)]


def test_the_ledger_says_what_grows() -> None:
    asked = api.deployment("smollm2", load=Load(4, 2048), device="cpu", bandwidth="20GB/s")
    planned, growing = planned_memory(asked), growing_memory(asked)
    lines = {line.part: line for account in asked.ledger.accounts for line in account.lines if line.grows}
    assert {part: most for (_, part), most in growing.items()} == {p: float(x.greatest) for p, x in lines.items()}
    assert "overhead.prompt_cache" in lines
    assert growing.keys() <= planned.keys()


def test_looks_at_a_server_are_no_refused_requests(
    opened: Open, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """Whoever asks what runs, and what it does, counts as nobody who was refused; a question without the key does."""
    running = opened()
    key = tmp_path / "office.key"
    key.write_text(KEY)
    folder = tmp_path / "gyakusan" / "servers"
    folder.mkdir(parents=True)
    (folder / "office.json").write_text(json.dumps({"url": f"{running.url}/v1", "key_file": str(key)}))
    for words in (["ps"], ["status"], ["connect"], ["connect", "office"], ["watch", "--once", "--every", "0.1"]):
        assert main(words) == 0, words
    capsys.readouterr()
    assert running.front.traffic.refusals == 0
    with running.client(None) as client:
        assert client.get("/v1/models").status_code == 401
    assert running.front.traffic.refusals == 1


def test_it_looks_until_it_is_ended(
    opened: Open, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    running = opened(key=None)
    pauses = iter([None, None])

    def sleep(seconds: float) -> None:
        if next(pauses, KeyboardInterrupt) is KeyboardInterrupt:
            raise KeyboardInterrupt

    monkeypatch.setattr(command.time, "sleep", sleep)
    assert main(["watch", running.url, "--json"]) == 0
    looks = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [x["seconds"] is None for x in looks] == [True, False, False]


def test_what_cannot_be_watched(capsys: pytest.CaptureFixture[str], opened: Open) -> None:
    assert main(["watch", "http://127.0.0.1:1", "--once"]) == 3
    assert "does not answer" in capsys.readouterr().err
    assert main(["watch", "nobody", "--once"]) == 2
    assert main(["watch", opened().url, "--once"]) == 3
    assert "owner only" in capsys.readouterr().err
    assert main(["watch", "http://127.0.0.1:1", "--every", "0"]) == 2
