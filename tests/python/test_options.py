"""Names of arguments are those of the command line, for every command; a wrong one is met with the nearest."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
from cyclopts import App

import gyakusan
from gyakusan.cli import main
from gyakusan.cli.app import build
from gyakusan.engines.registry import NAMES, engine
from gyakusan.errors import BadQuantity, BadSetting, UnknownName
from gyakusan.python import options
from gyakusan.python.benching import BenchOptions
from gyakusan.python.options import FleetOptions, PlanOptions, UpgradeOptions, engine_settings, request_values
from gyakusan.python.planning import VIEWS

WRITING = {"json", "color", "lang", "csv", "help", "version"}
"""How a screen is written: `to_dict(lang=...)` and `to_json()` take their place."""
OTHERWISE = {
    ("inspect", "why"): "each line of the ledger has its formula",
    ("inspect", "quants"): "quantizations()",
    ("inspect", "task"): "its lengths: context, prompt, answer",
    **{
        ("plan", name): "how a plan's command and files are written: plan.command, engines.service_files, to_json()"
        for name in ("details", "command", "compose", "systemd", "save", "lan", "ui", "all_flags")
    },
    ("fleet", "details"): "every figure is in the fleet",
    ("fleet", "command"): "fleet.plans[0].commands",
    ("fleet", "all_flags"): "fleet.plans[0].commands has every option",
    **{
        (name, drawn): "an answer draws itself in a notebook: _repr_html_()"
        for name in ("inspect", "plan", "compare", "fleet")
        for drawn in ("svg", "png", "html")
    },
    ("compare", "currency"): "the answer has no prices, only the screen has",
    ("serve", "models_max"): "several models behind one address: the command line",
    ("serve", "tls_cert"): "https for colleagues: the command line",
    ("serve", "tls_key"): "https for colleagues: the command line",
    ("bench", "html"): "to_dict()",
    ("bench_show", "html"): "to_dict()",
    ("serve", "name"): "a Service is an object, which needs no name",
    ("serve", "detach"): "a process that starts another one: subprocess",
    ("serve", "systemd"): "a unit starts the command line",
    ("serve", "once"): "the `with` block ends",
    ("serve", "dry_run"): "deployment.command",
    **{("serve", name): "limits" for name in ("key_requests", "key_tokens", "key_slots")},
    ("serve", "allow_host"): "names",
    ("get", "list"): "get_list()",
}
"""Options of a command that Python has in another form."""
NO_FUNCTION = {
    "demo": "a tour",
    "schema": "docs/schemas",
    "chat": "a conversation on a terminal: Python has the clients of OpenAI",
    "connect": "text to copy into other programs",
    "ps": "the servers of the command line",
    "status": "Service.live",
    "logs": "a file",
    "stop": "the `with` block ends",
    "watch": "the metrics of a server, for people",
    "mcp": "for assistants; programs have these functions",
    "web": "pages for people; programs have these functions and the API",
    "export": "a file: exports.export.export() writes the text",
    "deploy": "a cluster: deploying.cluster has the functions",
    "doctor": "for people at a terminal: serving.checkup.checkup()",
    "completion": "for shells",
    "config": "of the command line: functions have arguments",
    "keys": "the file of one user, changed by hand",
}
OPTIONS = {"plan": PlanOptions, "upgrade": UpgradeOptions, "fleet": FleetOptions}


def commands() -> Iterator[tuple[str, App]]:
    """The path of every command, joined as the function is called, with its app."""
    for name in (root := build("en")):
        if name.startswith("-") or name in NO_FUNCTION:
            continue
        app = root[name]
        inner = [n for n in app if not n.startswith("-")]
        if app.default_command is not None:
            yield name, app
        yield from ((f"{name}_{n}", app[n]) for n in inner)


COMMANDS = dict(commands())


def options_of(app: App) -> set[str]:
    """Names of the options of a command, as Python writes them; "no-" forms left out."""
    found = set()
    for argument in app.assemble_argument_collection():
        names = [n for n in argument.names if n.startswith("--")]
        found |= {n.removeprefix("--").replace("-", "_") for n in names if n not in argument.negatives}
    return found - WRITING


def accepted(name: str) -> set[str]:
    """Names that a function takes: parameters, keys of its options, fields of the engines' settings."""
    parameters = inspect.signature(getattr(gyakusan, name)).parameters
    found = set(parameters)
    if name == "bench":
        found |= {f.name for f in fields(BenchOptions)} | {f.name for n in NAMES for f in fields(engine(n).Settings)}
        found |= set(options.PLACE) | {"kv_type", "cpu", "set"}
    if name in OPTIONS:
        found |= (
            set(OPTIONS[name].__annotations__)
            | set(PlanOptions.__annotations__)
            | (set(VIEWS) if name == "plan" else set())
        )
    if "settings" in parameters:
        found |= {f.name for n in NAMES for f in fields(engine(n).Settings)} | set(options.PLACE)
        found |= {"kv_type", "cpu", "set", "images"}
    return found


