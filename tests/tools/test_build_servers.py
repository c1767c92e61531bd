"""Which llama-server the tests of real servers run with, and that a build leaves programs that work or nothing."""

from __future__ import annotations

import io
import os
import sys
import tarfile
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.real import llama_server as real
from tools.build_servers import Failed

from tools import build_servers

WORKS = f"""#!{sys.executable}
import http.server, sys
if "--version" in sys.argv:
    print("version: 0.5.0-dev (build 11312, commit 0c1e57098)")
    raise SystemExit
class Answers(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
http.server.HTTPServer(("127.0.0.1", int(sys.argv[sys.argv.index("--port") + 1])), Answers).serve_forever()
"""
DIES = "#!/bin/sh\n[ $1 = --version ] || kill -ILL $$\n"


def program(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(0o755)
    return path


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return tmp_path / "a-model.gguf"


@pytest.fixture
def built(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Nothing is installed, and nothing was built yet."""
    monkeypatch.delenv(real.VARIABLE, raising=False)
    monkeypatch.setattr(real, "installed", lambda *names: None)
    monkeypatch.setattr(real, "BUILT", tmp_path / "servers" / "b1-cpu")
    return real.BUILT


def test_a_program_that_dies_with_its_first_token_gives_way_to_the_built_one(
    built: Path, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert real.find_llama_server(model) == (None, "no llama-server on PATH or in $GYAKUSAN_LLAMA_SERVER: make servers")
    wheel = program(tmp_path / "llama-server-vulkan", DIES)
    monkeypatch.setattr(real, "installed", lambda *names: str(wheel))
    assert real.find_llama_server(model) == (
        None,
        f"{wheel} does not work here: it ends with -4 before its first token",
    )
    own = program(built / "bin" / "llama-server", WORKS)
    assert real.find_llama_server(model) == (str(own), "")
    assert real.version(str(own)) == "0.5.0-dev (build 11312, commit 0c1e57098)"
    monkeypatch.setenv(real.VARIABLE, str(wheel))
    assert real.find_llama_server(model)[0] is None, "what somebody names is not replaced"


def test_the_worker_is_of_the_same_build(tmp_path: Path) -> None:
    server = program(tmp_path / "a" / "llama-server", WORKS)
    program(tmp_path / "b" / "ggml-rpc-server", WORKS)
    assert real.find_worker(str(server)) is None
    beside = program(tmp_path / "a" / "ggml-rpc-server-vulkan", WORKS)
    assert real.find_worker(str(server)) == str(beside)


def test_another_build_and_another_cpu_have_another_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    old, new = (real.place(tmp_path, f"Linux x86_64 {flags}") for flags in ("avx2", "avx2 avx512f"))
    assert old != new
    assert old.parent == tmp_path / "gyakusan" / "servers"
    monkeypatch.setattr(real, "BUILD", 11313)
    assert real.place(tmp_path, "Linux x86_64 avx2") != old


def builder(text: str | None) -> Callable[[Path, Path], Path]:
    """A build that writes a server, or breaks off in the middle."""

    def build(room: Path, log: Path) -> Path:
        log.write_text("as far as it came")
        program(room / "out" / "bin" / "llama-server", text or "")
        if text is None:
            raise Failed("it breaks off")
        return room / "out"

    return build


@pytest.mark.parametrize(("text", "why"), [(None, "it breaks off"), (DIES, "what was built does not work here")])
def test_a_build_that_fails_leaves_its_log_alone(
    built: Path, model: Path, monkeypatch: pytest.MonkeyPatch, text: str | None, why: str
) -> None:
    monkeypatch.setattr(build_servers, "built", builder(text))
    with pytest.raises(Failed, match=why), build_servers.alone(built.parent):
        build_servers.made(built, model)
    assert sorted(p.name for p in built.parent.iterdir()) == ["b1-cpu.log", "lock"]


def test_a_build_that_works_is_made_once(built: Path, model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (built.parent / ".building-killed").mkdir(parents=True)
    program(built / "bin" / "llama-server", DIES)  # of a computer that this folder was copied from
    monkeypatch.setattr(build_servers, "built", builder(WORKS))
    with build_servers.alone(built.parent):
        build_servers.made(built, model)
    assert sorted(p.name for p in built.parent.iterdir()) == ["b1-cpu", "b1-cpu.log", "lock"]
    monkeypatch.setattr(build_servers, "built", builder(None))
    with build_servers.alone(built.parent):
        build_servers.made(built, model)
    assert real.find_llama_server(model) == (str(built / "bin" / "llama-server"), "")


def test_a_build_says_for_whom_it_waits_and_not_without_end(
    built: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(build_servers, "LOOKED_EVERY", 0.01)
    monkeypatch.setattr(build_servers, "LOCK", 0.1)
    holder = f"the build of process {os.getpid()}, which holds {built.parent / 'lock'}"
    with build_servers.alone(built.parent):
        with pytest.raises(Failed, match=holder), build_servers.alone(built.parent):
            pass
        assert capsys.readouterr().out == f"waiting for {holder}\n", "said once a minute"
    with build_servers.alone(built.parent):
        assert (built.parent / "lock").read_text() == f"{os.getpid()}\n"


def test_a_log_tells_of_one_build(built: Path, model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def build(room: Path, log: Path) -> Path:
        build_servers.run(["echo", "once"], log, 60)
        raise Failed("it breaks off")

    monkeypatch.setattr(build_servers, "built", build)
    for _ in range(2):
        with pytest.raises(Failed, match="it breaks off"), build_servers.alone(built.parent):
            build_servers.made(built, model)
    assert built.with_suffix(".log").read_text() == "$ echo once\nonce\n"


def test_it_says_with_which_build_the_tests_run(
    built: Path, model: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(build_servers, "smollm2", lambda: model)
    monkeypatch.setattr(build_servers, "built", builder(None))
    assert build_servers.main() == 1
    assert capsys.readouterr().out.endswith("it breaks off\n")
    monkeypatch.setattr(build_servers, "built", builder(WORKS))
    for _ in range(2):
        assert build_servers.main() == 0
        last = capsys.readouterr().out.splitlines()[-1]
        assert last == f"llama-server: {built}/bin/llama-server (0.5.0-dev (build 11312, commit 0c1e57098))"


def archive(path: Path, **files: str) -> Path:
    with tarfile.open(path, "w:gz") as out:
        for name, text in files.items():
            member = tarfile.TarInfo(f"llama_cpp_python-0.3.36/{name}")
            member.size = len(text)
            out.addfile(member, io.BytesIO(text.encode()))
    return path


def test_only_llama_cpp_is_unpacked_and_nothing_outside(tmp_path: Path) -> None:
    source = archive(tmp_path / "a.tar.gz", **{"README.md": "x", "vendor/llama.cpp/src/llama.cpp": "y"})
    build_servers.unpacked(source, tmp_path / "out")
    assert [str(p.relative_to(tmp_path / "out")) for p in (tmp_path / "out").rglob("*.*")] == ["src/llama.cpp"]
    bad = archive(tmp_path / "b.tar.gz", **{"vendor/llama.cpp/../../../outside": "z"})
    with pytest.raises(tarfile.FilterError):
        build_servers.unpacked(bad, tmp_path / "out")
    assert not (tmp_path / "outside").exists()


def test_another_sdist_than_the_known_one_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def served(words: list[str], log: Path, patience: float) -> None:
        assert words[-1] == "llama-cpp-python==0.3.36"
        archive(Path(words[-2]) / "llama_cpp_python-0.3.36.tar.gz", PKG="another")

    (tmp_path / "sdist").mkdir()
    monkeypatch.setattr(build_servers, "run", served)
    with pytest.raises(Failed, match="not 832db069"):
        build_servers.fetched(tmp_path / "sdist", tmp_path / "log")


def test_a_step_that_fails_shows_the_end_of_its_log(tmp_path: Path) -> None:
    log = tmp_path / "log"
    with pytest.raises(Failed, match=r"(?s)no space left.*sh ended with 3"):
        build_servers.run(["sh", "-c", "echo no space left; exit 3"], log, 60)


def test_a_step_that_takes_too_long_is_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(build_servers, "SAID_EVERY", 0.2)
    began = time.monotonic()
    with pytest.raises(Failed, match=r"sh took longer than 1 s"):
        build_servers.run(
            ["sh", "-c", f"echo [7/211] $$ > {tmp_path}/pid; cat {tmp_path}/pid; exec sleep 60"], tmp_path / "log", 1
        )
    assert time.monotonic() - began < 30
    assert "[7/211]" in capsys.readouterr().out
    with pytest.raises(ProcessLookupError):
        os.kill(int((tmp_path / "pid").read_text().split()[1]), 0)


def test_what_a_step_started_ends_with_it(tmp_path: Path) -> None:
    """Also where the step has ended itself, as a uv that is killed leaves its children."""
    words = ["sh", "-c", f"sleep 60 & echo $! > {tmp_path}/pid; exit 3"]
    with pytest.raises(Failed, match="sh ended with 3"):
        build_servers.run(words, tmp_path / "log", 60)
    assert gone(int((tmp_path / "pid").read_text()))


def gone(pid: int, patience: float = 10.0) -> bool:
    """True once a process has ended; one that nobody has waited for counts."""
    end = time.monotonic() + patience
    while time.monotonic() < end:
        state = Path(f"/proc/{pid}/stat")
        try:
            os.kill(pid, 0)
            if state.exists() and state.read_text().rpartition(")")[2].split()[0] == "Z":
                return True
        except (ProcessLookupError, FileNotFoundError):
            return True
        time.sleep(0.05)
    return False


def test_a_place_that_cannot_be_used_is_one_sentence(
    built: Path, model: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(build_servers, "smollm2", lambda: model)
    built.parent.write_text("a file")
    assert build_servers.main() == 1
    assert capsys.readouterr().out.splitlines()[-1] == f"{built.parent} cannot be used: File exists"


def test_without_a_compiler_or_uv_it_says_what_to_install(built: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.delenv("CXX", raising=False)
    with pytest.raises(Failed, match=r"apt-get install g\+\+"):
        build_servers.compiler()
    with pytest.raises(Failed, match="pip install uv"):
        build_servers.uv()
