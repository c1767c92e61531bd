"""The Python API: names, laziness, values."""

from __future__ import annotations

import subprocess
import sys

import pytest

import gyakusan
from gyakusan.errors import BadQuantity, BadSetting, UnknownName


def test_every_name_is_there() -> None:
    assert sorted(gyakusan.__all__) == dir(gyakusan)
    assert all(getattr(gyakusan, name) is not None for name in gyakusan.__all__)
    with pytest.raises(AttributeError):
        _ = gyakusan.nothing


def test_importing_costs_nothing() -> None:
    code = "import sys, gyakusan; print([m for m in ('numpy', 'rich', 'msgspec', 'httpx2', 'cyclopts') if m in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"


def test_a_question_about_one_model_needs_no_numpy() -> None:
    code = "import sys, gyakusan; gyakusan.inspect('qwen2.5-7b', device='RTX 4090'); print('numpy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "False\n"


def test_inspect_gives_a_ledger() -> None:
    ledger = gyakusan.inspect("gpt-oss-20b", context=131072, device="RTX 4090")
    assert ledger.fits
    assert ledger.of("kv_cache") == 3 * 2**30 + 18 * 2**20
    assert ledger.accounts[0].total == sum(line.bytes for line in ledger.accounts[0].lines)


def test_settings_are_checked_by_name() -> None:
    with pytest.raises(UnknownName, match="ubatch"):
        gyakusan.inspect("qwen2.5-7b", device="RTX 4090", ubtch=64)
    with pytest.raises(BadQuantity):
        gyakusan.inspect("qwen2.5-7b", device="RTX 4090", users=0)


def test_plan_gives_plans_and_reasons() -> None:
    found = gyakusan.plan(device="RTX 4090", users=2)
    assert all(p.ledger.fits for p in found.plans)
    assert {p.name for p in found.plans}.isdisjoint(e.name for e in found.excluded)
    assert "short by" in str(next(e.reason for e in found.excluded if e.name == "llama3.1-405b"))
    with pytest.raises(BadSetting, match="userz"):
        gyakusan.plan(userz=2)
