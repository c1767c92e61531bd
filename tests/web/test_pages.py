"""Every page in both languages: it answers, keeps its policy, and says what the commands say."""

from __future__ import annotations

import html
import re
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
from starlette.testclient import TestClient
from tests.web.flex import Torn, flexing

from gyakusan.cli import main
from gyakusan.python.inspection import inspect
from gyakusan.show.wording import gib
from gyakusan.web import pages
from gyakusan.web.article_page import ARTICLE
from gyakusan.web.guard import POLICY

LANGUAGES = ("en", "ja")
ADDRESSES = (
    "/",
    "/fit?device=RTX+4090&context=131072&users=2",
    "/fit?device=RTX+3060+12GB&model=qwen3.6-27b",
    "/fit?device=2x+RTX+3090&engine=vllm",
    "/fit?device=M4+Max+128GB&engine=mlx&model=llama3.1-8b",
    "/fit?device=RTX+4090&engine=mlx",
    "/plan?device=RTX+4090",
    "/plan?budget=1000000JPY&users=2",
    "/plan?budget=10JPY",
    "/plan?device=RTX+4090&why_not=gpt-oss-120b",
    "/compare",
    "/compare?device=RTX+5090&device=M4+Max+128GB&model=gpt-oss-20b&model=llama3.1-8b",
    "/compare?plan=device%3DRTX+4090%23p1&plan=device%3DRTX+4090%23p2",
    "/computer",
    "/catalogue",
    "/catalogue/devices?search=4090",
    "/catalogue/machines",
    "/catalogue/models?language=ja",
    "/catalogue/record?name=RTX+4090",
    "/accuracy",
    "/article",
)
_OWN = re.compile(r"(?:/|#|\?|data:,)")


