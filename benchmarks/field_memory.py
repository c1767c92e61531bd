"""How right is the memory of servers that nobody fitted? Reports from the field, priced as a user does, by kind of fault.

python benchmarks/field_memory.py [--truth FILE] [--json]

Rows say what `gyakusan inspect` is asked (model, engine, quant, context, users, device, reserve, settings), a part and what a
real server printed of it [B]. `part` is a function of PARTS, with the number of a GPU behind a colon. A row is right within
3 %, or inside a range that is no wider than 15 % to either side.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent.parent))  # as a script: its folder alone is on the path

from benchmarks.memory_accuracy import TRUTH
from gyakusan import inspect
from gyakusan.core.ledger import Account, Line
from gyakusan.core.model import Model
from gyakusan.engines.vllm import pool as vllm_pool
from gyakusan.engines.vllm.settings import Settings
from gyakusan.errors import GyakusanError
from gyakusan.machines import parse
from gyakusan.python.inspection import Inspection

NEAR, WIDEST = 0.03, 0.15
ASKED = ("quant", "context", "users", "device", "reserve", "unified", "kv_type")
Range = tuple[float, float, float]


@dataclass(frozen=True, slots=True)
class Judged:
    """One row: its kind, relative error of the best figure, and the range around what was seen."""

    kind: str
    name: str
    error: float
    low: float
    high: float

    @property
    def right(self) -> bool:
        """True within NEAR, or inside a range of at most WIDEST to either side."""
        width = (self.high - self.low) / (self.high + self.low) if self.high + self.low else 0.0
        return abs(self.error) <= NEAR or (self.low <= 1 <= self.high and width <= WIDEST)


def _sum(found: Iterable[Line]) -> Range:
    lines = list(found)
    return sum(x.least for x in lines), sum(x.bytes for x in lines), sum(x.greatest for x in lines)  # type: ignore[return-value]


def _lines(account: Account, wanted: Callable[[Line], bool]) -> Range:
    return _sum(x for x in account.lines if wanted(x))


def _pool(found: Inspection, row: Mapping[str, Any]) -> vllm_pool.Pool:
    machine = parse(row["device"])
    return vllm_pool.pool(found.model, Settings(**found.settings), machine.gpus[0])


def _available(found: Inspection, row: Mapping[str, Any]) -> Range:
    free = _pool(found, row).available
    return free.low, free.best, free.high  # type: ignore[return-value]


def _token(found: Inspection, row: Mapping[str, Any]) -> Range:
    each = float(_pool(found, row).reservation.bytes / row["context"])
    return each, each, each


def of_account(name: str, account: Account) -> Range:
    """A part of one account [B]."""
    wanted: Mapping[str, Callable[[Line], bool]] = {
        "allocated": lambda x: x.kind != "overhead",
        "activation": lambda x: x.part == "compute",
        "compute": lambda x: x.part in ("compute", "compute.host"),
        "weights": lambda x: x.kind == "weights",
        "tensors": lambda x: x.part == "weights",
        "kv": lambda x: x.kind == "kv_cache" and not x.part.startswith("draft"),
        "total": lambda x: True,
    }
    return _lines(account, wanted.get(name, lambda x: x.part == name))


def priced(row: Mapping[str, Any]) -> tuple[Range, Model]:
    """Low end, best figure and high end of a row's part, as a user gets them [B]. Raises GyakusanError."""
    asked = {k: row[k] for k in ASKED if row.get(k)}
    found = inspect(row["model"], engine=row["engine"], **asked, **row.get("settings", {}))
    name, _, number = row["part"].partition(":")
    if name == "pool":
        return _available(found, row), found.model
    if name == "token":
        return _token(found, row), found.model
    at = -1 if number == "host" else int(number or 0)
    accounts = found.accounts
    return of_account(name, accounts[at]) if at < len(accounts) else (0.0, 0.0, 0.0), found.model


def judge(row: Mapping[str, Any]) -> Judged:
    """Price one row and compare. What is refused is 100 % off."""
    name = f"{row['model']} {row['engine']} {row['part']} {row.get('device', '')}"
    try:
        (low, best, high), _ = priced(row)
    except GyakusanError as error:
        return Judged(row["kind"], f"{name}: {error}", -1.0, 0.0, 0.0)
    seen = row["seen"]
    return Judged(row["kind"], name, best / seen - 1, low / seen, high / seen)


def judge_all(path: Path) -> list[Judged]:
    """All rows of a file."""
    return [judge(row) for row in json.loads(path.read_text("utf-8"))]


def by_kind(found: Iterable[Judged]) -> dict[str, dict[str, float]]:
    """Rows, right ones, and the worst error of each kind."""
    kinds: dict[str, list[Judged]] = defaultdict(list)
    for one in found:
        kinds[one.kind].append(one)
    return {
        kind: {"n": len(rows), "right": sum(r.right for r in rows), "worst": max((r.error for r in rows), key=abs)}
        for kind, rows in sorted(kinds.items(), key=lambda item: int(item[0][1:]))
    }


def main() -> None:
    """Print the error of each kind, and the rows that are not right."""
    parser = argparse.ArgumentParser(description="Memory in the field, by kind of fault")
    parser.add_argument("--truth", type=Path, default=TRUTH / "field_memory.json")
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    found = judge_all(args.truth)
    if args.json:
        print(json.dumps(by_kind(found), indent=1))
        return
    for kind, said in by_kind(found).items():
        print(f"{kind:4} {said['n']:3.0f} rows, {said['right']:3.0f} right, worst {said['worst']:+.1%}")
    for one in found:
        mark = " " if one.right else "!"
        print(f"{mark} {one.kind:4} {one.error:+7.2%}  {one.low:.3f}..{one.high:.3f}  {one.name}")


if __name__ == "__main__":
    main()
