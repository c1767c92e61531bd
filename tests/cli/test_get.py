"""gyakusan get, through the command line."""

from __future__ import annotations

import json
import re
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.documents.valid import valid
from tests.fakes import tiny
from tests.fakes.fake_download_hub import FakeHub, fake_hub

from gyakusan.cli import main


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeHub]:
    for name in ("HF_TOKEN", "HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE", "HF_HUB_OFFLINE", "LLAMA_CACHE"):
        monkeypatch.delenv(name, raising=False)
    for name in ("HOME", "HF_HOME", "OLLAMA_MODELS", "XDG_CACHE_HOME", "XDG_STATE_HOME"):
        monkeypatch.setenv(name, str(tmp_path))
    monkeypatch.setattr("gyakusan.fetching.stock.packaged", lambda: None)
    with fake_hub() as found:
        monkeypatch.setenv("HF_ENDPOINT", found.base)
        found.repositories["org/tiny-GGUF"] = {"tiny-Q4_K_M.gguf": tiny.gguf(), "mmproj-tiny-F16.gguf": b"m" * 10}
        yield found


def test_a_file(hub: FakeHub, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["get", "org/tiny-GGUF:Q4_K_M"]) == 0
    out, err = capsys.readouterr()
    assert out.startswith("org/tiny-GGUF Q4_K_M is here: 1 MB, checksum right, ")
    assert err.splitlines()[0].startswith("  Checking  1 MB to fetch, ")
    assert err.splitlines()[1] == "   Skipped  mmproj-tiny-F16.gguf: no image part is loaded (--images loads it)"
    assert main(["get", "org/tiny-GGUF:Q4_K_M", "--lang", "ja"]) == 0
    assert capsys.readouterr().out.startswith("org/tiny-GGUF Q4_K_Mはすでにあります。1 MB、保存元はHugging Faceです。")
    assert main(["get", "--list"]) == 0
    assert "org/tiny-GGUF:Q4_K_M" in capsys.readouterr().out


def test_documents(hub: FakeHub, capsys: pytest.CaptureFixture[str]) -> None:
    for words, state in ((["--dry-run"], "planned"), ([], "fetched"), (["--offline"], "here")):
        assert main(["get", "org/tiny-GGUF:Q4_K_M", "--json", *words]) == 0
        found = json.loads(capsys.readouterr().out)
        valid(found)
        assert found["state"] == state
    assert main(["get", "--list", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    valid(found)
    assert [m["name"] for m in found["models"]] == ["org/tiny-GGUF:Q4_K_M"]


def test_a_broken_fetch_says_how_to_go_on(hub: FakeHub, capsys: pytest.CaptureFixture[str]) -> None:
    hub.lies.cut_at, hub.lies.cuts, hub.lies.statuses, hub.lies.retry_after = 100_000, 1, [0, 429], "900"
    assert main(["get", "org/tiny-GGUF:Q4_K_M"]) == 3
    err = capsys.readouterr().err
    assert "127.0.0.1 limits the number of requests (429). 0 MB of 0 MB are here. Try again in 900 seconds" in err
    assert "gyakusan get org/tiny-GGUF:Q4_K_M goes on from there." in err
    assert main(["get", "org/tiny-GGUF:Q4_K_M"]) == 0


def test_ctrl_c(hub: FakeHub, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    from gyakusan.fetching import transfer

    real, written = transfer.write, [0]

    def stop(file: object, block: bytes) -> None:
        if written[0]:
            raise KeyboardInterrupt
        real(file, block)  # type: ignore[arg-type]
        written[0] += len(block)

    monkeypatch.setattr(transfer, "write", stop)
    assert main(["get", "org/tiny-GGUF:Q4_K_M"]) == 130
    assert "gyakusan get org/tiny-GGUF:Q4_K_M goes on from there." in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "A plan or a model is missing."),
        (["--list", "x"], "--list names every model; x is one argument too many."),
        (["1"], "There is no last answer to number plans by."),
        (["1", "--quant", "Q8_0"], "1 is a plan, which has its own format and server."),
        (["./none.gguf"], '"./none.gguf" names no published model.'),
        (["gpt-oss-20b", "--quant", "Q5_1"], "Nobody is known to publish gpt-oss-20b in Q5_1."),
    ],
)
def test_mistakes(hub: FakeHub, words: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["get", *words]) == 2
    assert said in capsys.readouterr().err
    assert hub.log == []


