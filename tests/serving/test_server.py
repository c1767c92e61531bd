"""A real llama.cpp server: it starts, answers, reports, and never outlives us. Loopback only."""

import json
import os
import signal
import socket
import stat
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from gyakusan import api
from gyakusan.core.load import Load
from gyakusan.engines.llamacpp import log
from gyakusan.engines.llamacpp import server as llamacpp
from gyakusan.engines.llamacpp.server import find_program
from gyakusan.engines.llamacpp.settings import Settings
from gyakusan.errors import BadReference, BadSetting, ServerError
from gyakusan.message import Message
from gyakusan.serving.chat import chat, chat_many
from gyakusan.serving.server import Server, ServerOptions
from gyakusan.units import MIB

Running = Server[Settings, log.Reported]
KEY = "a-key-that-nobody-else-has-0123"
FOUR = Settings(context=8192, slots=4, backend="cpu")
SMALL = Settings(context=256, slots=1, backend="cpu")
SOURCE = Path(__file__).parents[2] / "src"

pytestmark = pytest.mark.skipif(not sys.platform.startswith(("linux", "darwin")), reason="POSIX processes")


def served(path: Path, settings: Settings, **options: Any) -> Running:
    """A llama.cpp server with these options, not yet started."""
    return Server(path, settings, llamacpp, ServerOptions(**options))


