"""gyakusan bench: screens, files and exit codes, against a fake server; and a short bench of a real one."""

from __future__ import annotations

import csv
import importlib.util
import io
import json
import re
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from tests.documents.valid import valid
from tests.fakes.fake_load_server import FakeChat, serving
from tests.load_testing.test_foreign import LLAMA
from tests.show.drawing import text_of

import gyakusan
from gyakusan import api
from gyakusan.cli import main
from gyakusan.cli.bench import asked_again
from gyakusan.core.load import Load
from gyakusan.errors import UnknownName
from gyakusan.load_testing import conditions
from gyakusan.load_testing.result import BenchResult, Figure, StepResult
from gyakusan.load_testing.store import Store
from gyakusan.load_testing.workload import Shape, Step
from gyakusan.models.embedded import embedded
from gyakusan.serving import running_servers
from gyakusan.serving.running_servers import RunningServer
from gyakusan.serving.server import Server, ServerOptions
from gyakusan.show import bench as bench_screen
from gyakusan.show.bench_report import bench_report
from gyakusan.show.tree import Next, Verdict

FEW = ("--requests", "4", "--prompt", "64", "--answer", "8")


@pytest.fixture(autouse=True)
def _state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))


def test_a_bench_is_shown_kept_and_shown_again(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    page, table = tmp_path / "b.html", tmp_path / "b.csv"
    with serving(FakeChat(first=0.01, gap=0.002)) as fake:
        url = fake.url
        assert main(["bench", url, "--users", "1,2", *FEW, "--slo", "ttft<5s"]) == 0
    told = capsys.readouterr().out
    assert re.search(r"^fake serves 2 people: [\d,.]+ tokens/s each, first token after [\d.]+ s\.$", told, re.MULTILINE)
    assert "Saved as bench 1." in told
    assert "100 %" in told
    assert main(["bench", "list"]) == 0
    assert f"{url}/v1" in capsys.readouterr().out
    assert main(["bench", "show", "1", "--html", str(page), "--csv", str(table)]) == 0
    told = capsys.readouterr().out
    assert "fake serves 2 people" in told
    assert "Saved as" not in told
    assert "4 requests each" in told
    assert f"Wrote {page}." in told.replace("\n", "")
    rows = list(csv.DictReader(io.StringIO(table.read_text("utf-8"))))
    assert [r["users"] for r in rows] == ["1", "2"]
    assert float(rows[1]["ttft_p50"]) >= 0.01
    text = page.read_text("utf-8")
    assert text.count('class="wide"') == text.count('class="narrow"') == 3
    assert "default-src 'none'" in text
    assert not re.search(r"<script|https?://(?!127\.0\.0\.1|www\.w3\.org)", text)


def test_a_bench_that_was_killed_shows_what_it_has(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed after the first of two loads: its end was never written."""
    monkeypatch.setattr(Store, "finish", lambda *_: None)
    with serving(FakeChat(first=0.01, gap=0.002)) as fake:
        assert main(["bench", fake.url, "--users", "1", "--slo", "ttft<5s", *FEW]) == 0
        capsys.readouterr()
        assert main(["bench", "show", "1"]) == 0
        told = " ".join(capsys.readouterr().out.split())
        assert "fake serves 1 person" in told
        assert "Not finished: it was killed, or it still runs. The figures are of the 1 loads until then." in told
        assert main(["bench", fake.url, "--until", "ttft<5s", "--requests", "300", *FEW[2:], "--seconds", "1s"]) == 0
        capsys.readouterr()
        assert main(["bench", "show", "2"]) == 0
        assert "keeps ttft<5s for" in capsys.readouterr().out  # and not that it keeps them for nobody
    assert main(["bench", "show", "1", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["finished"] is False
    assert main(["bench", "list"]) == 0
    assert "1, not finished" in capsys.readouterr().out


def test_next_asks_the_same_again(capsys: pytest.CaptureFixture[str]) -> None:
    """The line can be pasted: with the lengths, prompts, keys and plans of the question, and without its number of people."""
    with serving(FakeChat(first=0.01, gap=0.002)) as fake:
        words = [fake.url, "--users=1,2", "--requests", "4", "--prompt", "64", "--answer=8", "--model-name", "a b"]
        assert main(["bench", *words, "--no-color"]) == 0
        last = bench_screen.screen(Store().read(1), again=asked_again())[-1]
        assert isinstance(last, Next)
        expected = (
            f"gyakusan bench {fake.url} --requests 4 --prompt 64 --answer=8 --model-name 'a b' --until \"ttft<1s\""
        )
        assert str(last.choices[0]).replace("\xa0", " ") == expected
        again = [*shlex.split(expected)[1:], "--requests", "300"]
        assert main(again) in (0, 1)
        assert "ttft<1s" in capsys.readouterr().out.replace("\n", " ")


def test_the_document(capsys: pytest.CaptureFixture[str]) -> None:
    with serving(FakeChat(fault="429", after=6)) as fake:
        assert main(["bench", fake.url, "--users", "1", *FEW, "--json", "--no-save"]) == 0
    told = json.loads(capsys.readouterr().out)
    valid(told)
    assert told["steps"][0]["failures"][0]["kind"] == "rate_limited"
    assert told["number"] is None
    assert main(["bench", "list", "--json"]) == 0
    listed = json.loads(capsys.readouterr().out)
    valid(listed)
    assert listed["benches"] == []


def test_japanese(capsys: pytest.CaptureFixture[str]) -> None:
    with serving(FakeChat(gap=0.002)) as fake:
        assert main(["bench", fake.url, "--users", "1", *FEW, "--lang", "ja"]) == 0
    assert "fake: 1人で1人あたり" in capsys.readouterr().out


def test_failures_have_their_line(capsys: pytest.CaptureFixture[str]) -> None:
    with serving(FakeChat(fault="503", after=2)) as fake:
        assert main(["bench", fake.url, "--users", "1", *FEW]) == 1
    told = " ".join(capsys.readouterr().out.split())
    assert "fake gave no answer." in told
    assert "1 failed: The server failed (status 503): it is [31mstatus [0m 503. See the server's log." in told


def test_a_limit_that_cannot_be_kept(capsys: pytest.CaptureFixture[str]) -> None:
    with serving(FakeChat(first=0.05)) as fake:
        assert main(["bench", fake.url, "--until", "ttft<10ms", *FEW]) == 1
        assert "fake does not keep ttft<0.01s, not even for 1 person." in capsys.readouterr().out
        assert main(["bench", fake.url, "--until", "ttft<10s", "--rate", "9000/s", *FEW]) == 0
        assert "requests/min." in capsys.readouterr().out


def test_what_is_predicted_is_compared(capsys: pytest.CaptureFixture[str]) -> None:
    options = ["--model", "gpt-oss-20b", "--device", "RTX 4090", "--context", "8k"]
    with serving(FakeChat(first=0.01, gap=0.001)) as fake:
        code = main(["bench", fake.url, "--users", "1,2", *FEW, *options])
    told = capsys.readouterr().out
    assert "said (80 %)" in told
    assert re.search(r"\d of \d figures lie inside|All \d figures lie inside", told)
    assert code == (1 if "outside" in told else 0)


MISTAKES = [
    ([], "is not the address of a server", "http://a b"),
    (["--users", "two"], "--users takes whole numbers"),
    (["--users", "1", "--rate", "3/s"], "--users and --rate were given together"),
    (["--until", "soon"], "is not a limit of a time"),
    (["--until", "ttft<1s", "--users", "1,2"], "--until adds people on its own"),
    (["--plan", "x.toml", "--model", "y"], "--plan and --model were given together"),
    (["--prompts", "/nowhere/x"], "cannot be read"),
    (["--log", "/nowhere/x"], "does not exist"),
    (["--key-file", "/nowhere/x"], "/nowhere/x"),
    (["--requests", "0"], "--requests cannot be 0"),
]


@pytest.mark.parametrize("case", MISTAKES, ids=[m[1] for m in MISTAKES])
def test_mistakes_are_told_before_anything_is_sent(case: Any, capsys: pytest.CaptureFixture[str]) -> None:
    with serving(FakeChat(gap=0.002)) as fake:
        url = case[2] if len(case) > 2 else fake.url
        assert main(["bench", url, *case[0]]) in (2, 3)
        assert fake.asked == []
    assert case[1] in capsys.readouterr().err


def test_own_prompts(tmp_path: Path) -> None:
    file = tmp_path / "prompts.jsonl"
    file.write_text('Hello.\n{"prompt": "one"}\n{"messages": [{"role": "user", "content": "two"}]}\n')
    with serving(FakeChat(gap=0.002)) as fake:
        assert main(["bench", fake.url, "--users", "1", *FEW, "--prompts", str(file), "--no-save"]) == 0
    asked = [a["messages"][0]["content"] for a in fake.asked]  # type: ignore[index]
    assert asked[2:] == ["Hello.", "one", "two", "Hello.", "one"]
    file.write_text('{"question": 1}\n')
    with pytest.raises(gyakusan.GyakusanError, match="Line 1 of"):
        gyakusan.bench("http://127.0.0.1:1", prompts=file)


def test_a_result_of_another_tool(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "llama.json"
    file.write_text(json.dumps(LLAMA))
    assert main(["bench", "import", str(file)]) == 0
    told = capsys.readouterr().out
    assert "measured by llama-bench, 2026-11-29" in told
    assert "llama.cpp b" in told
    assert "first token after ?" not in told, "llama-bench does not time it"
    heads = told[told.index("people") :].splitlines()[0]
    assert "prompt tokens/s" in heads, "the only figure of its pp rows"
    assert main(["bench", "show", "1", "--json"]) == 0
    valid(json.loads(capsys.readouterr().out))


def test_hostile_names_stay_text(tmp_path: Path) -> None:
    file, page = tmp_path / "x.json", tmp_path / "x.html"
    name = "<script>alert(1)</script>=1+1"
    file.write_text(json.dumps([{**LLAMA[1], "model_filename": name}]))
    assert main(["bench", "import", str(file)]) == 0
    assert main(["bench", "show", "1", "--html", str(page)]) == 0
    assert "<script" not in page.read_text("utf-8")


def test_python() -> None:
    with serving(FakeChat(gap=0.002)) as fake:
        found = gyakusan.bench(fake.url, users="1", requests=3, prompt=64, answer=8)
    assert found.result.steps[0].requests == 3
    assert "fake: 1 loads" in repr(found)
    assert "1." in repr(gyakusan.bench_list())
    assert gyakusan.bench_show(1).result.steps == found.result.steps
    with pytest.raises(UnknownName, match="user"):
        gyakusan.bench("http://127.0.0.1:1", user="1")


def test_a_store_that_cannot_be_written_ends_no_bench(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "state").write_text("a file")
    with serving(FakeChat(gap=0.002)) as fake:
        assert main(["bench", fake.url, "--users", "1", *FEW]) == 0
    told = " ".join(capsys.readouterr().out.split())
    assert "Not kept: The benches in" in told


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_keeps_what_was_measured(number: signal.Signals, code: int, tmp_path: Path) -> None:
    with serving(FakeChat(gap=0.002)) as fake:
        command = [sys.executable, "-m", "gyakusan", "bench", fake.url, "--users", "2", "--seconds", "600"]
        both = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        running = subprocess.Popen([*command, "--prompt", "64", "--answer", "8"], text=True, **both)
        deadline = time.monotonic() + 60
        while len(fake.asked) < 40 and time.monotonic() < deadline:
            time.sleep(0.05)
        running.send_signal(number)
        out, err = running.communicate(timeout=60)
    assert (running.returncode, "Traceback" in err) == (code, False)
    assert "fake serves 2 people" in out
    assert "Ended early" in out
    assert gyakusan.bench_show(1).result.interrupted
    assert gyakusan.bench_show(1).result.steps[0].requests >= 30


@pytest.mark.skipif(importlib.util.find_spec("xllamacpp") is None, reason="no server here")
def test_a_real_server(tmp_path: Path) -> None:
    """SmolLM2 on llama.cpp: tokens as asked, prompts as long as asked, memory as predicted."""
    log = tmp_path / "server.log"
    asked = api.deployment("smollm2", load=Load(2, 1024), settings={"backend": "cpu"})
    with Server.of(asked, ServerOptions(log_file=log), embedded()) as server:
        found = gyakusan.bench(
            server.url, users="1,2", requests=3, prompt=64, answer=12, model="smollm2", context=1024, cpu=True, log=log,
            bandwidth="20GB/s",
        )  # fmt: skip
    for step in found.result.steps:
        assert (step.requests, step.failed, step.completion_tokens) == (3, 0, 12)
        assert step.prompt_tokens == pytest.approx(64, abs=3)
        assert step.each is not None
    memory = [c for c in found.result.comparisons if c.quantity == "memory"]
    assert {c.label for c in memory} >= {"", "weights host", "kv_cache host"}
    assert all(c.inside for c in memory)
    assert {c.quantity for c in found.result.comparisons} == {"memory", "decode", "prefill", "ttft", "throughput"}


def test_people_without_a_request_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bench", "http://127.0.0.1:9", "--users", "2,8", "--requests", "4"]) == 2
    assert "leaves some of the 8 people without a request. Give --requests 8 or more" in capsys.readouterr().err


def test_a_server_that_gyakusan_started_is_found_by_its_name(tmp_path: Path) -> None:
    key = tmp_path / "office.key"
    key.write_text("k" * 20)
    with serving(FakeChat(gap=0.002, key="k" * 20)) as fake:
        running_servers.claim(
            running_servers.here(RunningServer(name="office", url=f"{fake.url}/v1", key_file=str(key)))
        )
        for name in (None, "office"):
            assert (
                gyakusan.bench(name, users="1", requests=4, prompt=64, answer=8, save=False).result.steps[0].requests
                == 4
            )
        with pytest.raises(gyakusan.GyakusanError, match="offices"):
            gyakusan.bench("offices", users="1", requests=4)


def test_a_bench_of_this_computer_corrects_the_next_forecast(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("GYAKUSAN_LEARNED")
    # what other tests keep busy beside this one makes a measurement count less, and an outlier plausible
    monkeypatch.setattr(conditions, "observed_with", lambda port: lambda: conditions.Conditions(0.0, 2))
    options = ["--model", "smollm2", "--device", "cpu", "--bandwidth", "20GB/s", "--context", "2k"]
    with serving(FakeChat(first=0.2, gap=0.02)) as fake:
        main(["bench", fake.url, "--users", "1", *FEW, *options])
        told = " ".join(capsys.readouterr().out.split())
        assert "The next forecasts for this computer use it: intervals are" in told
        main(["bench", fake.url, "--users", "1", *FEW, *options, "--no-save"])
        assert "The next forecasts" not in capsys.readouterr().out
    assert main(["inspect", *options[1:2], *options[2:6], "--json"]) == 0
    pace = json.loads(capsys.readouterr().out)["pace"]
    assert pace["measured_here"]["measurements"] == 3
    with serving(FakeChat(first=0.0001)) as fake:
        main(["bench", fake.url, "--users", "1", *FEW, *options])
        assert "Not learned from:" in " ".join(capsys.readouterr().out.split())


def test_a_miss_that_nobody_asked_about_is_no_failure(capsys: pytest.CaptureFixture[str]) -> None:
    from gyakusan.cli.bench import _answered
    from gyakusan.cli.options import Output
    from gyakusan.load_testing.result import BenchResult, Comparison, Figure, StepResult
    from gyakusan.load_testing.workload import Shape, Step
    from gyakusan.python.benching import Benched

    step = StepResult(Step(Shape(64, 32), users=1), 8.0, 20, each=Figure(10.0))
    missed = Comparison("decode", "", 1, "tokens/s", 100.0, 80.0, 120.0, 10.0)
    found = Benched(BenchResult("http://127.0.0.1:1/v1", "m", "2026-11-30T00:00:00Z", (step,), comparisons=(missed,)))
    assert _answered(found, Output(), None, None, judged=False) == 0
    assert _answered(found, Output(), None, None) == 1


def test_memory_alone_is_no_plan_that_was_kept(capsys: pytest.CaptureFixture[str]) -> None:
    """The demo said "serves 1 person as planned: 14 tokens/s" and "All 5 figures lie inside" above one row, of memory."""
    from gyakusan.cli.bench import _answered
    from gyakusan.cli.options import Output
    from gyakusan.load_testing.result import BenchResult, Comparison, Figure, StepResult
    from gyakusan.load_testing.workload import Shape, Step
    from gyakusan.python.benching import Benched

    step = StepResult(Step(Shape(64, 32), users=1), 8.0, 20, each=Figure(14.0), request_rate=2.5)
    memory = tuple(
        Comparison("memory", label, 0, "B", 2e9, 1e9, 3e9, 2e9) for label in ("", "weights host", "kv_cache host")
    )
    speed = Comparison("decode", "", 1, "tokens/s", 14.0, 10.0, 20.0, 14.0)
    for rows, planned, told in (
        (memory, False, "Its memory lies inside what was predicted."),
        ((*memory, speed), True, "All 2 figures lie inside what was predicted."),
    ):
        found = Benched(BenchResult("http://127.0.0.1:1/v1", "m", "2026-11-30T00:00:00Z", (step,), comparisons=rows))
        _answered(found, Output(lang="en"), None, None, judged=False)
        out = " ".join(capsys.readouterr().out.split())
        assert ("as planned" in out) is planned
        assert told in out


def test_no_answer_within_the_time_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    """The table said 9.1 tokens/s each and 0.0 of all, green, and a chart drew the zero."""
    with serving(FakeChat(first=1.5, gap=0.01)) as fake:
        assert main(["bench", fake.url, "--users", "1,2", "--seconds", "1s", "--answer", "8", "--lang", "en"]) == 0
    capsys.readouterr()
    assert main(["bench", "show", "1", "--lang", "en"]) == 0
    out = " ".join(capsys.readouterr().out.split())
    assert "Every answer of 1 person, 2 people ended after its time: what all got is not known." in out
    assert " 0.0 " not in out
    assert "but no answer ended in the time of the load" in out
    kept = Store().read(1)
    report = bench_report(kept, bench_screen.screen(kept, fresh=False))
    heads = [str(p.head) for p in report.pictures]
    assert "Answer tokens a second of everybody" not in heads
    assert "Time to the first token" in heads
    assert isinstance(report.screen[0], Verdict)
    assert report.screen[0].tone == "doubt"


@pytest.mark.parametrize(("last", "bends"), [(37.0, True), (0.0, False), (None, False)])
def test_a_bend_is_said_only_where_the_speed_of_all_is_known(last: float | None, bends: bool) -> None:
    """ "It bends at 2 people" stood under a table whose speed of all for 2 people was "?"."""
    steps = tuple(
        StepResult(Step(Shape(100, 8), users=n), 30.0, 5, all=None if speed is None else Figure(speed))
        for n, speed in ((1, 30.0), (2, last))
    )
    found = BenchResult("http://127.0.0.1:1/v1", "tiny", "2026-11-01T00:00:00Z", steps, limit=5)
    told = text_of(*bench_screen.screen(found))
    assert ("It bends at 2 people" in told) == bends