class Read(HTMLParser):
    """What a browser would take from a page: addresses, attributes, identifiers."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.addresses: list[str] = []
        self.attributes: list[str] = []
        self.ids: list[str] = []
        self.language = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            self.attributes.append(name)
            if name in ("href", "src", "action") or (name == "data-map" and value):
                self.addresses.append(value or "")
            if name == "id":
                self.ids.append(value or "")
            if tag == "html" and name == "lang":
                self.language = value or ""


def test_every_page_is_asked_for() -> None:
    asked = {urlsplit(address).path for address in ADDRESSES}
    assert asked == {*pages.PAGES, *pages.KINDS, "/computer"}


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("address", ADDRESSES)
def test_a_page(client: TestClient, address: str, language: str) -> None:
    answer = client.get(address, headers={"accept-language": language})
    assert answer.status_code == 200
    assert answer.headers["content-security-policy"] == POLICY
    found = Read(answer.text)
    assert found.language == language
    assert [a for a in found.addresses if not _OWN.match(a) and a != ARTICLE] == [], "nothing comes from elsewhere"
    assert [a for a in found.attributes if a == "style" or a.startswith("on")] == []
    assert len(found.ids) == len(set(found.ids))
    if language == "ja":
        assert re.search("[ぁ-ん]", answer.text)


def test_links_of_a_page_lead_somewhere(client: TestClient) -> None:
    for start in ("/", "/fit?device=RTX+3060+12GB&model=qwen3.6-27b", "/plan?device=RTX+4090"):
        found = Read(client.get(start).text)
        for address in {a for a in found.addresses if a.startswith("/")}:
            answer = client.get(address)
            assert answer.status_code in (200, 303, 307), address


SHORT = (
    "/fit?device=RTX+4090&context=131072&users=8",
    "/fit?device=RTX+4090&model=gpt-oss-120b&context=32k",
    "/fit?device=RTX+4090&model=llama3.3-70b&ram=64GiB",
    "/fit?device=RTX+3060+12GB&model=qwen3-8b&engine=vllm&users=16&context=32k",
    "/fit?device=RTX+3060+12GB&model=qwen3-8b&engine=ollama&users=16&context=32k&ram=16GiB",
)


@pytest.mark.parametrize("address", SHORT)
def test_a_way_fits(client: TestClient, address: str) -> None:
    """A change with which it fits is a link where the page has a field for it, and where it leads to it fits."""
    text = client.get(address).text
    assert 'data-tone="no"' in text
    mend = text[text.index('class="mend"') :]
    mend = mend[: mend.index("</section>")]
    links = re.findall(r'href="(/fit\?[^"]+)"', mend)
    assert len(links) + mend.count("<code>") == mend.count("<li>")
    for link in links:
        assert 'data-tone="yes"' in client.get(link.replace("&amp;", "&")).text, link


@pytest.mark.parametrize("engine", ["llama.cpp", "ollama", "vllm", "mlx"])
def test_every_cache_that_is_offered_is_answered(client: TestClient, engine: str) -> None:
    device = "M4+Max+128GB" if engine == "mlx" else "RTX+4090"
    address = f"/fit?device={device}&model=llama3.1-8b&engine={engine}"
    offered = re.findall(r'name="kv_type" value="(\w+)"', client.get(address).text)
    layers = client.get(address.replace("/fit", "/api/v1/memory-map")).json()["layers"]
    assert {layer["cache"] for layer in layers} <= set(offered)
    for kind in offered:
        found = client.get(f"{address}&kv_type={kind}")
        assert found.status_code == 200
        assert re.search(rf'value="{kind}"\s+checked', found.text), kind
        asked = client.get(f"{address}&kv_type={kind}".replace("/fit", "/api/v1/memory-map")).json()
        assert asked["layers"][0]["cache"] == kind


def test_what_is_refused_has_no_map(client: TestClient) -> None:
    text = client.get("/fit?device=RTX+4090&engine=mlx").text
    assert "It does not run." in text
    assert 'data-map=""' in text


def test_the_page_and_python_agree(client: TestClient) -> None:
    found = inspect("gpt-oss-20b", context=131072, users=2, device="RTX 4090")
    text = client.get("/fit?model=gpt-oss-20b&context=131072&users=2&device=RTX+4090").text
    account = found.accounts[0]
    assert f"{float(account.total) / 2**30:.2f} / {float(account.device.usable or 0) / 2**30:.2f} GiB" in text
    for line in account.lines:
        if line.formula:
            assert line.formula in text


def test_the_page_and_a_mailed_report_agree_to_the_byte(client: TestClient, tmp_path: Path) -> None:
    """Each part's size in GiB, and the formula with its bytes, stand in both; programs get the same bytes of both."""
    words = ["inspect", "gpt-oss-20b", "--context", "131072", "--users", "2", "--device", "RTX 4090", "--lang", "en"]
    assert main([*words, "--html", str(tmp_path / "report.html")]) == 0
    report = html.unescape((tmp_path / "report.html").read_text("utf-8"))
    address = "model=gpt-oss-20b&context=131072&users=2&device=RTX+4090"
    page = html.unescape(client.get(f"/fit?{address}").text)
    found = inspect("gpt-oss-20b", context=131072, users=2, device="RTX 4090")
    assert client.get(f"/api/v1/inspect?{address}").json()["devices"] == found.to_dict()["devices"]
    for account in found.accounts:
        for line in account.lines:
            for text in (report, page):
                assert gib(float(line.bytes)) in text
                assert line.formula in text


def test_the_bar_is_that_of_reports(client: TestClient) -> None:
    from gyakusan.show.charts.memory_bar import memory_bar
    from gyakusan.text import tell

    found = inspect("gpt-oss-20b", context=131072, users=2, device="RTX 4090")
    text = client.get("/fit?model=gpt-oss-20b&context=131072&users=2&device=RTX+4090").text
    for account in found.accounts:
        assert memory_bar(account, lambda words: tell(words, "en"), 640) in text


def test_a_plan_leads_to_fit(client: TestClient) -> None:
    text = client.get("/plan?device=RTX+4090&users=2").text
    links = [a.replace("&amp;", "&") for a in re.findall(r'href="(/fit\?[^"]+)"', text)]
    assert links
    for number in range(1, len(links) + 1):
        assert f'<a href="#p{number}"' in text, "the circle of the chart"
        assert f'id="p{number}"' in text
    query = parse_qs(urlsplit(links[0]).query)
    assert query["users"] == ["2"]
    assert 'data-tone="yes"' in client.get(links[0]).text