def gone(pid: int, seconds: float = 10.0) -> bool:
    """True as soon as no process `pid` runs; False after `seconds`."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return True
        if Path(f"/proc/{pid}/stat").exists() and ") Z " in Path(f"/proc/{pid}/stat").read_text():
            return True
        time.sleep(0.02)
    return False


def processes(pid: int) -> list[int]:
    """`pid` and its parent, the guard."""
    status = Path(f"/proc/{pid}/status").read_text()
    return [pid, next(int(line.split()[1]) for line in status.splitlines() if line.startswith("PPid:"))]


@pytest.fixture(scope="module")
def running(smollm2: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    file = tmp_path_factory.mktemp("log") / "server.log"
    with served(smollm2, FOUR, program="embedded", key=KEY, threads=2, log_file=file) as server:
        yield server


def test_it_reports_what_is_known(running: Running) -> None:
    seen = [(b.device, b.kind, round(b.bytes / MIB, 2)) for b in running.report.buffers]
    assert sorted(seen) == [
        ("CPU", "kv_cache", 180.0),
        ("CPU", "output", 0.75),
        ("CPU", "scratch", 16.64),
        ("CPU_Mapped", "weights", 92.1),
    ]
    assert (running.report.context, running.report.slots, running.report.unified) == (8192, 4, False)
    assert running.report.build is not None


def test_four_people_get_answers_at_once(running: Running) -> None:
    prompts = ["What is the capital of France?", "Name a colour.", "Say hello.", "What is two plus two?"]
    answers = chat_many(running.url, prompts, users=4, max_tokens=6, key=KEY, temperature=0, seed=1)
    assert all(a.text.strip() and 0 < a.completion_tokens <= 6 and a.prompt_tokens > 10 for a in answers)
    used = {word for line in running.log for word in line.split("|")[0].split("id ")[1:] if "launch_slot" in line}
    assert len(used) == 4


def test_nobody_without_the_key(running: Running) -> None:
    with pytest.raises(ServerError, match="API key"):
        chat(running.url, "Hi", 1)


def test_the_key_is_nowhere_to_be_seen(running: Running) -> None:
    assert running.pid is not None
    if Path("/proc/self/cmdline").exists():
        for pid in processes(running.pid):
            assert KEY not in Path(f"/proc/{pid}/cmdline").read_text()
            assert KEY not in Path(f"/proc/{pid}/environ").read_text()
    file = running.options.log_file
    assert file is not None
    assert len(file.read_text()) > 5000
    for text in ("\n".join(running.log), file.read_text(), running.command, repr(running.options)):
        assert KEY not in text
        assert KEY[-4:] not in text
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_a_taken_port(running: Running, smollm2: Path) -> None:
    port = int(running.url.split(":")[2].split("/")[0])
    with pytest.raises(ServerError, match=f"Port {port} on 127.0.0.1 is in use.*--port"):
        served(smollm2, SMALL, program="embedded", port=port).start()
    running.check()


def test_a_free_port_that_is_taken_meanwhile(smollm2: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as thief:
        ports = [thief.getsockname()[1]]
        real = __import__("gyakusan.serving.access", fromlist=["free_port"]).free_port
        monkeypatch.setattr("gyakusan.serving.server.free_port", lambda host: ports.pop() if ports else real(host))
        with served(smollm2, SMALL, program="embedded", threads=1) as server:
            assert server.alive
            assert str(thief.getsockname()[1]) not in server.url


def test_stop_leaves_no_process(smollm2: Path) -> None:
    told: list[tuple[Message, float]] = []

    def hear(message: Message, seconds: float) -> None:
        told.append((message, seconds))

    server = served(smollm2, SMALL, program="embedded", threads=1, on_progress=hear)
    with server:
        assert server.pid is not None
        pids = processes(server.pid) if Path("/proc/self/status").exists() else [server.pid]
        assert server.ready_after is not None
    assert all(gone(pid) for pid in pids)
    assert not server.alive
    server.stop()
    texts = [str(message) for message, _ in told]
    assert texts[0] == "Starting llama.cpp."
    assert "Loading the weights." in texts
    assert texts[-1] == "The server is ready."
    assert [seconds for _, seconds in told] == sorted(seconds for _, seconds in told)
    with pytest.raises(ServerError, match="started already"):
        server.start()


def test_a_killed_server_is_noticed(smollm2: Path) -> None:
    with served(smollm2, SMALL, program="embedded", threads=1) as server:
        assert server.pid is not None
        server.check()
        os.kill(server.pid, signal.SIGKILL)
        with pytest.raises(ServerError, match=r"was killed.*memory"):
            server.watch()
        assert not server.alive


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"no model at all", "did not start"),
        (b"", "did not start"),
        (b"GGUF\x03\x00\x00\x00" + b"\xff" * 64, "did not start"),
    ],
    ids=["another file", "empty", "impossible counts"],
)
def test_a_broken_file(tmp_path: Path, content: bytes, says: str) -> None:
    path = tmp_path / "broken.gguf"
    path.write_bytes(content)
    with pytest.raises(ServerError, match=says) as caught:
        served(path, SMALL, program="embedded").start()
    assert "\n" not in str(caught.value)
    assert "broken.gguf" in str(caught.value)


@pytest.mark.parametrize("program", ["exit 1", "sleep 300 & exit 1"], ids=["silent", "with a child that holds the log"])
def test_a_server_that_says_nothing_of_a_broken_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, program: str
) -> None:
    (tmp_path / "llama-server").write_text(f"#!/bin/sh\n{program}\n")
    (tmp_path / "llama-server").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    path = tmp_path / "broken.gguf"
    path.write_bytes(b"GGUF\x03\x00\x00\x00" + b"\xff" * 64)
    with pytest.raises(ServerError, match=r"did not start.*broken\.gguf claims 18446744073709551615 tensors"):
        served(path, SMALL).start()
    path.write_bytes(b"")
    with pytest.raises(ServerError, match=r"did not start.*broken\.gguf is empty"):
        served(path, SMALL).start()


def test_a_server_that_says_nothing_of_a_good_file(
    smollm2: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "llama-server").write_text("#!/bin/sh\nexit 7\n")
    (tmp_path / "llama-server").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    with pytest.raises(ServerError, match="ended with status 7 and said nothing"):
        served(smollm2, SMALL).start()
    (tmp_path / "llama-server").write_text("#!/bin/sh\necho first\necho the reason\nexit 8\n")
    with pytest.raises(ServerError, match=r"ended with status 8\. Its last line: the reason"):
        served(smollm2, SMALL).start()


def test_no_file(tmp_path: Path) -> None:
    with pytest.raises(BadReference, match="does not exist"):
        served(tmp_path / "gone.gguf", SMALL).start()


def test_a_log_file_that_cannot_be_written(smollm2: Path, tmp_path: Path) -> None:
    server = served(smollm2, SMALL, program="embedded", log_file=tmp_path)
    with pytest.raises(ServerError, match="cannot be written"):
        server.start()
    assert not server.alive


def test_bad_settings_and_hosts_start_nothing(smollm2: Path) -> None:
    for server in (
        served(smollm2, replace(SMALL, flash_attention="off", value_type="Q8_0"), program="embedded"),
        served(smollm2, SMALL, program="embedded", host="a b"),
        served(smollm2, SMALL, program="embedded", port=70000),
        served(smollm2, SMALL, program="embedded", key="short"),
    ):
        with pytest.raises(BadSetting):
            server.start()
        assert server.pid is None


def test_too_slow_is_ended(smollm2: Path) -> None:
    server = served(smollm2, SMALL, program="embedded", threads=1, deadline=0.0)
    with pytest.raises(ServerError, match="not ready after"):
        server.start()
    assert not server.alive


def test_interrupted_while_it_starts(smollm2: Path) -> None:
    def interrupt(message: Message, seconds: float) -> None:
        if "weights" in str(message):
            raise KeyboardInterrupt

    server = served(smollm2, SMALL, program="embedded", threads=1, on_progress=interrupt)
    with pytest.raises(KeyboardInterrupt), server:
        pytest.fail("started")
    assert not server.alive
    assert server.pid is None or gone(server.pid)


PARENT = """
    import sys, time
    from gyakusan.engines.llamacpp.settings import Settings
    from gyakusan.engines.llamacpp import server as llamacpp
    from gyakusan.serving.server import Server, ServerOptions

    options = ServerOptions(program="embedded", threads=1)
    with Server(sys.argv[1], Settings(context=256, slots=1, backend="cpu"), llamacpp, options) as server:
        print(server.pid, flush=True)
        time.sleep(60)
