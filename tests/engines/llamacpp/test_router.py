"""llama-server's router: what its preset says, what its log tells, where its key goes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from gyakusan.engines.llamacpp import launch, router
from gyakusan.engines.llamacpp.settings import Settings
from gyakusan.engines.router import Routed, RoutedModel
from gyakusan.engines.server import Endpoint
from gyakusan.errors import BadSetting, ServerError

CPU = Settings(4096, 2, backend="cpu", key_type="Q8_0", value_type="Q8_0")
GPU = Settings(8192, 1, overrides=((r"blk\.1", "CPU"), (r"blk\.2", "CPU")), gpu_layers=12, tensor_split=(1.0, 2.0))


def routed(*models: tuple[str, str, Settings], most: int = 1, **changes: Any) -> Routed:
    return Routed(tuple(RoutedModel(name, Path(path), s) for name, path, s in models), most, **changes)


def sections(text: str) -> dict[str, dict[str, str]]:
    """Read it as llama-server does: a key, "=", a value up to the end or a comment."""
    found: dict[str, dict[str, str]] = {}
    for line in text.splitlines():
        if line.startswith("["):
            found[line.strip("[]")] = last = {}
        elif line:
            key, _, value = line.partition("=")
            assert key.strip() not in last, "a key given twice counts once"
            last[key.strip()] = value.partition("#")[0].partition(";")[0].strip()
    return found


def test_a_section_has_the_words_of_the_models_own_command() -> None:
    told = sections(router.preset(routed(("a", "/m/a b.gguf", CPU), ("c", "/m/c.gguf", GPU))))
    assert list(told) == ["a", "c"]
    for name, path, settings in (("a", "/m/a b.gguf", CPU), ("c", "/m/c.gguf", GPU)):
        words = " ".join(launch.arguments(path, settings))
        for key, value in told[name].items():
            if key == "override-tensor":
                assert value == r"blk\.1=CPU,blk\.2=CPU"
            else:
                assert f"--{key}{'' if value == 'true' else ' ' + value}" in words
        assert told[name]["model"] == path
    assert told["a"] | {"ctx-size": "4096", "parallel": "2", "cache-type-k": "q8_0", "gpu-layers": "0"} == told["a"]
    assert told["c"] | {"ctx-size": "8192", "parallel": "1", "gpu-layers": "12", "tensor-split": "1,2"} == told["c"]
    for word in ("host", "port", "alias", "log-verbosity", "offline", "no-ui", "cache-ram"):
        assert word not in told["a"]


def test_a_limit_of_idle_conversations_is_written_in_mib() -> None:
    told = sections(router.preset(routed(("a", "/m/a.gguf", CPU), prompt_cache=3 * 2**20 + 5)))
    assert told["a"]["cache-ram"] == "3"


@pytest.mark.parametrize("path", ["/m/a;b.gguf", "/m/a#b.gguf", "/m/a\nb.gguf", "/m/a.gguf "])
def test_what_the_file_cannot_hold_is_refused(path: str) -> None:
    with pytest.raises(BadSetting, match="cannot hold"):
        router.preset(routed(("a", path, CPU)))


def test_the_key_is_inherited_and_no_word_of_the_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LLAMA_ARG_MODELS_MAX", "99")
    monkeypatch.setenv("LLAMA_CACHE", "/home/me/models")
    file = tmp_path / "models.ini"
    started = router.launch("llama-server", file, routed(("a", "/m/a.gguf", CPU)), Endpoint(key="secret", threads=3))
    words = list(started.argv)
    assert words[words.index("--models-preset") + 1] == str(file)
    assert words[words.index("--models-max") + 1] == "1"
    assert words[words.index("--threads") + 1] == "3"
    assert words[words.index("--cors-origins") + 1] == "localhost"
    assert "secret" not in " ".join(words)
    assert "--api-key" not in " ".join(words)
    assert started.environment["LLAMA_API_KEY"] == "secret"
    assert "LLAMA_ARG_MODELS_MAX" not in started.environment
    assert not Path(started.environment["LLAMA_CACHE"]).exists(), "models of the usual cache are not offered"
    assert started.environment["CUDA_VISIBLE_DEVICES"] == ""
    beside_gpu = routed(("a", "/m/a.gguf", CPU), ("b", "/m/b.gguf", GPU))
    assert "CUDA_VISIBLE_DEVICES" not in router.environment(None, file, {})
    assert "CUDA_VISIBLE_DEVICES" not in router.launch("x", file, beside_gpu, Endpoint()).environment
    line = router.shell_line(Path("m.ini"), routed(("a", "/m/a.gguf", CPU)), Endpoint(key="secret"))
    assert line.startswith(
        'LLAMA_API_KEY="$GYAKUSAN_API_KEY" LLAMA_CACHE=no-models llama-server --models-preset m.ini '
    )
    assert "secret" not in line


LOG = """\
srv load: spawning server instance with name=alpha on port 4001
[ 4001] build: 11434 (x)
[ 4001] load_tensors:   CPU_Mapped model buffer size =    92.10 MiB
srv load: spawning server instance with name=beta on port 40002
[40002] load_tensors:   CPU_Mapped model buffer size =    10.00 MiB
[40009] load_tensors:   CPU_Mapped model buffer size =    99.00 MiB
srv load: spawning server instance with name=alpha on port 4003
[ 4003] load_tensors:   CPU_Mapped model buffer size =    91.00 MiB
[ 4003] srv llama_server: listening on http://127.0.0.1:8080
""".splitlines()


def test_each_model_has_the_report_of_its_last_start() -> None:
    reports = router.reports(LOG)
    assert {name: [b.bytes / 2**20 for b in r.buffers] for name, r in reports.items()} == {
        "alpha": [91.0],
        "beta": [10.0],
    }
    assert router.inner_ports(LOG) == (4001, 40002, 4003)
    assert router.reports(("", "[12345678] x", "spawning server instance with name= on port 1")) == {}
    assert router.read(LOG).build == 11434


def test_the_router_listens_not_its_processes() -> None:
    assert not router.listens(LOG[-1], 8080)
    assert router.listens("srv llama_server: listening on http://127.0.0.1:8080", 8080)


def test_the_program_is_llama_server_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ServerError, match="not on PATH"):
        router.find_program("auto")
    (tmp_path / "llama-server").write_text("#!/bin/sh\n")
    (tmp_path / "llama-server").chmod(0o755)
    assert router.find_program("auto") == str(tmp_path / "llama-server")
    with pytest.raises(ServerError):
        router.find_program("embedded")


def test_what_a_router_has_not() -> None:
    one: Any = None
    assert router.model_error(Path("x")) is None
    assert router.predicted_buffers(one, one) == ()
    with pytest.raises(ServerError, match="no dry run"):
        router.dry_run(one, one)
