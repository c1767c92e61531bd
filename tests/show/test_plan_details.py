"""One plan in detail: what a client runs once the server listens."""

from __future__ import annotations

import re
from datetime import date

import pytest

from gyakusan.api import machine_for
from gyakusan.catalog.prices import PriceRecord, price_records
from gyakusan.catalog.quality import penalty_law
from gyakusan.cli import main
from gyakusan.documents.plan import plan as plan_document
from gyakusan.engines.registry import NAMES
from gyakusan.planning.predict.capacity import find_capacity
from gyakusan.planning.request.parse_request import parse_request
from gyakusan.planning.select.inspect_line import inspect_words
from gyakusan.planning.select.recommend import recommend
from gyakusan.show import terminal
from gyakusan.show.plan_details import SHOWN_COST, details, install_fact, installing, quantization_cost
from gyakusan.show.plan_words import as_text, sold_words
from gyakusan.show.tree import FIXED
from gyakusan.show.wording import short
from gyakusan.text import tell

BUY = (
    "plan",
    "--budget",
    "600000JPY",
    "--families",
    "gemma3",
    "--engine",
    "llama.cpp",
    "--brand",
    "NVIDIA",
    "--lang",
    "en",
)


def test_ollamas_client_fetches_the_published_file(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["plan", "--device", "RTX 4090", "--engine", "ollama", "--details", "1"]) == 0
    lines = [line.strip() for line in capsys.readouterr().out.splitlines()]
    at = next(i for i, line in enumerate(lines) if line.startswith("Then"))
    assert lines[at].split()[1:3] == ["ollama", "pull"]
    assert lines[at + 1] == f"ollama run {lines[at].split()[3]}"


def test_other_servers_fetch_it_themselves(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["plan", "--device", "RTX 4090", "--details", "1"]) == 0
    assert "Then" not in capsys.readouterr().out


@pytest.mark.parametrize(
    ("device", "engine", "system", "option"),
    [
        ("Mac Studio M4 Max 128GB", "mlx", "any", "--command"),
        ("RTX 4090", "llama.cpp", "any", "--compose"),
        ("Intel Arc B580 12GB", "ollama", "linux", "--systemd"),
        ("Intel Arc B580 12GB", "ollama", "windows", "--command"),
    ],
)
def test_only_what_the_machine_can_start_is_offered(device: str, engine: str, system: str, option: str) -> None:
    answer = recommend(parse_request({"device": device, "engines": engine, "os": system, "families": "gemma3,qwen3"}))
    assert as_text(answer.request.os, answer.plans[0]) == option


def test_how_far_a_plan_grows_is_said_for_each_person(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["plan", "--device", "RTX 4090", "--users", "4", "--details", "1", "--lang", "en"]) == 0
    assert "tokens for each of 4 people, or" in capsys.readouterr().out


@pytest.mark.parametrize(("option", "shown"), [("", "outlet 1,500 W"), ("--outlet 2500W", "outlet 2,500 W")])
def test_the_outlet_is_the_one_that_was_asked_for(capsys: pytest.CaptureFixture[str], option: str, shown: str) -> None:
    assert main([*BUY, *option.split(), "--details", "1"]) == 0
    assert shown in capsys.readouterr().out


def test_no_outlet_is_named_where_the_power_is_limited(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*BUY, "--power", "600W", "--details", "1"]) == 0
    out = capsys.readouterr().out
    assert "W at the wall" in out
    assert "outlet" not in out


def test_a_preparation_is_not_broken_over_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    answer = recommend(parse_request({"device": "RTX 4090", "families": "qwen3"}))
    made = "python -c 'print(1)' " + "--option value " * 20 + "end"
    plan = answer.plans[0]
    monkeypatch.setattr("gyakusan.planning.select.plan.Plan.artifact", None)
    monkeypatch.setattr("gyakusan.planning.select.plan.Plan.preparation", (made,))
    parts = details(answer, plan, 1, find_capacity(plan.deployment), None, date(2026, 11, 28))
    drawn = [line.plain for line in terminal.lines(parts, "en", 80)]
    assert any(made in line for line in drawn), drawn


@pytest.mark.parametrize("record", [p for p in price_records() if p.what in ("kit", "part")], ids=lambda p: p.name)
def test_what_has_no_name_of_its_own_is_said_in_words(record: PriceRecord) -> None:
    """Products keep their names; a computer without a card and a power supply do not stand in English on a Japanese screen."""
    assert tell(sold_words(record.name), "en").replace(FIXED, " ") == record.name
    assert not re.search("computer|supply|card", tell(sold_words(record.name), "ja"))


