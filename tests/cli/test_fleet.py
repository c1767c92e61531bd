"""gyakusan fleet: what a person and a program read."""

from __future__ import annotations

import json
from typing import Any

import pytest

import gyakusan
from gyakusan.cli import main

OFFICE = ("fleet", "--arrivals", "2000/h", "--budget", "5000000JPY", "--api-input", "0.15USD", "--api-output", "0.6USD")
LAB = ("fleet", "--users", "16", "--device", "4x RTX 4090", "--model", "qwen3-235b-a22b", "--engine", "vllm")


def said(capsys: pytest.CaptureFixture[str], *arguments: str, code: int = 0) -> str:
    assert main(arguments) == code
    return " ".join(capsys.readouterr().out.split())


def document(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, Any]:
    assert main([*arguments, "--json"]) == 0
    return dict(json.loads(capsys.readouterr().out))


def test_the_screen_says_what_it_rests_on(capsys: pytest.CaptureFixture[str]) -> None:
    text = said(capsys, *OFFICE)
    for part in (
        "For: 2,000 requests an hour, 8,192 tokens each, chat",
        "36 months, 31 yen/kWh, 24 h a day, no upkeep (defaults)",
        "An API costs ",
        "A million answer tokens, thinking included",
        "yen a month",
    ):
        assert part in text


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
    text = said(capsys, *LAB, "--details", "1")
    assert "machine 1: " in text
    assert "--node-rank 1 --master-addr '<first machine>' --headless" in text
    assert main([*LAB, "--command", "1"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) > 1
    assert all("vllm serve" in line for line in lines)


def test_a_number_that_no_fleet_has_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*LAB, "--details", "99"]) == 2
    assert "no fleet 99" in capsys.readouterr().err


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
    assert "It works with a larger budget." in text
    unknown = said(capsys, "fleet", "--users", "2", "--memory", "24GiB", code=1)
    assert "is not known" in unknown


@pytest.mark.parametrize(
    "arguments",
    [("--replicas", "0"), ("--arrivals", "5"), ("--tariff", "31XYZ/kWh"), ("--network", "fast"), ("--months", "-1")],
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
