"""The judge of plans: it runs, and each of its judges can fail."""

from __future__ import annotations

import json
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from benchmarks.plan_judges import consistency, expert, machines, parsers, references
from benchmarks.plan_judges.questions import budget_chains, questions
from benchmarks.plan_judges.record_options import llama_options
from benchmarks.plan_judges.verdict import KINDS, Tally, Verdict, report
from msgspec import structs

import gyakusan
from benchmarks import plans
from gyakusan.catalog.artifacts import artifacts
from gyakusan.engines.base import Command
from gyakusan.engines.llamacpp.engine import VERSION
from gyakusan.planning.request.money import exchange_rates
from gyakusan.planning.request.parse_request import parse_request
from gyakusan.planning.select.plan import Plan

BY = parsers.parsers()


@pytest.fixture(scope="module")
def plan() -> Plan:
    """A plan of llama.cpp with a published file."""
    found = gyakusan.plan(device="RTX 4090", users=2, model="qwen3-8b", engine="llama.cpp").plans
    return found[0]


def with_command(plan: Plan, *argv: str, **environment: str) -> Plan:
    return structs.replace(plan, command=Command(argv, environment))


def changed(plan: Plan, old: str, new: str) -> Plan:
    return with_command(plan, *(new if word == old else word for word in plan.command.argv))


def planned_with(repository: str, engine: str, argv: tuple[str, ...], then: tuple[tuple[str, ...], ...] = ()) -> Any:
    """Return what the judge of references reads of a plan of qwen3-8b."""
    artifact = next(a for a in artifacts("qwen3-8b") if a.repository == repository)
    command = Command(argv, {}, then)
    return SimpleNamespace(name="qwen3-8b", engine=engine, artifact=artifact, preparation=(), command=command)


def reference(plan: Plan) -> str:
    return plan.command.argv[plan.command.argv.index("-hf") + 1]


def test_a_dozen_questions() -> None:
    tally = plans.run(12, plans.SEED, BY)
    assert [k for k in KINDS if not tally.seen[k]] == []
    assert tally.failed == []
    assert tally.missed == ()
    text = report(tally)
    assert all(line in text for line in KINDS.values())
    assert json.loads(json.dumps(plans.as_json(tally)))["seen"] == tally.seen


def test_questions_are_the_same_for_a_seed() -> None:
    assert list(questions(30, 1)) == list(questions(30, 1)) != list(questions(30, 2))
    assert {q.currency for q in questions(60, 1)} == {"", "JPY", "USD", "EUR"}
    assert {q.number % 3 for q in questions(60, 1) if q.values.get("engine") == "ollama"} == {0, 1, 2}
    assert next(questions(1, 1)).command.startswith("gyakusan plan --device ")
    chain = next(budget_chains(1, 1))
    amounts = [float(q.values["budget"][:-3]) for q in chain]
    assert amounts == sorted(set(amounts))


def test_a_missed_target_is_seen() -> None:
    tally = Tally()
    assert tally.missed == tuple(KINDS)
    tally.add([Verdict(kind, "x") for kind in KINDS])
    assert tally.missed == ()
    tally.add([Verdict("label", "x", "wrong")])
    assert tally.missed == ("label",)
    assert "label: 1 failed\n  x\n    wrong" in report(tally)


def test_a_published_file_resolves(plan: Plan) -> None:
    assert references.resolves(plan) == ""
    assert references.placeholder(plan) == ""


@pytest.mark.parametrize(
    ("mutate", "why"),
    [
        (lambda p: changed(p, reference(p), "nobody/nothing-GGUF:Q4_K_M"), "not known"),
        (lambda p: changed(p, reference(p), reference(p).partition(":")[0] + ":Q9_Z"), "finds none"),
        (lambda p: changed(p, reference(p), "no reference"), "-hf takes"),
        (lambda p: changed(p, "-hf", "--model"), "no -hf"),
        (lambda p: changed(p, reference(p), "<a GGUF of qwen3-8b>"), "placeholder"),
        (lambda p: changed(p, "127.0.0.1", "..."), "placeholder"),
        (lambda p: changed(p, "127.0.0.1", "$HOST"), "variable"),
    ],
)
def test_a_wrong_reference_is_seen(mutate: Callable[[Plan], Plan], why: str, plan: Plan) -> None:
    (verdict,) = references.judge("q", mutate(plan))
    assert why in verdict.why


