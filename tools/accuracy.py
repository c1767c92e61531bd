"""Writes how right we are, from recorded truth, into the catalogue: src/gyakusan/catalog/data/accuracy.json.

python tools/accuracy.py            write
python tools/accuracy.py --check    exit code 1 and the differences where the file is not what would be written
python tools/accuracy.py --measured FILE.csv.gz FRESH.csv.gz ...    write `speed`, too (the tables of measurements are
    not in the repository; all but the first are fresh sources)

Each section is one truth: groups of rows (all, by architecture, by backend, by kind), for each part of the memory
[n, exact, median, 95th percentile, largest relative error], and the worst rows by name. Errors have four digits.
"""

from __future__ import annotations

import gzip
import json
import sys
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "src"), str(ROOT)]
TARGET = ROOT / "src" / "gyakusan" / "catalog" / "data" / "accuracy.json"
TRUTH = ROOT / "tests" / "truth"
FRESH_DATE = "2026-11"
"""Month in which the fresh sources were gathered."""
SHOWN = 5
"""Worst rows that are named for each section."""

Section = dict[str, Any]
Errors = Mapping[str, Sequence[float]]
"""Part -> relative error of each row. A part that is only known to be exact or not has errors of 0 and 1."""


def allocator(name: str, file: str) -> Section:
    """llama.cpp on one device, against its own allocator."""
    from benchmarks import memory_accuracy as bench

    meta = bench.read_meta(TRUTH / "gguf_meta.json.gz")
    models: dict[tuple[str, str], Any] = {}
    found, refused = [], Counter[str]()
    for row in bench.rows(TRUTH / file):
        key = (row["model"], row["quant"])
        try:
            models[key] = models.get(key) or bench.model_of(meta, *key)
            if "error" in row:
                raise bench.Unsupported("the server refused this row")
            found.append((row, bench.judge(row, models[key])))
        except bench.Unsupported as why:
            refused[str(why)] += 1

    def errors(some: Iterable[Any]) -> dict[str, list[float]]:
        judged = [j for _, j in some]
        words = {"weights": "weights", "context": "context", "compute": "scratch", "total": "total"}
        return {word: [j.error[part] for j in judged] for part, word in words.items()}

    def label(by: str) -> Callable[[Any], str]:
        return lambda f: str(f[1].labels[by])

    groups = _groups(found, errors, {by: label(by) for by in ("backend", "architecture", "kind")})
    worst = _worst((f[1].error["total"], _row_name(f[0]), "total", "") for f in found)
    return _section(name, "llama.cpp", file, len(found), refused, groups, worst)


def _row_name(row: Mapping[str, Any]) -> str:
    facts = [row["model"], row["quant"], row["backend"], f"{row['n_ctx']:,} tokens"]
    if row.get("n_seq", 1) > 1:
        facts.append(f"{row['n_seq']} users")
    if row.get("k", "f16") != "f16":
        facts.append(row["k"])
    return ", ".join([*facts, "no flash attention"] if row.get("fa") == 0 else facts)


def split() -> Section:
    """llama.cpp on several GPUs and with a part in RAM, against its own allocator."""
    from benchmarks import placement_accuracy as bench

    file = "llamacpp_split.jsonl.gz"
    found, refused = bench.judge_all(TRUTH / file, TRUTH / "gguf_meta.json.gz")

    def errors(some: Iterable[Any]) -> dict[str, list[float]]:
        judged = list(some)
        made = [bench.relative(said, ours) for j in judged for _, said, ours, _, _ in j.scratch]
        flags = {"layers": "map_exact", "weights": "weights_exact", "context": "context_exact"}
        return {**{p: [float(not getattr(j, f)) for j in judged] for p, f in flags.items()}, "scratch": made}

    groups = _groups(found, errors, {"model": lambda j: str(j.row["model"])})
    worst = _worst(
        (bench.relative(said, ours), f"{j.row['model']}, {j.row['n_gpu']} GPUs, {role}", "scratch", "")
        for j in found
        for role, said, ours, _, _ in j.scratch
    )
    return _section("split", "llama.cpp", file, len(found), refused, groups, worst)