def test_plans_are_compared(client: TestClient) -> None:
    """What is ticked on the page of plans stands side by side, with the same figures; each can be left out and asked again."""
    asked = "device=RTX+4090&currency=USD&users=2"
    plans = client.get(f"/api/v1/plan?{asked}").json()["plans"]
    ticked = re.findall(r'name="plan" value="([^"]+)" checked', client.get(f"/plan?{asked}").text)
    assert len(ticked) == len(plans)
    address = "/compare?" + urlencode([("plan", html.unescape(t)) for t in ticked[:2]])
    text = client.get(address).text
    compared = client.get(address.replace("/compare?", "/api/v1/compare?")).json()
    assert [c["plan"] for c in compared] == plans[:2]
    for one in compared:
        assert f"<h3>{compared.index(one) + 1}. {one['title']}</h3>" in text
    links = [html.unescape(a) for a in re.findall(r'<a class="button" href="([^"]+)"', text)]
    assert [a for a in links if a.startswith("/plan?")][:2] == [f"/plan?{asked}#p1", f"/plan?{asked}#p2"]
    alone = next(a for a in links if a.startswith("/compare?"))
    assert parse_qs(urlsplit(alone).query)["plan"] == [f"{asked}#p2"]
    assert "1. " + compared[1]["title"] in client.get(alone).text
    more = links[-1]
    assert parse_qs(urlsplit(more).query)["beside"] == [f"{asked}#p1", f"{asked}#p2"]
    next_one = client.get(f"{more}&device=RTX+3060+12GB").text
    assert [html.unescape(t) for t in re.findall(r'type="hidden" name="plan" value="([^"]+)"', next_one)] == [
        f"{asked}#p1", f"{asked}#p2",
    ]  # fmt: skip


def test_plans_beside_machines(client: TestClient) -> None:
    address = "plan=device%3DRTX+4090&plan=device%3DRTX+4090%23p99&device=RTX+5090&model=gpt-oss-20b"
    plan, none, machine = client.get(f"/api/v1/compare?{address}").json()
    assert plan["fits"]
    assert (none["fits"], none["plan"]) == (False, None)
    alone = client.get("/api/v1/compare?device=RTX+5090&model=gpt-oss-20b").json()[0]
    assert machine["answer_price_jpy"] == alone["answer_price_jpy"] > 0
    assert "has no plan" in client.get(f"/compare?{address}").text
    assert none["title"] == "RTX 4090"


@pytest.mark.parametrize(
    ("address", "status", "said"),
    [
        ("/nosuch", 404, "There is no page /nosuch."),
        ("/fit?model=gpt-oss-20", 404, "gpt-oss-20b"),
        ("/fit?model=/etc/passwd", 400, "a page opens none"),
        ("/fit?model=https://example.com/x.gguf", 400, "a page opens none"),
        ("/fit?users=many", 400, "many"),
        ("/fit?nonsense=1", 404, "nonsense"),
        ("/fit?prompt=x", 400, "Give a number."),
        ("/plan?task=cooking", 400, "Choose one of"),
        ("/fit?users=1&users=2", 400, "Give it once."),
        ("/fit?" + "&".join(f"a{i}=1" for i in range(80)), 400, "at most 64"),
        ("/compare?" + "&".join(["device=RTX+4090"] * 13) + "&model=a&model=b&model=c", 400, "at most 36"),
        ("/compare?plan=users%3D0", 400, "0"),
        ("/plan?speed=-1", 400, "“Least tokens/s for each person” cannot be -1."),
        ("/plan?speed=-1", 400, "Give a number from 0 to below 1,000,000,000."),
        ("/plan?gpus=0", 400, "“Most cards in a machine”: "),
        ("/plan?users=0", 400, "“People at once”: "),
        ("/plan?context=0", 400, "“Context for each person”: "),
        ("/plan?engine=,", 400, "“Server” cannot be &#39;,&#39;."),
        ("/compare?plan=device%3DRTX%2B4090%26budget%3D1000000JPY", 400, "“Budget” one to buy"),
        ("/compare?plan=device%3DRTX%2B4090%26budget%3D1000000JPY", 400, "Leave out one of the two."),
        ("/compare?plan=nonsense%3D1", 404, "nonsense"),
        ("/plan?beside=nonsense%3D1", 404, "nonsense"),
        ("/compare?" + "&".join(f"plan=users%3D{n}" for n in range(1, 8)), 400, "at most 6"),
        ("/catalogue/record?name=nosuch", 404, "nosuch"),
        ("/fit?model=" + "x" * 400, 400, "too long"),
        ("/fit?model=a%1bb", 400, "cannot be printed"),
    ],
)
def test_what_has_no_answer(client: TestClient, address: str, status: int, said: str) -> None:
    answer = client.get(address)
    assert answer.status_code == status
    assert said in answer.text
    assert "<h1>" in answer.text


