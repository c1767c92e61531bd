"""A child's output is bounded and clean, and its end is certain, whatever it does."""

import os
import signal
import sys
import threading
import time
from pathlib import Path

import pytest

from gyakusan.errors import ServerError
from gyakusan.serving import process
from gyakusan.serving.process import FileKeeper, GuardedProcess, ProcessSpec

ENVIRONMENT = {"PATH": os.environ["PATH"]}


def child(code: str, **options: object) -> GuardedProcess:
    """A Python program under the guard."""
    return GuardedProcess(ProcessSpec([sys.executable, "-ISu", "-c", code], ENVIRONMENT, grace=0.3, **options))  # type: ignore[arg-type]


def ended(made: GuardedProcess) -> tuple[str, ...]:
    """The lines of the program itself, after its end."""
    made.log.join(20)
    made.end()
    return tuple(line for line in made.log.lines if not line.startswith("guard: "))


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    stat = Path(f"/proc/{pid}/stat")
    return not (stat.exists() and ") Z " in stat.read_text())


def dies(pid: int) -> bool:
    """True as soon as `pid` has ended; False after ten seconds."""
    for _ in range(500):
        if not alive(pid):
            return True
        time.sleep(0.02)
    return False


def wait_for(made: GuardedProcess, text: str) -> str:
    """The first line with `text`."""
    for _ in range(200):
        for line in made.log.lines:
            if text in line:
                return line
        made.log.wait(0.1)
    raise AssertionError(made.log.lines)


@pytest.mark.parametrize("last", ["", "half of a line"])
def test_a_line_that_was_not_finished_stands_alone(last: str) -> None:
    """The guard's word stood behind it in the same line: no exit code was read, and the log's last line was both."""
    made = child(f"import sys; print('whole'); print({last!r}, end=''); sys.exit(3)")
    assert ended(made) == tuple(filter(None, ("whole", last)))
    assert made.exit_code == 3


def test_output_and_errors_in_one_log_and_the_exit_code() -> None:
    made = child("import sys; print('out'); print('err', file=sys.stderr); sys.exit(3)")
    assert ended(made) == ("out", "err")
    assert made.exit_code == 3
    assert not made.alive
    assert made.log.closed


def test_input_reaches_it() -> None:
    assert ended(child("print(input())", input="hello\n")) == ("hello",)


def test_a_signal_is_told() -> None:
    made = child("import os; os.kill(os.getpid(), 11)")
    ended(made)
    assert made.exit_code == -signal.SIGSEGV


def test_a_program_that_is_not_there() -> None:
    made = GuardedProcess(ProcessSpec(["/nonexistent/llama-server"], ENVIRONMENT))
    made.log.join(20)
    assert any("cannot start" in line for line in made.log.lines)
    made.end()
    assert made.exit_code == 1
    assert made.pid is None


def test_secrets_and_control_characters_never_reach_the_log(tmp_path: Path) -> None:
    file = tmp_path / "log"
    code = "print('key=hunter2-hunter2 \\x1b[31mred\\x07 api_keys: ****ter2')"
    made = GuardedProcess(
        ProcessSpec([sys.executable, "-ISu", "-c", code], ENVIRONMENT, secrets=("hunter2-hunter2",)), file
    )
    assert ended(made) == ("key=[secret] ?[31mred? api_keys: [secret]",)
    assert "hunter2" not in file.read_text()
    assert "\x1b" not in file.read_text()


def test_an_order_does_not_show_its_secrets() -> None:
    assert "s3cret" not in repr(ProcessSpec(["x"], {"KEY": "s3cret"}, "s3cret", ("s3cret",)))


def test_the_log_is_bounded(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(process, "HEAD", 10)
    monkeypatch.setattr(process, "LONGEST", 100)
    monkeypatch.setattr(process, "FILE_LIMIT", 500)
    file = tmp_path / "log"
    code = "print('x' * 1000); [print(i) for i in range(5000)]"
    made = GuardedProcess(ProcessSpec([sys.executable, "-ISu", "-c", code], ENVIRONMENT), file)
    made.log.join(20)
    made.end()
    assert len(made.log.lines) == 10 + process.TAIL
    assert max(len(line) for line in made.log.lines) == 100
    assert made.log.lines[-2] == "4999"
    assert file.stat().st_size <= 600


def test_one_that_will_not_end_is_killed() -> None:
    made = child("import signal, time; signal.signal(15, signal.SIG_IGN); print('deaf'); time.sleep(60)")
    wait_for(made, "deaf")
    pid = made.pid
    assert pid is not None
    made.end()
    assert dies(pid)
    assert made.exit_code == -signal.SIGKILL
    made.end()


def test_what_it_started_ends_too() -> None:
    code = "import subprocess, time; p = subprocess.Popen(['sleep', '60']); print('grandchild', p.pid); time.sleep(60)"
    made = child(code)
    grandchild = int(wait_for(made, "grandchild").split()[1])
    assert alive(grandchild)
    made.end()
    assert dies(grandchild)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="PR_SET_PDEATHSIG is Linux")