def logs() -> Iterator[Section]:
    """llama.cpp and a fork of it on real GPUs, against published logs."""
    from benchmarks.memory_accuracy import Unsupported

    from benchmarks import log_accuracy as bench

    file = "llamacpp_logs.json"
    rows = json.loads((TRUTH / file).read_text("utf-8"))
    words = {"model": "weights", "kv": "kv_cache", "state": "recurrent_state", "compute": "scratch", "output": "output"}
    for name, fork, judge in (("logs", False, bench.compare), ("forks", True, bench.compare_fork)):
        found, refused = [], Counter[str]()
        for number, row in enumerate(rows):
            if (row["engine"] != "llama.cpp") != fork:
                continue
            try:
                if not row["clean"]:
                    raise Unsupported("not clean: lines are missing or of several loads")
                found.append((row, list(judge(number, row))))
            except Unsupported as why:
                refused[str(why)] += 1

        def errors(some: Iterable[Any]) -> dict[str, list[float]]:
            every = [c for _, compared in some for c in compared]
            return {word: [c.error for c in every if c.part == part] for part, word in words.items()}

        labels = {"backend": lambda f: bench.backend_of(f[0]), "architecture": lambda f: f[0]["arch"]}
        worst = bench.distinct(c for _, compared in found for c in compared)
        named = _worst((c.error, f"{c.name}, {c.device}", words[c.part], c.why) for c in worst)
        groups = _groups(found, errors, labels)
        if not fork:
            groups += _reasons([c for _, compared in found for c in compared], words)
        yield _section(name, "llama.cpp", file, len(found), refused, groups, named)


def _reasons(compared: Sequence[Any], words: Mapping[str, str]) -> Iterator[Section]:
    """Buffers by the known reason for a difference; rows are the logs."""
    for why in sorted({c.why for c in compared}):
        some = [c for c in compared if c.why == why]
        errors = {word: [c.error for c in some if c.part == part] for part, word in words.items()}
        yield _group("reason", why or "reason not known", len({c.log for c in some}), errors)


def vllm() -> Iterator[Section]:
    """vLLM, against its own KV-cache functions, and against published logs."""
    from benchmarks import vllm_accuracy as bench
    from gyakusan.engines.vllm import config

    file = "vllm_oracle.jsonl.gz"
    configs = json.loads(bench.read(TRUTH / "vllm_configs.json.gz"))
    rows = [json.loads(line) for line in bench.read(TRUTH / file).splitlines() if line.strip()]
    kinds = {
        n: config.model(configs[n]["config"], name=n, quantized=False).architecture for n in {r["model"] for r in rows}
    }
    by: dict[str, list[Any]] = defaultdict(list)
    for row in rows:
        by[kinds[row["model"]]].append(row)
    groups, worst, refused = [], [], Counter[str]()
    for kind, some in {"": rows, **dict(sorted(by.items()))}.items():
        found = bench.judge_rows(some, configs)
        exact = {"request": found["per_req_exact"], "block": found["block_bytes_exact"]}
        errors = {p: [0.0] * n + [1.0] * (len(some) - n) for p, n in exact.items()}
        groups.append(_group("architecture" if kind else "all", kind, len(some), errors))
        if not kind:
            worst = _worst((w["error"], f"{w['model']}, {w['length']:,} tokens", "request", "") for w in found["wrong"])
            refused += Counter(found["refused"])
    yield _section("vllm", "vLLM", file, len(rows), refused, groups, worst)
    yield _vllm_logs(configs)