def test_markup_is_text(client: TestClient) -> None:
    answer = client.get("/fit?model=%3Cscript%3Ealert(1)%3C/script%3E")
    assert "<script>alert" not in answer.text
    assert "&lt;script&gt;" in answer.text


def test_language_and_theme(client: TestClient) -> None:
    assert Read(client.get("/?lang=ja").text).language == "ja"
    assert Read(client.get("/", headers={"accept-language": "fr;q=0.9, ja;q=0.8, en;q=0.1"}).text).language == "ja"
    assert Read(client.get("/", headers={"accept-language": "x;q=nonsense"}).text).language == "en"
    kept = client.get("/settings?set-lang=ja&set-theme=dark&to=/fit%3Fmodel%3Dx")
    assert (kept.status_code, kept.headers["location"]) == (303, "/fit?model=x")
    cookies = kept.headers.get_list("set-cookie")
    assert sorted(c.split(";")[0] for c in cookies) == ["lang=ja", "theme=dark"]
    dark = client.get("/", headers={"cookie": "theme=dark; lang=ja"})
    assert 'data-theme="dark"' in dark.text
    client.cookies.clear()


@pytest.mark.parametrize(
    "to", ["//evil.example", "https://evil.example", "/\\evil.example", "javascript:alert(1)", "/a%0d%0ab"]
)
def test_settings_lead_to_no_other_site(client: TestClient, to: str) -> None:
    assert client.get(f"/settings?to={to}").headers["location"] == "/"
    client.cookies.clear()


def test_json_beside_each_page(client: TestClient) -> None:
    for path in pages.JSON:
        answer = client.get(f"{path}.json?lang=ja")
        assert answer.status_code == 307
        assert answer.headers["location"].startswith("/api/v1/")


def test_a_public_copy_shows_nothing_of_this_computer(public: TestClient) -> None:
    assert public.get("/computer").status_code == 404
    start = public.get("/")
    assert "/computer" not in start.text
    assert start.headers["cache-control"] == "public, max-age=300"
    fit, plan = public.get("/fit"), public.get("/plan")
    assert "RTX 4090" in fit.text
    assert "RTX 4090" in plan.text
    for hidden in (
        "/fit?device=cpu",
        "/plan?device=cpu",
        "/api/v1/inspect",
        "/api/v1/memory-map",
        "/api/v1/plan?users=1",
    ):
        answer = public.get(hidden)
        assert answer.status_code == 400
        assert "shows nothing of its computer" in answer.text
    compared = public.get("/api/v1/compare?model=phi4-14b&device=cpu")
    assert compared.status_code == 400


def test_a_public_copy_leaves_out_records_of_ones_own(public: TestClient, client: TestClient, own_record: Path) -> None:
    record = "/catalogue/record?name=Some+GPU"
    assert str(own_record) in client.get(record).text, "at home the page says where it stands"
    assert "Some GPU" in client.get("/fit").text
    refused = public.get(record)
    assert refused.status_code == 404
    for path in (
        "/catalogue/devices?every=1", "/catalogue/record?name=RTX+4090", "/fit", "/compare", "/api/v1/devices",
        "/api/v1/plan?budget=1000000JPY",
    ):  # fmt: skip
        answer = public.get(path)
        assert answer.status_code == 200, path
        assert "Some GPU" not in answer.text, path
        assert str(own_record.parent) not in answer.text, path
    assert "Some GPU" in client.get("/catalogue/devices?every=1").text, "one scope leaves nothing behind for the other"


def test_errors_are_not_kept(public: TestClient) -> None:
    assert public.get("/fit?model=nope").headers["cache-control"] == "no-store"


