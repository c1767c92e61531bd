"""gyakusan plan --nodes: files, options, the screen in both languages, JSON, commands."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path
from typing import Any

import pytest
from tests.documents.valid import valid
from tests.planning.nodes.computers import described

import gyakusan
from gyakusan.cli import main
from gyakusan.errors import BadSetting

ASKED = ("--model", "qwen2.5-72b")


@pytest.fixture
def lab(tmp_path: Path) -> Path:
    """Two unequal computers and one without a GPU, in one file with their link."""
    nodes = [
        described("rtx4090", name="desk", address="10.0.0.2"),
        described("two_rtx3090", name="rack", address="10.0.0.1"),
        described("small_vm", name="old"),
    ]
    file = tmp_path / "nodes.json"
    file.write_text(json.dumps({"nodes": nodes, "link": "10GbE"}), "utf-8")
    return file


def printed(capsys: pytest.CaptureFixture[str], *words: str | Path, code: int = 0) -> str:
    assert main(["plan", *map(str, words), "--no-color"]) == code
    return capsys.readouterr().out


def test_the_screen(lab: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    out = printed(capsys, "--nodes", lab, *ASKED)
    assert out.startswith("Run qwen2.5-72b (Q4_K_M) with llama.cpp over rack, desk, joined to one server")
    assert "rack 33.0 GiB, desk 23.5 GiB, old 22.5 GiB, link 10 Gbit/s, 50 us" in out
    assert " 1  rack + desk" in out
    assert all(len(row) <= 80 for row in out.splitlines())
    japanese = printed(capsys, "--nodes", lab, *ASKED, "--lang", "ja")
    assert "1つのサーバーに連結" in japanese
    assert "joined" not in japanese


def test_several_files_and_a_link(lab: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words: list[str | Path] = []
    for number, one in enumerate(json.loads(lab.read_text("utf-8"))["nodes"]):
        (tmp_path / f"{number}.json").write_text(json.dumps(one), "utf-8")
        words += ["--nodes", tmp_path / f"{number}.json"]
    assert "link 1 Gbit/s, 50 us (assumed: --link)" in printed(capsys, *words, *ASKED)
    assert "link 100 Gbit/s, 20 us" in printed(capsys, *words, "--link", "100Gb/s,20us", *ASKED)
    assert "link 2.5 Gbit/s" in printed(capsys, "--nodes", lab, "--link", "2.5GbE", *ASKED)


def test_details_and_commands(lab: Path, capsys: pytest.CaptureFixture[str]) -> None:
    told = printed(capsys, "--nodes", lab, *ASKED, "--details", "1")
    assert "% of the layers" in told
    assert "NVIDIA GeForce RTX 4090: " in told
    assert "on desk: ggml-rpc-server" in told
    lines = printed(capsys, "--nodes", lab, *ASKED, "--command", "1").splitlines()
    assert lines[::2] == ["# desk", "# rack", "# rack"]
    assert [line.split()[0] for line in lines[1::2]] == ["ggml-rpc-server", "ssh", "llama-server"]


def test_the_document(lab: Path, capsys: pytest.CaptureFixture[str]) -> None:
    document: dict[str, Any] = valid(json.loads(printed(capsys, "--nodes", lab, *ASKED, "--json")))
    assert document["schema"] == "gyakusan/nodes/1"
    first = document["layouts"][0]
    assert (first["form"], [n["name"] for n in first["nodes"]]) == ("workers", ["rack", "desk"])
    assert sum(n["share"] for n in first["nodes"]) == pytest.approx(1)
    assert first["plans"][0]["memory"]["devices"][0]["name"] == "NVIDIA GeForce RTX 4090"
    assert document["link"] == {"bandwidth": 1.25e9, "latency": 5e-05, "assumed": False}
    answer = gyakusan.plan(nodes=lab, model="qwen2.5-72b", currency="JPY")  # as the command fills it in
    assert answer.to_dict("en") == {**document, "catalogue": answer.to_dict("en")["catalogue"]}
    assert "1. qwen2.5-72b Q4_K_M, llama.cpp on rack + desk: workers" in repr(answer)


def test_python_takes_what_detect_returns() -> None:
    nodes = [described("rtx4090"), described("gb10")]
    answer = gyakusan.plan(nodes=nodes, link="10GbE", model="gpt-oss-20b", users=2)
    assert answer.layouts[0].form == "alone"
    with pytest.raises(BadSetting, match="only one node"):
        gyakusan.plan(nodes=nodes[0])
    with pytest.raises(BadSetting, match="0 nodes"):
        gyakusan.plan(nodes=[])
    with pytest.raises(BadSetting, match="--link is the network between nodes"):
        gyakusan.plan(link="10GbE")


def test_a_link_needs_nodes(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["plan", "--link", "10GbE"]) == 2
    assert "there are none. Name them: --nodes FILE" in capsys.readouterr().err


def test_a_number_after_nodes_says_what_was_asked(lab: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """It was said that there is no last answer, just after one had come."""
    printed(capsys, "--device", "RTX 4090", "--model", "gpt-oss-20b")
    printed(capsys, "--nodes", lab, *ASKED)
    assert main(["plan", "--details", "1"]) == 2
    told = capsys.readouterr().err
    assert "over several computers" in told
    assert "Ask it again: gyakusan plan --nodes FILE, with --details N or --command N." in told


@pytest.mark.parametrize(
    "words", [["serve", "1", "--dry-run"], ["get", "1"], ["export", "1", "--to", "systemd"]], ids=lambda w: w[0]
)
def test_a_number_of_a_plan_over_computers_says_what_prints_the_commands_of_each(
    lab: Path, capsys: pytest.CaptureFixture[str], words: list[str]
) -> None:
    lines = printed(capsys, "--nodes", lab, *ASKED, "--command", "1")
    capsys.readouterr()
    assert main([*words, "--lang", "en"]) == 2
    told = capsys.readouterr().err
    assert "Plan 1 of the last answer is for " in told
    found = re.search(
        r"a line for each command: gyakusan (.+) - what else to do: gyakusan (.+ --details 1)$", told.strip()
    )
    assert found is not None, told
    assert main([*shlex.split(found[1]), "--lang", "en"]) == 0
    assert capsys.readouterr().out == lines
    assert main([*shlex.split(found[2]), "--lang", "en"]) == 0


def test_a_plan_that_an_answer_over_computers_lacks_is_said(lab: Path, capsys: pytest.CaptureFixture[str]) -> None:
    printed(capsys, "--nodes", lab, *ASKED)
    assert main(["serve", "99", "--lang", "en"]) == 2
    told = capsys.readouterr().err
    assert "The last answer has no plan 99. Its plans are 1 to " in told
    assert "gyakusan plan --nodes" in told


def test_what_is_done_once_a_server_listens(lab: Path, capsys: pytest.CaptureFixture[str]) -> None:
    asked = ["plan", "--nodes", str(lab), "--model", "gpt-oss-20b", "--engine", "ollama"]
    assert main([*asked, "--command", "1"]) == 0
    assert "Once the server listens: ollama pull" in capsys.readouterr().err
    assert "Once the server listens: ollama pull" in printed(capsys, *asked[1:], "--details", "1")


def test_nothing_fits_is_exit_code_one(lab: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = printed(capsys, "--nodes", lab, "--model", "deepseek-v3", code=1)
    assert out.startswith("Nothing fits on these 3 nodes.")
    assert printed(capsys, "--nodes", lab, "--model", "deepseek-v3", "--details", "1", code=1) == out
    assert printed(capsys, "--nodes", lab, "--model", "deepseek-v3", "--command", "1", code=1) == out


@pytest.mark.parametrize(
    ("words", "match"),
    [
        (("--device", "RTX 4090"), "--nodes names the computers"),
        (("--budget", "100000JPY"), "--nodes names the computers"),
        (("--what-if",), "none of the other views"),
        (("--lan",), "none of the other views"),
        (("--compose", "1"), "none of the other views"),
        (("--details", "9"), "No plan has the number 9"),
        (("--link", "fast"), "network speed was expected"),
    ],
)
def test_what_does_not_go_together(
    lab: Path, words: tuple[str, ...], match: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["plan", "--nodes", str(lab), *ASKED, *words]) == 2
    assert match in capsys.readouterr().err


@pytest.mark.parametrize("more", [1, 2])
def test_files_that_a_shell_listed(more: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    files = [tmp_path / f"{n}.json" for n in range(1 + more)]
    for file in files:
        file.write_text(json.dumps(described("rtx4090")), "utf-8")
    assert main(["plan", "--nodes", *map(str, files)]) == 2
    assert "Write --nodes before each file" in capsys.readouterr().err


def test_a_file_that_is_named_twice(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "box.json"
    file.write_text(json.dumps(described("rtx4090")), "utf-8")
    assert main(["plan", "--nodes", str(file), "--nodes", f"{tmp_path}/./box.json"]) == 2
    assert "box.json was given twice. Name it once." in capsys.readouterr().err


@pytest.mark.parametrize("text", ["", "{", "[]", '{"schema": "gyakusan/detect/9"}', "\x00", "[1, 2]"])
def test_a_broken_file(text: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "broken.json"
    file.write_text(text, "utf-8")
    assert main(["plan", "--nodes", str(file)]) == 2
    told = capsys.readouterr().err
    assert "Traceback" not in told
    assert len(told.splitlines()) >= 1


def test_a_file_that_is_not_there(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["plan", "--nodes", str(tmp_path / "none.json")]) == 2
    assert "none.json" in capsys.readouterr().err