def test_equal_gpus_stand_in_one_line_and_modules_take_no_slots(capsys: pytest.CaptureFixture[str]) -> None:
    """Eight lines said the same, 24 slots were counted for modules, and nothing followed from 6,322 W."""
    assert main(["plan", "--device", "8x H100", "--details", "1", "--lang", "en"]) == 0
    out = " ".join(capsys.readouterr().out.split())
    assert out.count("H100 80GB HBM3: 5") == out.count("GPU 0-7: H100 80GB HBM3: ") == 1
    assert "6,322 W at the wall: more than an outlet of 1,500 W gives" in out
    assert "slots" not in out


def test_what_the_files_cost_in_quality_is_the_planners_figure() -> None:
    """Against the widest files of the model, by the same law; nothing where the files are the widest ones."""
    answer = recommend(parse_request({"device": "RTX 3090", "families": "gemma3,qwen3"}))
    told = 0
    for plan in answer.plans:
        table = answer.grid.columns.of_engine(plan.engine)
        rows = [i for i, m in enumerate(table.model.tolist()) if answer.grid.columns.models[m].name == plan.name]
        (mine,) = (i for i in rows if table.name[i] == plan.quantization)
        offered = [i for i in rows if table.published[i] or i == mine]
        widest = max(offered, key=lambda i: float(table.bits[i]))
        lost = float(table.cost[mine] - table.cost[widest])
        said = list(quantization_cost(answer, plan))
        assert bool(said) == (lost >= SHOWN_COST and table.bits[mine] >= penalty_law().trusted)
        for message in said[:1]:
            told += 1
            facts = message.facts
            assert (facts["n"], facts["widest"]) == (f"{lost:.1f}", table.name[widest])
            assert "llama.cpp" in str(facts["sources"])
            assert "点" in tell(message, "ja")
    assert told


def test_a_plan_of_vllm_on_amds_cards_says_how_it_is_installed(capsys: pytest.CaptureFixture[str]) -> None:
    words = [
        "plan",
        "--model=gpt-oss-20b",
        "--device",
        "2x AI PRO R9700",
        "--engine",
        "vllm",
        "--details",
        "1",
        "--lang",
        "en",
    ]
    assert main(words) == 0
    told = capsys.readouterr().out
    assert "Install   python3 -m venv uv" in told, "no system has uv of its own"
    assert "uv/bin/pip install uv\n          uv/bin/uv venv --python 3.12 --managed-python vllm" in told
    assert "uv/bin/uv pip install --python vllm vllm" in told
    assert "--extra-index-url https://wheels.vllm.ai/rocm/" in told
    assert "port 8000" in told
    assert "gyakusan serve listens on port 8080 in its place (--port)" in told, "the command and serve differ"
    assert main([*words[:3], "RTX 4090", "--engine", "llama.cpp", *words[6:]]) == 0
    told = capsys.readouterr().out
    assert "Install   conda install -c conda-forge llama-cpp" in told
    assert "port 8080" in told
    assert "in its place" not in told


def test_the_law_is_said_to_be_extrapolated_below_the_smallest_model_that_was_measured() -> None:
    for name, more in (("qwen3-1.7b", True), ("qwen3-8b", False)):
        answer = recommend(parse_request({"memory": "2GiB" if more else "6GiB", "model": name, "engines": "llama.cpp"}))
        _, *further = quantization_cost(answer, answer.plans[0])
        assert bool(further) is more


def test_a_month_of_power_is_told_by_the_rule_of_fleet(capsys: pytest.CaptureFixture[str]) -> None:
    """Only fleet said what a plan costs in power: its wall power, every hour of a month, at its tariff."""
    assert main([*BUY, "--details", "1"]) == 0
    out = " ".join(capsys.readouterr().out.split())
    wall, cost = re.search(r"([\d,]+) W at the wall", out), re.search(r"([\d,]+) yen of electricity a month", out)
    assert wall is not None
    assert cost is not None
    watts, yen = (float(found[1].replace(",", "")) for found in (wall, cost))
    assert yen == pytest.approx(watts / 1000 * 24 * 365 / 12 * 31, rel=0.002)
    assert "24 h a day at 31 yen/kWh" in out