def test_every_command_is_found() -> None:
    assert {"inspect", "plan", "catalog_list", "accuracy_memory", "compare"} <= set(COMMANDS)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_option_has_its_argument(name: str) -> None:
    assert name in gyakusan.__all__
    asked = options_of(COMMANDS[name])
    missing = {o for o in asked if (name, o) not in OTHERWISE} - accepted(name)
    assert missing == set(), f"{name}: give these to the Python function, or say in OTHERWISE where they are"


def test_every_key_of_a_request_is_an_option() -> None:
    from gyakusan.planning.request.request import KEYS

    former = set(options.KEY_OF_OPTION.values())
    assert set(KEYS) - former - set(PlanOptions.__annotations__) == set()


def test_options_win_over_the_question(tmp_path: Any) -> None:
    file = tmp_path / "office.toml"
    file.write_text('users = 5\ncontext = "32k"\nengines = ["vllm"]\n')
    assert request_values(str(file), {"users": 2, "engine": "mlx"}, ()) == {
        "users": 2,
        "context": "32k",
        "engines": "mlx",
    }
    assert request_values({"kv": "q8_0"}, {}, ()) == {"kv": "q8_0"}
    assert request_values({"kv": "q8_0"}, {"kv_type": "f16"}, ()) == {"kv": "f16"}


SAVED = 'device = "RTX 4090"\nfamilies = "gemma3"\nsaved = "2026-11-01"\n\n[[plans]]\nmodel = "a"\n'


def test_a_saved_answer_is_a_question_everywhere(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "saved.toml"
    file.write_text(SAVED)
    assert request_values(file, {}, ()) == {"device": "RTX 4090", "families": "gemma3"}
    assert gyakusan.plan(str(file)).plans
    for command in (("fleet",), ("compare", "--plan"), ("upgrade",)):
        assert main([*command, str(file)]) in (0, 1)
        assert capsys.readouterr().err == ""


@pytest.mark.parametrize(
    ("name", "option"),
    [("RTX 4090", "device"), ("M4 Max", "device"), ("Mac Studio M4 Max 128GB", "device"), ("qwen3-8b", "model")],
)
def test_what_is_no_file_is_understood(name: str, option: str) -> None:
    with pytest.raises(BadSetting, match=f'is a {option}.*gyakusan plan --{option} "{name}"'):
        gyakusan.plan(name)
    with pytest.raises(BadSetting, match=f"is a {option}"):
        gyakusan.fleet(name)


def test_unknown_names_meet_the_nearest() -> None:
    with pytest.raises(UnknownName, match="budget"):
        gyakusan.plan(budgt="1USD")  # type: ignore[call-arg]
    with pytest.raises(UnknownName, match="resale"):
        gyakusan.upgrade(resal="1USD")  # type: ignore[call-arg]
    with pytest.raises(UnknownName, match="quant"):
        gyakusan.inspect("qwen2.5-7b", device="RTX 4090", qunt="Q4_K_M")
    with pytest.raises(UnknownName, match="kv_type"):
        gyakusan.inspect("qwen2.5-7b", device="RTX 4090", kv_typ="q8_0")


def test_a_number_is_no_amount_of_money() -> None:
    with pytest.raises(BadQuantity, match="currency"):
        gyakusan.plan(budget=6000)


def test_the_cache_has_a_type_on_every_engine_that_offers_one() -> None:
    assert engine_settings("llama.cpp", {"kv_type": "q4_0"}) == {"key_type": "Q4_0", "value_type": "Q4_0"}
    assert engine_settings("llama.cpp", {"kv_type": "q8_0", "key_type": "f16"}) == {
        "key_type": "F16",
        "value_type": "Q8_0",
    }
    assert engine_settings("ollama", {"kv_type": "q8_0"}) == {"kv_cache_type": "q8_0"}
    assert engine_settings("llama.cpp", {"cpu": True}) == {"backend": "cpu"}
    with pytest.raises(BadSetting, match="iq4"):
        engine_settings("ollama", {"kv_type": "iq4"})
