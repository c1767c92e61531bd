"""One environment for every test: English, 80 columns, no colours, whatever the shell of the person who runs them says."""

from __future__ import annotations

import os
import signal
from datetime import date

import pytest
from hypothesis import HealthCheck
from hypothesis import settings as hypothesis_settings

SPOKEN = ("LANG", "LANGUAGE", "LC_ALL", "LC_MESSAGES", "LC_CTYPE", "LC_MONETARY", "GYAKUSAN_LANG")
DRAWN = (
    "COLUMNS",
    "LINES",
    "NO_COLOR",
    "FORCE_COLOR",
    "CLICOLOR",
    "CLICOLOR_FORCE",
    "TTY_COMPATIBLE",
    "TTY_INTERACTIVE",
)
# Before any test module is imported, and inherited by every process that a test starts.
for name in (*SPOKEN, *DRAWN):
    os.environ.pop(name, None)
os.environ["LANG"] = "C.UTF-8"
os.environ["LC_MONETARY"] = "ja_JP.UTF-8"  # prices of tests are in yen, in English, too
os.environ["GYAKUSAN_DEFAULTS"] = "off"  # nor do the developer's own defaults
os.environ["GYAKUSAN_LEARNED"] = "off"  # what the developer's own computer measured changes no answer of a test
# What the shell, nohup or a CI left ignored or blocked, every process that a test starts would ignore, too: no test of
# Ctrl-C, of a closed terminal or of an orderly end could pass.
signal.signal(signal.SIGINT, signal.default_int_handler)
for number in (signal.SIGQUIT, signal.SIGHUP, signal.SIGTERM, signal.SIGALRM, signal.SIGCHLD, signal.SIGTSTP):
    signal.signal(number, signal.SIG_DFL)
signal.pthread_sigmask(signal.SIG_SETMASK, ())


def pytest_configure(config: pytest.Config) -> None:
    """Nothing is compared while tests are only listed, so that no snapshot is unused."""
    if config.option.collectonly:
        config.option.warn_unused_snapshots = True


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """With which real servers the tests of them ran, as `record_property` of their fixture says."""
    reports = (report for found in terminalreporter.stats.values() for report in found)
    told = {p for report in reports for p in getattr(report, "user_properties", ()) if p[0] == "real server"}
    for name, value in sorted(told):
        terminalreporter.write_line(f"{name}: {value}")


@pytest.fixture(autouse=True)
def _november_2026(monkeypatch: pytest.MonkeyPatch) -> None:
    """Prices age: every test is of one day."""
    from gyakusan.planning.candidates import prices

    monkeypatch.setattr(prices, "today", lambda: date(2026, 11, 28))


@pytest.fixture(autouse=True)
def _wide_pipes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Sentences are looked for in what a command prints: they are broken less often than for people, who get 80 columns."""
    from gyakusan.show import terminal

    monkeypatch.setattr(terminal, "PIPE", 120)


# A busy machine is no fault of what is tested. The same cases every time, so that a commit is green or red for good;
# `pytest --hypothesis-profile explore` looks for others.
_PATIENT = hypothesis_settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
hypothesis_settings.register_profile("house", _PATIENT, derandomize=True, database=None)
hypothesis_settings.register_profile("explore", _PATIENT)
hypothesis_settings.load_profile("house")