def _vllm_logs(configs: Mapping[str, Any]) -> Section:
    from benchmarks import vllm_accuracy as bench

    file = "vllm_logs.json"
    found, refused = [], Counter[str]()
    for row in json.loads(bench.read(TRUTH / file)):
        one = bench.judge_logs([row], configs)
        found += one["worst"]
        refused += Counter(f["why"] for f in one["refused"])

    def errors(some: Iterable[Any]) -> dict[str, list[float]]:
        return {"tokens": [abs(f["error"]) for f in some]}

    groups = _groups(found, errors, {"backend": lambda f: f["gpu"] or "?"}, holds=lambda f: bool(f["holds"]))
    worst = _worst((abs(f["error"]), f"{f['model']}, {f['gpu']}, {f['version']}", "tokens", "") for f in found)
    return _section("vllm_logs", "vLLM", file, len(found), refused, groups, worst)


def mlx() -> Section:
    """MLX-LM, against the real library's count of its own caches."""
    from benchmarks import mlx_accuracy as bench
    from gyakusan.models import families

    file = "mlx_cache.json.gz"
    found, refused = bench.judge_all(TRUTH / file)

    def errors(some: Iterable[Any]) -> dict[str, list[float]]:
        judged = list(some)
        return {part: [j.error[part] for j in judged] for part in bench.PARTS}

    configs = json.loads(gzip.decompress((TRUTH / file).read_bytes()))["configs"]
    kinds = {f: families.unquantized(families.convert(c), name=f).architecture for f, c in configs.items()}
    groups = _groups(found, errors, {"architecture": lambda j: kinds[j.family]})
    worst = _worst((j.error["peak"], j.family, "peak", "") for j in found)
    return _section("mlx", "MLX-LM", file, len(found), refused, groups, worst)


def ollama() -> Section:
    """Ollama's tags, against the sizes that its library lists."""
    from benchmarks import ollama_accuracy as bench

    file = "ollama_sizes.json"
    found, refused = bench.judge_all(TRUTH / file)

    def errors(some: Iterable[Any]) -> dict[str, list[float]]:
        return {"weights": [j.error for j in some]}

    groups = _groups(found, errors, {"architecture": lambda j: j.architecture})
    worst = _worst((j.error, j.tag, "weights", "") for j in found)
    return _section("ollama", "Ollama", file, len(found), refused, groups, worst)


def _groups(
    found: Sequence[Any],
    errors: Callable[[Iterable[Any]], Errors],
    labels: Mapping[str, Callable[[Any], str]],
    holds: Callable[[Any], bool] | None = None,
) -> list[Section]:
    """All rows, then each value of each label."""
    out = [_group("all", "", len(found), errors(found))]
    for by, label in labels.items():
        some: dict[str, list[Any]] = defaultdict(list)
        for f in found:
            some[label(f)].append(f)
        out += [_group(by, name, len(fs), errors(fs)) for name, fs in sorted(some.items())]
    if holds is not None:
        out[0]["range_holds"] = _round(sum(map(holds, found)) / len(found))
    return out


def _group(by: str, name: str, rows: int, errors: Errors) -> Section:
    return {"by": by, "name": name, "rows": rows, "parts": {p: _figures(e) for p, e in errors.items() if e}}


