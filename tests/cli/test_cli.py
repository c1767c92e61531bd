"""The command line as a person meets it: answers, exit codes, and one line for each mistake."""

from __future__ import annotations

import gzip
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from tests.models.building import recreated

from gyakusan.catalog.places import RELEASE
from gyakusan.cli import main
from gyakusan.core.dtypes import BY_CODE
from gyakusan.core.ledger import PARTS
from gyakusan.units import GIB

TRUTH = Path(__file__).parent.parent / "truth"


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Any:
    def call(*arguments: str) -> tuple[int, str, str]:
        code = main(arguments)
        out, err = capsys.readouterr()
        return code, out, err

    return call


def answer(run: Any, *arguments: str) -> dict[str, Any]:
    code, out, err = run(*arguments, "--json")
    assert (code, err) == (0, "")
    return dict(json.loads(out))


GPT_OSS = ("inspect", "gpt-oss-20b", "--quant", "MXFP4", "--context", "131072", "--users", "1", "--device", "RTX 4090")


def test_the_guide_said_48_gib_and_it_is_3(run: Any) -> None:
    gpu = answer(run, *GPT_OSS)["devices"][0]
    kept = sum(line["bytes"] for line in gpu["lines"] if line["kind"] == "kv_cache")
    assert kept == 3 * GIB + 18 * 2**20
    assert gpu["fits"] is True


@pytest.mark.parametrize(("tag", "size"), [("14b", 9.0), ("32b", 20), ("72b", 47)])
def test_qwen_weighs_what_the_registry_lists(tag: str, size: float) -> None:
    from gyakusan.models import load

    listed = load(f"qwen2.5:{tag}", "Q4_K_M").bytes / 1e9
    assert round(listed, 1 if size < 10 else 0) == size


def test_the_contract(run: Any) -> None:
    got = answer(run, *GPT_OSS)
    head = {"schema": "gyakusan/inspect/1", "catalogue": RELEASE}
    assert got.items() >= head.items()
    assert set(got) - set(head) == {
        *("model", "engine", "settings", "load", "devices", "fits", "notes", "pace", "quality")
    }
    assert set(got["model"]) == {
        *(
            "name",
            "architecture",
            "parameters",
            "active_parameters",
            "quantization",
            "trained_context",
            "source",
            "size",
        )
    }
    assert got["engine"] == {"name": "llama.cpp", "version": "b11434"}
    assert got["load"] == {"users": 1, "context": 131072}
    for device in got["devices"]:
        assert set(device) == {
            *(
                "name",
                "kind",
                "capacity",
                "usable",
                "total",
                "total_low",
                "total_high",
                "fits",
                "short_by",
                "lines",
                "surely_left",
            )
        }
        assert device["total"] == sum(line["bytes"] for line in device["lines"])
        for line in device["lines"]:
            assert set(line) == {
                *("kind", "part", "bytes", "low", "high", "grows", "cap", "basis", "reason", "formula")
            }
            assert line["cap"] == (line["high"] if line["grows"] else None)
            assert line["part"] in PARTS
            assert line["low"] <= line["bytes"] <= line["high"]
            assert line["basis"] in ("read", "derived", "measured", "assumed")
            assert line["kind"] in ("weights", "kv_cache", "recurrent_state", "scratch", "overhead")


def test_what_does_not_fit_is_an_answer(run: Any) -> None:
    code, out, _ = run("inspect", "qwen2.5-72b", "--device", "RTX 4090")
    assert code == 1
    assert out.startswith(
        "qwen2.5-72b does not fit on an RTX 4090 for 1 person with 8,192 tokens.\n46.31 to 46.69 GiB are needed"
    )
    assert "tokens/s (" not in out
    assert "Quality" not in out
    code, out, _ = run("inspect", "qwen2.5-72b", "--device", "RTX 4090", "--json")
    gpu = json.loads(out)["devices"][0]
    assert (code, gpu["fits"], gpu["short_by"]) == (1, False, gpu["total"] - gpu["usable"])


def test_why_prints_the_numbers(run: Any) -> None:
    _, out, _ = run(*GPT_OSS, "--why")
    text = " ".join(out.split())
    assert "131,072" in text
    assert "12 layers" in text
    assert "weights, 10.69 GiB, derived" in text


