"""gyakusan plan: from a machine or a budget and from people back to model, quantisation, engine and settings."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from cyclopts import App, Parameter

from gyakusan.cli.options import Output, Where, _
from gyakusan.cli.writing import draw, write_json
from gyakusan.errors import BadSetting
from gyakusan.python.files import text_of

if TYPE_CHECKING:
    from gyakusan.planning.request.request import PlanRequest
    from gyakusan.planning.select.plan_capacity import PlanCapacity
    from gyakusan.planning.select.what_if import Change

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
        str | None, Parameter(help=_("Currency of the answer: JPY, USD, EUR or CHF (default: the budget's)."))
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
    quality: Annotated[str | None, Parameter(help=_("Least quality in points (Llama 3.1 8B has 35)."))] = None


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


@Parameter(name="*")
@dataclass(frozen=True, slots=True)
class Views:
    """What is shown besides."""

    show_all: Annotated[
        bool,
        Parameter(name="--all", help=_("List every Pareto-optimal candidate, and what was left out."), negative=""),
    ] = False
    what_if: Annotated[
        bool, Parameter(help=_("Show what one more user, twice the context or one more card changes."), negative="")
    ] = False
    show_max: Annotated[
        bool, Parameter(name="--max", help=_("Show the longest context and the most users of each plan."), negative="")
    ] = False
    csv: Annotated[bool, Parameter(help=_("Print every Pareto-optimal candidate as CSV."), negative="")] = False
    why_not: Annotated[str | None, Parameter(help=_("Explain why this model, engine or device is not proposed."))] = (
        None
    )


@app.default
def plan(
    file: Annotated[Path | None, Parameter(help=_("A request in TOML or JSON; options win over it."))] = None,
    *,
    needs: Needs = Needs(),
    where: Where = Where(),
    limits: Limits = Limits(),
    wishes: Wishes = Wishes(),
    views: Views = Views(),
    output: Output = Output(),
) -> int:
    """Run `gyakusan plan` and return its exit code."""
    with uncollected():
        return _answered(_asked(file, needs, where, limits, wishes), views, output)


@contextmanager
def uncollected() -> Iterator[None]:
    """Run without garbage collection.

    Thousands of records are read and all of them stay; to look for waste among them takes a fifth of the time:
    `plan --device "RTX 4090"` took 1.05 s of CPU time with it and 0.83 s without (best of three, November 2026).
    """
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()


def _answered(asked: PlanRequest, views: Views, output: Output) -> int:
    if asked.colocated:
        return _several(asked, views, output)
    from gyakusan.planning.select.recommend import recommend
    from gyakusan.planning.select.why_not import why_not

    found = recommend(asked)
    why = None if views.why_not is None else why_not(found, views.why_not)
    more: tuple[Change, ...] = ()
    if views.what_if:
        from gyakusan.planning.select.what_if import what_if

        more = what_if(found)
    reach: tuple[PlanCapacity, ...] = ()
    if views.show_max:
        from gyakusan.planning.select.plan_capacity import plan_capacities

        reach = plan_capacities(found)
    from gyakusan.show import plan as show

    if output.json:
        from gyakusan.documents.plan import recommendation

        everything = views.show_all
        write_json(recommendation(found, why=why, changes=more, capacities=reach, everything=everything), output)
    elif views.csv:
        print(show.comma_separated(found), end="")
    else:
        parts = show.screen(found)
        parts += show.listing(found) if views.show_all else ()
        parts += show.changes(more) if more else ()
        parts += show.capacities(reach)
        parts += () if why is None else (show.reasons(why),)
        draw(*parts, output=output)
    return 0 if found.plans else 1


def _several(asked: PlanRequest, views: Views, output: Output) -> int:
    """Several models at the same time. The views are about one model."""
    if views != Views():
        raise BadSetting(
            "--all, --max, --what-if, --why-not and --csv apply to one model.",
            mend="Leave them out, or leave out --also.",
        )
    from gyakusan.planning.colocate.recommend import colocate

    found = colocate(asked)
    if output.json:
        from gyakusan.documents.colocation import colocation

        write_json(colocation(found), output)
    else:
        from gyakusan.show import colocation as show

        draw(*show.screen(found), output=output)
    return 0 if found.plans else 1


def _asked(file: Path | None, needs: Needs, where: Where, limits: Limits, wishes: Wishes) -> PlanRequest:
    from gyakusan.planning.request.parse_request import parse_request

    return parse_request(said(file, needs, where, limits, wishes))


def said(file: Path | None, needs: Needs, where: Where, limits: Limits, wishes: Wishes) -> dict[str, Any]:
    """What the file says, and what the options say over it."""
    from gyakusan.planning.request.parse_request import file_values

    given: dict[str, Any] = {**asdict(needs), **asdict(where), **asdict(limits), **asdict(wishes)}
    given["also"] = given["also"] or None
    given["engines"], given["kv"] = given.pop("engine"), given.pop("kv_type")
    found = {} if file is None else file_values(text_of(file), file.name)
    return {**found, **{k: v for k, v in given.items() if v is not None}}
