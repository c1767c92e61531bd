"""Our load client: what it costs, how late its clock is, and whether guidellm and aiperf see the same of one server.

    python benchmarks/load_client.py                 cost of 10,000 requests of 64 people, and the clock's error
    python benchmarks/load_client.py --peers VENV    beside guidellm and aiperf, installed there; "new" makes it (2 GB)

The server is a fake on loopback, in a process of its own: it waits a fixed time for the first token and between tokens,
so that the truth is known and no model's speed is in the way. Exit code 1: a request took 1 ms of the client's processor
time or more, or a figure of ours is 3 % or more off a peer's.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))  # as a script: its folder alone is on the path

from gyakusan.load_testing.endpoint import target_of
from gyakusan.load_testing.result import BenchResult
from gyakusan.load_testing.session import Bench, BenchRequest
from gyakusan.load_testing.workload import Limits, Shape, Step

ROOT = Path(__file__).parent.parent
PEERS = ("guidellm==0.8.1", "aiperf==0.13.0", "torch==2.13.0+cpu")
MOST_CPU = 1e-3
"""Of the client for each request. [s]"""
AGREE = 0.03
USERS, REQUESTS, PROMPT, ANSWER = 4, 40, 64, 16
FIRST, GAP = 0.4, 0.1
"""Of the fake: before the first token, and between tokens, as of a small computer: tools are late by milliseconds. [s]"""
FIGURES = ("ttft", "itl", "output tokens/s")
SERVER = """
import sys
sys.path[:0] = [{root!r}]
from tests.fakes.fake_load_server import FakeChat, serving
with serving(FakeChat(first={first}, gap={gap})) as fake:
    print(fake.port, flush=True)
    sys.stdin.read()
"""
TOKENIZER = """
import sys
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast
letters = sorted(pre_tokenizers.ByteLevel.alphabet())
made = Tokenizer(models.BPE(vocab={w: i for i, w in enumerate([*letters, "<s>", "</s>"])}, merges=[]))
made.pre_tokenizer, made.decoder = pre_tokenizers.ByteLevel(add_prefix_space=False), decoders.ByteLevel()
PreTrainedTokenizerFast(tokenizer_object=made, bos_token="<s>", eos_token="</s>").save_pretrained(sys.argv[1])
"""
"""A tokenizer of bytes, so that nothing is fetched: the fake counts its own tokens."""


def main(argv: list[str] | None = None) -> int:
    """Measure, print, and judge."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--peers", metavar="VENV", help='virtual environment with guidellm and aiperf, "new" makes one')
    parser.add_argument("--requests", type=int, default=10_000)
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args(argv)
    found: dict[str, object] = {"client": cost(asked.requests)}
    good = found["client"]["cpu_ms"] < 1000 * MOST_CPU  # type: ignore[index]
    if asked.peers:
        with tempfile.TemporaryDirectory() as folder:
            figures = beside(made(Path(folder)) if asked.peers == "new" else Path(asked.peers), Path(folder))
        found["figures"] = figures
        apart = differences(figures)
        found["apart"] = apart
        good = good and bool(apart) and all(abs(d) < AGREE for d in apart.values())
    print(json.dumps(found, indent=1) if asked.json else told(found))
    return 0 if good else 1


def cost(requests: int, users: int = 64) -> dict[str, float]:
    """Return what the client costs while 64 people ask a fast server."""
    with server(0.0, 0.0) as url:
        begun = time.monotonic()
        result = ours(url, Step(Shape(PROMPT, 4), users=users), requests)
    step, client = result.steps[0], result.client
    assert client is not None
    assert (step.requests, step.failed) == (requests, 0)
    return {
        "requests": requests,
        "users": users,
        "seconds": round(time.monotonic() - begun, 2),
        "cpu_ms": round(1e3 * client.cpu, 4),
        "clock_late_ms": round(1e3 * client.late, 3),
        "clock_late_p99_ms": round(1e3 * client.late_p99, 3),
    }


def beside(venv: Path, folder: Path) -> dict[str, dict[str, float]]:
    """Return the figures of each tool for the same server, one after the other."""
    tokenizer = folder / "tokenizer"
    subprocess.run([venv / "bin" / "python", "-c", TOKENIZER, tokenizer], check=True)
    found = {}
    with server(FIRST, GAP) as url:
        result = ours(url, Step(Shape(PROMPT, ANSWER), users=USERS), REQUESTS)
        found["gyakusan"] = of_ours(result)
        found["guidellm"] = guidellm(venv, url, tokenizer, folder)
        found["aiperf"] = aiperf(venv, url, tokenizer, folder)
    found["truth"] = {"ttft": FIRST, "itl": GAP, "output tokens/s": USERS * ANSWER / (FIRST + (ANSWER - 1) * GAP)}
    return found


def ours(url: str, step: Step, requests: int) -> BenchResult:
    """Return our own bench."""
    return Bench(BenchRequest(target_of(url), (step,), Limits(seconds=600, requests=requests))).run()