def test_the_files_of_json_are_those_of_the_plan() -> None:
    """Under a plan of MXFP4 files its memory said Q4_K_M, and their bytes were null where the screen said 15.8 GB."""
    for question in (
        {"device": "RTX 4090", "families": "gpt-oss,gemma3"},
        {"device": "2x RTX 3090", "engines": "vllm"},
    ):
        for plan in recommend(parse_request(question)).plans:
            made = plan_document(plan)
            assert made.memory.model.quantization == made.quantization
            assert made.artifact is None or made.artifact.bytes


@pytest.mark.parametrize("name", NAMES)
def test_every_engine_says_how_its_program_is_installed(name: str) -> None:
    """The command of llama.cpp was printed, and nothing said where llama-server comes from."""
    machine = machine_for("M4 Max 64GB" if name == "MLX-LM" else "RTX 4090", None)
    (fact,) = install_fact(name, machine, "any")
    assert installing(name, machine), name
    assert "other ways: " in tell(fact.lines[-1], "en"), "the makers' page, which is the source"


@pytest.mark.parametrize(("device", "told"), [("RX 9060 XT 16GB", True), ("Arc B580", True), ("RTX 4090", False)])
def test_where_a_package_may_lack_the_gpu_the_command_that_shows_it_is_named(device: str, told: bool) -> None:
    """conda-forge's llama-cpp was printed for a Radeon, and nothing said whether that build computes on it."""
    (fact,) = install_fact("llama.cpp", machine_for(device, None), "any")
    assert any("--list-devices must name the GPU" in tell(line, "en") for line in fact.lines[1:]) == told


def test_the_package_is_that_of_the_machine() -> None:
    assert installing("llama.cpp", machine_for("M4 Max 64GB", None)) == ("brew install llama.cpp",)
    assert installing("llama.cpp", machine_for("RX 7900 XTX", None), "windows") == ("winget install llama.cpp",)
    assert "install.ps1" in installing("Ollama", machine_for("RTX 4090", None), "windows")[0]
    assert "install.sh" in installing("Ollama", machine_for("RTX 4090", None), "linux")[0]


def test_what_grows_with_use_is_said_with_the_room_for_it(capsys: pytest.CaptureFixture[str]) -> None:
    words = [
        "plan",
        "--device",
        "RTX 4090",
        "--ram",
        "16GB",
        "--model",
        "gemma4-26b-a4b-qat",
        "--lang",
        "en",
        "--details",
        "1",
    ]
    assert main([*words, "--engine", "llama.cpp"]) == 0
    told = " ".join(capsys.readouterr().out.split())
    assert "RAM: with use up to" in told
    assert "are free" not in told
    assert main([*words, "--engine", "ollama"]) == 0
    told = " ".join(capsys.readouterr().out.split())
    assert "prompt cache 8.0" in told
    assert "are free" in told, "Ollama has no option for it"


def test_thousands_stand_apart() -> None:
    """All users together had 4668 tokens/s."""
    assert [short(n) for n in (4.23, 12.0, 999.4, 4668.0)] == ["4.2", "12", "999", "4,668"]


@pytest.mark.parametrize(
    "asked",
    [
        {"device": "Mac mini M6 16GB", "users": 3},
        {"device": "Mac mini M6 16GB", "users": 2, "engines": "llama.cpp"},
        {"device": "RTX 4090", "users": 3, "ram": "64GiB"},
        {"device": "RTX 4090", "users": 7, "engines": "ollama", "ram": "128GiB"},
        {"device": "RTX 3060 12GB", "users": 2, "engines": "vllm", "ram": "64GiB"},
        {"device": "cpu", "ram": "64GiB"},
    ],
    ids=str,
)
def test_the_line_that_checks_a_plan_prints_the_plans_own_gib(
    asked: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    """A Mac's memory was 4.90-9.65 in a plan and 6.35-9.65 in the inspect that checks it, growth 64.1 and 64.0."""
    answer = recommend(parse_request(asked))
    plan = answer.plans[0]
    parts = details(answer, plan, 1, find_capacity(plan.deployment), None, date(2026, 11, 30))
    told = " ".join(" ".join(line.plain for line in terminal.lines(parts, "en", 200)).split())
    words = inspect_words(answer.request, plan)
    assert words is not None
    assert main([*words[1:], "--lang", "en"]) in (0, 1)
    screen = capsys.readouterr().out
    for low, high in re.findall(r"total +[\d.]+ +([\d.]+)-([\d.]+)", screen):
        assert f"({low}-{high})" in told, (asked, told)
    grows = re.findall(r"up to ([\d.]+) more for cached chats", " ".join(screen.split()))
    assert grows == re.findall(r"with use up to ([\d.]+) GiB more", told)
