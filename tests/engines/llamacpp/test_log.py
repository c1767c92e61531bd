"""What the server printed is read to the last digit, and nothing else is believed."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gyakusan.engines.llamacpp import log
from gyakusan.engines.llamacpp.log_errors import start_failure
from gyakusan.units import MIB

LOGS = Path(__file__).parents[2] / "logs" / "llamacpp" / "b11549"


def lines(name: str) -> list[str]:
    return (LOGS / f"{name}.log").read_text("utf-8").splitlines()


def buffers(reported: log.Reported) -> list[tuple[str, str, float]]:
    return [(b.device, b.kind, round(b.bytes / MIB, 2)) for b in reported.buffers]


def test_smollm2_on_a_cpu() -> None:
    reported = log.read(lines("smollm2_cpu"))
    assert buffers(reported) == [
        ("CPU_Mapped", "weights", 92.10),
        ("CPU", "output", 0.75),
        ("CPU", "kv_cache", 180.00),
        ("CPU", "scratch", 16.64),
    ]
    assert (reported.build, reported.context, reported.slots) == (11549, 8192, 4)
    assert (reported.batch, reported.ubatch, reported.unified, reported.flash) == (2048, 512, False, True)
    assert reported.fitted == ()
    assert reported.of("kv_cache") == 180 * MIB
    assert reported.total == sum(b.bytes for b in reported.buffers)


def test_a_worker_with_several_devices() -> None:
    """Its buffers are numbered anew; the next worker, and a GPU of the computer's own, come behind all of them."""
    lines = [
        "llama_prepare_model_devices: using device RPC0 (a:1) (unknown id) - 1 MiB free",
        "llama_prepare_model_devices: using device RPC1 (a:1) (unknown id) - 1 MiB free",
        "llama_prepare_model_devices: using device RPC2 (b:1) (unknown id) - 1 MiB free",
        "load_tensors: RPC0[a:1] model buffer size = 1.00 MiB",
        "load_tensors: RPC1[a:1] model buffer size = 2.00 MiB",
        "load_tensors: RPC0[b:1] model buffer size = 3.00 MiB",
        "load_tensors: CUDA0 model buffer size = 4.00 MiB",
    ]
    assert [b.device for b in log.read(lines).buffers] == ["RPC0", "RPC1", "RPC2", "CUDA3"]


def test_rpc_workers_have_their_numbers() -> None:
    """Buffers name every worker RPC0[address]; a GPU of the computer's own comes behind them."""
    told = (LOGS.parent / "b11434" / "smollm2_two_rpc_workers.log").read_text().splitlines()
    reported = log.read(
        [*told, "load_tensors: CUDA0 model buffer size = 5.00 MiB", "load_tensors: RPC0[x:1] KV buffer size = 6.00 MiB"]
    )
    assert [b for b in buffers(reported) if b[1] in ("weights", "kv_cache")] == [
        ("CPU_Mapped", "weights", 28.69),
        ("RPC0", "weights", 33.82),
        ("RPC1", "weights", 58.28),
        ("RPC0", "kv_cache", 24.0),
        ("RPC1", "kv_cache", 21.0),
        ("CUDA2", "weights", 5.0),
        ("RPC0[x:1]", "kv_cache", 6.0),
    ]


def test_settings_that_were_asked_for_are_seen() -> None:
    reported = log.read(lines("smollm2_cpu_q8_unified_nommap"))
    assert (reported.context, reported.slots, reported.unified) == (4096, 3, True)
    assert (reported.batch, reported.ubatch, reported.flash) == (256, 128, True)
    assert buffers(reported)[0] == ("CPU", "weights", 92.10)
    assert log.read(lines("smollm2_cpu_noflash")).flash is False


def test_a_gpu_with_windows_and_states() -> None:
    """Formats of b11434: llama-model.cpp, llama-kv-cache.cpp, llama-memory-recurrent.cpp, llama-context.cpp."""
    reported = log.read(
        [
            "0.00.001 I load_tensors:          CPU model buffer size =   281.81 MiB",
            "load_tensors:        CUDA0 model buffer size =  4403.49 MiB",
            "load_tensors:   CPU_REPACK model buffer size =    12.00 MiB",
            "llama_context:  CUDA_Host  output buffer size =     0.49 MiB",
            "llama_kv_cache:      CUDA0 KV buffer size =  1024.00 MiB",
            "llama_kv_cache:      CUDA0 KV buffer size =    96.00 MiB",
            "llama_memory_recurrent:      CUDA0 RS buffer size =    62.81 MiB",
            "llama_dsv4_comp_state:      CUDA0 DSV4 hca state buffer size =     1.50 MiB",
            "sched_reserve:      CUDA0 compute buffer size =   560.00 MiB",
            "sched_reserve:  CUDA_Host compute buffer size =    24.01 MiB",
            "print_info: build_info: b11434-0123abc",
        ]
    )
    assert reported.build == 11434
    assert reported.of("kv_cache") == 1120 * MIB
    assert reported.of("recurrent_state") == pytest.approx(64.31 * MIB)
    assert buffers(reported)[2] == ("CPU_REPACK", "weights", 12.0)
    assert {b.device for b in reported.buffers if b.kind == "scratch"} == {"CUDA0", "CUDA_Host"}


