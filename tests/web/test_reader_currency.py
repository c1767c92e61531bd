"""Prices are said in the reader's currency on every page whose question names none, and in the links and documents behind it."""

from __future__ import annotations

import html
import re

import pytest
from starlette.requests import Request
from starlette.testclient import TestClient

from gyakusan.web.queries import CompareQuery, PlanQuery
from gyakusan.web.reader_currency import readers_currency, usual_currency, with_currency

BROWSERS = {
    "en-US,en;q=0.9": "USD", "en": "USD", "": "USD", "en-GB,en;q=0.9": "USD", "de-DE,de;q=0.9,en-US;q=0.8,en;q=0.7": "EUR",
    "fr;q=0.2, de-CH": "CHF", "ja": "JPY", "ja,en-US;q=0.9,en;q=0.8": "JPY", "en;q=0.9,ja-JP": "JPY", "x;q=z, en-US": "USD",
    "en-US;q=0, de-AT;q=0.1": "EUR",
}  # fmt: skip
"""What a browser accepts -> its reader's currency."""
ANSWERS = (
    "/compare", "/compare?device=RTX+5090&model=gpt-oss-20b", "/compare?plan=device%3DRTX+4090%23p1&device=RTX+5090",
    "/plan?model=gpt-oss-20b",
)  # fmt: skip
"""Pages with prices whose question names no currency."""
SIGNS = {"USD": "USD", "EUR": "EUR", "CHF": "CHF", "JPY": "yen|円"}


def _request(accepted: str, query: str = "") -> Request:
    headers = [(b"accept-language", accepted.encode())]
    return Request({"type": "http", "path": "/plan", "query_string": query.encode(), "headers": headers})


@pytest.mark.parametrize(("accepted", "currency"), BROWSERS.items())
def test_the_country_else_the_language(accepted: str, currency: str) -> None:
    assert readers_currency(_request(accepted)) == currency


def test_a_page_in_japanese_is_read_in_japan() -> None:
    assert readers_currency(_request("en-US", "lang=ja")) == "JPY"
    assert readers_currency(_request("ja", "lang=en")) == "USD"


def test_what_a_question_names_stays() -> None:
    reader = _request("en-US")
    assert with_currency(PlanQuery(currency="CHF"), reader).currency == "CHF"
    assert with_currency(PlanQuery(budget="300000JPY"), reader) == PlanQuery(budget="300000JPY")
    assert usual_currency(PlanQuery(budget="300000JPY", currency="EUR"), reader) == "JPY"
    assert with_currency(PlanQuery(device="RTX 4090"), reader).currency == "USD"
    yen = CompareQuery(plan=("budget=300000JPY#p1",))
    assert with_currency(yen, reader).currency == "JPY"
    assert with_currency(CompareQuery(plan=("users=2#p1",)), reader).currency == "USD"


@pytest.mark.parametrize("page", ANSWERS)
@pytest.mark.parametrize(("accepted", "currency"), [("en-US,en", "USD"), ("de-DE,en;q=0.5", "EUR"), ("ja", "JPY")])
def test_every_page_without_a_budget(client: TestClient, page: str, accepted: str, currency: str) -> None:
    """An English reader saw 750,000 where the command said 7,330."""
    answer = client.get(page, headers={"accept-language": accepted})
    assert answer.status_code == 200
    heads = re.findall(r"<t[dh][^>]*>([^<]*)</t[dh]>", answer.text.partition('id="result"')[2])
    named = {name for head in heads for name, sign in SIGNS.items() if re.search(rf"(?:^|[ (、])(?:{sign})\)?$", head)}
    assert named == {currency}
    document = re.search(r'href="(/(?:compare|plan)\.json[^"]*)"', answer.text)
    assert document
    assert f"currency={currency}" in document[1], "the page as JSON has the same prices"


def test_a_chosen_currency_goes_along_to_fit_and_from_there(client: TestClient) -> None:
    def links(page: str, to: str) -> list[str]:
        text = client.get(page, headers={"accept-language": "en-US"}).text
        return [html.unescape(a) for a in re.findall(rf'href="({to}\?[^"#]*)"', text)]

    for question, currency in (("budget=3000EUR", "EUR"), ("device=RTX+4090&currency=CHF", "CHF")):
        fit = links(f"/plan?{question}", "/fit")[0]
        assert f"currency={currency}" in fit
        assert f'name="currency" value="{currency}"' in client.get(fit).text
        assert f"currency={currency}" in links(fit, "/compare")[0]
        assert f"currency={currency}" in links(fit, "/plan")[0]


def test_the_field_says_which_currency_is_the_default(client: TestClient) -> None:
    for page in ("/compare", "/plan?device=RTX+4090"):
        assert ">default: EUR<" in client.get(page, headers={"accept-language": "de-DE,en;q=0.5"}).text
        assert ">既定(JPY)<" in client.get(page, headers={"accept-language": "ja"}).text
    assert ">default: CHF<" in client.get("/plan?budget=3000CHF&currency=EUR").text


def test_the_first_page_begins_with_a_budget_of_the_reader(client: TestClient) -> None:
    for accepted, budget in (
        ("en-US", "3000USD"),
        ("de-CH,en;q=0.9", "3000CHF"),
        ("en,ja-JP;q=0.9", "1000000JPY"),
        ("ja", "100万円"),
    ):
        assert (
            f'name="budget" type="text" value="{budget}"' in client.get("/", headers={"accept-language": accepted}).text
        )
