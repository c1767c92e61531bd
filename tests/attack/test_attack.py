"""Hostile input of every kind, a fixed seed, in forked processes: what broke is named with the command that runs it again."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from benchmarks.attack_cases import guard, kinds

CASES, SEED = 2_000, 12
"""About 200 s of CPU, shared by all cores."""


@pytest.fixture(scope="module")
def found() -> Iterator[dict[str, list[guard.Found]]]:
    kinds.warm()
    by: dict[str, list[guard.Found]] = {kind: [] for kind in kinds.KINDS}
    for one in guard.run(kinds.tasks(CASES, SEED), kinds.make, alone=kinds.ALONE.__contains__):
        by[one.kind].append(one)
    return by


@pytest.mark.parametrize("kind", kinds.KINDS)
def test_everything_holds(found: dict[str, list[guard.Found]], kind: str) -> None:
    assert len(found[kind]) >= 5
    again = "python benchmarks/attack.py --kind {!r} --one {}: {}"
    assert [again.format(f.kind, f.seed, f.problem) for f in found[kind] if f.problem] == []
