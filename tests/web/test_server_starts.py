"""Servers that a page starts: refused in words before anything starts, one process of a list of words, its reason kept."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from gyakusan.errors import BadReference, BadSetting, GyakusanError, UnknownName
from gyakusan.serving import running_servers
from gyakusan.serving.background import Named
from gyakusan.web.problems import Busy
from gyakusan.web.queries import StartForm
from gyakusan.web.server_starts import MOST_STARTING, Starts, check, words


@pytest.fixture(autouse=True)
def _home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))


class Launched:
    """Starts another program in the place of the server."""

    def __init__(self, program: str) -> None:
        self.program = program
        self.words: list[list[str]] = []
        self.processes: list[subprocess.Popen[bytes]] = []

    def __call__(self, named: Named, words: Sequence[str]) -> subprocess.Popen[bytes]:
        self.words.append(list(words))
        with named.log.open("wb") as log:
            self.processes.append(subprocess.Popen([sys.executable, "-c", self.program], stdout=log, stderr=log))
        return self.processes[-1]


def test_the_words_of_the_command() -> None:
    form = StartForm(model="--host=0.0.0.0", context="2k", users="3", engine="llama.cpp")
    assert words(form, "ja") == [
        "serve", "--host=127.0.0.1", "--port=0", "--lang=ja", "--engine=llama.cpp", "--users=3", "--context=2k", "--",
        "--host=0.0.0.0",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("form", "kind", "said"),
    [
        (StartForm(model="--detach"), BadReference, "is no model"),
        (StartForm(model="smolm2"), UnknownName, "smollm2"),
        (StartForm(model="gpt-oss-20b"), BadReference, "gyakusan get gpt-oss-20b"),
        (StartForm(model="/nosuch.gguf"), GyakusanError, "nosuch"),
        (StartForm(context="9000k"), BadSetting, "Ask for 8,192 tokens of context or less."),
        (StartForm(users="4096", context="8k"), BadSetting, "It fits with"),
        (StartForm(users="many"), GyakusanError, "many"),
        (StartForm(engine="nosuch"), UnknownName, "llama.cpp"),
    ],
)
def test_what_is_refused(form: StartForm, kind: type[GyakusanError], said: str) -> None:
    with pytest.raises(kind) as caught:
        check(form)
    assert said in str(caught.value)
    assert "--anyway" not in str(caught.value)


def test_one_that_ends_says_why_until_it_is_closed() -> None:
    starts = Starts(Launched("print('gyakusan: no room'); raise SystemExit(3)"))
    name = starts.begin(StartForm(context="512"), "en")
    for _ in range(200):
        if (found := starts.starting()) and found[0].failed is not None:
            break
        subprocess.run([sys.executable, "-c", ""], check=True)
    assert [(s.name, s.model, s.failed) for s in found] == [(name, "smollm2", "no room")]
    starts.forget(name)
    assert starts.starting() == ()
    with pytest.raises(BadReference, match="is starting"):
        starts.forget(name)


def test_cancelling_ends_the_process_and_frees_the_name() -> None:
    launched = Launched("import time; time.sleep(60)")
    starts = Starts(launched)
    names = {starts.begin(StartForm(context="512"), "en") for _ in range(MOST_STARTING)}
    assert len(names) == MOST_STARTING
    assert {s.failed for s in starts.starting()} == {None}
    with pytest.raises(Busy, match="servers are starting"):
        starts.begin(StartForm(), "en")
    for name in names:
        starts.forget(name)
    assert {p.poll() is None for p in launched.processes} == {False}
    assert not list((running_servers.state() / running_servers.FOLDER).glob("*.reserved"))


def test_one_name_starts_once() -> None:
    launched = Launched("import time; time.sleep(60)")
    starts = Starts(launched)
    form = StartForm(context="512", name="office")
    starts.begin(form, "en")
    with pytest.raises(BadSetting, match="is starting"):
        starts.begin(form, "en")
    assert len(launched.processes) == 1
    starts.forget("office")


@pytest.mark.parametrize("code", [143, 0])
def test_one_that_somebody_stopped_did_not_fail(code: int) -> None:
    starts = Starts(Launched(f"raise SystemExit({code})"))
    starts.begin(StartForm(context="512", name="office"), "en")
    for _ in range(200):
        if not starts.starting():
            break
        subprocess.run([sys.executable, "-c", ""], check=True)
    assert starts.starting() == ()