def test_a_plan_by_its_number(hub: FakeHub, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["plan", "--device", "RTX 3060 12GB", "--model", "qwen3-8b", "--json"]) == 0
    plan = json.loads(capsys.readouterr().out)["plans"][0]
    argv = plan["command"]["argv"]
    repository, _, tag = argv[argv.index("-hf") + 1].partition(":")
    hub.repositories[repository] = {f"qwen-{tag}.gguf": tiny.gguf(), "qwen-Q2_K.gguf": b"no"}
    assert main(["serve", "1"]) == 2  # first of all, whose plan it is: its files would be of no use here
    assert "Plan 1 is for an RTX 3060 12GB; this computer has" in capsys.readouterr().err
    assert main(["get", "1", "--dry-run"]) == 0
    assert "Plan 1 is for an RTX 3060 12GB; this computer has" in " ".join(capsys.readouterr().err.split())
    assert main(["get", "1"]) == 0
    out = capsys.readouterr().out
    assert f"qwen3-8b {tag} is here" in out.replace("\n", " ")
    assert "By the file's header it takes" in out.replace("\n", " ")
    assert main(["plan", "--device", "RTX 3060 12GB", "--model", "qwen3-8b", "--all"]) == 0
    last = max(int(n) for n in re.findall(r"(?m)^ *(\d+)  ", capsys.readouterr().out))  # of the list behind the table
    assert main(["get", "99"]) == 2
    error = capsys.readouterr().err
    assert "The last answer has no plan 99." in error
    assert f"Its plans are 1 to {last}; plan --all lists them." in " ".join(error.split())


def test_the_packaged_model_is_here_and_a_known_size_needs_no_network(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("HF_HOME", str(tmp_path))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    assert main(["get", "smollm2", "--json"]) == 0
    got = json.loads(capsys.readouterr().out)
    assert got["path"].endswith("SmolLM2-135M-Instruct.Q4_1.gguf")
    assert main(["get", "smollm2", "--quant", "Q4_K_M"]) == 3  # another format is another file
    capsys.readouterr()
    assert main(["get", "gpt-oss-20b", "--dry-run", "--offline", "--json"]) == 0
    got = json.loads(capsys.readouterr().out)
    assert got["state"] == "planned"
    assert got["bytes"] > 10e9


@pytest.fixture
def unreachable(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No hub answers: nothing listens on its port."""
    monkeypatch.setenv("HF_HOME", str(tmp_path))
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{free.getsockname()[1]}")


@pytest.mark.usefixtures("unreachable")
@pytest.mark.parametrize("model", ["gpt-oss-20b", "qwen3-8b"])
def test_a_dry_run_has_the_catalogue_s_size_where_the_hub_does_not_answer(
    model: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["get", model, "--dry-run", "--lang", "en"]) == 0
    assert "GB by the catalogue; the hub could not be asked." in " ".join(capsys.readouterr().out.split())
    assert main(["get", model, "--dry-run", "--json"]) == 0
    got = json.loads(capsys.readouterr().out)
    assert (got["state"], got["by_catalogue"]) == ("planned", True)
    assert got["missing_bytes"] == got["bytes"] > 4e9
    assert main(["get", model, "--lang", "en"]) == 3  # not without --dry-run
    assert "127.0.0.1" in capsys.readouterr().err


@pytest.mark.usefixtures("unreachable")
@pytest.mark.parametrize("device", ["Mac mini M6 16GB", "RTX 4090", "2x RTX 3090"])
def test_a_dry_run_of_a_plan_has_its_size_without_the_hub(
    device: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Of an MLX conversion whose bytes nobody wrote down the plan has counted the weights."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    assert main(["plan", "--device", device]) == 0
    capsys.readouterr()
    assert main(["get", "1", "--dry-run", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["missing_bytes"] > 1e9


@pytest.mark.usefixtures("unreachable")
def test_a_size_that_nobody_knows_needs_the_hub(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["get", "org/unknown-GGUF:Q4_K_M", "--dry-run"]) == 3
