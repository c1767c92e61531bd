"""The version of a server program: read where that is possible, asked in a bounded time where it is wanted, kept."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from gyakusan import api
from gyakusan.core.load import Load
from gyakusan.doors.notices import log, notice
from gyakusan.engines import installed as looked_at
from gyakusan.engines.installed import UNKNOWN, Installed, installed
from gyakusan.serving import checkup


@pytest.fixture
def box(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that is all of PATH, and a cache of its own."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return folder


def program(folder: Path, name: str, script: str) -> str:
    path = folder / name
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return str(path)


def test_a_plan_executes_nothing_and_knows_what_was_asked_before(box: Path) -> None:
    touched = box / "touched"
    path = program(box, "llama-server", f"echo 'version: 9800 (abc1234)' >&2; : > {touched}")
    assert installed("llama.cpp") is None
    assert not touched.exists()
    assert installed("llama.cpp", execute=True) == Installed(path, "build", "b9800")
    touched.unlink()
    assert installed("llama.cpp") == Installed(path, "build", "b9800")
    assert not touched.exists()


def test_another_program_in_its_place_is_asked_again(box: Path) -> None:
    program(box, "llama-server", "echo 'version: 9800 (abc1234)'")
    installed("llama.cpp", execute=True)
    path = program(box, "llama-server", "echo 'version: 0.5.0-dev (build 11434, commit abc1234)'")
    assert installed("llama.cpp") is None
    assert installed("llama.cpp", execute=True) == Installed(path, "build", "b11434")


def test_an_own_build_without_history_is_unknown(box: Path) -> None:
    path = program(box, "llama-server", "echo 'version: 1 (unknown)'")
    assert installed("llama.cpp", execute=True) == Installed(path, "build", UNKNOWN)


ODD = ["echo hello", "exit 3", "echo 'version: 9800'", "echo 'version is dev'", "exec cat /dev/zero", "exec sleep 30"]


@pytest.mark.parametrize("script", ODD)
@pytest.mark.parametrize(("engine", "name"), [("llama.cpp", "llama-server"), ("ollama", "ollama")])
def test_no_version_is_not_kept(
    box: Path, engine: str, name: str, script: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One probe that failed says nothing of the next: the same file is asked again, and nobody gave "unknown"."""
    monkeypatch.setattr(looked_at, "PATIENCE", 0.5)
    program(box, name, script.replace("exec ", "PATH=/bin:/usr/bin exec "))
    assert installed(engine, execute=True) is None
    assert not (box.parent / "cache" / "gyakusan" / "servers.json").exists()
    found = api.deployment("smollm2", load=Load(1, 1024), offline=True, server=engine)
    assert UNKNOWN not in (getattr(found.settings, "version", ""), getattr(found.settings, "build", ""))


def test_a_probe_that_failed_once_is_repeated(box: Path) -> None:
    ready = box / "ready"
    path = program(box, "ollama", f"[ -e {ready} ] && echo 'ollama version is 0.32.14'")
    assert installed("ollama", execute=True) is None
    ready.touch()
    assert installed("ollama", execute=True) == Installed(path, "version", "0.32.14")


@pytest.mark.parametrize("kept", ["unknown", "dev", "", "9" * 5000])
def test_an_answer_kept_by_an_earlier_release_is_asked_anew(box: Path, kept: str) -> None:
    for name, engine, script in (
        ("llama-server", "llama.cpp", "echo 'version: 9800 (abc)'"),
        ("ollama", "ollama", "echo 'ollama version is 0.32.14'"),
    ):
        path = program(box, name, script)
        looked_at._keep({path: [*looked_at._stamp(path), kept]})
        assert installed(engine) is None
        assert installed(engine, execute=True) is not None
        assert installed(engine) is not None


def test_what_a_program_prints_is_read_to_a_bound(box: Path) -> None:
    path = program(box, "llama-server", "PATH=/bin:/usr/bin exec yes 'version: 9800 (abc)'")
    assert looked_at._printed(path) == ""


