"""An engine is one module and one line: a toy goes through every command."""

from __future__ import annotations

import inspect
import json
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import pytest
from tests.engines import toy_engine

import gyakusan
from gyakusan import api
from gyakusan.cli import main
from gyakusan.core.load import Load
from gyakusan.engines import registry
from gyakusan.engines.base import EngineModule
from gyakusan.errors import GyakusanError
from gyakusan.models.embedded import embedded
from gyakusan.planning.select.recommend import Recommendation
from gyakusan.serving.dry_run import dry_run

LINE = {"Toy": "tests.engines.toy_engine"}
MEMBERS = {name: member for name, member in vars(EngineModule).items() if inspect.isfunction(member)}
CONSTANTS = [name for name in EngineModule.__annotations__ if name.isupper()]
LONGEST = 90
"""Lines of a short engine."""


@pytest.fixture
def toy(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The one line."""
    for name, module in LINE.items():
        monkeypatch.setitem(registry.NAMES, name, module)
    registry.engine.cache_clear()
    yield
    registry.engine.cache_clear()


@pytest.mark.parametrize("module", [*registry.NAMES.values(), *LINE.values()])
def test_a_module_has_every_member_of_the_protocol(module: str) -> None:
    found = import_module(module)
    assert [name for name in (*CONSTANTS, *MEMBERS, "Settings") if not hasattr(found, name)] == []
    for name, member in MEMBERS.items():
        if name.startswith("_"):
            continue
        wanted = list(inspect.signature(member).parameters)[1:]
        assert list(inspect.signature(getattr(found, name)).parameters) == wanted, name


def test_an_engine_is_short() -> None:
    assert len(inspect.getsource(toy_engine).splitlines()) <= LONGEST


def run(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, dict[str, object]]:
    """Exit code and JSON of a command."""
    code = main([*words, "--json"])
    return code, json.loads(capsys.readouterr().out)


@pytest.mark.usefixtures("toy")
def test_inspect(capsys: pytest.CaptureFixture[str]) -> None:
    code, found = run(capsys, "inspect", "llama3.1-8b", "--engine", "toy", "--device", "RTX 4090", "--users", "2")
    assert (code, found["engine"]) == (0, {"name": "Toy", "version": "1.0"})
    assert found["settings"] == {"context": 8192, "conversations": 2}


@pytest.mark.usefixtures("toy")
def test_a_setting_is_read_from_its_variable(capsys: pytest.CaptureFixture[str]) -> None:
    words = ("inspect", "llama3.1-8b", "--engine", "toy", "--device", "RTX 4090", "--set", "TOY_CONVERSATIONS=3")
    assert run(capsys, *words)[1]["settings"] == {"context": 8192, "conversations": 3}


@pytest.mark.usefixtures("toy")
def test_every_engine_answers_beside_it(capsys: pytest.CaptureFixture[str]) -> None:
    _, found = run(capsys, "inspect", "llama3.1-8b", "--engine", "all", "--device", "RTX 4090")
    engines = found["engines"]
    assert isinstance(engines, list)
    assert [e["engine"]["name"] for e in engines] == list(registry.NAMES)


def engines_of(found: Recommendation) -> set[str]:
    return {p.engine for p in found.plans}


@pytest.mark.usefixtures("toy")
def test_plan_on_a_machine() -> None:
    found = gyakusan.plan(device="RTX 4090", users=2, engines=["toy"])
    assert engines_of(found) == {"Toy"}
    for plan in found.plans:
        again = api.deployment(
            plan.name, quantization=plan.quantization, load=Load(2, 8192), device="RTX 4090", server="toy"
        )
        assert again.ledger.fits
        assert again.ledger.accounts == plan.ledger.accounts
        assert plan.command.argv[0] == "toy-server"


@pytest.mark.usefixtures("toy")
def test_plan_within_a_budget() -> None:
    assert engines_of(gyakusan.plan(budget="400000JPY", users=2, engines=["toy"])) == {"Toy"}


@pytest.mark.usefixtures("toy")
def test_compare(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    files = []
    for name in ("toy", "llama.cpp"):
        files.append(tmp_path / f"{name}.json")
        files[-1].write_text(json.dumps({"device": "RTX 4090", "engines": [name]}))
    code, _ = run(capsys, "compare", "--plan", str(files[0]), "--plan", str(files[1]))
    assert code == 0


@pytest.mark.usefixtures("toy")
def test_it_is_usual_and_sweeps_beside_the_others() -> None:
    found = gyakusan.plan(device="RTX 4090", users=2)
    assert "Toy" in found.grid.engines
    assert (found.grid.cells.engine == found.grid.engines.index("Toy")).any()


@pytest.mark.usefixtures("toy")
def test_fleet() -> None:
    found = gyakusan.fleet(device="RTX 4090", users=60, engines=["toy"])
    assert {p.plan.engine for p in found.plans} == {"Toy"}
    assert all(p.machines * p.users_per_replica >= 60 for p in found.plans)


@pytest.mark.usefixtures("toy")
def test_upgrade() -> None:
    found = gyakusan.upgrade(device="RTX 3060 12GB", budget="150000JPY", users=2, engines=["toy"])
    assert found.steps
    assert {s.plan.engine for s in found.steps} == {"Toy"}


@pytest.mark.usefixtures("toy")
def test_what_would_be_started() -> None:
    found = dry_run(api.deployment("llama3.1-8b", load=Load(1, 8192), device="RTX 4090", server="toy"), 9123)
    assert found.health == "http://127.0.0.1:9123/ready"
    assert found.command.argv == (
        *("toy-server", "--model", "catalog:llama3.1-8b", "--context", "8192", "--port", "9123"),
    )


@pytest.mark.usefixtures("toy")
def test_a_dry_run_refuses_what_a_start_refuses(capsys: pytest.CaptureFixture[str]) -> None:
    words = ("serve", "llama3.1-8b", "--engine", "toy", "--device", "RTX 4090", "--port", "9123", "--dry-run")
    code, found = run(capsys, *words)
    assert code == 3
    assert "Toy" in str(found["error"])
    assert "gyakusan plan" in str(found["mend"])


@pytest.mark.usefixtures("toy")
def test_what_is_planned_only_is_not_started(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["serve", str(embedded()), "--engine", "toy"]) == 3
    assert "Toy" in capsys.readouterr().err


@pytest.mark.parametrize("name", registry.NAMES)
def test_one_inspect_builds_at_most_three_ledgers(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    built = []
    module = registry.engine(name)
    ledger = module.ledger
    monkeypatch.setattr(module, "ledger", lambda *args: built.append(args) or ledger(*args))
    device = "M4 Max 64GB" if name == "MLX-LM" else "RTX 4090"
    main(["inspect", "llama3.1-8b", "--engine", name, "--device", device])
    assert 1 <= len(built) <= 3


@pytest.mark.parametrize("name", registry.NAMES)
@pytest.mark.parametrize("device", ["RTX 4090", "2x RTX 3090", "M4 Max 64GB", "cpu"])
@pytest.mark.parametrize("model", ["gpt-oss-20b", "qwen3.5-4b", "gemma3-12b", "qwen3-30b-a3b"])
def test_the_figure_of_every_line_lies_within_its_interval(name: str, device: str, model: str) -> None:
    """Empty, full and overfull machines."""
    for load in (Load(1, 2048), Load(4, 32768), Load(64, 8192)):
        for images in (None, True):
            try:
                asked = api.deployment(
                    model,
                    load=load,
                    device=device,
                    memory="32GiB" if device == "cpu" else None,
                    server=name,
                    images=images,
                )
                found = asked.ledger
            except GyakusanError:
                continue
            outside = [x for a in found.accounts for x in a.lines if not x.least <= x.bytes <= x.greatest]
            assert outside == [], (load, images)