def test_a_killed_guard_takes_it_along() -> None:
    made = child("import os, time; print('guard is', os.getppid()); time.sleep(60)")
    guard = int(wait_for(made, "guard is").split()[2])
    pid = made.pid
    assert pid is not None
    os.kill(guard, signal.SIGKILL)
    assert dies(pid)
    for _ in range(500):  # the guard is another process than the one that died
        if not made.alive:
            break
        time.sleep(0.02)
    assert not made.alive
    made.end()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_signals_to_the_guard_end_it(number: signal.Signals) -> None:
    made = child("import os, time; print('guard is', os.getppid()); time.sleep(60)")
    os.kill(int(wait_for(made, "guard is").split()[2]), number)
    for _ in range(500):
        if not made.alive:
            break
        time.sleep(0.02)
    assert not made.alive
    assert made.exit_code == -signal.SIGTERM
    made.end()


def test_it_is_in_a_session_of_its_own() -> None:
    """Ctrl-C at the terminal reaches us alone: we end the server in order."""
    (line,) = ended(child("import os; print(os.getsid(0), os.getpgid(0))"))
    assert str(os.getsid(0)) not in line.split()


def test_a_link_is_no_log_file(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(ServerError, match="cannot be written"):
        GuardedProcess(ProcessSpec(["true"], ENVIRONMENT), tmp_path / "link")
    assert not (tmp_path / "elsewhere").exists()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_log_file_on_a_full_disk() -> None:
    before = Path("/dev/full").stat().st_mode
    with pytest.raises(ServerError, match=r"/dev/full cannot be written: No space left on device.*another file"):
        GuardedProcess(ProcessSpec([sys.executable, "-c", ""], ENVIRONMENT), Path("/dev/full"))
    assert Path("/dev/full").stat().st_mode == before


def test_a_log_file_that_takes_no_more(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = child("import time; print('one', flush=True); time.sleep(30)")
    try:
        assert made.log.file_error is None
        full = open("/dev/full", "w", buffering=1)  # noqa: SIM115
        monkeypatch.setattr(made.log, "_file", full)
        made.log._add("a line")
        assert isinstance(made.log.file_error, OSError)
        made.log._add("another")
        assert made.log.lines[-1] == "another"
    finally:
        made.end()


def test_a_log_file_is_continued(tmp_path: Path) -> None:
    log = tmp_path / "log"
    for text in ("one", "two"):
        spec = ProcessSpec([sys.executable, "-ISc", f"print({text!r})"], ENVIRONMENT, grace=0.3)
        ended(GuardedProcess(spec, log, append=True))
    assert [line for line in log.read_text().splitlines() if line in ("one", "two")] == ["one", "two"]
    assert log.stat().st_mode & 0o777 == 0o600


def test_kept_files_are_removed_at_the_end(tmp_path: Path) -> None:
    file = tmp_path / "key"
    file.write_text("x")
    keeper = FileKeeper([file, tmp_path / "never there"])
    time.sleep(0.1)
    assert file.exists()
    keeper.end()
    assert not file.exists()
    keeper.end()


def test_a_lock_that_a_signal_lost_does_not_keep_it_from_ending() -> None:
    """A signal that raises in the middle of Popen.poll leaves its lock taken: a flood of requests and then SIGTERM hung."""
    made = child("import time; print('here'); time.sleep(60)")
    pid = int((wait_for(made, "here") and made.pid) or 0)
    assert made._guard._waitpid_lock.acquire(timeout=5)  # type: ignore[attr-defined]
    ending = threading.Thread(target=made.end, daemon=True)
    ending.start()
    ending.join(20)
    assert not ending.is_alive()
    assert not made.alive
    assert dies(pid)
