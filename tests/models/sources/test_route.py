"""Where redirects may lead, and what stays secret: a real server on loopback, other hosts through a mock transport."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import httpx2
import pytest
from tests.models.sources.serving import BIG, MIB, Handler, Site, serving, slow_body, status, whole

from gyakusan import errors
from gyakusan.models.sources import http, route


def redirect(to: str, code: int = 302) -> Callable[[Handler], None]:
    return status(code, Location=to)


@pytest.mark.parametrize("code", [301, 302, 303, 307, 308])
def test_a_redirect_on_the_same_server(site: Site, code: int) -> None:
    site.answers["/moved"] = redirect("/big.bin?signature=1", code)
    with http.open(site.base + "/moved") as source:
        assert source.read(MIB, 100) == BIG[MIB : MIB + 100]
    assert [path for path, _, _ in site.log] == ["/moved", "/big.bin?signature=1", "/big.bin?signature=1"]


def test_five_redirects_and_no_more(site: Site) -> None:
    for i in range(6):
        site.answers[f"/{i}"] = redirect(f"/{i + 1}")
    site.files["/6"] = b"end"
    with http.open(site.base + "/1") as source:
        assert source.read(0, 3) == b"end"
    site.log.clear()
    with pytest.raises(errors.SourceError, match="redirects more than 5 times"):
        http.open(site.base + "/0")
    assert len(site.log) == 6


def test_an_address_that_runs_out_is_asked_for_again(site: Site) -> None:
    signed = iter(["/signed/1", "/signed/2"])
    site.answers["/moved"] = lambda handler: handler.head(302, Location=next(signed))
    site.answers["/signed/1"] = lambda h: h.part(BIG) if len(site.log) <= 2 else h.head(403)
    site.files["/signed/2"] = BIG
    with http.open(site.base + "/moved") as source:
        assert source.read(MIB, 100) == BIG[MIB : MIB + 100]
    assert [path for path, _, _ in site.log] == ["/moved", "/signed/1", "/signed/1", "/moved", "/signed/2"]


@pytest.mark.parametrize(
    ("to", "said"),
    [
        ("file:///etc/passwd", r"redirects to file://, which is not a web address\. The redirect was not followed"),
        ("ftp://example.org/x", r"redirects to ftp://, which is not a web address"),
        ("gopher://127.0.0.1/x", r"which is not a web address"),
        ("data:text/plain,x", r"which is not a web address"),
        ("http://example.org/x", r"http://example\.org/x, another server without encryption"),
        ("http://127.0.0.1:{other}/x", r"another server without encryption"),
        ("http://localhost:{same}/x", r"another server without encryption"),
        ("https://127.0.0.1:{other}/x", r"a private address \(127\.0\.0\.1\) that you did not name"),
        ("https://localhost:{other}/x", r"a private address \("),
        ("https://[::1]:{other}/x", r"a private address \(::1\)"),
        ("https://[::ffff:127.0.0.1]:{other}/x", r"a private address"),
        ("https://2130706433:{other}/x", r"a private address \(127\.0\.0\.1\)"),
        ("https://169.254.169.254/latest", r"a private address"),
        ("https://10.0.0.1/x", r"a private address"),
        ("https://0.0.0.0:{other}/x", r"a private address"),
        ("https://user:secret@10.0.0.1/x?sig=secret", r"redirects to https://10\.0\.0\.1/x\?\.\.\., a private"),
        ("https://host:1x/", "an address that cannot be read"),
        ("https:///x", r"."),
    ],
)
def test_redirects_that_are_not_followed(site: Site, to: str, said: str) -> None:
    with serving() as other:
        ports = {"other": other.base.rpartition(":")[2], "same": site.base.rpartition(":")[2]}
        site.answers["/moved"] = redirect(to.format(**ports) if "{" in to else to)
        with pytest.raises(errors.SourceError, match=said) as caught:
            http.open(site.base + "/moved")
        assert other.log == []
    assert len(site.log) == 1
    assert "secret" not in str(caught.value)
    assert "\n" not in str(caught.value)


class Hosts:
    """A transport that plays many hosts: (host, path) -> status and headers, or a file."""

    def __init__(self, table: dict[str, tuple[int, dict[str, str]] | bytes]) -> None:
        self.table = table
        self.seen: list[tuple[str, dict[str, str]]] = []

    def __call__(self, request: httpx2.Request) -> httpx2.Response:
        self.seen.append((str(request.url), dict(request.headers)))
        found = self.table[str(request.url)]
        if isinstance(found, tuple):
            return httpx2.Response(found[0], headers=found[1])
        last = min(524287, len(found) - 1)
        headers = {"content-range": f"bytes 0-{last}/{len(found)}"}
        return httpx2.Response(206, headers=headers, stream=httpx2.ByteStream(found))


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> dict[str, list[str]]:
    """Host names and their addresses."""
    table = {"cdn.example": ["93.184.216.34"], "both.example": ["93.184.216.34", "127.0.0.1"]}
    monkeypatch.setattr(route, "resolve", lambda host, port, *, proxied: table[host])
    return table


def test_a_token_stays_with_the_host_that_was_named(names: dict[str, list[str]]) -> None:
    hosts = Hosts(
        {
            "https://hub.example/m": (302, {"location": "https://cdn.example/m?sig=1"}),
            "https://cdn.example/m?sig=1": b"GGUF",
        }
    )
    transport = httpx2.MockTransport(hosts)
    with http.open(
        "https://hub.example/m", headers={"Authorization": "Bearer s3cret", "X-Own": "1"}, transport=transport
    ) as source:
        assert source.read(0, 4) == b"GGUF"
    assert [url for url, _ in hosts.seen] == ["https://hub.example/m", "https://cdn.example/m?sig=1"]
    assert hosts.seen[0][1]["authorization"] == "Bearer s3cret"
    assert hosts.seen[0][1]["accept-encoding"] == "identity"
    assert "s3cret" not in str(hosts.seen[1])
    assert "x-own" not in hosts.seen[1][1]


def test_hf_token_goes_to_hugging_face_only(monkeypatch: pytest.MonkeyPatch, names: dict[str, list[str]]) -> None:
    monkeypatch.setenv("HF_TOKEN", " hf_s3cret\n")
    url = "https://huggingface.co/m"
    hosts = Hosts(
        {
            url: (302, {"location": "https://cdn.example/m"}),
            "https://cdn.example/m": b"x",
            "https://other.example/m": b"x",
        }
    )
    transport = httpx2.MockTransport(hosts)
    http.open(url, transport=transport).close()
    http.open("https://other.example/m", transport=transport).close()
    assert [h.get("authorization") for _, h in hosts.seen] == ["Bearer hf_s3cret", None, None]


@pytest.mark.parametrize("token", ["a\nb", "é", "a\x7f"])
def test_a_token_that_cannot_be_sent(monkeypatch: pytest.MonkeyPatch, token: str) -> None:
    monkeypatch.setenv("HF_TOKEN", token)
    with pytest.raises(errors.BadSetting, match=r"Check HF_TOKEN") as caught:
        http.open("https://huggingface.co/m")
    assert token not in str(caught.value)


@pytest.mark.parametrize(
    ("to", "said"),
    [
        ("http://hub.example/m", "not encrypted"),
        ("http://cdn.example/m", "not encrypted"),
        ("https://both.example/m", r"a private address \(127\.0\.0\.1\)"),
    ],
)
def test_redirects_between_hosts(names: dict[str, list[str]], to: str, said: str) -> None:
    hosts = Hosts({"https://hub.example/m": (302, {"location": to})})
    with pytest.raises(errors.SourceError, match=said):
        http.open("https://hub.example/m", transport=httpx2.MockTransport(hosts))
    assert len(hosts.seen) == 1


def test_a_name_that_changes_its_address_after_the_check(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """The check sees a public address, the connection would go to loopback: it is cut before anything is sent."""
    monkeypatch.setattr(route, "resolve", lambda host, port, *, proxied: ["93.184.216.34"])
    with serving() as other:
        site.answers["/moved"] = redirect(f"https://localhost:{other.base.rpartition(':')[2]}/x")
        with pytest.raises(errors.SourceError, match=r"a private address \(127\.0\.0\.1\) that you did not name"):
            http.open(site.base + "/moved")
        assert other.log == []


@pytest.mark.parametrize(
    ("address", "public"),
    [
        ("93.184.216.34", True),
        ("2606:2800:220:1:248:1893:25c8:1946", True),
        ("127.0.0.1", False),
        ("127.9.9.9", False),
        ("10.1.2.3", False),
        ("172.16.0.1", False),
        ("192.168.1.1", False),
        ("100.64.0.1", False),
        ("169.254.169.254", False),
        ("0.0.0.0", False),
        ("224.0.0.1", False),
        ("::1", False),
        ("::", False),
        ("fe80::1%eth0", False),
        ("fd00::1", False),
        ("::ffff:10.0.0.1", False),
        ("64:ff9b::7f00:1", False),
        ("64:ff9b::5db8:d822", True),
        ("2002:7f00:1::", False),
        ("nonsense", False),
    ],
)
def test_public_addresses(address: str, public: bool) -> None:
    assert route.is_public(address) is public


# Secrets, proxies


@pytest.mark.parametrize(
    "answer", [status(401), status(404), status(500), whole("x"), redirect("file:///x"), slow_body]
)
def test_secrets_in_the_address_are_never_shown(site: Site, answer: Callable[[Handler], None]) -> None:
    site.answers["/bad"] = answer
    url = site.base.replace("://", "://me:pa%24sword@") + "/bad?signature=s3cret#part"
    with pytest.raises(errors.GyakusanError) as caught:
        http.open(url, patience=0.5)
    shown = str(caught.value) + repr(caught.value.message) + repr(caught.value.__cause__)
    assert site.base + "/bad?..." in shown
    assert not any(word in shown for word in ("me:", "sword", "s3cret"))
    assert site.log[0][0] == "/bad?signature=s3cret"
    assert site.log[0][2] == "Basic bWU6cGEkc3dvcmQ="


def test_the_environment_names_a_proxy(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", site.base)
    site.answers["http://far.example/m"] = lambda handler: handler.part(BIG)
    with http.open("http://far.example/m") as source:
        assert source.read(0, 10) == BIG[:10]
    assert site.log[0][0] == "http://far.example/m"


def test_a_proxy_that_makes_no_sense(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "nonsense://me:s3cret@host")
    with pytest.raises(errors.SourceError, match=r"Check HTTP_PROXY") as caught:
        http.open("https://example.org/m")
    assert "s3cret" not in str(caught.value)


def test_a_bad_certificate_path(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "none.pem"))
    with pytest.raises(errors.SourceError, match=r"SSL_CERT_FILE"):
        http.open("https://example.org/m")
