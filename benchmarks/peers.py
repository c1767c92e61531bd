"""What published peers answer on the same cases, beside ours and the truth. A script, not a test: it needs their programs.

    python -m venv peers && peers/bin/pip install llmfit hf-mem llmcalculator vramscout vramcalc llm-mem-planner
    python benchmarks/peers.py --peers peers/bin [--json]

Asked is one conversation with an f16 (bf16) cache: the cache alone, and weights with cache where a peer prices Q4_K_M.
The truth is llama.cpp's own allocator: recorded rows where there are any, else the installed llama.cpp's dry run. Nothing
is fetched: peers that read a config are given the recorded one (tests/truth/vllm_configs.json.gz), peers with a catalogue
their own. "network": it would ask a server. hf-mem is asked for its cache formula alone, its weights need the hub.
"""

from __future__ import annotations

import argparse
import gzip
import json
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent.parent))  # as a script: its folder alone is on the path

from benchmarks.memory_accuracy import TRUTH, rows
from gyakusan.core import recipe
from gyakusan.core.model import Model
from gyakusan.engines.llamacpp.buffers.kv_cache import groups
from gyakusan.engines.llamacpp.buffers.weights import weights
from gyakusan.engines.llamacpp.dry_run import run
from gyakusan.engines.llamacpp.settings import Settings
from gyakusan.models import families
from gyakusan.units import GIB


@dataclass(frozen=True, slots=True)
class Case:
    """One question. name: in the recorded truth; repository, tag: as peers know the model; context [tokens]."""

    name: str
    repository: str
    tag: str
    context: int
    quantization: str = "Q4_K_M"


CASES = (
    Case("gpt-oss-20b", "openai/gpt-oss-20b", "gpt-oss:20b", 131072, "MXFP4_MOE"),
    Case("gemma3-27b", "google/gemma-3-27b-it", "gemma3:27b", 131072),
    Case("qwen2.5-14b", "Qwen/Qwen2.5-14B-Instruct", "qwen2.5:14b", 65536),
    Case("deepseek-v3", "deepseek-ai/DeepSeek-V3", "deepseek-v3:671b", 32768),
    Case("qwen3.5-35b-a3b", "Qwen/Qwen3.5-35B-A3B", "qwen3.5:35b", 131072),
    Case("llama3.1-8b", "meta-llama/Llama-3.1-8B-Instruct", "llama3.1:8b", 131072),
)


@dataclass(frozen=True, slots=True)
class Answer:
    """cache: keys, values and state, None if not said; total: weights and cache, None if not said [B]; why: no answer."""

    cache: float | None = None
    total: float | None = None
    why: str = ""


def model_of(case: Case, configs: Mapping[str, Any]) -> Model:
    """The model of a case, from its recorded config alone."""
    metadata = families.convert(configs[case.name]["config"])
    return recipe.apply(case.quantization, families.unquantized(metadata, name=case.name))


def ours(case: Case, model: Model) -> Answer:
    """What we say, on a GPU."""
    settings = Settings(case.context)
    kept = float(sum(g.bytes for g in groups(model, settings)))
    held = weights(model, settings)
    return Answer(kept, kept + held.gpu + held.host)


def truth(case: Case, model: Model) -> Answer:
    """What llama.cpp says: a recorded row of this context, else its dry run (cache only: the file would be ours)."""
    for file in ("llamacpp_b11434.jsonl.gz", "llamacpp_archs.jsonl.gz"):
        for row in rows(TRUTH / file):
            asked = (row["model"], row["quant"], row["backend"], row["n_ctx"])
            usual = row.get("k", "f16") == "f16" and row.get("n_seq", 1) == 1 and row.get("fa", -1) == -1
            if asked == (case.name, case.quantization, "gpu-mock", case.context) and usual and "error" not in row:
                return Answer(float(row["context"]), float(row["context"] + row["weights"]))
    settings = Settings(case.context, backend="cpu", mmap=False, repack=False)
    (dry,) = run.ask(model, [settings])
    return Answer(float(dry.context))


def llmfit(case: Case, run: Callable[..., str], _folder: Path) -> Answer:
    """Its plan: weights on disk and least VRAM; the difference is cache and a fixed overhead."""
    quantization = "MXFP4" if case.quantization == "MXFP4_MOE" else case.quantization
    said = json.loads(
        run("llmfit", "plan", case.repository, "--context", case.context, "--quant", quantization, "--json")
    )
    total = said["minimum"]["vram_gb"] * GIB
    return Answer(total - said["disk_size_gb"] * GIB, total)


def llmcalculator(case: Case, run: Callable[..., str], _folder: Path) -> Answer:
    """Its check of a catalogue name."""
    said = run(
        "llmcalculator", "check", case.tag, "--context", case.context, "--vram", 900, "--quant", "Q4_K_M", "--json"
    )
    parts = json.loads(said)["breakdown_gb"]
    return Answer(parts["KV cache"] * GIB, (parts["KV cache"] + parts["Weights"]) * GIB)


HF_MEM = """
import json, sys
from hf_mem.safetensors.kv_cache import compute_safetensors_kv_cache_size as size
config = json.load(open(sys.argv[1]))
print(size(config=config.get("text_config", config), cache_dtype="BF16", max_model_len=int(sys.argv[2]), batch_size=1))
"""


def hf_mem(case: Case, run: Callable[..., str], folder: Path) -> Answer:
    """Its formula for the cache (by intent the most that an engine may reserve)."""
    return Answer(float(run("python", "-c", HF_MEM, folder / "config.json", case.context)))