def test_a_variable_that_is_set_is_none() -> None:
    command = Command(("vllm", "serve", "--api-key", "$KEY"), {"KEY": "1"})
    with_key = SimpleNamespace(command=command, preparation=())
    assert references.placeholder(with_key) == ""  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("engine", "planned", "named", "why"),
    [
        ("vLLM", "Qwen/Qwen3-8B", "Qwen/Qwen3-8B", ""),
        ("vLLM", "Qwen/Qwen3-8B", "Qwen/Qwen3-8B-Base", "not known"),
        ("vLLM", "Qwen/Qwen3-8B", "nobody/Qwen3-8B", "not known"),
        ("vLLM", "Qwen/Qwen3-8B", "Qwen/Qwen3-8B-GGUF", "not known"),
        ("vLLM", "Qwen/Qwen3-8B", "Qwen/Qwen3-8B-AWQ", "planned was Qwen/Qwen3-8B"),
        ("vLLM", "Qwen/Qwen3-8B-MLX-4bit", "Qwen/Qwen3-8B-MLX-4bit", "an MLX conversion"),
        ("MLX-LM", "Qwen/Qwen3-8B-MLX-4bit", "Qwen/Qwen3-8B-MLX-4bit", ""),
        ("MLX-LM", "Qwen/Qwen3-8B-MLX-4bit", "mlx-community/Qwen3-8B-4bit", "planned was"),
        ("MLX-LM", "Qwen/Qwen3-8B", "Qwen/Qwen3-8B", "no MLX"),
    ],
)
def test_repositories_of_other_engines(engine: str, planned: str, named: str, why: str) -> None:
    found = references.resolves(planned_with(planned, engine, ("server", "--model", named)))
    assert (why in found) if why else found == ""


@pytest.mark.parametrize(
    ("planned", "pulled", "run", "why"),
    [
        ("Qwen/Qwen3-8B-GGUF", "hf.co/Qwen/Qwen3-8B-GGUF:Q4_K_M", "", ""),
        ("Qwen/Qwen3-8B-GGUF", "hf.co/Qwen/Qwen3-8B-GGUF:Q8_0", "", "planned was"),
        ("Qwen/Qwen3-8B-GGUF", "hf.co/Qwen/Qwen3-8B-GGUF:Q4_K_M", "qwen3:8b", "qwen3:8b is named"),
        ("Qwen/Qwen3-8B-GGUF", "", "qwen3:8b", "no command pulls"),
    ],
)
def test_what_ollama_pulls_is_what_is_planned(planned: str, pulled: str, run: str, why: str) -> None:
    then = ((("ollama", "pull", pulled),) if pulled else ()) + (("ollama", "run", run or pulled),)
    found = references.resolves(planned_with(planned, "Ollama", ("ollama", "serve"), then))
    assert (why in found) if why else found == ""


def test_a_plan_of_ollama_resolves() -> None:
    found = gyakusan.plan(device="RTX 4090", users=2, model="qwen3-8b", engine="ollama").plans
    assert [p.engine for p in found] == ["Ollama"]
    (verdict,) = references.judge("q", found[0])
    assert verdict.why == ""
    pull = structs.replace(found[0].command, then=(("ollama", "pull", "<tag>"),))
    assert "placeholder" in references.placeholder(structs.replace(found[0], command=pull))


def test_a_tag_of_the_library_is_one_that_is_known() -> None:
    for tag, why in (("qwen3:8b", ""), ("qwen3:9999b", "not known")):
        said = planned_with("Qwen/Qwen3-8B-GGUF", "Ollama", ("ollama", "serve"), (("ollama", "pull", tag),))
        said.artifact = structs.replace(said.artifact, format="ollama", repository=tag)
        found = references.resolves(said)
        assert (why in found) if why else found == ""


def test_a_plan_without_files_is_seen(plan: Plan) -> None:
    nothing = SimpleNamespace(name="qwen3-8b", engine="vLLM", artifact=None, preparation=(), command=plan.command)
    assert "neither" in references.resolves(nothing)  # type: ignore[arg-type]


def test_a_conversion_is_known_only_where_a_text_names_it() -> None:
    known = {a.repository for a in references.known_artifacts("lfm2-8b-a1b")}
    assert "mlx-community/LFM2-8B-A1B-6bit" in known
    assert "mlx-community/LFM2-8B-A1B-7bit" not in known
    assert {a.repository for a in artifacts("lfm2-8b-a1b")} < known


def test_a_base_model_is_seen(monkeypatch: pytest.MonkeyPatch, plan: Plan) -> None:
    known = artifacts("qwen3-8b")
    said = planned_with("Qwen/Qwen3-8B", "vLLM", ("vllm", "serve", "Qwen/Qwen3-8B"))
    monkeypatch.setattr(references, "artifacts", lambda _: tuple(structs.replace(a, tuned="base") for a in known))
    assert "base model" in references.resolves(plan)
    assert "base model" in references.resolves(said)


