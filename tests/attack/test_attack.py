"""Hostile input of every kind, a fixed seed, in forked processes: what broke is named with the command that runs it again."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from benchmarks.attack_cases import guard, kinds

CASES, SEED = 1_000, 12
"""About 100 s of CPU, shared by all cores; benchmarks/attack.py runs as many as one likes."""
ATTACK = Path(__file__).parents[2] / "benchmarks" / "attack.py"


@pytest.fixture(scope="module")
def found() -> dict[str, list[guard.Found]]:
    """Each class's cases, forked from a fresh process: this one may be large and traced, and may have threads."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith("COV")}
    command = [sys.executable, str(ATTACK), "--cases", str(CASES), "--seed", str(SEED), "--json"]
    ran = subprocess.run(command, check=False, env=environment, capture_output=True, text=True)
    assert ran.returncode in (0, 1), ran.stderr[-2_000:]
    by: dict[str, list[guard.Found]] = {kind: [] for kind in kinds.KINDS}
    for row in json.loads(ran.stdout):
        by[row["kind"]].append(guard.Found(**row))
    return by


@pytest.mark.parametrize("kind", kinds.KINDS)
def test_everything_holds(found: dict[str, list[guard.Found]], kind: str) -> None:
    assert len(found[kind]) >= 5
    again = "python benchmarks/attack.py --kind {!r} --one {}: {}"
    assert [again.format(f.kind, f.seed, f.problem) for f in found[kind] if f.problem] == []