def vramscout(case: Case, run: Callable[..., str], folder: Path) -> Answer:
    """Its cache, from a config."""
    said = json.loads(run("vramscout", folder / "config.json", "--context", case.context, "--vram-gib", 900, "--json"))
    return Answer(why=said["error"]) if "error" in said else Answer(said["parts_gib"]["KV cache"] * GIB)


def vramcalc(case: Case, run: Callable[..., str], folder: Path) -> Answer:
    """Its cache, from a config."""
    said = run("vramcalc", "estimate", folder / "config.json", "--dtype", "bf16", "--seq", case.context, "--json")
    return Answer(float(json.loads(said)["estimate"]["kv_cache"]))


def llm_mem_planner(case: Case, run: Callable[..., str], folder: Path) -> Answer:
    """Its cache, from a config of a model with latent attention."""
    said = run("llm-mem", "--config", folder / "config.json", "--seq-len", case.context, "--batch", 1)
    found = re.search(r"kv_unique=([\d.]+) GiB", said)
    return Answer(float(found[1]) * GIB) if found else Answer(why="no cache in its answer")


PEERS: Mapping[str, Callable[[Case, Callable[..., str], Path], Answer]] = {
    "llmfit": llmfit,
    "llmcalculator": llmcalculator,
    "hf-mem": hf_mem,
    "vramscout": vramscout,
    "vramcalc": vramcalc,
    "llm-mem-planner": llm_mem_planner,
}


def runner(folder: Path) -> Callable[..., str]:
    """Runs a program of `folder`, returns what it prints; an exit code with JSON means "does not fit", and is an answer.

    Raises OSError, CalledProcessError.
    """

    def run(program: str, *arguments: object) -> str:
        argv = [str(folder / program), *map(str, arguments)]
        done = subprocess.run(argv, capture_output=True, text=True, timeout=90, check=False)
        if not done.stdout.lstrip().startswith("{"):
            done.check_returncode()
        return done.stdout

    return run


def asked(peer: str, case: Case, run: Callable[..., str], folder: Path) -> Answer:
    """One peer's answer; its last line of complaint where it has none."""
    try:
        return PEERS[peer](case, run, folder)
    except subprocess.CalledProcessError as error:
        lines = (error.stderr or error.stdout or "").strip().splitlines()
        return Answer(why=_short(lines[-1] if lines else "failed"))
    except (OSError, subprocess.TimeoutExpired, ValueError, KeyError) as error:
        return Answer(why=_short(str(error)))


def _short(text: str) -> str:
    offline = ("Name or service not known", "Could not reach", "Max retries", "ConnectError")
    return "network" if any(word in text for word in offline) else text[:120]


def versions(folder: Path) -> dict[str, str]:
    """The installed version of each peer."""
    code = "import importlib.metadata as m, sys; print(*(m.version(n) for n in sys.argv[1:]))"
    return dict(zip(PEERS, runner(folder)("python", "-c", code, *PEERS).split(), strict=True))


def report(folder: Path) -> dict[str, Any]:
    """Every answer to every case."""
    configs = json.loads(gzip.decompress((TRUTH / "vllm_configs.json.gz").read_bytes()))
    run, out = runner(folder), []
    for case in CASES:
        model = model_of(case, configs)
        with tempfile.TemporaryDirectory() as place:
            (Path(place) / "config.json").write_text(json.dumps(configs[case.name]["config"]))
            found = {peer: asked(peer, case, run, Path(place)) for peer in PEERS}
        answers = {"truth": truth(case, model), "gyakusan": ours(case, model), **found}
        out.append({"name": case.name, "context": case.context, "answers": answers})
    return {"versions": versions(folder), "cases": out}


def text(found: Mapping[str, Any]) -> str:
    """Two Markdown tables in GiB: the cache, and weights with cache."""
    names = ["truth", "gyakusan", *PEERS]
    lines = []
    for part in ("cache", "total"):
        kept = [n for n in names if any(getattr(c["answers"][n], part) for c in found["cases"])]
        lines += [f"| {part}, GiB | " + " | ".join(kept) + " |", "| --- " * (len(kept) + 1) + "|"]
        for c in found["cases"]:
            cells = [_cell(c["answers"][n], part, c["answers"]["truth"]) for n in kept]
            lines.append(f"| {c['name']}, {c['context']:,} tokens | " + " | ".join(cells) + " |")
        lines.append("")
    refused = {(n, a.why) for c in found["cases"] for n, a in c["answers"].items() if a.why}
    lines += [f"- {n}: {why}" for n, why in sorted(refused)]
    lines.append("versions: " + ", ".join(f"{n} {v}" for n, v in found["versions"].items()))
    return "\n".join(lines)


def _cell(answer: Answer, part: str, true: Answer) -> str:
    value, said = getattr(answer, part), getattr(true, part)
    if value is None:
        return "-"
    far = said and abs(value / said - 1) >= 0.005
    return f"{value / GIB:.2f}" + (f" ({value / said - 1:+.0%})" if far else "")


def main() -> None:
    """Read the arguments, ask everybody."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--peers", type=Path, required=True, help="the folder of their programs")
    parser.add_argument("--json", action="store_true")
    said = parser.parse_args()
    found = report(said.peers.resolve())
    if said.json:
        cases = [{**c, "answers": {n: asdict(a) for n, a in c["answers"].items()}} for c in found["cases"]]
        print(json.dumps({**found, "cases": cases}, indent=1))
        return
    print(text(found))


if __name__ == "__main__":
    main()