def _figures(errors: Sequence[float]) -> list[float]:
    """[n, exact, median, 95th percentile, largest]."""
    found = sorted(errors)
    p95 = found[min(len(found) - 1, int(0.95 * len(found)))]
    return [len(found), sum(e == 0 for e in found), *map(_round, (found[len(found) // 2], p95, found[-1]))]


def _round(value: float) -> float:
    """Four digits."""
    return float(f"{value:.4g}")


def _worst(cases: Iterable[tuple[float, str, str, str]]) -> list[Section]:
    """The largest errors, one for each name. cases: error, name, part, why."""
    kept: dict[str, Section] = {}
    for error, name, part, why in sorted(cases, key=lambda c: (-abs(c[0]), c[1])):
        if error and len(kept) < SHOWN:
            kept.setdefault(name, {"name": name, "part": part, "error": _round(abs(error)), "why": why})
    return list(kept.values())


def _section(
    name: str, engine: str, file: str, rows: int, refused: Counter[str], groups: list[Section], worst: list[Section]
) -> Section:
    left = dict(sorted(refused.items()))
    return {
        "id": name,
        "engine": engine,
        "file": file,
        "rows": rows,
        "left_out": left,
        "groups": groups,
        "worst": worst,
    }


def speed(paths: Sequence[Path]) -> Section:
    """Predicted speeds against published measurements, by fits that never saw the device, or the architecture, of a row."""
    from benchmarks import speed_accuracy

    found = speed_accuracy.reports(paths, ("source", "device", "architecture"))
    one = found["device"]
    by = {left: [_rounded(s) for s in report["slices"]] for left, report in found.items()}
    usual = [_rounded(s) for s in one["usual_rule"]]
    newest = found["source"]["fresh"]
    fresh = {"date": FRESH_DATE, **{k: [_rounded(s) for s in newest[k]] for k in ("slices", "usual_rule")}}
    about = {"rows": one["rows"], "resolved_share": one["resolved_share"]}
    return {**about, "left_out": by, "usual_rule": usual, "fresh": fresh}


def _rounded(found: Mapping[str, Any]) -> dict[str, Any]:
    return {k: _round(v) if isinstance(v, float) else v for k, v in found.items()}


def memory() -> list[Section]:
    """Every section."""
    return [
        allocator("one_device", "llamacpp_b11434.jsonl.gz"),
        allocator("architectures", "llamacpp_archs.jsonl.gz"),
        split(),
        *logs(),
        ollama(),
        *vllm(),
        mlx(),
    ]


def encoded(summary: Mapping[str, Any]) -> str:
    """JSON with one line for each group, so that a difference can be read."""
    text = json.dumps(summary, ensure_ascii=False, indent=1)
    for depth in range(12, 2, -1):  # lists and objects below the sections stand on one line
        text = _folded(text, depth)
    return text + "\n"


def _folded(text: str, depth: int) -> str:
    lines, out = text.split("\n"), []
    start, pad = None, " " * depth
    for line in lines:
        if start is None and line.startswith(pad) and not line.startswith(pad + " ") and line[-1] in "[{":
            start = [line]
        elif start is not None and line.startswith(pad) and not line.startswith(pad + " "):
            out.append(start[0] + " ".join(p.strip() for p in start[1:]) + line.strip())
            start = None
        elif start is not None:
            start.append(line)
        else:
            out.append(line)
    return "\n".join(out)


def main(arguments: Sequence[str]) -> int:
    """Write, or check."""
    old = json.loads(TARGET.read_text("utf-8")) if TARGET.is_file() else {"speed": None}
    measured = [Path(a) for a in arguments[arguments.index("--measured") + 1 :]] if "--measured" in arguments else []
    new = {"memory": memory(), "speed": speed(measured) if measured else old["speed"]}
    if "--check" not in arguments:
        TARGET.write_text(encoded(new), "utf-8")
        print(f"wrote {TARGET.relative_to(ROOT)}")
        return 0
    wrong = list(differences(old.get("memory", []), new["memory"]))
    print("\n".join(wrong), end="\n" if wrong else "")
    if wrong:
        print("The published accuracy is out of date. Run: python tools/accuracy.py && python tools/docs.py")
    return 1 if wrong else 0


def differences(old: Any, new: Any, at: str = "") -> Iterator[str]:
    """One line for each value that differs."""
    if isinstance(old, dict) and isinstance(new, dict):
        for key in sorted({*old, *new}):
            yield from differences(old.get(key), new.get(key), f"{at}.{key}")
    elif isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        for i, (a, b) in enumerate(zip(old, new, strict=True)):
            yield from differences(a, b, f"{at}[{a.get('id') or a.get('name') or i if isinstance(a, dict) else i}]")
    elif old != new:
        yield f"{at}: {json.dumps(old, ensure_ascii=False)[:100]} -> {json.dumps(new, ensure_ascii=False)[:100]}"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