def test_a_program_that_does_not_answer_is_left(box: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(looked_at, "PATIENCE", 0.2)
    program(box, "llama-server", "exec /bin/sleep 3000")
    assert installed("llama.cpp", execute=True) is None


def test_ollama_says_its_version_and_asks_no_server(box: Path) -> None:
    path = program(box, "ollama", 'echo "Warning: could not connect to $OLLAMA_HOST"; echo "client version is 0.32.14"')
    assert installed("Ollama", execute=True) == Installed(path, "version", "0.32.14")


def test_vllm_is_read_beside_its_program(box: Path) -> None:
    path = program(box, "vllm", "exit 9")
    (box.parent / "lib" / "python3.12" / "site-packages" / "vllm-0.32.0.dist-info").mkdir(parents=True)
    assert installed("vLLM") == Installed(path, "version", "0.32.0")


@pytest.mark.parametrize("value", ["unknown", "dev"])
def test_a_vllm_without_a_version_says_nothing(box: Path, value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    program(box, "vllm", "exit 9")
    (box.parent / "lib" / "python3.12" / "site-packages" / f"vllm-{value}.dist-info").mkdir(parents=True)
    assert installed("vLLM") is None
    (box / "vllm").unlink()
    monkeypatch.setattr(looked_at.metadata, "version", lambda name: value)
    assert installed("vLLM") is None


def test_the_wheel_tells_its_build(box: Path) -> None:
    pytest.importorskip("xllamacpp")
    found = installed("llama.cpp")
    assert found is not None
    assert found.program == "xllamacpp"
    assert found.value.startswith("b")


def test_damaged_answers_are_asked_anew(box: Path) -> None:
    path = program(box, "llama-server", "echo 'version: 9800 (abc1234)'")
    kept = box.parent / "cache" / "gyakusan" / "servers.json"
    kept.parent.mkdir(parents=True)
    for damaged in ("{", "[]", f'{{"{path}": [1]}}', f'{{"{path}": [1, 2, 3]}}'):
        kept.write_text(damaged)
        assert installed("llama.cpp") is None
        assert installed("llama.cpp", execute=True) == Installed(path, "build", "b9800")


def test_the_ledger_of_this_computer_takes_the_rules_of_its_program(box: Path) -> None:
    path = program(box, "llama-server", "echo 'version: 9800 (abc1234)'")
    heard: list[str] = []
    notice.hear(lambda message: heard.append(str(message)))
    try:
        asked: dict[str, Any] = {"load": Load(1, 1024), "offline": True}
        assert api.deployment("smollm2", **asked).settings.build == "", "nobody asked the program yet"
        installed("llama.cpp", execute=True)
        assert api.deployment("smollm2", **asked).settings.build == "b9800"
        assert api.deployment("smollm2", settings={"build": "b9000"}, **asked).settings.build == "b9000"
        assert api.deployment("smollm2", device="RTX 4090", **asked).settings.build == ""
    finally:
        notice.hear(log)
    assert heard == [f"{path} is b9800: its rules are used."]


def test_of_an_own_build_the_ledger_says_that_it_is_not_known(box: Path) -> None:
    program(box, "llama-server", "echo 'version: 1 (unknown)'")
    installed("llama.cpp", execute=True)
    heard: list[str] = []
    notice.hear(lambda message: heard.append(str(message)))
    try:
        found = api.deployment("smollm2", load=Load(1, 1024), offline=True)
    finally:
        notice.hear(log)
    assert found.settings.build == UNKNOWN
    assert "The build of llama.cpp is not known" in " ".join(map(str, found.ledger.notes))
    assert not heard


def test_doctor_names_the_build(box: Path) -> None:
    path = program(box, "llama-server", "echo 'version: 9800 (abc1234)'")
    assert f"{path} (b9800)" in [check.told for check in checkup.checkup()]