def test_commands_that_make_the_files_start_from_a_known_repository() -> None:
    def made(text: str) -> Any:
        words = SimpleNamespace(name="qwen3-8b", engine="vLLM", artifact=None, preparation=(text,))
        words.command = Command(("vllm", "serve", "./qwen3-8b-w4a16"), {})
        return words

    assert references.resolves(made("llm-compressor Qwen/Qwen3-8B ./qwen3-8b-w4a16")) == ""
    assert references.resolves(made("python -c \"oneshot(model='Qwen/Qwen3-8B', output_dir='./x')\"")) == ""
    for text in ("llm-compressor nobody/none ./x", "hf download Qwen/Qwen3-8B-Base", "echo Qwen/Qwen3-8B/x"):
        assert "nothing that is known" in references.resolves(made(text))
    assert "placeholder" in references.placeholder(made("hf download <your repo>"))


def test_arguments_are_judged_by_the_recorded_options(plan: Plan) -> None:
    assert [v.why for v in parsers.judge("q", plan, BY)] == [""]
    argv = plan.command.argv
    wrong = {
        "no option": (*argv, "--no-such"),
        "needs a value": (*argv, "--threads"),
        "cannot be": (*argv, "--fit", "maybe"),
    }
    for why, words in wrong.items():
        (verdict,) = parsers.judge("q", with_command(plan, *words), BY)
        assert why in verdict.why
    (verdict,) = parsers.judge("q", with_command(plan, "sglang"), BY)
    assert "no parser" in verdict.why
    vllm = parsers.table_parser("vllm")
    assert vllm(("serve", "Qwen/Qwen3-8B", "--max-model-len", "8192", "--no-enable-prefix-caching")) == ""
    assert vllm(("serve", "Qwen/Qwen3-8B", "--kv-cache-dtype", "q8")) == "--kv-cache-dtype cannot be q8"
    assert vllm(("serve", "Qwen/Qwen3-8B", "--enforce-eager=1")) == "--enforce-eager takes no value"
    assert parsers.table_parser("mlx_lm.server")(("--model", "x", "--prompt-concurrency", "4")) == ""


def test_nothing_is_fetched_and_nothing_listens_when_a_real_server_is_asked(tmp_path: Any) -> None:
    program = tmp_path / "llama-server"
    program.write_text(
        '#!/bin/sh\ncase "$*" in *--bad*) echo "error: invalid argument: --bad";; esac\necho "$*"\necho "failed to load model"\n'
    )
    program.chmod(0o755)
    ask = parsers.llama_parser(str(program))
    assert ask(("-hf", "a/b:Q4_K_M", "--host", "0.0.0.0", "--ctx-size", "8192")) == ""
    assert ask(("-hf", "a/b", "--bad")) == "error: invalid argument: --bad"
    silent = tmp_path / "silent"
    silent.write_text("#!/bin/sh\nexit 7\n")
    silent.chmod(0o755)
    assert parsers.llama_parser(str(silent))(("--ctx-size", "1")) == "exit code 7"


def test_the_report_says_of_which_build_the_options_are() -> None:
    assert parsers.builds() == f"recorded of b10434, plans are made for {VERSION}"
    assert parsers.builds("/opt/llama-server") == f"those of /opt/llama-server, plans are made for {VERSION}"


def test_help_of_llama_server_is_read() -> None:
    found = llama_options(
        "-c,    --ctx-size N                     size (default: 0)\n-fa,   --flash-attn [on|off|auto]       use\n"
        "--swa-full                              full\n                                        --not-an-option\n"
    )
    assert found["--ctx-size"] == found["-c"] == {"takes": "value", "choices": None}
    assert found["--flash-attn"]["choices"] == ["on", "off", "auto"]
    assert found["--swa-full"]["takes"] == "flag"
    assert "--not-an-option" not in found


def test_inspect_that_differs_is_seen(plan: Plan) -> None:
    assert consistency.agrees("q", plan, {"device": "RTX 4090"}).why == ""
    more = structs.replace(plan, ledger=gyakusan.inspect("qwen3-8b", device="RTX 4090", users=3))
    assert "planned" in consistency.agrees("q", more, {"device": "RTX 4090"}).why
    other = structs.replace(plan, deployment=structs.replace(plan.deployment, changes={"no_such": 1}))
    assert "inspect refuses" in consistency.agrees("q", other, {"device": "RTX 4090"}).why