@pytest.mark.parametrize(
    ("line", "build"),
    [
        ("common_params_print_info: build 11434 (abc) with GNU", 11434),
        ("build: 5123 (abc) with cc", 5123),
        ("srv init: build_info: b0-unknown", None),
        ("build 0 (unknown) with GNU 10.2.1", None),
    ],
)
def test_build(line: str, build: int | None) -> None:
    assert log.read([line]).build == build


@pytest.mark.parametrize(
    ("name", "kind", "says", "mend"),
    [
        ("port_in_use", "port", "Port 18123 on 127.0.0.1 is in use", "--port"),
        ("missing", "missing", "/models/gone.gguf does not exist", "path"),
        ("not_a_model", "model", "invalid magic characters", "Download"),
        ("truncated", "model", "tensor 'blk.15.attn_output.weight' data is not within the file bounds", "Download"),
        ("unknown_architecture", "architecture", "does not support the architecture lhama", "newer"),
        ("out_of_memory", "memory", "ran out of memory", "shorter context"),
        ("quantised_values_without_flash", "setting", "flash attention", "f16"),
    ],
)
def test_recorded_failures(name: str, kind: str, says: str, mend: str) -> None:
    found = start_failure(lines(name))
    assert found is not None
    assert found.kind == kind
    assert says in str(found.message)
    assert mend in str(found.mend)


@pytest.mark.parametrize(
    ("line", "kind"),
    [
        ("error: invalid argument: --fit", "argument"),
        ("alloc_buffer: allocating 9 MiB on device 0: cudaMalloc failed: out of memory", "memory"),
        ("llama_model_load: error loading model: unable to allocate CUDA0 buffer", "memory"),
        ("ggml_vulkan: vk::Device::allocateMemory: ErrorOutOfDeviceMemory", "memory"),
        ("ModuleNotFoundError: No module named 'xllamacpp'", "library"),
        ("embedded: xllamacpp 1.0 refuses load_mode: no such attribute", "field"),
        ("/src/ggml.c:12: GGML_ASSERT(n > 0) failed", "crash"),
    ],
)  # fmt: skip
def test_telling_lines(line: str, kind: str) -> None:
    found = start_failure(["noise", line, "noise"])
    assert found is not None
    assert found.kind == kind


def test_a_good_log_has_no_trouble() -> None:
    assert start_failure(lines("smollm2_cpu")) is None


def test_listens_only_on_the_port_asked_for() -> None:
    line = "0.01.073.223 I srv          init: listening on http://127.0.0.1:43141"
    assert log.listens(line, 43141)
    assert not log.listens(line, 4314)
    assert log.listens("server is listening on http://[::1]:80 - starting", 80)
    assert sum(log.listens(each, 18123) for each in lines("smollm2_cpu")) == 1


def test_stages_come_in_order() -> None:
    stages = [str(s) for line in lines("smollm2_cpu") if (s := log.stage(line))]
    assert stages == [
        "Reading the model's header.",
        "Loading the weights.",
        "Allocating memory for conversations.",
        "Warming up.",
    ]


def test_a_model_cannot_steer_the_terminal() -> None:
    found = start_failure(["unknown model architecture: '\x1b]0;evil\x07'"])
    assert found is not None
    assert str(found.message).isprintable()


RUBBISH = st.lists(
    st.one_of(
        st.text(),
        st.sampled_from(["buffer size = ", "llama_context: n_ctx = ", "build_info: b", "listening on http://"]).flatmap(
            lambda start: st.text(max_size=30).map(start.__add__)
        ),
        st.from_regex(r"CPU KV buffer size = [0-9.]{1,30} MiB"),
        st.from_regex(r"llama_context: n_(ctx|batch) += \d{1,40}"),
    )
)


@given(RUBBISH)
def test_rubbish_never_raises(rubbish: list[str]) -> None:
    reported = log.read(rubbish)
    assert all(0 <= b.bytes < 1e19 for b in reported.buffers)
    start_failure(rubbish)
    assert not any(log.listens(line, 70000) for line in rubbish)


def test_long_lines_cost_little() -> None:
    assert log.read([" " * 10**7 + "CPU KV buffer size = 1.00 MiB"]) == log.Reported()
    assert log.read(["A" * 10**7]) == log.Reported()
    assert start_failure(["gguf_init_from_" + "x" * 10**6]) is None
