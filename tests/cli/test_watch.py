"""gyakusan watch: what a running server does now."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.documents.valid import valid
from tests.fakes.fake_model_server import KEY, Open, opened

from gyakusan.cli import main
from gyakusan.cli import watch as command

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
    assert found["memory"] == [{"device": "RTX 4090", "part": "kv.full", "bytes": 2**30}]
    assert main(["watch", *base, "--lang", "ja"]) == 0
    assert "は待機中です。" in capsys.readouterr().out


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