def test_inspect_with_another_range_is_seen(plan: Plan) -> None:
    gpu, *others = plan.ledger.accounts
    line = structs.replace(gpu.lines[0], low=gpu.lines[0].least - 1, high=gpu.lines[0].greatest)
    wider = structs.replace(plan.ledger, accounts=(structs.replace(gpu, lines=(line, *gpu.lines[1:])), *others))
    assert wider.accounts[0].total == gpu.total
    assert "planned" in consistency.agrees("q", structs.replace(plan, ledger=wider), {"device": "RTX 4090"}).why


ONE = parse_request({"device": "RTX 4090"})


def whys(*rows: Plan) -> list[str]:
    return [v.why for v in consistency.labels("q", rows, ONE)]


def test_a_label_that_is_not_true_is_seen(plan: Plan) -> None:
    better = structs.replace(plan, score=structs.replace(plan.score, value=plan.score.value + 5), roles=("best",))
    assert whys(structs.replace(plan, roles=("fastest",)), better) == ["", ""]
    assert [bool(why) for why in whys(structs.replace(plan, roles=("best",)), better)] == [True, False]
    crowded = gyakusan.plan(device="RTX 3060 12GB", users=2, model="qwen3-8b", engine="llama.cpp").plans[0]
    for label in ("room", "no such label", "cheapest"):  # what is owned has no price
        why = whys(structs.replace(crowded, roles=(label,)), structs.replace(plan, roles=()))
        assert [bool(w) for w in why] == [True]
    true = (structs.replace(crowded, roles=("balanced", "smallest")), structs.replace(plan, roles=("room",)))
    assert whys(*true) == ["", "", ""]
    assert whys(structs.replace(plan, roles=()), true[0])[0] == "not the first row"


def test_worse_with_more_money_is_seen(plan: Plan) -> None:
    def answer(*qualities: float) -> Any:
        return SimpleNamespace(
            plans=tuple(structs.replace(plan, score=structs.replace(plan.score, value=q)) for q in qualities),
            request=ONE,
        )

    budgets = ("1USD", "2USD", "3USD", "4USD")
    good = consistency.money("q", (answer(), answer(50.0), answer(50.0, 60.0), answer(60.0)), budgets)
    assert [v.why for v in good] == ["", "", ""]
    bad = [v.why for v in consistency.money("q", (answer(50.0), answer(49.0), answer()), budgets)]
    assert "falls from 50 to 49" in bad[0]
    assert "none with more money" in bad[1]
    assert "the score of plan 1 falls" in consistency.worse(answer(60.0, 70.0), answer(55.0, 70.0))
    assert "half of the points" in consistency.worse(answer(50.0, 60.0), answer(40.0, 60.0))


def test_a_cheapest_plan_that_costs_more_with_more_money_is_seen(plan: Plan) -> None:
    def answer(price: float, *roles: str) -> Any:
        sold = structs.replace(plan.offer, price=price, own_computer=False)
        return SimpleNamespace(plans=(plan, structs.replace(plan, offer=sold, roles=roles)), request=ONE)

    steps = (answer(100.0, "cheapest"), answer(90.0, "cheapest"), answer(95.0, "cheapest"), answer(80.0))
    why = [v.why for v in consistency.money("q", steps, ("1USD", "2USD", "3USD", "4USD"))]
    assert not why[0]
    assert "the cheapest costs 90 yen, and 95 yen" in why[1]
    assert why[2]


def test_cards_alone_are_judged_by_the_computer_that_they_make(plan: Plan) -> None:
    def answer(own: bool, used: bool, price: float, around: float | None) -> Any:
        bought = SimpleNamespace(used=used)
        sold = structs.replace(plan.offer, price=price, own_computer=own, around=around, items=(bought,))
        return SimpleNamespace(plans=(structs.replace(plan, offer=sold, roles=("cheapest",)),), request=ONE)

    card, dear, second_hand = answer(True, False, 9e4, 2e5), answer(True, False, 8e4, 4e5), answer(True, True, 3e4, 2e5)
    complete = answer(False, False, 2e5, None)
    assert not consistency.worse(card, complete)
    assert "the score of plan 1 falls" in consistency.worse(card, dear)
    assert not consistency.worse(second_hand, answer(True, False, 9e4, 3e5))
    assert "the cheapest costs 90,000 yen, and 95,000" in consistency.worse(card, answer(True, False, 95_000.0, 2e5))
    assert "the cheapest costs 200,000 yen, and 90,000" in consistency.worse(complete, card)


def item(**other: Any) -> SimpleNamespace:
    values = {
        "what": "GeForce RTX 3060 12GB",
        "amount": 1.0,
        "currency": "JPY",
        "used": True,
        "month": "2026-09",
        "source": "s",
        "paid": 1.0,
        "paid_in": "JPY",
    }
    return SimpleNamespace(**{**values, **other})


