"""The ledger of llama.cpp: sums, devices, and one formula for one number and for many."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gyakusan.core.ledger import Ledger
from gyakusan.core.load import Load
from gyakusan.engines.registry import engine
from gyakusan.errors import BadSetting, UnknownName
from gyakusan.machines import parse
from gyakusan.models import load

LLAMACPP = engine("llama.cpp")
MODELS = ("llama3.1-8b", "gpt-oss-20b", "gemma3-27b", "qwen3.5-35b-a3b", "deepseek-v2-lite", "nemotron-nano-9b-v2")
CHANGES = st.fixed_dictionaries(
    {
        "key_type": st.sampled_from(["F16", "Q8_0", "F32"]),
        "ubatch": st.sampled_from([64, 512, 2048]),
        "unified": st.booleans(),
        "swa_full": st.booleans(),
        "outputs": st.sampled_from(["server", "bench"]),
        "backend": st.sampled_from(["cpu", "cuda"]),
        "flash_attention": st.sampled_from(["auto", "off"]),
    }
)


def price(name: str, users: object, context: object, device: str = "RTX 4090", **changes: object) -> Ledger:
    model, machine, asked = load(name), parse(device), Load(users, context)
    return LLAMACPP.ledger(model, asked, machine, LLAMACPP.settings(model, asked, machine, **changes))


@pytest.mark.parametrize("name", MODELS)
@given(
    changes=CHANGES,
    users=st.lists(st.integers(1, 40), min_size=1, max_size=4),
    pages=st.lists(st.integers(1, 512), min_size=1, max_size=4),
)
@settings(max_examples=12, deadline=None)
def test_many_at_once_equal_one_by_one(
    name: str, changes: dict[str, object], users: list[int], pages: list[int]
) -> None:
    contexts = np.array(pages)[:, None] * 256
    together = price(name, np.array(users)[None, :], contexts, **changes)
    for i, page in enumerate(pages):
        for j, count in enumerate(users):
            alone = price(name, count, page * 256, **changes)
            for a, b in zip(together.accounts, alone.accounts, strict=True):
                for x, y in zip(a.lines, b.lines, strict=True):
                    got = np.broadcast_to(x.bytes, (len(pages), len(users)))[i, j]
                    assert got == y.bytes, (x.kind, str(y.reason))


@pytest.mark.parametrize("name", MODELS)
@given(users=st.integers(1, 32), page=st.integers(1, 400), backend=st.sampled_from(["cpu", "cuda"]))
@settings(max_examples=15, deadline=None)
def test_more_people_or_tokens_never_take_less(name: str, users: int, page: int, backend: str) -> None:
    total = sum(a.total for a in price(name, users, page * 256, backend=backend).accounts)
    assert sum(a.total for a in price(name, users, page * 256 + 256, backend=backend).accounts) >= total
    assert sum(a.total for a in price(name, users + 1, page * 256, backend=backend).accounts) >= total


def test_a_unified_device_carries_everything() -> None:
    ledger = price("gpt-oss-20b", 1, 8192, "DGX Spark")
    assert [a.device.kind for a in ledger.accounts] == ["unified"]
    apart = price("gpt-oss-20b", 1, 8192, "RTX 4090")
    assert ledger.accounts[0].total == sum(a.total for a in apart.accounts)


def test_overhead_is_a_range_with_a_basis() -> None:
    line = next(x for x in price("gpt-oss-20b", 1, 8192).accounts[0].lines if x.kind == "overhead")
    assert line.basis == "measured"
    assert line.least < line.bytes < line.greatest


def test_what_the_server_refuses() -> None:
    with pytest.raises(BadSetting, match="flash attention"):
        price("gpt-oss-20b", 1, 8192, value_type="Q8_0", flash_attention="off")
    with pytest.raises(UnknownName, match="Q8_0"):
        price("gpt-oss-20b", 1, 8192, key_type="Q9_0")
    with pytest.raises(BadSetting):
        price("gpt-oss-20b", 1, 8192, ubatch=0)


@pytest.mark.parametrize(
    ("workers", "words"),
    [
        (("127.0.0.1:50052",), "The first GPU of the machine stands for the RPC worker."),
        (("127.0.0.1:50052", "127.0.0.1:50053"), "The first 2 GPUs of the machine stand for the RPC workers."),
    ],
)
def test_which_devices_are_workers_is_said(workers: tuple[str, ...], words: str) -> None:
    told = price("llama3.1-8b", 1, 4096, "3x RTX 3090", rpc=workers)
    assert words in [str(note) for note in told.notes]