def test_forms_keep_the_whole_question(client: TestClient) -> None:
    """What a form has no field for stays in it: a change of another field asks about the same machine."""
    from gyakusan.web.queries import CompareQuery, InspectQuery, PlanQuery

    questions = {
        "/fit?device=RTX+4090&currency=EUR": InspectQuery,
        "/plan?device=RTX+4090&memory=20GiB&ram=64GiB&currency=USD&first=60&quality=1": PlanQuery,
        "/compare?device=RTX+4090&model=gpt-oss-20b&quant=MXFP4&plan=device%3DRTX+4090": CompareQuery,
    }
    for address, kind in questions.items():
        names = set(re.findall(r'<(?:input|select)[^>]* name="([\w-]+)"', client.get(address).text))
        left = set(kind.__struct_fields__) - names - {"gpus"}
        assert left == set(), address


@pytest.mark.parametrize("language", LANGUAGES)
def test_each_door_asks_what_decides_its_answer(client: TestClient, language: str) -> None:
    """The door of a budget asked neither for a context nor for a language: both change what is bought."""
    start = client.get(f"/?lang={language}").text
    doors = re.findall(r'<form method="get" action="(/plan|/fit)">(.*?)</form>', start, re.DOTALL)
    asked = [(where, set(re.findall(r'name="(\w+)"', form))) for where, form in doors]
    assert asked == [
        ("/plan", {"device", "users", "context", "language"}),
        ("/plan", {"budget", "users", "context", "language"}),
        ("/fit", {"model", "device", "users", "context"}),
    ]
    answer = client.get("/plan?budget=1000000JPY&users=2&context=&language=&lang=en")
    assert answer.status_code == 200
    assert "32,768" in client.get("/plan?budget=1000000JPY&users=2&context=32k&language=ja&lang=en").text


def test_a_comparison_is_in_the_currency_that_is_chosen(client: TestClient) -> None:
    asked = "device=RTX+5090&device=RTX+4090&model=gpt-oss-20b"
    yen, dollars = (client.get(f"/compare?{asked}{more}").text for more in ("&currency=yen", "&currency=usd"))
    assert "price, computer, yen" in yen
    assert "price, computer, USD" in dollars
    assert "price, computer, yen" not in dollars
    assert "<option selected>USD</option>" in dollars
    refused = client.get(f"/compare?{asked}&currency=XYZ")
    assert refused.status_code >= 400
    assert "XYZ" in refused.text


@pytest.mark.parametrize("asked", ["budget=3000USD&users=2", "device=RTX+4090&currency=usd"])
def test_compared_plans_are_in_the_currency_of_their_question(client: TestClient, asked: str) -> None:
    ticked = re.findall(r'name="plan" value="([^"]+)" checked', client.get(f"/plan?{asked}").text)
    plans = urlencode([("plan", html.unescape(t)) for t in ticked[:2]])
    found = client.get(f"/compare?{plans}", headers={"accept-language": "en"}).text
    assert " USD" in found
    assert not re.search(r"[\d,]+ yen|, yen", found)
    chosen = client.get(f"/compare?{plans}&currency=EUR", headers={"accept-language": "en"}).text
    assert not re.search(r"[\d,]+ USD", chosen)


@pytest.mark.parametrize(("value", "language"), [("英語", "en"), ("日本語", "ja"), ("ja", "ja"), ("仏語", "ja")])
def test_the_language_may_be_named_in_japanese(client: TestClient, value: str, language: str) -> None:
    answer = client.get("/", params={"lang": value}, headers={"accept-language": "ja"})
    assert Read(answer.text).language == language


def test_a_choice_that_is_none_is_answered_with_japanese_names(client: TestClient) -> None:
    answer = client.get("/plan?task=くっきんぐ&lang=ja")
    assert answer.status_code == 400
    assert "チャット(chat)、コーディング(coding)" in html.unescape(answer.text)


@pytest.mark.parametrize("address", ADDRESSES)
def test_no_sentence_is_torn_into_columns(address: str, client: TestClient) -> None:
    """The largest sentence of a page stood in columns, its number in one of them."""
    assert {"row", "open", "key"} <= flexing()
    assert Torn(client.get(f"{address}{'&' if '?' in address else '?'}lang=ja").text).found == []