def test_the_largest_context_fits_and_one_page_more_does_not(run: Any) -> None:
    _, out, _ = run("inspect", "qwen2.5-14b", "--memory", "16GiB")
    text = " ".join(out.split())
    most = int(text.split("At most ")[1].split(" tokens")[0].replace(",", ""))
    assert run("inspect", "qwen2.5-14b", "--memory", "16GiB", "--context", str(most))[0] == 0
    assert run("inspect", "qwen2.5-14b", "--memory", "16GiB", "--context", str(most + 256))[0] == 1


def test_everything_within_a_budget_names_its_machine_and_price(run: Any) -> None:
    code, out, _ = run("plan", "--budget", "500000JPY", "--users", "2", "--families", "gemma3", "--all")
    listed = out.split("Nothing beats these in price and the low ends of quality and answer speed")[1].splitlines()
    assert code == 0
    assert listed[1].split() == ["machine", "files", "tokens/s", "answer", "quality", "yen"]
    assert listed[2].startswith("gemma3-"), "the model stands above its plans"
    assert 0 < int(listed[3].split()[-1].replace(",", "")) <= 500_000


def test_plan_offers_only_what_fits(run: Any) -> None:
    got = answer(run, "plan", "--device", "RTX 4090", "--users", "2", "--context", "8k", "--all")
    fitting = {p["model"] for p in got["frontier"]} | {p["model"] for p in got["plans"]}
    assert "llama3.1-405b" not in fitting
    assert "llama3.1-405b" in [e["model"] for e in got["excluded"]]
    assert all(p["memory"]["fits"] and p["left"] >= 0 for p in got["plans"])
    keys = {
        "role",
        "model",
        "quantization",
        "engine",
        "machine",
        "settings",
        "command",
        "memory",
        "pace",
        "quality",
        "price",
        "binds",
    }
    assert all(keys <= p.keys() for p in got["plans"])
    assert (got["question"]["users"], got["question"]["usual"]["prompt"]) == (2, 1000)


def test_plan_reads_a_file_and_options_win(run: Any, tmp_path: Path) -> None:
    file = tmp_path / "office.toml"
    file.write_text('device = "RTX 3060 12GB"\nusers = 3\n')
    assert answer(run, "plan", str(file), "--users", "1")["question"]["users"] == 1
    code, out, _ = run("plan", str(file), "--csv")
    assert code == 0
    assert out.startswith("model,quantization,kv_type,engine,machine")
    file.write_text("userz = 3\n")
    code, _, err = run("plan", str(file))
    assert code == 2
    assert "userz" in err
    assert run("plan", str(tmp_path / "missing.toml"))[0] == 2


def test_plan_says_why_not(run: Any) -> None:
    got = answer(run, "plan", "--device", "RTX 3060 12GB", "--why-not", "GPT-OSS-120B")
    assert got["why_not"]["name"] == "gpt-oss-120b"
    assert "lacks 47.4 GiB" in " ".join(got["why_not"]["reasons"])
    code, out, _ = run("plan", "--memory", "8GiB", "--context", "10000000")
    assert code == 1
    assert "What would work" in " ".join(out.split())


def test_detect_sees_this_computer(run: Any) -> None:
    got = answer(run, "detect")
    assert got["cores"] >= 1
    assert any(d["kind"] in ("host", "unified") and d["memory"] > 0 for d in got["devices"])


def test_version_and_help(run: Any) -> None:
    assert run("--version")[0] == 0
    code, out, _ = run("--help")
    assert code == 0
    assert all(name in out for name in ("inspect", "plan", "detect", "serve"))


BAD = {
    ("inspect", "gpt-oss-20b", "--context", "0"): "whole number",
    ("inspect", "gpt-oss-20b", "--users", "-1"): "whole number",
    ("inspect", "gpt-oss-20b", "--users", "1.5"): "whole number",
    ("inspect", "gpt-oss-20b", "--memory", "24"): "24GiB",
    ("inspect", "gpt-oss-20b", "--memory", "0GiB"): "above 0",
    ("inspect", "gpt-oss-20b", "--memory", "24 parsecs"): "quantity",
    ("inspect", "gpt-oss-20b", "--device", "RTX 5099"): "RTX 509",
    ("inspect", "gpt-oss-20b", "--device", "0x RTX 3090"): "1 to 64",
    ("inspect", "gpt-oss-21b"): "gpt-oss-20b",
    ("inspect", "gpt-oss-20b", "--quant", "Q4_K_X"): "Q4_K",
    ("inspect", "gpt-oss-20b", "--kv-type", "q9_0"): "Q8_0",
    ("inspect", "gpt-oss-20b", "--kv-type", "q8_0", "--flash-attention", "off"): "flash attention",
    ("inspect", "gpt-oss-20b", "--ubatch", "0"): "1 or more",
    ("inspect", "gpt-oss-20b", "--ubatch", "many"): "--help",
    ("inspect", "/nowhere/model.gguf"): "/nowhere/model.gguf",
    ("inspect", "/nowhere/"): "/nowhere",
    ("inspect", "ftp://host/model.gguf"): "https://",
    ("inspect", "file:///etc/passwd"): "https://",
    ("inspect", ""): "name",
    ("inspect", "x" * 5000): "too long",
    ("inspect",): "model",
    ("inspect", "gpt-oss-20b", "--nope"): "--help",
    ("nope",): "--help",
    ("serve", "gpt-oss-20b"): "gyakusan get gpt-oss-20b",
    ("serve", "smollm2", "--key-file", "/nowhere"): "path",
}


