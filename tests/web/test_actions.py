"""Start, stop, bench: only from this page, by this computer's owner, and never on a public copy."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from starlette.testclient import TestClient
from tests.web.conftest import HOST

from gyakusan.serving import running_servers
from gyakusan.web.actions import ACTS, POSTS
from gyakusan.web.app import application

FORM = {"content-type": "application/x-www-form-urlencoded"}


@pytest.fixture(autouse=True)
def _home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    yield
    for entry in running_servers.running():
        running_servers.stop(entry)


def token(client: TestClient) -> str:
    found = re.search(r'name="token" value="([\w-]+)"', client.get("/computer").text)
    assert found
    return found[1]


@pytest.mark.parametrize("path", ACTS)
def test_reading_does_nothing(own: TestClient, path: str) -> None:
    for method in ("GET", "HEAD", "PUT", "DELETE", "OPTIONS"):
        assert own.request(method, path).status_code == 405


@pytest.mark.parametrize("path", ACTS)
def test_a_form_of_another_page(own: TestClient, path: str) -> None:
    good = token(own)
    assert own.post(path).status_code in (403, 411, 415)
    for given in ("", "x", good[:-1], good + "x", "ü"):
        assert own.post(path, data={"token": given}).status_code == 403
    assert own.post(path, content=f"token={good}&token={good}", headers=FORM).status_code == 403
    for headers, status in (
        ({"origin": "https://evil.example"}, 403),
        ({"origin": "null"}, 403),
        ({"origin": "http://127.0.0.1:9"}, 403),  # another program of this computer
        ({"origin": "https://127.0.0.1"}, 403),
        ({"sec-fetch-site": "cross-site"}, 403),
        ({"sec-fetch-site": "same-site"}, 403),
        ({"host": "evil.example"}, 421),
        ({"host": "192.0.2.1", "origin": "http://192.0.2.1"}, 403),
        ({"content-type": "text/plain"}, 415),
        ({"content-type": "application/json"}, 415),
        ({**FORM, "content-encoding": "gzip"}, 415),
        ({**FORM, "content-length": "-1"}, 411),
        ({**FORM, "content-length": "9" * 30}, 413),
        ({**FORM, "transfer-encoding": "chunked"}, 411),
    ):
        asked = own.post(path, content=f"token={good}", headers=FORM | headers)
        assert asked.status_code == status, headers
    bare = {k: v for k, v in own.headers.items() if k != "origin"}
    own.headers.clear()
    own.headers.update(bare)
    assert own.post(path, data={"token": good}).status_code == 403, "a browser names the page"
    assert running_servers.running() == ()


def test_another_account_of_this_computer(own: TestClient) -> None:
    """A connection that no program of this user holds does not act, even with the token, which it cannot read."""
    stranger = TestClient(own.app, base_url=HOST, client=("127.0.0.1", 1), headers={"origin": HOST})
    refused = stranger.post("/computer/stop", data={"token": token(own), "name": "x"})
    assert (refused.status_code, "owner of this computer" in refused.text) == (403, True)
    assert token(own) not in stranger.get("/computer").text


def test_a_body_is_small(own: TestClient) -> None:
    assert own.post("/computer/start", data={"token": "x" * POSTS["/computer/start"].most}).status_code == 413
    many = "&".join(f"a{i}=1" for i in range(200))
    assert own.post("/computer/start", content=many, headers=FORM).status_code == 400
    assert own.post("/computer/start", content=b"\xff", headers=FORM).status_code == 400


def test_each_start_of_the_page_has_its_token(own: TestClient) -> None:
    other = TestClient(application("127.0.0.1"), base_url=HOST, client=("127.0.0.1", 50000))
    assert token(own) == token(own)
    assert token(own) != token(other)
    assert own.post("/computer/start", data={"token": token(other)}).status_code == 403


@pytest.mark.parametrize("host", ["127.0.0.1", "0.0.0.0"])
@pytest.mark.parametrize("path", ACTS)
def test_a_public_copy_has_no_actions(path: str, host: str) -> None:
    public = TestClient(
        application(host, public=True), base_url=HOST, client=("127.0.0.1", 5), headers={"origin": HOST}
    )
    assert public.get(path).status_code == 404
    assert public.post(path, data={"token": "x"}).status_code == 404


def test_a_page_that_the_network_reaches_has_no_actions() -> None:
    """`gyakusan web` refuses such an address without --public; the application has no actions there, either."""
    client = TestClient(application("0.0.0.0"), base_url=HOST, client=("127.0.0.1", 5), headers={"origin": HOST})
    assert 'name="token"' not in client.get("/computer").text
    for path in ACTS:
        assert client.post(path, data={"token": "x"}).status_code == 404


@pytest.mark.parametrize("language", ["en", "ja"])
def test_what_is_refused_is_said_in_the_page(own: TestClient, language: str) -> None:
    own.headers["accept-language"] = language
    good = token(own)
    for path, form, said in (
        ("/computer/start", {"model": "smolm2"}, "smollm2"),
        ("/computer/start", {"context": "9000k"}, "8,192"),
        ("/computer/start", {"nonsense": "1"}, "nonsense"),
        ("/computer/start", {"name": "../x"}, "../x"),
        ("/computer/stop", {"name": "nosuch"}, "smollm2"),
        ("/computer/stop", {}, "name"),
        ("/computer/bench", {"name": "nosuch"}, "smollm2"),
        ("/computer/cancel", {}, ""),
        ("/computer/forget", {"name": "nosuch"}, "nosuch"),
    ):
        answer = own.post(path, data={"token": good, **form})
        assert 400 <= answer.status_code < 500, (path, form)
        alert = re.search(r'role="alert">(.*?)</section>', answer.text, re.DOTALL)
        assert alert, (path, form)
        assert said in alert[1]
        assert re.search("[ぁ-ん]", alert[1]) if language == "ja" else True


def test_fit_leads_to_a_start(own: TestClient) -> None:
    text = own.get("/fit?model=smollm2-135m&context=2048&users=2").text
    link = re.search(r'href="(/computer[?][^"]+)#start"', text)
    assert link
    page = own.get(link[1].replace("&amp;", "&")).text
    for field in (
        'name="model" list="start-models" value="smollm2-135m"',
        'name="context" value="2048"',
        'name="users" value="2"',
    ):
        assert field in page
    for other in ("&device=RTX+4090", "&kv_type=q8_0", "&quant=Q8_0", "&users=64&context=8192&model=gpt-oss-120b"):
        assert (
            "#start" not in own.get(f"/fit?model=smollm2-135m{other}".replace("model=smollm2-135m&users", "users")).text
        )


@pytest.mark.parametrize("language", ["en", "ja"])
def test_fit_offers_a_start_only_of_what_would_start(own: TestClient, language: str) -> None:
    """It offered one whose form then said that the files are not here."""
    text = own.get(f"/fit?model=qwen3-0.6b&lang={language}").text
    assert "#start" not in text
    command = re.sub(r"<[^>]+>", " ", text.partition('id="command"')[2].partition("</section>")[0])
    assert "gyakusan get qwen3-0.6b" in command
    said = "are not on this computer" if language == "en" else "このコンピューターにありません"
    assert said in command or "It would not start" in command or "起動しない" in command


def test_what_was_typed_stays(own: TestClient) -> None:
    form = {"token": token(own), "model": "nosuch-model", "context": "3k", "users": "7"}
    text = own.post("/computer/start", data=form).text
    for value in ("nosuch-model", "3k", "7"):
        assert f'value="{value}"' in text


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs /proc")
def test_from_the_start_to_the_stop(own: TestClient) -> None:
    """A real server: the smallest model, on one processor."""
    good = token(own)
    asked = own.post("/computer/start", data={"token": good, "context": "512", "name": "office", "model": "smollm2"})
    assert (asked.status_code, asked.headers["location"]) == (303, "/computer")
    end = time.monotonic() + 60
    text = ""
    while "uffers as predicted;" not in text and time.monotonic() < end:
        time.sleep(0.2)
        text = own.get("/computer/live").text
    assert "office runs for" in text
    entry = running_servers.find_running("office")
    assert (entry.users, entry.context, entry.url.split(":")[1]) == (1, 512, "//127.0.0.1")
    again = own.post("/computer/start", data={"token": good, "name": "office"})
    assert again.status_code == 400
    assert "office&#34; runs already" in again.text
    begun = own.post("/computer/bench", data={"token": good, "name": "office", "users": "1", "seconds": "1s"})
    assert begun.status_code == 303
    while "Bench 1</a>" not in text and time.monotonic() < end:
        time.sleep(0.2)
        text = own.get("/computer/live").text
    assert "Last bench" in own.get("/computer").text
    assert own.post("/computer/stop", data={"token": good, "name": "office"}).status_code == 303
    assert "Nothing runs here." in own.get("/computer").text
    assert running_servers.running() == ()