def of_ours(result: BenchResult) -> dict[str, float]:
    """Return our figures by the names that are compared [s, tokens/s]."""
    step = result.steps[0]
    assert step.ttft
    assert step.tpot
    assert step.all
    assert step.ttft.mean
    assert step.tpot.mean
    return {"ttft": step.ttft.mean.value, "itl": step.tpot.mean.value, "output tokens/s": step.all.value}


def guidellm(venv: Path, url: str, tokenizer: Path, folder: Path) -> dict[str, float]:
    """Return guidellm's figures, from its JSON."""
    out = folder / "guidellm.json"
    run(
        venv, "guidellm", "run", "--disable-console", "--backend", f"kind=openai_http,target={url}",
        "--profile", json.dumps({"kind": "concurrent", "streams": [USERS]}),
        "--constraint", f"kind=max_requests,count={REQUESTS}",
        "--tokenizer", f"kind=huggingface_auto,model={tokenizer}",
        "--data", f"kind=synthetic_text,prompt_tokens={PROMPT},output_tokens={ANSWER}",
        "--output", f"kind=json,path={out}",
    )  # fmt: skip
    metrics = json.loads(out.read_text("utf-8"))["benchmarks"][0]["metrics"]

    def mean(name: str) -> float:
        return float(metrics[name]["successful"]["mean"])

    return {
        "ttft": mean("time_to_first_token_ms") / 1e3,
        "itl": mean("inter_token_latency_ms") / 1e3,
        "output tokens/s": mean("output_tokens_per_second"),
    }


def aiperf(venv: Path, url: str, tokenizer: Path, folder: Path) -> dict[str, float]:
    """Return aiperf's figures, from its JSON."""
    out = folder / "aiperf"
    run(
        venv, "aiperf", "profile", "--model", "fake", "--url", url, "--endpoint-type", "chat", "--streaming",
        "--tokenizer", str(tokenizer), "--concurrency", str(USERS), "--request-count", str(REQUESTS),
        "--synthetic-input-tokens-mean", str(PROMPT), "--output-tokens-mean", str(ANSWER),
        "--output-tokens-stddev", "0", "--use-server-token-count", "--artifact-dir", str(out), "--ui-type", "none",
    )  # fmt: skip
    told = json.loads(next(out.rglob("profile_export_aiperf.json")).read_text("utf-8"))
    return {
        "ttft": told["time_to_first_token"]["avg"] / 1e3,
        "itl": told["inter_token_latency"]["avg"] / 1e3,
        "output tokens/s": told["output_token_throughput"]["avg"],
    }


def differences(figures: Mapping[str, Mapping[str, float]]) -> dict[str, float]:
    """Return ours against each peer's, as shares."""
    own = figures["gyakusan"]
    peers = [p for p in figures if p not in ("gyakusan", "truth")]
    return {f"{p}, {name}": own[name] / figures[p][name] - 1 for p in peers for name in FIGURES}


def told(found: Mapping[str, object]) -> str:
    """Return lines for people."""
    lines = [" ".join(f"{k} {v}" for k, v in found["client"].items())]  # type: ignore[attr-defined]
    for name, row in found.get("figures", {}).items():  # type: ignore[attr-defined]
        lines.append(f"{name:10}" + "".join(f"  {k} {v:.4f}" for k, v in row.items()))
    lines += [f"ours against {k}: {v:+.2%}" for k, v in found.get("apart", {}).items()]  # type: ignore[attr-defined]
    return "\n".join(lines)


def run(venv: Path, program: str, *arguments: str) -> None:
    """Run a peer, at most ten minutes; what it said is shown where it failed."""
    # HF_HUB_OFFLINE makes aiperf refuse a tokenizer's path
    environment = {k: v for k, v in os.environ.items() if k != "HF_HUB_OFFLINE"}
    done = subprocess.run(
        [venv / "bin" / program, *arguments], env=environment, check=False, capture_output=True, text=True, timeout=600
    )
    if done.returncode:
        raise SystemExit(f"{program} failed:\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}")


def made(folder: Path) -> Path:
    """Return a new environment with the peers."""
    venv = folder / "peers"
    subprocess.run([sys.executable, "-m", "venv", venv], check=True)
    subprocess.run([venv / "bin" / "pip", "install", "-q", *PEERS], check=True)
    return venv


@contextmanager
def server(first: float, gap: float) -> Iterator[str]:
    """Run the fake in a process of its own."""
    code = SERVER.format(root=str(ROOT), first=first, gap=gap)
    with subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as child:
        assert child.stdin is not None
        assert child.stdout is not None
        try:
            port = child.stdout.readline().strip()
            if not re.fullmatch(r"\d+", port):
                raise SystemExit("the fake did not start")
            yield f"http://127.0.0.1:{port}"
        finally:
            child.stdin.close()
            child.wait(10)


if __name__ == "__main__":
    sys.exit(main())
