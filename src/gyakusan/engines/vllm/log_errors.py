"""Why vLLM did not start or stopped, read from its log.

Source: vLLM 0.32.0, v1/worker/utils.py (request_memory), v1/core/kv_cache_utils.py (check_enough_kv_cache_memory),
config/device.py, config/model.py, config/vllm.py, platforms/cuda.py, model_executor/models/registry.py.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from gyakusan.engines.log_failures import Pattern, first_failure
from gyakusan.engines.server import StartFailure
from gyakusan.message import say

_SMALLER = say("Choose a shorter context (--context), a smaller quantisation, or another model.")
_TABLE = (
    Pattern(
        "memory",
        re.compile(
            r"Free memory on device \S{1,20} \((?P<free>[\d.]{1,12})/(?P<total>[\d.]{1,12}) GiB\) on startup is less than "
            r"desired GPU memory utilization \((?P<share>[\d.]{1,8}), (?P<wanted>[\d.]{1,12}) GiB\)"
        ),
        say("vLLM takes {wanted} GiB of the GPU's {total}, and only {free} are free."),
        say(
            "Close the programs that use the GPU (nvidia-smi lists them), or lower the share: --set gpu_memory_utilization=0.8"
        ),
    ),
    Pattern(
        "memory",
        re.compile(
            r"To serve at least one request with the models?'?s? max seq len \((?P<context>\d{1,12})\), \(?(?P<need>[\d.]{1,12}) "
            r"GiB KV cache is needed.{0,80}\((?P<have>[\d.]{1,12}) GiB\).{0,80}maximum model length is (?P<longest>\d{1,12})"
        ),
        say("The KV cache of {context} tokens needs {need} GiB, and {have} GiB are left for it."),
        say("Add --context {longest}."),
    ),
    Pattern(
        "memory",
        re.compile(
            r"To serve at least one request with the models?'?s? max seq len \((?P<context>\d{1,12})\), \(?(?P<need>[\d.]{1,12}) "
            r"GiB KV cache is needed.{0,80}\((?P<have>[\d.]{1,12}) GiB\)"
        ),
        say("The KV cache of {context} tokens needs {need} GiB, and {have} GiB are left for it."),
        _SMALLER,
    ),
    Pattern(
        "memory",
        re.compile(r"No available memory for the cache blocks"),
        say("The weights leave no memory for the KV cache."),
        _SMALLER,
    ),
    Pattern(
        "memory",
        re.compile(r"CUDA out of memory|OutOfMemoryError|HIP out of memory|std::bad_alloc|Cannot allocate memory"),
        say("vLLM ran out of memory."),
        _SMALLER,
    ),
    Pattern(
        "device",
        re.compile(
            r"Failed to infer device type|No CUDA GPUs are available|libcuda\.so|Found no NVIDIA driver|no CUDA-capable device"
        ),
        say("vLLM finds no GPU on this computer."),
        say("Check the driver with nvidia-smi. Without a GPU serve with llama.cpp: --engine llama.cpp"),
    ),
    Pattern(
        "dtype",
        re.compile(
            r"Bfloat16 is only supported on GPUs with compute capability of at least (?P<least>[\d.]{1,6})"
            r".{0,20}?Your (?P<name>[\w ./-]{1,60}) GPU has compute capability (?P<has>[\d.]{1,6})"
        ),
        say("This model computes in bfloat16, which needs a GPU of compute capability {least}; {name} has {has}."),
        say("Serve it with llama.cpp, which computes in float16 there: --engine llama.cpp"),
    ),
    Pattern(
        "dtype",
        re.compile(r"Bfloat16 is only supported on GPUs with compute capability of at least (?P<least>[\d.]{1,6})"),
        say("This model computes in bfloat16, which needs a GPU of compute capability {least}."),
        say("Serve it with llama.cpp, which computes in float16 there: --engine llama.cpp"),
    ),
    Pattern(
        "quantization",
        re.compile(
            r"quantization (?:method|scheme) (?P<method>\S{0,40}?) ?is not supported for the current GPU\. "
            r"Min(?:imum|imal) capability: (?P<least>\d{1,4})\. Current capability: (?P<has>\d{1,4})",
            re.IGNORECASE,
        ),
        say(
            "This GPU cannot compute the quantisation {method}: it needs compute capability {least} and has {has}, in tenths."
        ),
        say("Choose another format: --quant AWQ, or llama.cpp with a GGUF file: --engine llama.cpp"),
    ),
    Pattern(
        "architecture",
        re.compile(r"Model architectures (?P<name>\[?.{1,80}?\]?) are not supported"),
        say("This version of vLLM does not support the architecture {name}."),
        say("Update it: pip install --upgrade vllm"),
    ),
    Pattern(
        "architecture",
        re.compile(r"does not recognize this architecture"),
        say("The installed Transformers does not know this architecture."),
        say("Update it: pip install --upgrade transformers vllm"),
    ),
    Pattern(
        "parallel",
        re.compile(
            r"attention heads \((?P<heads>\d{1,6})\) must be divisible by tensor parallel size \((?P<ranks>\d{1,6})\)"
        ),
        say("{heads} attention heads cannot be shared by {ranks} GPUs."),
        say("Choose a divisor of {heads}: --set tensor_parallel=1"),
    ),
    Pattern(
        "port",
        re.compile(r"\[Errno \d+\] (?:error while attempting to bind|Address already in use).{0,120}"),
        say("The port is in use."),
        say("Choose another port with --port; without it a free one is used."),
    ),
    Pattern(
        "context",
        re.compile(
            r"max_model_len \((?P<context>\d{1,12})\) is greater than the derived max_model_len \(\w+=(?P<longest>\d{1,12})"
        ),
        say("The model takes {longest} tokens, and {context} were requested."),
        say("Add --context {longest}."),
    ),
    Pattern(
        "argument",
        re.compile(r"error: (?:unrecognized arguments:|argument) (?P<flag>\S{1,80})"),
        say("This vLLM does not support {flag}."),
        say("Update it: pip install --upgrade vllm"),
    ),
    Pattern(
        "library",
        re.compile(r"(?:ModuleNotFoundError|ImportError|PackageNotFoundError): (?P<what>.{1,160})"),
        say("vLLM is not installed completely: {what}."),
        say("Install it in a new environment: pip install vllm"),
    ),
)


def start_failure(lines: Iterable[str]) -> StartFailure | None:
    """Return why the server did not start, None if the log does not tell."""
    return first_failure(lines, _TABLE)