@pytest.mark.parametrize(("arguments", "hint"), list(BAD.items()), ids=lambda x: " ".join(x)[:60] if x else "-")
def test_a_mistake_is_one_line_that_names_the_mend(run: Any, arguments: tuple[str, ...], hint: str) -> None:
    code, out, err = run(*arguments)
    assert code in (2, 3)
    assert out == ""
    assert len(err.splitlines()) == 1
    assert err.startswith("gyakusan: ")
    assert hint.casefold() in err.casefold()
    assert len(err) < 400


def test_a_plan_that_does_not_fit_is_not_started(run: Any) -> None:
    code, out, err = run("serve", "smollm2", "--users", "4000", "--context", "8k", "--cpu")
    assert (code, out) == (1, "")
    assert "short by" in err
    assert "--anyway" in err
    assert int(err.split("--users ")[1].split()[0].rstrip(".")) > 0


def test_a_directory_that_holds_no_model(run: Any, tmp_path: Path) -> None:
    code, _, err = run("inspect", str(tmp_path))
    assert (code, len(err.splitlines())) == (2, 1)
    assert "config.json" in err


def test_a_directory_with_a_config_alone(run: Any, tmp_path: Path) -> None:
    config = {
        "model_type": "qwen2",
        "hidden_size": 5120,
        "intermediate_size": 13824,
        "max_position_embeddings": 32768,
        "num_attention_heads": 40,
        "num_hidden_layers": 48,
        "num_key_value_heads": 8,
        "tie_word_embeddings": False,
        "vocab_size": 152064,
    }
    (tmp_path / "config.json").write_text(json.dumps(config))
    got = answer(run, "inspect", str(tmp_path), "--quant", "Q4_K_M", "--device", "RTX 5090")
    known = answer(run, "inspect", "qwen2.5-14b", "--quant", "Q4_K_M", "--device", "RTX 5090", "--context", "8192")
    assert got["model"]["parameters"] == known["model"]["parameters"]
    assert got["devices"][0]["total"] == known["devices"][0]["total"]


def test_a_file_says_the_same_as_the_catalogue(run: Any, tmp_path: Path) -> None:
    path = tmp_path / "model.gguf"
    meta = json.loads(gzip.decompress((TRUTH / "gguf_meta.json.gz").read_bytes()))
    head, size = recreated(meta["qwen2.5-14b"], "Q4_K_M", {d.code: d.name for d in BY_CODE.values()})
    path.write_bytes(head)
    os.truncate(path, size)
    ours = answer(run, "inspect", str(path), "--device", "RTX 5090")
    listed = answer(run, "inspect", "qwen2.5-14b", "--device", "RTX 5090")
    assert ours["devices"] == listed["devices"]


def test_japanese_changes_every_sentence(run: Any) -> None:
    _, english, _ = run(*GPT_OSS, "--why")
    _, japanese, _ = run(*GPT_OSS, "--why", "--lang", "ja")
    same = set(english.splitlines()) & set(japanese.splitlines())
    sentences = [
        line for line in same if sum(c.isalpha() for c in line) > 12 and " x " not in line and "MiB (" not in line
    ]
    assert [s for s in sentences if "RTX" not in s and "gpt-oss" not in s] == []


def _process(*words: str, out: Any = subprocess.PIPE, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "gyakusan", *words]
    around = {**os.environ, **environment}
    return subprocess.run(
        command, env=around, stdout=out, stderr=subprocess.PIPE, text=True, errors="replace", check=False
    )


