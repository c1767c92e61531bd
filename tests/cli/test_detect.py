"""detect shows the bandwidth that calibrate measured, and where it is from."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path

import pytest
from msgspec import structs

import gyakusan
from gyakusan.cli import main
from gyakusan.learning import known, store
from gyakusan.learning.rows import Row
from gyakusan.machines import detect as probes
from gyakusan.machines import this_computer


@pytest.fixture(autouse=True)
def _measured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    monkeypatch.delenv(known.SWITCH, raising=False)
    real = probes.detect

    def without_bandwidth() -> object:
        machine, notes = real()
        assert machine.host is not None
        return structs.replace(machine, host=structs.replace(machine.host, bandwidth=None)), notes

    monkeypatch.setattr(probes, "detect", without_bandwidth)


def test_the_bandwidth_that_was_measured_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["detect"]) == 0
    assert "measured here" not in capsys.readouterr().out
    found = this_computer()
    assert found.host is not None
    device = known.device_name(found.processor)
    store.add([Row("bandwidth", device, "", found.cores, known.rules(), 4e10, 3.2e10, date.today().isoformat())])
    assert main(["detect"]) == 0
    assert "32 GB/s, measured here" in capsys.readouterr().out
    assert main(["detect", "--lang", "ja"]) == 0
    assert "32 GB/s(このコンピューターで実測)" in capsys.readouterr().out
    assert main(["detect", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)["devices"][-1]
    assert (told["bandwidth"], told["source"]) == (3.2e10, "measured here")
    assert gyakusan.detect().devices[-1].bandwidth == 3.2e10
