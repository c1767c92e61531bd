"""The pages of the catalogue lead on: every name that they offer and every link of a record has an answer."""

from __future__ import annotations

import html
import re
from urllib.parse import parse_qs, urlsplit

import pytest
from starlette.testclient import TestClient

from gyakusan.catalog import devices
from gyakusan.catalog.records import entries
from gyakusan.web.catalogue_pages import has_page, plannable

_OFFERED = re.compile(r'<datalist id="offered">(.*?)</datalist>', re.S)
_VALUE = re.compile(r'value="([^"]*)"')
_PLAN = re.compile(r'href="(/plan\?device=[^"]*)"')


def _plans(client: TestClient, name: str) -> list[str]:
    """Return the devices for which the page of a record offers a plan."""
    answer = client.get("/catalogue/record", params={"name": name})
    assert answer.status_code == 200, name
    return [parse_qs(urlsplit(html.unescape(link)).query)["device"][0] for link in _PLAN.findall(answer.text)]


@pytest.mark.parametrize("kind", ["device", "machine"])
def test_every_plan_of_a_record_is_of_this_record(client: TestClient, kind: str) -> None:
    for entry in entries(kind):
        # the page is the same for each size that is named; the first is asked
        offered = _plans(client, entry.name if has_page(entry.name) else plannable(entry)[0])
        assert offered, entry.name
        for name in offered:
            assert devices.find(name).entry == entry, name


def test_a_size_that_is_asked_stays(client: TestClient) -> None:
    assert _plans(client, "Mac Studio M3 Ultra 256GB") == ["Mac Studio M3 Ultra 256GB"]
    sizes = _plans(client, "GMKtec EVO-X2")
    assert sizes == ["GMKtec EVO-X2 64GB", "GMKtec EVO-X2 96GB", "GMKtec EVO-X2 128GB"]
    assert client.get("/plan", params={"device": sizes[0]}).status_code == 200


@pytest.mark.parametrize("kind", ["devices", "machines", "models"])
def test_every_offered_name_has_a_page(client: TestClient, kind: str) -> None:
    text = _OFFERED.findall(client.get(f"/catalogue/{kind}").text)[0]
    names = [html.unescape(value) for value in _VALUE.findall(text)]
    assert len(names) > 40
    assert [name for name in names if not has_page(name)] == []


@pytest.mark.parametrize("kind", ["devices", "machines", "models"])
@pytest.mark.parametrize("more", ["", "?search=a", "?every=1"])
def test_every_name_of_a_list_leads_to_its_record(client: TestClient, kind: str, more: str) -> None:
    """Of 400 names none was a link: sources were found only by typing the name again."""
    text = client.get(f"/catalogue/{kind}{more}").text
    body = text.partition("<tbody>")[2].partition("</tbody>")[0]
    rows = body.count("<tr>")
    links = re.findall(r'<tr><td [^>]*><a href="(/catalogue/record[?]name=[^"]+)">', body)
    assert rows > 10
    assert len(links) == rows
    for link in links[:: max(1, rows // 12)]:
        assert client.get(html.unescape(link)).status_code == 200
