"""Where an answer is a mistake, the page says why, and its form holds what was typed: on every page that has a form."""

from __future__ import annotations

import html
import re
from urllib.parse import parse_qsl, urlencode

import pytest
from starlette.testclient import TestClient
from tests.web.test_actions import token

from gyakusan.errors import BadSetting, UnknownName, unknown
from gyakusan.message import say
from gyakusan.web.pages import AGAIN
from gyakusan.web.problems import refused

MISTAKES = {
    "/plan": (
        "budget=3000&users=5&context=16k&task=coding&language=ja&model=gpt-oss-20b&first=60&gpus=1",
        "budget=abc&prefer=quality&used=1&images=1&currency=CHF&kv_type=q8_0&ram=64GiB",
        "device=no+such&speed=25&engine=vLLM", "device=RTX+4090&quality=many", "budget=3000USD&users=nobody",
        "beside=device%3DRTX+4090%23p1&budget=1000", "device=RTX+4090&why_not=nosuch", "task=cooking&budget=3000USD",
    ),
    "/fit": (
        "model=nosuch&device=RTX+4090&context=32k&users=4", "model=gpt-oss-20b&device=nosuch&engine=MLX-LM&ram=64GiB&images=1",
        "model=gpt-oss-20b&memory=much&reserve=8GiB&bandwidth=80GB/s&prompt=900&task=rag&language=ja&kv_type=q8_0&quant=Q4_K_M",
        "model=gpt-oss-20b&device=RTX+4090&users=nobody&currency=EUR",
    ),
    "/compare": (
        "device=RTX+5090&device=nosuch&model=gpt-oss-20b&context=32k&users=2", "model=nosuch&device=RTX+5090&currency=EUR",
        "plan=budget%3D3000%23p1&users=3",
        "plan=device%3DRTX+4090%23p1&currency=XYZ&device=RTX+4090&model=gpt-oss-20b&quant=MXFP4",
    ),
    "/catalogue/devices": ("search=RTX&memory=much",), "/catalogue/machines": ("search=Mac&memory=much",),
    "/catalogue/models": ("search=qwen&memory=much",),
}  # fmt: skip
"""Page -> questions with a mistake, some of it in another field."""
UNTYPED = {("task", "cooking"), ("currency", "XYZ")}
"""What no form can send: it is no choice of its list."""


def _held(text: str) -> set[tuple[str, str]]:
    """Return names and values of the fields of the page's forms."""
    body = text.partition("<main")[2]
    held = set()
    for tag in re.findall(r"<input[^>]*>", body):
        name, value = re.search(r' name="([\w-]+)"', tag), re.search(r' value="([^"]*)"', tag)
        if name and value and ("checkbox" not in tag or " checked" in tag):
            held.add((name[1], html.unescape(value[1])))
    for name, options in re.findall(r'<select[^>]* name="([\w-]+)"[^>]*>(.*?)</select>', body, re.DOTALL):
        for value, words in re.findall(r'<option(?: value="([^"]*)")? selected>([^<]*)<', options):
            held.add((name, html.unescape(value or words)))
    return held


def test_every_page_with_a_form_is_asked() -> None:
    assert set(MISTAKES) == set(AGAIN)


@pytest.mark.parametrize("language", ["en", "ja"])
@pytest.mark.parametrize(("page", "question"), [(page, q) for page, found in MISTAKES.items() for q in found])
def test_what_was_typed_stays(client: TestClient, page: str, question: str, language: str) -> None:
    """A budget without a currency replaced the whole page, and "Ask anew" led to an empty one."""
    answer = client.get(f"{page}?{question}&lang={language}")
    assert answer.status_code >= 400, "no mistake"
    assert 'role="alert"' in answer.text
    lost = set(parse_qsl(question)) - _held(answer.text)
    unasked = {("memory", "much")} if page in ("/catalogue/machines", "/catalogue/models") else set()
    assert lost - UNTYPED - unasked == set()


def test_the_question_can_be_asked_again(client: TestClient) -> None:
    held = dict(_held(client.get("/plan?budget=3000&users=2&model=gpt-oss-20b").text)) | {"budget": "3000USD"}
    assert client.get(f"/plan?{urlencode(held)}").status_code == 200


def test_a_public_copy_keeps_it_too(public: TestClient) -> None:
    answer = public.get("/plan?budget=3000&users=7")
    assert answer.status_code == 400
    assert {("budget", "3000"), ("users", "7")} <= _held(answer.text)
    assert answer.headers["cache-control"] == "no-store"


def test_markup_that_was_typed_is_words(client: TestClient) -> None:
    for page in AGAIN:
        text = client.get(page, params={"search": '"><script>x', "model": '"><script>x', "memory": '"><script>x'}).text
        assert "<script>x" not in text


@pytest.mark.parametrize("page", ["/fit?model=nosuch", "/plan?device=nosuch", "/catalogue/record?name=nosuch"])
def test_an_unknown_name_leads_to_the_names(client: TestClient, page: str) -> None:
    answer = client.get(page)
    assert answer.status_code == 404
    assert 'href="/catalogue"' in answer.text.partition("<main")[2]


def test_only_names_of_the_catalogue_lead_there() -> None:
    assert refused(unknown(say("model"), "x", ())).names
    assert not refused(unknown(say("option"), "x", ("a", "b"), choices=True)).names
    assert not refused(BadSetting("No.", mend="Yes.")).names
    assert refused(UnknownName("No.")).lines == (UnknownName("No.").message,)


def test_the_form_of_a_start_keeps_all(own: TestClient) -> None:
    typed = {"model": "gpt-oss-20b", "engine": "vLLM", "context": "much", "users": "3", "name": "office"}
    answer = own.post("/computer/start", data={"token": token(own), **typed})
    assert answer.status_code >= 400
    assert set(typed.items()) <= _held(answer.text)
