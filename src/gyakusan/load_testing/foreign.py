"""Results of other load tools: vllm bench serve, guidellm, aiperf, llama-bench. Their JSON, as a bench of ours.

What a file does not tell stays unknown; no figure is computed that its tool did not write. Formats: vllm 0.32
(benchmarks/serve.py), guidellm 0.8 (benchmarks[].metrics), aiperf 0.13 (profile_export_aiperf.json), llama-bench -o json.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec

from gyakusan.doors import files
from gyakusan.errors import BadSetting
from gyakusan.load_testing.result import BenchResult, Distribution, FailureCount, Figure, StepResult
from gyakusan.load_testing.stream import printable
from gyakusan.load_testing.workload import Shape, Step

LARGEST = 256 * 2**20
"""No file of a result is larger. [B]"""
MOST_ROWS = 1000
"""No more loads are taken from one file."""
Values = Mapping[str, Any]


def read_result(path: Path) -> BenchResult:
    """Return the result in a file of another tool. Raises BadReference, SourceError, BadSetting."""
    told = _decoded(files.whole(path, LARGEST))
    for is_it, reader in _READERS:
        if is_it(told):
            try:
                result = reader(told)
            except (KeyError, TypeError, ValueError, AttributeError, OverflowError):
                break
            if result.steps:
                return result
    raise BadSetting(
        "{file} is not a result of vllm bench serve, guidellm, aiperf or llama-bench.",
        file=str(path),
        mend="Give the JSON that the tool wrote: --save-result, --output json, profile_export_aiperf.json, -o json.",
    )


def _decoded(raw: bytes) -> Any:
    """Return the JSON, or the list of the lines of JSON Lines; None for neither."""
    try:
        return msgspec.json.decode(raw)
    except (msgspec.DecodeError, ValueError, RecursionError):
        pass
    try:
        return [msgspec.json.decode(line) for line in raw.splitlines() if line.strip()]
    except (msgspec.DecodeError, ValueError, RecursionError):
        return None


def _vllm(told: Values) -> BenchResult:
    seconds, done = _number(told["duration"]) or 0.0, int(told["completed"])
    users = int(_number(told.get("max_concurrency")) or 0)
    rate = _number(told.get("request_rate"))
    each = _milliseconds(told, "tpot")
    step = StepResult(
        step=Step(
            _shape(told, done),
            users,
            0.0 if users else rate or 0.0,
        ),
        seconds=seconds,
        requests=done,
        failures=_failed(int(_number(told.get("failed")) or 0)),
        prompt_tokens=_per(told.get("total_input_tokens"), done),
        completion_tokens=_per(told.get("total_output_tokens"), done),
        counted_share=1.0,
        ttft=_milliseconds(told, "ttft"),
        tpot=each,
        itl=_milliseconds(told, "itl"),
        e2e=_milliseconds(told, "e2el"),
        each=_inverse(each),
        all=_figure(told.get("output_throughput")),
        request_rate=_number(told.get("request_throughput")) or 0.0,
        goodput=_number(told.get("request_goodput")),
    )
    return _result("vllm bench serve", told.get("model_id"), told.get("date"), (step,))


def _milliseconds(told: Values, name: str) -> Distribution | None:
    """Return {mean,median,p..}_{name}_ms of vllm bench."""
    mean, median = (_number(told.get(f"{which}_{name}_ms")) for which in ("mean", "median"))
    if mean is None and median is None:
        return None
    p90, p95, p99 = (_number(told.get(f"p{at}_{name}_ms")) for at in (90, 95, 99))
    return _distribution(int(told["completed"]), 1e-3, mean, median, (p90, p95, p99))


def _guidellm(told: Values) -> BenchResult:
    rows = [r for r in told["benchmarks"][:MOST_ROWS] if isinstance(r, dict)]
    model = next((_text(_at(r, "config", "backend", "model")) for r in rows), "") or _text(
        _at(told, "metadata", "model")
    )
    return _result("guidellm", model, _at(told, "metadata", "start_time"), tuple(_guidellm_step(r) for r in rows))


def _guidellm_step(row: Values) -> StepResult:
    metrics = row["metrics"]
    good = _number(_at(metrics, "request_totals", "successful"))
    done = int(good or _number(_summary(metrics, "request_latency").get("count")) or 0)
    failed = int(_number(_at(metrics, "request_totals", "errored")) or 0)
    streams = _number(_at(row, "config", "strategy", "streams")) or _number(
        _summary(metrics, "request_concurrency").get("mean")
    )
    prompt, answer = (_number(_summary(metrics, f"{n}_token_count").get("mean")) for n in ("prompt", "output"))
    tpot = _spread(metrics, "inter_token_latency_ms", 1e-3)  # guidellm: mean time of each token after the first
    return StepResult(
        step=Step(Shape(round(prompt or 0), round(answer or 0)), users=max(1, round(streams or 1))),
        seconds=_number(row.get("duration")) or 0.0,
        requests=done,
        failures=_failed(failed),
        prompt_tokens=prompt,
        completion_tokens=answer,
        counted_share=1.0 if answer else 0.0,
        ttft=_spread(metrics, "time_to_first_token_ms", 1e-3),
        tpot=tpot,
        e2e=_spread(metrics, "request_latency", 1.0),
        each=_inverse(tpot),
        all=_figure(_summary(metrics, "output_tokens_per_second").get("mean")),
        request_rate=_number(_summary(metrics, "requests_per_second").get("mean")) or 0.0,
        goodput=_number(_summary(metrics, "request_goodput").get("mean")),
        in_flight=_number(_summary(metrics, "request_concurrency").get("mean")) or 0.0,
    )


def _summary(metrics: Values, name: str) -> Values:
    """Return the summary of the successful requests of guidellm."""
    found = metrics.get(name)
    good = found.get("successful") if isinstance(found, dict) else None
    return good if isinstance(good, dict) else {}


def _spread(metrics: Values, name: str, unit: float) -> Distribution | None:
    found = _summary(metrics, name)
    if not found:
        return None
    percentiles = found.get("percentiles")
    at = percentiles if isinstance(percentiles, dict) else found
    high = tuple(_number(at.get(p)) for p in ("p90", "p95", "p99"))
    median = _number(found.get("median")) or _number(at.get("p50"))
    count, mean = int(_number(found.get("count")) or 0), _number(found.get("mean"))
    return _distribution(count, unit, mean, median, (high[0], high[1], high[2]))


def _aiperf(told: Values) -> BenchResult:
    done = int(_number(_at(told, "request_count", "avg")) or _number(_at(told, "request_latency", "count")) or 0)
    failed = int(_number(_at(told, "error_request_count", "avg")) or 0)
    phases = _at(told, "input_config", "loadgen") or _at(told, "input_config", "load_generator") or {}
    users = int(_number(phases.get("concurrency")) or 0) if isinstance(phases, dict) else 0
    prompt = _number(_at(told, "usage_prompt_tokens", "avg")) or _number(_at(told, "input_sequence_length", "avg"))
    answer = _number(_at(told, "usage_completion_tokens", "avg")) or _number(_at(told, "output_sequence_length", "avg"))
    tpot = _aiperf_time(told, "inter_token_latency")  # aiperf: mean time of each token after the first of a request
    step = StepResult(
        step=Step(Shape(round(prompt or 0), round(answer or 0)), users=max(1, users)),
        seconds=_number(_at(told, "benchmark_duration", "avg")) or 0.0,
        requests=done,
        failures=_failed(failed),
        prompt_tokens=prompt,
        completion_tokens=answer,
        counted_share=1.0 if answer else 0.0,
        ttft=_aiperf_time(told, "time_to_first_token"),
        tpot=tpot,
        e2e=_aiperf_time(told, "request_latency"),
        each=_inverse(tpot),
        all=_figure(_at(told, "output_token_throughput", "avg")),
        request_rate=_number(_at(told, "request_throughput", "avg")) or 0.0,
        goodput=_number(_at(told, "goodput", "avg")),
    )
    names = _at(told, "input_config", "endpoint", "model_names")
    model = names[0] if isinstance(names, list) and names else ""
    return _result("aiperf", model, told.get("start_time"), (step,))


def _aiperf_time(told: Values, name: str) -> Distribution | None:
    found = told.get(name)
    if not isinstance(found, dict):
        return None
    unit = {"ms": 1e-3, "s": 1.0, "sec": 1.0, "us": 1e-6, "ns": 1e-9}.get(str(found.get("unit")), 1e-3)
    high = [_number(found.get(p)) for p in ("p90", "p95", "p99")]
    mean, median = _number(found.get("avg")), _number(found.get("p50"))
    return _distribution(int(_number(found.get("count")) or 0), unit, mean, median, (high[0], high[1], high[2]))


def _llama_bench(told: list[Values]) -> BenchResult:
    first = told[0]
    model = _text(first.get("model_filename")).replace("\\", "/").rpartition("/")[2] or _text(first.get("model_type"))
    steps = tuple(_llama_step(r) for r in told[:MOST_ROWS])
    number, commit = first.get("build_number"), _text(first.get("build_commit"))
    build = f"llama.cpp b{number} ({commit})" if number and commit else f"llama.cpp {commit or '?'}"
    found = _result("llama-bench", model, first.get("test_time"), steps)
    return replace(found, server=printable(build))


def _llama_step(row: Values) -> StepResult:
    prompt, answer, depth = (int(row.get(k) or 0) for k in ("n_prompt", "n_gen", "n_depth"))
    mean, deviation = float(row["avg_ts"]), _number(row.get("stddev_ts")) or 0.0
    runs = len(row.get("samples_ts") or row.get("samples_ns") or ()) or 1
    half = 1.96 * deviation / runs**0.5
    speed = Figure(mean, mean - half, mean + half) if deviation else Figure(mean)
    return StepResult(
        step=Step(Shape(prompt, answer, depth=depth), users=1),
        seconds=runs * (_number(row.get("avg_ns")) or 0.0) * 1e-9,
        requests=runs,
        prompt_tokens=float(prompt) or None,
        completion_tokens=float(answer) or None,
        counted_share=1.0,
        each=speed if answer and not prompt else None,
        all=speed if answer else None,
        prefill=speed if prompt and not answer else None,
        in_flight=1.0,
    )


def _distribution(
    count: int,
    unit: float,
    mean: float | None,
    median: float | None,
    high: tuple[float | None, float | None, float | None],
) -> Distribution:
    p90, p95, p99 = (None if v is None else v * unit for v in high)
    return Distribution(
        count=count,
        mean=None if mean is None else Figure(mean * unit),
        p50=None if median is None else Figure(median * unit),
        p90=p90,
        p95=None if p95 is None else Figure(p95),
        p99=p99,
    )


def _result(source: str, model: Any, started: Any, steps: tuple[StepResult, ...]) -> BenchResult:
    return BenchResult(endpoint="", model=_text(model), started=_day(started), steps=steps, source=source)


def _day(value: Any) -> str:
    """Return a time as ISO 8601: of seconds since 1970, of a text that begins with a date, else today's."""
    number = _number(value)
    if number is not None and 0 < number < 4e9:
        return datetime.fromtimestamp(number, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    text = _text(value)
    if len(text) >= 15 and text[:8].isdecimal() and text[8] == "-":  # vllm: 20261129-015031
        return f"{text[:4]}-{text[4:6]}-{text[6:8]}T{text[9:11]}:{text[11:13]}:{text[13:15]}Z"
    try:
        return datetime.fromisoformat(text).strftime("%Y-%m-%dT%H:%M:%SZ")
    except ValueError:
        return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _failed(count: int) -> tuple[FailureCount, ...]:
    return (FailureCount("other", count),) if count > 0 else ()


def _shape(told: Values, done: int) -> Shape:
    prompt, answer = (_per(told.get(f"total_{way}_tokens"), done) or 0 for way in ("input", "output"))
    return Shape(round(prompt), round(answer))


def _per(total: Any, count: int) -> float | None:
    number = _number(total)
    return None if number is None or not count else number / count


def _inverse(tpot: Distribution | None) -> Figure | None:
    return Figure(1 / tpot.mean.value) if tpot is not None and tpot.mean is not None and tpot.mean.value > 0 else None


def _figure(value: Any) -> Figure | None:
    number = _number(value)
    return None if number is None else Figure(number)


def _number(value: Any) -> float | None:
    """Return a finite number that a file told, None for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if abs(value) < 1e300 else None


def _text(value: Any) -> str:
    return printable(value) if isinstance(value, str) else ""


def _at(value: Any, *path: str) -> Any:
    """Return what stands at a path of keys, None where there is nothing."""
    for key in path:
        value = value.get(key) if isinstance(value, dict) else None
    return value


def _has(*keys: str) -> Callable[[Any], bool]:
    return lambda told: isinstance(told, dict) and all(k in told for k in keys)


def _is_llama(told: Any) -> bool:
    rows = told if isinstance(told, list) else []
    return bool(rows) and all(isinstance(r, dict) and {"n_prompt", "n_gen", "avg_ts"} <= set(r) for r in rows)


_READERS: tuple[tuple[Callable[[Any], bool], Callable[[Any], BenchResult]], ...] = (
    (_has("duration", "completed", "total_output_tokens"), _vllm),
    (_has("benchmarks"), _guidellm),
    (_has("time_to_first_token", "request_latency"), _aiperf),
    (_is_llama, _llama_bench),
)