"""


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGKILL, -9)])
def test_it_dies_with_its_parent(smollm2: Path, number: signal.Signals, code: int) -> None:
    # Not traced by coverage, whose own handler of SIGTERM would end the process before ours.
    own = {k: v for k, v in os.environ.items() if not k.startswith("COV")}
    environment = {**own, "PYTHONPATH": str(SOURCE)}
    command = [sys.executable, "-c", textwrap.dedent(PARENT), str(smollm2)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=environment) as parent:
        try:
            assert parent.stdout is not None
            pid = int(parent.stdout.readline())
            assert not gone(pid, 0.1)
            parent.send_signal(number)
            assert parent.wait(20) == code
            assert gone(pid)
        finally:
            parent.kill()


def test_the_handler_of_sigterm_is_put_back(smollm2: Path) -> None:
    before = signal.getsignal(signal.SIGTERM)
    with served(smollm2, SMALL, program="embedded", threads=1):
        pass
    assert signal.getsignal(signal.SIGTERM) is before


STAND_IN = """\
    #!{python} -ISu
    import json, os, sys, http.server
    if {old!r} in sys.argv:
        sys.exit("error: invalid argument: " + {old!r})
    print(json.dumps([sys.argv[1:], os.environ.get("LLAMA_API_KEY"), os.environ.get("LLAMA_ARG_N_PARALLEL")]))
    print("load_tensors:        CUDA0 model buffer size =    10.00 MiB")
    print("api_keys: ****" + os.environ.get("LLAMA_API_KEY", "")[-4:])
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200 if self.path == "/health" else 404)
            self.end_headers()
    port = int(sys.argv[sys.argv.index("--port") + 1])
    server = http.server.HTTPServer(("127.0.0.1", port), Handler)
    print("main: server is listening on http://127.0.0.1:%d - starting the main loop" % port)
    server.serve_forever()
"""


@pytest.fixture
def on_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Path]:
    """Puts a stand-in for llama-server on PATH that refuses the flag `old`."""

    def put(old: str = "") -> Path:
        program = tmp_path / "llama-server"
        program.write_text(textwrap.dedent(STAND_IN).format(python=sys.executable, old=old))
        program.chmod(0o755)
        monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
        return program

    return put


def test_llama_server_on_path_is_preferred(
    smollm2: Path, on_path: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    program = on_path("--nothing")
    monkeypatch.setenv("LLAMA_ARG_N_PARALLEL", "9")
    with served(smollm2, FOUR, key=KEY) as server:
        assert server.program == str(program)
        arguments, key, stray = next(json.loads(line) for line in server.log if line.startswith("[["))
        assert arguments[arguments.index("--parallel") + 1] == "4"
        assert (key, stray) == ("[secret]", None)
        assert server.report.of("weights") == 10 * MIB
        assert not any(KEY[-4:] in line for line in server.log)
        pid = server.pid
    assert pid is not None
    assert gone(pid)


def test_a_llama_server_that_is_too_old(smollm2: Path, on_path: Callable[[str], Path]) -> None:
    on_path("--fit")
    with pytest.raises(ServerError, match=r"does not support --fit.*Update llama\.cpp"):
        served(smollm2, FOUR).start()


def test_no_server_at_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.which", lambda name: None)
    assert find_program("auto") == "embedded"
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(ServerError, match=r"pip install 'gyakusan\[serve\]'"):
        find_program("auto")
    with pytest.raises(ServerError):
        find_program("llama-server")


def test_the_recorded_log_is_of_this_build(running: Running) -> None:
    recorded = Path(__file__).parents[1] / "logs" / "llamacpp" / "b11549" / "smollm2_cpu.log"
    if running.report.build == 11549:
        assert replace(log.read(recorded.read_text().splitlines()), buffers=()) == replace(running.report, buffers=())


def test_an_engine_that_gyakusan_does_not_start(monkeypatch: pytest.MonkeyPatch) -> None:
    deployment = api.deployment("qwen3-8b", load=Load(1, 8192), device="RTX 4090").under("Ollama")
    monkeypatch.setattr(deployment.rules, "server", lambda: None)
    with pytest.raises(ServerError, match=r"cannot start Ollama yet.*gyakusan plan"):
        Server.of(deployment)


def test_a_running_server_that_will_never_answer_again_counts_as_ended(tmp_path: Path) -> None:
    """Its process goes on, so that only its log tells: MLX-LM after its thread died."""
    from types import SimpleNamespace

    from gyakusan.engines.mlx import server as mlx

    ended: list[str] = []
    lines = ["Starting httpd at 127.0.0.1 on port 1..."]
    told = SimpleNamespace(join=lambda seconds: None)
    child = SimpleNamespace(alive=True, exit_code=0, log=told, end=lambda: ended.append("end"))
    server: Any = Server(tmp_path, None, mlx, ServerOptions())  # type: ignore[type-var]
    server._child, server.ready_after = child, 1.0
    told.lines, told.total = tuple(lines), 1
    server.check()
    lines.append(
        "2026-11-29 12:00:00,000 - ERROR - generation thread died: [metal::malloc] Attempting to allocate 9 bytes"
    )
    told.lines, told.total = tuple(lines), 2
    with pytest.raises(ServerError):
        server.check()
    assert ended == ["end"]
