"""Start-up logs and metrics back into figures."""

from __future__ import annotations

import pytest

from gyakusan.engines.vllm import engine
from gyakusan.engines.vllm.log import Reported, read
from gyakusan.units import GIB

LOG = """
INFO 06-07 13:19:20 [utils.py:299] vLLM API server version 0.20.0
(EngineCore pid=312) INFO 06-07 13:19:38 [scheduler.py:239] Chunked prefill is enabled with max_num_batched_tokens=4096.
(EngineCore pid=312) INFO 06-07 13:22:10 [gpu_model_runner.py:4820] Model loading took 48.5 GiB memory and 130.52 seconds
(EngineCore pid=312) INFO 06-07 13:23:52 [gpu_worker.py:436] Available KV cache memory: 40.61 GiB
(EngineCore pid=312) INFO 06-07 13:23:52 [kv_cache_utils.py:1319] GPU KV cache size: 177,440 tokens
(EngineCore pid=312) INFO 06-07 13:23:52 [kv_cache_utils.py:1324] Maximum concurrency for 8,192 tokens per request: 35.75x
(EngineCore pid=312) INFO 06-07 13:24:30 [gpu_model_runner.py:5911] Graph capturing finished in 32 secs, took 0.66 GiB
"""
METRIC = (
    'vllm:cache_config_info{block_size="16",cache_dtype="auto",enable_prefix_caching="True",engine="0",'
    'gpu_memory_utilization="0.92",kv_cache_max_concurrency="16.75",kv_cache_size_tokens="274432",'
    'num_gpu_blocks="19463",num_gpu_blocks_override="None"} 1.0'
)


def test_a_log() -> None:
    assert read(LOG.splitlines()) == Reported(
        version="0.20.0",
        weights=round(48.5 * GIB),
        available=round(40.61 * GIB),
        graphs=round(0.66 * GIB),
        tokens=177_440,
        max_model_len=8192,
        concurrency=35.75,
        batched=4096,
    )


def test_one_line_as_0_32_prints_it() -> None:
    line = "GPU KV cache size: 538,879 tokens, Maximum concurrency for 32,768 tokens per request: 16.45x"
    found = read([line])
    assert (found.tokens, found.max_model_len, found.concurrency) == (538_879, 32_768, 16.45)


def test_metrics() -> None:
    assert read([METRIC]) == Reported(tokens=274_432, concurrency=16.75, blocks=19_463, block_size=16, utilization=0.92)


def test_bytes_of_one_request() -> None:
    found = read(LOG.splitlines())
    assert found.request == pytest.approx(40.61 * GIB / 35.75, abs=1)
    assert Reported().request is None


def test_the_first_rank_counts() -> None:
    lines = ["Available KV cache memory: 10.00 GiB", "Available KV cache memory: 9.00 GiB"]
    assert read(lines).available == 10 * GIB


@pytest.mark.parametrize(
    "line", ["", "\0" * 99999, "KV cache size: tokens", METRIC.replace("19463", "x" * 50), "9" * 50]
)
def test_rubbish_is_skipped(line: str) -> None:
    found = engine.read([line])
    assert found.blocks is None
    assert found.available is None