@pytest.mark.parametrize("json_", [(), ("--json",)])
def test_a_stream_of_ascii_takes_every_answer(json_: tuple[str, ...]) -> None:
    done = _process("inspect", "qwen3-8b", "--lang", "ja", *json_, PYTHONIOENCODING="ascii:strict", PYTHONUTF8="0")
    assert (done.returncode, done.stderr) == (0, "")
    assert "\\u" in done.stdout
    if json_:
        assert json.loads(done.stdout)


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "utf-8"])
def test_json_is_json_on_every_stream(encoding: str, tmp_path: Path) -> None:
    name = "Gen\xe8ve \U0001f600"
    file = tmp_path / f"{name}.toml"
    file.write_text('device = "RTX 4090"\nfamilies = "gemma3"\n')
    done = _process("compare", "--plan", str(file), "--json", PYTHONIOENCODING=encoding, PYTHONUTF8="0")
    assert json.loads(done.stdout)[0]["title"] == name
    done = _process("inspect", name, "--offline", "--json", PYTHONIOENCODING=encoding, PYTHONUTF8="0")
    assert done.returncode == 2
    assert name in json.loads(done.stdout)["error"]


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="this computer has no /dev/full")
def test_a_full_disk_is_one_line() -> None:
    with open("/dev/full", "w") as full:
        done = _process("inspect", "qwen3-8b", "--lang", "en", out=full)
    assert done.returncode == 3
    assert done.stderr == "gyakusan: The answer cannot be written: No space left on device.\n"


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="this computer has no /dev/full")
def test_no_stream_costs_the_exit_code() -> None:
    for words, streams, code in (
        ("--version", ">/dev/full", 3),
        ("--version", ">&-", 3),
        ("inspect qwen3-8b --device RTX4090", ">&-", 3),
        ("plan --device nothing", "2>/dev/full", 2),
        ("plan --device nothing", "2>&-", 2),
    ):
        shell = ["sh", "-c", f"{sys.executable} -m gyakusan {words} {streams}"]
        done = subprocess.run(shell, capture_output=True, text=True, check=False)
        assert done.returncode == code, (words, streams)
        assert "Traceback" not in done.stderr
        assert done.stderr.startswith("gyakusan: ") == ("2>" not in streams)


def test_an_interrupt_while_modules_are_imported(
    run: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted() -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("gyakusan.cli._prepare", interrupted)
    assert run("inspect", "qwen3-8b", "--lang", "en") == (130, "", "Interrupted.\n")


def test_a_date_is_no_number(tmp_path: Path, run: Any) -> None:
    file = tmp_path / "q.toml"
    file.write_text("users = 1979-05-27\n")
    code, _, err = run("plan", str(file), "--device", "RTX 4090", "--lang", "en")
    assert code == 2
    assert err.startswith("gyakusan: users cannot be datetime.date(1979, 5, 27).")


def test_control_characters_do_not_reach_the_terminal(run: Any, tmp_path: Path) -> None:
    _, _, err = run("plan", str(tmp_path / "a\x1b[31m\u202eb.toml"))
    assert "a?[31m?b.toml" in err


@pytest.mark.parametrize("columns", ["0", "1", "-5", "999999999999", "wide"])
def test_an_absurd_width_is_80(columns: str) -> None:
    usual = _process("inspect", "--help", COLUMNS="80", GYAKUSAN_LANG="en")
    assert _process("inspect", "--help", COLUMNS=columns, GYAKUSAN_LANG="en").stdout == usual.stdout


PROGRAM = """
import atexit, sys, threading
from gyakusan.cli import program
atexit.register(lambda: print("registered for the end"))
told = threading.Event()
if sys.argv.pop(1) == "thread":
    threading.Thread(target=told.wait, args=(20,)).start()
code = program()
told.set()
print("went on")
sys.exit(code)
"""


@pytest.mark.parametrize(
    ("kind", "last"), [("alone", "registered for the end"), ("thread", "went on\nregistered for the end")]
)
@pytest.mark.parametrize(("words", "code"), [(("--version",), 0), (("plan", "--device", "no such"), 2)])
def test_the_program_ends_at_once_after_what_was_registered_for_the_end_unless_a_thread_runs(
    kind: str, last: str, words: tuple[str, ...], code: int
) -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, kind, *words], capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == code
    assert done.stdout.strip().endswith(last)
    assert ("went on" in done.stdout) is (kind == "thread")
