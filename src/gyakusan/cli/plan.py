"""gyakusan plan: from a machine or a budget and from people back to model, quantisation, engine and settings."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from cyclopts import App, Parameter
from msgspec import structs

from gyakusan.cli.computing import computing
from gyakusan.cli.options import Output, Where, _
from gyakusan.cli.plan_nodes import Spread, over_nodes
from gyakusan.cli.plan_views import Use, Views, answered, check_together, checked_plan, saved_plans, text_form
from gyakusan.cli.reader_currency import with_currency
from gyakusan.cli.report_files import Files, write
from gyakusan.cli.writing import draw, warn, write_json
from gyakusan.errors import BadSetting, GyakusanError
from gyakusan.message import say
from gyakusan.python.files import question_of, text_of
from gyakusan.text import Language, tell

if TYPE_CHECKING:
    from gyakusan.cli.saved import SavedAnswer
    from gyakusan.planning.request.request import PlanRequest
    from gyakusan.planning.select.recommendation import Recommendation
    from gyakusan.show.report import Report
    from gyakusan.show.tree import Tree

app = App(
    name="plan",
    help="Plan backwards: from a machine or a budget to model, server and command.",
    help_format="plaintext",
)


@Parameter(name="*")
@dataclass(frozen=True, slots=True)
class Needs:
    """Who asks what. None: the default of the question."""

    users: Annotated[str | None, Parameter(help=_("People served at the same time (default 1)."))] = None
    arrivals: Annotated[
        str | None, Parameter(help=_("Requests of all users, e.g. 2000/h; the users at once follow from it."))
    ] = None
    context: Annotated[str | None, Parameter(help=_("Tokens for each user, prompt and answer together, e.g. 32k."))] = (
        None
    )
    prompt: Annotated[str | None, Parameter(help=_("Prompt length in tokens (default: by task)."))] = None
    answer: Annotated[str | None, Parameter(help=_("Answer length in tokens (default: by task)."))] = None
    task: Annotated[
        Literal["chat", "coding", "rag", "agents", "translation"] | None,
        Parameter(help=_("What people do; sets lengths and the quality to rank by.")),
    ] = None
    language: Annotated[
        Literal["en", "ja"] | None, Parameter(help=_("Language that people write; ranks by quality in it."))
    ] = None
    images: Annotated[
        bool | None, Parameter(help=_("Images are sent too: count the projector that reads them."), negative="")
    ] = None


@Parameter(name="*")
@dataclass(frozen=True, slots=True)
class Limits:
    """What must hold."""

    budget: Annotated[str | None, Parameter(help=_("Budget for a machine, e.g. 1000000JPY or 3000USD."))] = None
    computer: Annotated[
        str | None,
        Parameter(help=_("'own' for cards into a PC you own, or the price of the computer around them.")),
    ] = None
    currency: Annotated[
        str | None,
        Parameter(
            help=_("Currency of the answer: JPY, USD, EUR or CHF (default: the budget's, else by country or language).")
        ),
    ] = None
    rates: Annotated[str | None, Parameter(help=_("Yen for one unit of a currency, e.g. USD=155,EUR=180."))] = None
    power: Annotated[str | None, Parameter(help=_("Most power of the devices in watts."))] = None
    outlet: Annotated[
        str | None, Parameter(help=_("Watts that your outlet gives (default 1500 in Japan, 1440 in the US)."))
    ] = None
    count: Annotated[
        str | None, Parameter(name=["--gpus", "--count"], help=_("Most cards in one machine (default 2)."))
    ] = None
    os: Annotated[
        Literal["any", "linux", "windows", "macos"] | None, Parameter(help=_("Operating system of the machine."))
    ] = None
    brand: Annotated[str | None, Parameter(help=_("Maker of the device, e.g. NVIDIA."))] = None
    used: Annotated[bool | None, Parameter(help=_("Consider used prices."), negative="")] = None
    enterprise: Annotated[bool | None, Parameter(help=_("Consider data-centre cards, which need a server."))] = None
    speed: Annotated[str | None, Parameter(help=_("Least output tokens/s for each user."))] = None
    first: Annotated[str | None, Parameter(help=_("Most seconds to the first token."))] = None
    quality: Annotated[
        str | None, Parameter(help=_("Least quality in points (Llama 3.1 8B = 35, gpt-oss-120b = 70)."))
    ] = None


@Parameter(name="*")
@dataclass(frozen=True, slots=True)
class Wishes:
    """What is liked better."""

    prefer: Annotated[
        Literal["balanced", "quality", "speed", "price"] | None, Parameter(help=_("What to prefer in the ranking."))
    ] = None
    engine: Annotated[str | None, Parameter(help=_("llama.cpp, ollama, vllm or mlx; several with commas."))] = None
    kv_type: Annotated[str | None, Parameter(help=_("KV cache types to try: f16, q8_0."))] = None
    licenses: Annotated[str | None, Parameter(help=_("Allowed licences, e.g. apache-2.0 or permissive."))] = None
    families: Annotated[str | None, Parameter(help=_("Only models whose name begins with this."))] = None
    without: Annotated[str | None, Parameter(help=_("Leave out models whose name begins with this."))] = None
    model: Annotated[str | None, Parameter(help=_("Find machines for this model."))] = None
    also: Annotated[
        tuple[str, ...],
        Parameter(
            help=_("Another model on the same machine, e.g. coding:users=2,context=16k or embedding; repeatable."),
            negative="",
        ),
    ] = ()


@app.default
def plan(
    file: Annotated[Path | None, Parameter(help=_("A request in TOML or JSON; options win over it."))] = None,
    *,
    needs: Needs = Needs(),
    where: Where = Where(),
    limits: Limits = Limits(),
    wishes: Wishes = Wishes(),
    buy: Annotated[
        bool | None,
        Parameter(
            help=_("Machines to buy for --model, or not; default: this computer, if it runs the model fast enough.")
        ),
    ] = None,
    spread: Spread = Spread(),
    views: Views = Views(),
    use: Use = Use(),
    files: Files = Files(),
    output: Output = Output(),
) -> int:
    """Run `gyakusan plan` and return its exit code."""
    check_together(views, use, output)
    files.check_alone(text_form(views, use))
    if spread != Spread():
        with computing():
            asked = with_currency(said(file, needs, where, limits, wishes), output.language)
            return over_nodes(asked, spread, views, use, files, output)
    with computing():
        values, saved = _question(file, use, (needs, where, limits, wishes), output.language)
        _check_buy(values, buy)
        values |= {} if buy is None else {"buy": buy}
        use = use if saved is None else replace(use, lan=use.lan or saved.lan)
        return _answered(values, saved, views, use, files, output, keep=saved is None or file is not None)


def _check_buy(values: dict[str, Any], buy: bool | None) -> None:
    """Raise BadSetting where --buy or --no-buy says otherwise than the machine or the budget of a question."""
    named = next((f"--{key}" for key in ("device", "memory") if values.get(key)), None)
    if buy and named:
        raise BadSetting("--buy is for machines to buy, and {option} names one that is there.", option=named,
                         mend="Leave out one of them. What to buy next: gyakusan upgrade.")  # fmt: skip
    if buy is False and values.get("budget"):
        raise BadSetting("--no-buy and --budget contradict each other.", mend="Leave out one of them.")


Options = tuple[Needs, Where, Limits, Wishes]


def _question(
    file: Path | None, use: Use, options: Options, language: Language
) -> tuple[dict[str, Any], SavedAnswer | None]:
    """Return the question, and the saved answer that it comes from: a number alone is about the last answer."""
    from gyakusan.cli import saved

    if use.number is not None and file is None and options == (Needs(), Where(), Limits(), Wishes()):
        found = saved.last()
        return dict(found.values), found
    values = with_currency(said(file, *options), language)
    if use.lan and not values.get("engines"):
        from gyakusan.engines.registry import engine, usual_engines

        values["engines"] = [name for name in usual_engines() if engine(name).KEY]
    kept = None if file is None else saved.answer_in(text_of(file), file.name)
    return values, None if kept is None else saved.for_question(kept, values)


def _answered(
    values: dict[str, Any],
    kept: SavedAnswer | None,
    views: Views,
    use: Use,
    files: Files,
    output: Output,
    *,
    keep: bool,
) -> int:
    """Answer a question. keep: it becomes the last answer."""
    from gyakusan.cli import saved
    from gyakusan.planning.request.parse_request import parse_request

    asked = parse_request(values)
    if asked.owned and values.get("count") is not None:
        raise BadSetting(
            "--gpus is for machines to buy; --device says how many cards a machine has.",
            mend='Leave out --gpus, or name the cards: --device "{n}x RTX 4090"',
            n=asked.count,
        )
    if asked.colocated:
        saved.forget()
        return _several(asked, views, use, files, output)
    found, values = _recommended(asked, values, output)
    if found.plans:
        answer = saved.SavedAnswer(values, saved.today(), saved_plans(found), use.lan)
        if keep:
            saved.keep(answer)
        if use.save is not None:
            if use.number is not None:
                checked_plan(found, use.number)
            saved.save(use.save, answer, output.language)
            if not output.json:
                warn(tell(say("The answer is saved in {file}.", file=str(use.save)), output.language))
    else:
        saved.forget()
    return answered(found, views, use, files, output, kept)


BOUGHT = (
    "budget",
    "computer",
    "power",
    "outlet",
    "count",
    "os",
    "brand",
    "used",
    "enterprise",
    "buy",
    "device",
    "memory",
)
"""Keys that say which machine is meant, or that one is to be bought."""


def _recommended(asked: PlanRequest, values: dict[str, Any], output: Output) -> tuple[Recommendation, dict[str, Any]]:
    """Return the answer, and the question as it was understood: a model alone is for this computer, if it runs it there.

    Else machines to buy are found. What was decided is said on stderr.
    """
    from gyakusan.planning.select.pace_relaxations import keeps_pace
    from gyakusan.planning.select.recommend import recommend

    if asked.buy and asked.model is None and "buy" in values:
        raise BadSetting("--buy is for --model.", mend="Add --model NAME, or give a --budget.")
    if asked.model is None or any(key in values for key in BOUGHT):
        return recommend(asked), values
    try:
        here = recommend(structs.replace(asked, buy=False))
    except GyakusanError as error:
        bought = recommend(asked)  # what is wrong with the question is said by this
        warn(
            "gyakusan: "
            + tell(say("These are machines to buy, not this computer: {why}", why=error.message), output.language)
        )
        return bought, {**values, "buy": True}
    first = here.plans[0] if here.plans else None
    stays = first is not None and keeps_pace(here.request, first)
    if stays and first is not None and first.pace is None:
        why = say(
            "It fits this computer, its speed is not known (gyakusan calibrate measures). For machines to buy: add --buy."
        )
    elif stays:
        why = say("This computer runs it. For machines to buy: add --buy.")
    elif first is not None:
        why = say("This computer is too slow for it: these are machines to buy. For this computer: add --no-buy.")
    else:
        why = say("This computer does not run it: these are machines to buy. For this computer: add --no-buy.")
    warn("gyakusan: " + tell(why, output.language))
    return (here if stays else recommend(asked)), {**values, "buy": not stays}


def _several(asked: PlanRequest, views: Views, use: Use, files: Files, output: Output) -> int:
    """Several models at the same time. The views are about one model."""
    if views != Views() or use != Use():
        raise BadSetting(
            "--all, --max, --what-if, --why-not, --csv and the options of one plan apply to one model.",
            mend="Leave them out, or leave out --also.",
        )
    from gyakusan.planning.colocate.recommend import colocate
    from gyakusan.show import colocation as show

    found = colocate(asked)
    written = write(files, lambda: _colocation_report(show.screen(found)), output)
    if output.json:
        from gyakusan.documents.colocation import colocation

        write_json(colocation(found), output)
    else:
        draw(*show.screen(found), *written, output=output)
    return 0 if found.plans else 1


def _colocation_report(screen: Tree) -> Report:
    from gyakusan.show.report import other_report

    return other_report("gyakusan plan", screen)


def said(
    file: Path | None, needs: Needs, where: Where, limits: Limits, wishes: Wishes, command: str = "plan"
) -> dict[str, Any]:
    """What the file says, and what the options say over it. command: that asks."""
    given: dict[str, Any] = {**asdict(needs), **asdict(where), **asdict(limits), **asdict(wishes)}
    given["also"] = given["also"] or None
    given["engines"], given["kv"] = given.pop("engine"), given.pop("kv_type")
    found = {} if file is None else question_of(file, command)
    return {**found, **{k: v for k, v in given.items() if v is not None}}