def offer(plan: Plan, *items: SimpleNamespace, **other: Any) -> Any:
    values = {
        "machine": plan.offer.machine,
        "count": 1,
        "price": 1.0,
        "power": 450.0,
        "wall_power": 600.0,
        "owned": False,
    }
    return SimpleNamespace(**{**values, **other}, items=items)


def test_a_price_without_size_kind_or_age_is_seen(plan: Plan) -> None:
    right = item(what="GeForce RTX 4090 24GB")
    assert machines.price(offer(plan, right)) == ""
    wrong = ({"amount": 0}, {"used": None}, {"month": "2026"}, {"month": "2019-01"}, {"source": ""})
    assert [bool(machines.price(offer(plan, right, item(**w)))) for w in wrong] == [True] * 5
    assert machines.price(offer(plan)) == "no items of the price"
    assert machines.price(offer(plan, right, price=None)) == "no sum"


def test_items_that_do_not_add_up_are_seen(plan: Plan) -> None:
    card, rest = item(what="GeForce RTX 4090 24GB", paid=250_000.0), item(paid=150_000.0)
    assert machines.price(offer(plan, card, rest, price=400_000.9)) == ""
    assert machines.price(offer(plan, card, rest, price=400_002.0)) == "items of 400,000 yen, a price of 400,002"
    dollars = exchange_rates().yen["USD"]
    foreign = item(what="GeForce RTX 4090 24GB", paid=2000.0, paid_in="USD")
    assert machines.price(offer(plan, foreign, price=2000 * dollars)) == ""
    assert "a price of" in machines.price(offer(plan, foreign, price=2000.0))
    assert "without a rate" in machines.price(offer(plan, item(what="RTX 4090 24GB", paid_in="XYZ")))


def test_the_oldest_price_is_the_planners(plan: Plan) -> None:
    """November 2026 is today in tests: fifteen months ago is August 2025."""
    assert machines.price(offer(plan, item(what="GeForce RTX 4090 24GB", month="2025-08"))) == ""
    assert "of 2025-07" in machines.price(offer(plan, item(what="GeForce RTX 4090 24GB", month="2025-07")))


def test_a_size_must_be_said_where_several_are_sold(plan: Plan) -> None:
    mac = gyakusan.plan(device="M4 Max 128GB", model="qwen3-8b").plans[0]
    assert machines.price(offer(mac, item(what="Mac Studio 128GB"))) == ""
    nameless = structs.replace(mac.offer.machine, name="Mac Studio")
    assert "no item says 128 GB" in machines.price(offer(mac, item(what="Mac Studio"), machine=nameless))


def test_a_machine_that_no_household_has_is_seen(plan: Plan) -> None:
    assert machines.machine(offer(plan), "JPY", asked=2) == ""
    assert machines.machine(offer(plan, count=4), "JPY", asked=2) == "4 cards"
    assert machines.machine(offer(plan, count=4), "JPY", asked=4) == ""
    assert "nobody says" in machines.machine(offer(plan, wall_power=None), "JPY", asked=2)
    assert "alone" in machines.machine(offer(plan, wall_power=300.0), "JPY", asked=2)
    assert "outlet of 1500 W" in machines.machine(offer(plan, wall_power=1700.0), "JPY", asked=2)
    assert "outlet of 1440 W" in machines.machine(offer(plan, wall_power=1450.0), "USD", asked=2)
    assert machines.machine(offer(plan, wall_power=1700.0), "EUR", asked=2) == ""
    mac = gyakusan.plan(device="M4 Max 128GB", model="qwen3-8b").plans[0]
    assert machines.machine(offer(mac, wall_power=None), "JPY", asked=2) == ""
    assert list(machines.judge("q", plan, {}, "JPY")) == []
    bought = SimpleNamespace(offer=offer(plan))
    assert [v.kind for v in machines.judge("q", bought, {}, "JPY")] == ["price", "machine"]  # type: ignore[arg-type]


def test_the_expert_counts_the_first_three() -> None:
    plans = gyakusan.plan(device="RTX 4090").plans
    last = expert.Box(models=(plans[2].name.upper(),))
    assert expert.fault(last, plans) == ""
    assert expert.fault(last, plans[:2]) == "none of the expert's in the first three"
    assert "comes first" in expert.fault(expert.Box(models=last.models, not_first=(plans[0].name,)), plans)
    assert expert.fault(expert.Box(models=last.models, devices=("RTX 9999",)), plans)
    assert expert.fault(last, ()) == "no plan"
    assert expert.plain("gemma-4-26B-A4B") == expert.plain("gemma4-26b-a4b")
