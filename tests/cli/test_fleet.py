"""gyakusan fleet: what a person and a program read."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

import gyakusan
from gyakusan.cli import main
from gyakusan.engines.service_files import KEY_FILE

OFFICE = ("fleet", "--arrivals", "2000/h", "--budget", "5000000JPY", "--api-input", "0.15USD", "--api-output", "0.6USD")
LAB = ("fleet", "--users", "16", "--device", "4x RTX 4090", "--model", "qwen3-235b-a22b", "--engine", "vllm")

TEAM = ("fleet", "--users", "50", "--device", "RTX 5090", "--model", "gemma3-12b", "--engine", "llama.cpp")


@pytest.fixture(autouse=True)
def config(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A folder for the user's own files, which is not there yet."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    return tmp_path / "config"


def said(capsys: pytest.CaptureFixture[str], *arguments: str, code: int = 0) -> str:
    assert main(arguments) == code
    return " ".join(capsys.readouterr().out.split())


def document(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, Any]:
    assert main([*arguments, "--json"]) == 0
    return dict(json.loads(capsys.readouterr().out))


def test_people_beside_a_rate_are_said(capsys: pytest.CaptureFixture[str]) -> None:
    """Four PCs were bought for 100 people that no line named, where one is enough for the rate."""
    busy = ("fleet", "--arrivals", "60/h", "--device", "RTX 5090", "--model", "gpt-oss-20b", "--lang", "en")
    assert "For: 60 requests an hour, 8,192 tokens each, chat, places for 100 people at once" in said(
        capsys, *busy, "--users", "100"
    )
    assert "places for" not in said(capsys, *busy)


def test_the_screen_says_what_it_rests_on(capsys: pytest.CaptureFixture[str]) -> None:
    text = said(capsys, *OFFICE)
    for part in (
        "For: 2,000 requests an hour, 8,192 tokens each, chat",
        "36 months, 31 yen/kWh, 24 h a day, no upkeep (defaults)",
        "If it fails, nobody is served; --spare 1 adds a machine.",
        "A million answer tokens, thinking included, cost ",
        "An API costs ",
        "yen a month for the same tokens; 1 is cheaper from ",
    ):
        assert part in text
    assert "If one fails, 50 % are still served; --spare 1 adds a machine." in said(capsys, *TEAM)


def test_japanese(capsys: pytest.CaptureFixture[str]) -> None:
    text = said(capsys, *OFFICE, "--lang", "ja")
    assert "1時間2,000件" in text
    assert "最安" in text
    assert "JPY" not in text


def test_the_json_has_everything(capsys: pytest.CaptureFixture[str]) -> None:
    got = document(capsys, *OFFICE)
    assert set(got) == {"schema", "catalogue", "question", "terms", "plans", "nearest", "rates", "cells"}
    assert got["question"]["arrivals"] == pytest.approx(2000 / 3600)
    assert got["question"]["budget"] == {"amount": 5_000_000.0, "currency": "JPY"}
    assert got["terms"]["api_input"] == {"amount": 0.15, "currency": "USD"}
    assert {"months", "tariff", "idle", "around_w"} <= set(got["terms"]["assumed"])
    assert "api_input" not in got["terms"]["assumed"]
    for plan in got["plans"]:
        cost = plan["cost"]["asked"]
        assert plan["machines"] == plan["replicas"] * plan["nodes"] + plan["spares"]
        assert cost["total"] == pytest.approx(cost["purchase"] + cost["power"] + cost["upkeep"])
        assert plan["memory"]["fits"]
        assert plan["queue"]["slots"] <= plan["users_each"]
        assert 0 < plan["queue"]["working"] <= 1
        assert plan["failure"]["verdict"] in ("spare", "holds", "slower", "full", "stops")
        assert plan["commands"][0]["argv"]


def test_each_machine_of_a_replica_has_its_command(capsys: pytest.CaptureFixture[str]) -> None:
    text = said(capsys, *LAB)
    assert "never measured" in text
    assert "Its price is not known" in text
    assert "Its price is not known" not in said(capsys, *LAB, "--price", "3000000JPY")
    assert "add --first-address" in said(capsys, *LAB)
    text = said(capsys, *LAB, "--details", "1")
    assert "add --first-address" in text
    assert "vllm serve" not in text
    text = said(capsys, *LAB, "--details", "1", "--first-address", "10.0.0.5")
    assert "machine 1: " in text
    assert "--node-rank 1 --master-addr 10.0.0.5 --headless" in text
    assert "all need the same key" in text


def test_commands_across_machines_need_the_address_of_the_first(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*LAB, "--command", "1"]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert "--first-address" in err
    assert document(capsys, *LAB)["plans"][0]["commands"] == []
    assert main([*LAB, "--command", "1", "--first-address", "10.0.0.5"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) > 1
    assert all("VLLM_API_KEY=" in line and "$(cat " in line and "vllm serve" in line for line in lines)


def test_commands_are_short_and_read_a_key_of_their_machine(capsys: pytest.CaptureFixture[str], config: Path) -> None:
    assert main([*TEAM, "--command", "1"]) == 0
    out, err = capsys.readouterr()
    assert f"$(cat {KEY_FILE})" in out
    assert not config.exists()
    assert "LLAMA_API_KEY=" in out
    assert " --host 0.0.0.0 " in out
    assert "all need the same key" in err
    assert main([*TEAM, "--command", "1", "--all-flags"]) == 0
    full = capsys.readouterr().out
    assert len(full.split()) > len(out.split())
    got = document(capsys, *TEAM)["plans"][0]
    assert got["key_variable"] == "LLAMA_API_KEY"
    assert set(got["commands"][0]["argv"]) - {"--no-ui", "--no-webui"} <= set(full.split())


def test_one_machine_alone_is_reached_by_others_with_a_key(capsys: pytest.CaptureFixture[str], config: Path) -> None:
    alone = ("fleet", "--users", "2", "--device", "RTX 5090", "--families", "gemma3", "--engine", "llama.cpp")
    assert main([*alone, "--replicas", "1", "--command", "1"]) == 0
    out, err = capsys.readouterr()
    assert 'LLAMA_API_KEY="$key" llama-server ' in out
    assert " --host 0.0.0.0 " in out
    assert "copy it to the others" not in err
    assert document(capsys, *alone, "--replicas", "1")["plans"][0]["key_variable"] == "LLAMA_API_KEY"
    assert not config.exists()


MAC = ("fleet", "--users", "10", "--device", "M5 Max 48GB", "--families", "gemma4")


def test_a_fleet_says_why_it_is_not_what_plan_proposes(capsys: pytest.CaptureFixture[str]) -> None:
    text = said(capsys, *MAC)
    assert "MLX-LM is left out, which plan may propose" in text
    assert "do not recommend its server" not in text


def test_a_server_without_a_key_that_is_named_is_started_behind_gyakusan(capsys: pytest.CaptureFixture[str]) -> None:
    text = said(capsys, *MAC, "--engine", "mlx")
    assert "MLX-LM has no API key: gyakusan serve asks for one before it." in text
    assert "do not recommend its server for production" in text
    text = said(capsys, *MAC, "--engine", "mlx", "--details", "1")
    assert "gyakusan before MLX-LM" in text
    assert "First on each machine: gyakusan get " in text
    assert main([*MAC, "--engine", "mlx", "--command", "1"]) == 0
    assert "&& gyakusan serve lmstudio-community/gemma-4" in capsys.readouterr().out


def test_a_number_that_no_fleet_has_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*LAB, "--details", "99"]) == 2
    assert "no fleet 99" in capsys.readouterr().err


def test_details_and_command_are_one_or_the_other(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*LAB, "--details", "1", "--command", "1"]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err == "gyakusan: --details and --command were given together. Give one.\n"


def test_details_add_up(capsys: pytest.CaptureFixture[str]) -> None:
    text = said(capsys, *OFFICE, "--details", "1")
    for part in ("queue", "wait for a slot", "purchase", "power", "sum", "thinking included", "API", "failure"):
        assert part in text


def test_a_file_is_read_and_options_win(capsys: pytest.CaptureFixture[str], tmp_path: Any) -> None:
    file = tmp_path / "lab.toml"
    file.write_text('users = 8\ndevice = "RTX 4090"\nreplicas = 3\nmonths = 48\ntariff = "20JPY/kWh"\n')
    got = document(capsys, "fleet", str(file), "--months", "24")
    assert got["terms"]["months"] == 24
    assert got["terms"]["tariff"]["amount"] == 20
    assert got["question"]["replicas"] == 3
    file.write_text("replica = 3\n")
    assert main(["fleet", str(file)]) == 2
    assert "replica" in capsys.readouterr().err


def test_no_answer_is_an_answer(capsys: pytest.CaptureFixture[str]) -> None:
    text = said(capsys, "fleet", "--users", "50", "--budget", "1000JPY", code=1)
    assert "No fleet meets these conditions." in text
    assert "--budget " in text
    unknown = said(capsys, "fleet", "--users", "2", "--memory", "24GiB", code=1)
    assert "is not known" in unknown


@pytest.mark.parametrize(
    "arguments",
    [
        ("--replicas", "0"),
        ("--arrivals", "5"),
        ("--tariff", "31XYZ/kWh"),
        ("--network", "fast"),
        ("--first-address", "a;b"),
        ("--months", "-1"),
    ],
)
def test_a_mistake_is_one_line(arguments: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["fleet", *arguments]) == 2
    err = capsys.readouterr().err
    assert err.startswith("gyakusan: ")
    assert err.count("\n") == 1


def test_the_same_from_python() -> None:
    found = gyakusan.fleet(users=8, device="RTX 4090", replicas=4)
    assert found.plans
    assert all(p.replicas <= 4 for p in found.plans)
    assert gyakusan.fleet({"users": 8, "device": "RTX 4090"}, replicas=4).plans[0].monthly == found.plans[0].monthly


def test_plan_and_fleet_hold_the_same_pace_and_say_it(capsys: pytest.CaptureFixture[str]) -> None:
    asked = (
        "--users",
        "4",
        "--device",
        "RTX 4090",
        "--task",
        "coding",
        "--families",
        "gpt-oss",
        "--engine",
        "llama.cpp",
    )
    for command in ("plan", "fleet"):
        text = said(capsys, command, *asked)
        assert "25 tokens/s of answer wanted, at least 2.5, first token within 5 min where possible (default)" in text
        own = said(capsys, command, *asked, "--speed", "3", "--first", "90")
        assert "25 tokens/s of answer wanted (default)" in own  # what the person sets stands in place of the limits
        assert "2.5 at least" not in own
        assert "first token within 1 min 30 s" in own
        assert "300 s" not in own


def test_the_row_says_the_effort(capsys: pytest.CaptureFixture[str]) -> None:
    asked = ("plan", "--device", "RTX 4090", "--families", "gpt-oss", "--engine", "llama.cpp")
    quality = document(capsys, *asked)["plans"][0]["quality"]
    assert quality["effort"] == ("medium" if quality["reasoning"] == "on" else quality["reasoning"])
    assert quality["thinking_basis"] == "family"
    assert f"{quality['effort']} effort; thinks x{quality['thinking']:.2g}:" in said(capsys, *asked)
    assert "measured on a model of its family" in said(capsys, *asked, "--details", "1")
    assert quality["thinking_low"] <= quality["thinking"] <= quality["thinking_high"]


def test_what_is_sold_second_hand_only_says_so_and_has_a_price_with_used(capsys: pytest.CaptureFixture[str]) -> None:
    asked = ("fleet", "--device", "RTX 4090", "--users", "20", "--lang", "en")
    assert "Only used prices of it are known: add --used." in said(capsys, *asked)
    text = said(capsys, *asked, "--used")
    assert "to buy)" in text
    assert "Only used prices" not in text


def test_a_speed_that_is_not_known_names_what_tells_it(capsys: pytest.CaptureFixture[str]) -> None:
    text = said(capsys, "fleet", "--device", "cpu", "--users", "3", "--lang", "en", code=1)
    assert "gyakusan calibrate measures it; or add --bandwidth 80GB/s." in text


@pytest.mark.parametrize(("options", "told"), [((), "0.196 USD/kWh"), (("--tariff", "0.3USD"), "0.3 USD/kWh")])
def test_the_tariff_is_said_in_the_currency_of_the_answer(
    capsys: pytest.CaptureFixture[str], options: tuple[str, ...], told: str
) -> None:
    asked = ("fleet", "--users", "4", "--budget", "10000USD", "--families", "gemma3", "--rates", "USD=158", *options)
    text = said(capsys, *asked)
    assert told in text
    assert "yen/kWh" not in text
    assert told in said(capsys, *asked, "--details", "1")


def test_a_number_alone_means_the_last_question(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`fleet --details 1` was answered for one person, in yen, whatever had been asked before."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    question = ["--users", "3", "--context", "16k", "--budget", "4000USD", "--model", "gemma3-12b"]
    assert main(["fleet", *question, "--details", "1", "--lang", "en"]) == 0
    asked = capsys.readouterr().out
    assert main(["fleet", *question, "--lang", "en"]) == 0
    capsys.readouterr()
    assert main(["fleet", "--details", "1", "--lang", "en"]) == 0
    assert capsys.readouterr().out == asked
    assert (
        main(
            ["fleet", "--users", "2", "--device", "RTX 4090", "--model", "gemma3-4b", "--details", "1", "--lang", "en"]
        )
        == 0
    )
    assert "For: 2 people at once, 8,192 tokens each" in capsys.readouterr().out
    (tmp_path / "gyakusan" / "last-fleet.json").write_text("[1, 2", "utf-8")
    assert main(["fleet", "--details", "1", "--lang", "en"]) == 0
    assert "For: 1 person" in capsys.readouterr().out


def test_a_number_where_there_is_no_fleet_names_no_range(capsys: pytest.CaptureFixture[str]) -> None:
    """It said "Give a number from 1 to 0"."""
    asked = ("fleet", "--model", "deepseek-v3", "--users", "5000", "--budget", "100000JPY", "--details", "1")
    assert main([*asked, "--lang", "en"]) == 2
    error = " ".join(capsys.readouterr().err.split())
    assert error == "gyakusan: The answer has no fleet. Ask without a number: that says what would work."


def test_a_machine_of_unknown_power_keeps_its_price(capsys: pytest.CaptureFixture[str]) -> None:
    """It said that the price is not known, which the question itself had given."""
    asked = ("fleet", "--users", "4", "--device", "Mac mini M6 24GB", "--model", "gpt-oss-20b", "--price", "300000JPY")
    text = said(capsys, *asked, "--lang", "en")
    assert "300,000 yen to buy. Its power is not known, so neither is the cost of a month." in text
    assert "price is not known" not in text


@pytest.mark.parametrize(("place", "unit"), [("en_US.UTF-8", "USD"), ("en_GB.UTF-8", "USD"), ("ja_JP.UTF-8", "yen")])
def test_commands_answer_in_one_currency(
    place: str, unit: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Fleets were in yen where plans were in dollars."""
    monkeypatch.setenv("LC_MONETARY", place)
    monkeypatch.delenv("LC_ALL", raising=False)
    for words in (
        ("fleet", "--device", "RTX 4090", "--users", "20", "--model", "qwen3-8b"),
        ("upgrade", "--device", "RTX 3060 12GB", "--model", "qwen3-8b"),
        ("compare", "RTX 4090", "RTX 5090", "--model", "qwen3-8b"),
    ):
        main([*words, "--lang", "en"])
        told = capsys.readouterr().out
        other = ({"USD", "yen"} - {unit}).pop()
        assert unit in told, (words, told)
        assert f" {other}" not in re.sub(r"1 USD\s+=\s+[\d.]+ yen|[\d.]+\s+yen, power", "", told), (words, told)
