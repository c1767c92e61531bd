"""A signal ends a measurement as Ctrl-C does, with an exit code of its own and without a traceback."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest
from tests.fakes.fake_load_server import FakeChat, serving

from gyakusan.cli.ending import INTERRUPTED, asked_to_end


def _kill(number: signal.Signals) -> None:
    os.kill(os.getpid(), number)
    time.sleep(5)


def test_a_signal_does_what_ctrl_c_would() -> None:
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(SystemExit) as ended, asked_to_end():
        _kill(signal.SIGTERM)
    assert ended.value.code == 143
    with pytest.raises(KeyboardInterrupt), asked_to_end():
        _kill(signal.SIGINT)
    assert signal.getsignal(signal.SIGTERM) == before


def test_one_who_handles_the_signal_too_does_not_end_it_first() -> None:
    """coverage saves what it counted on SIGTERM, and then ends the program as the signal would: without what was measured."""
    seen: list[int] = []
    before = signal.signal(signal.SIGTERM, lambda number, frame: seen.append(number))
    try:
        with pytest.raises(SystemExit), asked_to_end():
            _kill(signal.SIGTERM)
        assert not seen
        os.kill(os.getpid(), signal.SIGTERM)
        assert seen == [signal.SIGTERM]
    finally:
        signal.signal(signal.SIGTERM, before)


def test_a_signal_that_is_ignored_stays_so() -> None:
    """nohup ignores SIGHUP: a measurement goes on when its terminal closes."""
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with asked_to_end() as ending:
            os.kill(os.getpid(), signal.SIGHUP)
            assert signal.getsignal(signal.SIGHUP) == signal.SIG_IGN
            assert signal.getsignal(signal.SIGTERM) != signal.SIG_DFL
        assert ending.number == 0
        assert signal.getsignal(signal.SIGHUP) == signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)


def test_the_exit_code_is_of_the_signal() -> None:
    seen = []
    before = signal.signal(signal.SIGINT, lambda number, frame: seen.append(number))
    try:
        with asked_to_end() as ending:
            assert ending.code(INTERRUPTED) == INTERRUPTED
            os.kill(os.getpid(), signal.SIGTERM)
        assert seen == [signal.SIGINT]
        assert [ending.code(code) for code in (0, 1, INTERRUPTED)] == [0, 1, 143]
    finally:
        signal.signal(signal.SIGINT, before)


MEASURING = """
    import sys
    from gyakusan.cli import main
    from gyakusan.load_testing import calibration, session, endpoint
    from gyakusan.serving.server import leave_on_signals, restore_signals

    def measured(asked, loads, limits, onlooker):
        before = leave_on_signals()  # as the server does that is started
        try:
            return calibration._loaded(endpoint.target_of(sys.argv[1]), loads, limits, onlooker)
        finally:
            restore_signals(before)

    calibration.ram_bandwidth = lambda *a: 2e10
    calibration._measured = measured
    sys.exit(main(["calibrate", "--lang", "en"]))
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("times", [1, 2, 3])
def test_a_calibration_ends_in_order(number: signal.Signals, times: int, tmp_path: Path) -> None:
    """SIGTERM was raised between two steps of asyncio, which printed its tracebacks."""
    around = {**os.environ, "XDG_STATE_HOME": str(tmp_path), "GYAKUSAN_LEARNED": "on"}
    with serving(FakeChat(gap=0.002)) as fake:
        command = [sys.executable, "-c", textwrap.dedent(MEASURING), fake.url]
        running = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=around)
        deadline = time.monotonic() + 60
        while len(fake.asked) < 10 and time.monotonic() < deadline:
            time.sleep(0.05)
        for _ in range(times):
            running.send_signal(number)
        out, err = running.communicate(timeout=60)
    assert running.returncode == 128 + number, err
    assert "Traceback" not in out + err
