"""Compare: models on devices side by side."""

from __future__ import annotations

from msgspec import structs
from starlette.requests import Request
from starlette.responses import Response

from gyakusan.message import say
from gyakusan.planning.request.money import exchange_rates
from gyakusan.show.amounts import Amounts
from gyakusan.show.compare import screen
from gyakusan.show.report import compare_report
from gyakusan.web import answers
from gyakusan.web.choices import device_names, model_names
from gyakusan.web.queries import CompareQuery, read
from gyakusan.web.rendering import page

MOST_DEVICES = 6
DEVICES, MODELS = ("RTX 5090", "RTX 4090", "DGX Spark"), ("gpt-oss-20b",)
"""What is compared where nothing is named."""


def draw(request: Request) -> Response:
    """Return the page. Raises GyakusanError."""
    query = read(CompareQuery, request.query_params.multi_items())
    query = structs.replace(query, device=query.device or DEVICES, model=query.model or MODELS)
    found = answers.compare(query)
    drawn = screen(found.rows, Amounts("JPY", exchange_rates({})))
    return page(
        request, "compare.html", say("Machines and models side by side"), query=query,
        answer=compare_report(found.rows, drawn), models=model_names(), devices=device_names(), slots=range(MOST_DEVICES),
    )  # fmt: skip
