"""What a computer has for serving: each thing that is missing has what mends it."""

from __future__ import annotations

from pathlib import Path

import pytest

from gyakusan import machines
from gyakusan.engines import registry
from gyakusan.serving import checkup
from gyakusan.serving.checkup import can_serve
from gyakusan.text import tell


def test_every_server_is_looked_at() -> None:
    found = {c.about: c for c in checkup.checkup() if isinstance(c.about, str)}
    assert set(registry.NAMES) <= set(found)
    for name in registry.NAMES:
        assert found[name].state in ("here", "missing")
        assert found[name].mend or found[name].state == "here"


def test_the_server_in_the_wheel_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("xllamacpp")
    monkeypatch.setenv("PATH", "")
    assert can_serve(checkup.checkup())


@pytest.mark.parametrize("system", ["linux", "darwin"])
def test_a_gpu_that_the_wheel_leaves_idle_is_named(monkeypatch: pytest.MonkeyPatch, system: str) -> None:
    """A plan for a GPU was served by the wheel's build for the CPU, and nothing said why it was slow. A Mac's has Metal."""
    pytest.importorskip("xllamacpp")
    monkeypatch.setenv("PATH", "")
    monkeypatch.setattr(checkup.sys, "platform", system)
    monkeypatch.setattr(checkup, "this_computer_noted", lambda: (machines.parse("RTX 4090"), ()))
    idle = [c for c in checkup.checkup() if c.about == "GPU"]
    assert [c.state for c in idle] == (["note"] if system == "linux" else [])
    assert all("llama-server" in tell(c.mend, "en") for c in idle if not isinstance(c.mend, str))


def test_nothing_is_here(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    monkeypatch.setattr("importlib.util.find_spec", lambda name, package=None: None)
    for module in ("vllm.server", "mlx.launch"):
        monkeypatch.setattr(f"gyakusan.engines.{module}.find_spec", lambda name: None)
    found = checkup.checkup()
    assert not can_serve(found)
    missing = [c for c in found if c.state == "missing"]
    assert len(missing) == len(registry.NAMES)


def test_an_old_catalogue_and_a_full_disk_are_worth_knowing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(checkup.kept_releases, "current", lambda: "2020.01.01")
    monkeypatch.setattr(checkup, "LITTLE", 2**60)
    told = {tell(c.about, "en") if not isinstance(c.about, str) else c.about: c for c in checkup.checkup()}
    assert told["catalogue"].state == "note"
    assert told["catalogue"].mend == "gyakusan catalog update"
    assert told["disk"].state == "note"
