"""Files on the web: a real server on loopback, good and bad; other hosts through a mock transport."""

from __future__ import annotations

import random
import struct
import time
from collections.abc import Callable

import pytest
from tests.models import building
from tests.models.building import ARRAY, F32, I32, STRING, array, header, pair, tensor
from tests.models.sources.serving import BIG, MIB, Handler, Site, serving, slow_body, status, whole

from gyakusan import errors
from gyakusan.models.formats import gguf
from gyakusan.models.sources import http
from gyakusan.models.sources.watch import Clock, Watch


def test_reads_are_exact(site: Site) -> None:
    with http.open(site.base + "/big.bin") as source:
        assert source.size == len(BIG)
        assert source.file == "big.bin"
        assert source.name == site.base + "/big.bin"
        picks = random.Random(2)
        for _ in range(200):
            at = picks.randrange(len(BIG))
            n = picks.randrange(min(len(BIG) - at, 300_000) + 1)
            assert source.read(at, n) == BIG[at : at + n]
            if source._requests < 8:
                source._requests = http.REQUESTS
                source._budget = http.BUDGET


def test_reading_on_asks_for_more_each_time(site: Site) -> None:
    with http.open(site.base + "/big.bin") as source:
        read = b"".join(source.read(at, 4096) for at in range(0, len(BIG), 4096))
    assert read == BIG
    assert [r for _, r, _ in site.log] == ["bytes=0-524287", "bytes=524288-1572863", "bytes=1572864-3145727"]


def test_a_small_file_is_one_request(site: Site) -> None:
    with http.open(site.base + "/small.gguf") as source:
        assert gguf.read(source).metadata == gguf.read(building.Memory(building.small())).metadata
    assert len(site.log) == 1


def test_an_empty_file(site: Site) -> None:
    with http.open(site.base + "/empty.gguf") as source:
        assert source.size == 0
        with pytest.raises(errors.Truncated, match="is empty"):
            gguf.read(source)


def test_past_the_end_asks_nothing(site: Site) -> None:
    with http.open(site.base + "/small.gguf") as source:
        with pytest.raises(errors.Truncated, match=r"too early.*another copy"):
            source.read(len(building.small()) - 2, 3)
        with pytest.raises(errors.Truncated):
            source.read(-1, 1)
    assert len(site.log) == 1


def huge(size: int) -> tuple[bytes, int]:
    """The header of a 400 GB model with a vocabulary of 200,000, and the size of its file. [B]"""
    words = array(STRING, [f"token{i}" for i in range(200_000)])
    merges = array(STRING, [f"tok en{i}" for i in range(200_000)])
    pairs = [
        pair("general.architecture", STRING, "llama"),
        pair("tokenizer.ggml.tokens", ARRAY, words),
        pair("tokenizer.ggml.scores", ARRAY, struct.pack("<IQ", F32, 200_000) + bytes(800_000)),
        pair("tokenizer.ggml.token_type", ARRAY, struct.pack("<IQ", I32, 200_000) + bytes(800_000)),
        pair("tokenizer.ggml.merges", ARRAY, merges),
    ]
    rows = size // 2000 // 272 // 16 * 16
    tensors = [tensor(f"blk.{i}.weight", (256, rows), 8, i * 272 * rows) for i in range(2000)]
    head = header(pairs, tensors)
    return head, len(head) + 2000 * 272 * rows + 4096


def test_a_huge_model_takes_few_requests(site: Site) -> None:
    head, size = huge(400 * 10**9)

    def answer(handler: Handler) -> None:
        start, stop = handler.asked(size)
        handler.head(206, stop - start, Content_Range=f"bytes {start}-{stop - 1}/{size}")
        handler.body(head[start:stop].ljust(stop - start, b"\0"))

    site.answers["/huge.gguf"] = answer
    with http.open(site.base + "/huge.gguf") as source:
        found = gguf.read(source)
    assert found.size == size > 399 * 10**9
    assert len(found.tensors) == 2000
    assert found.count("tokenizer.ggml.merges") == 200_000
    assert len(site.log) <= 8
    assert site.sent < 2 * len(head) + MIB


def test_large_numeric_arrays_are_not_fetched(site: Site) -> None:
    body = struct.pack("<IQ", F32, 2**23) + bytes(2**25)
    site.files["/scores.gguf"] = header([pair("tokenizer.ggml.scores", ARRAY, body), pair("z", STRING, "end")], [])
    with http.open(site.base + "/scores.gguf") as source:
        assert gguf.read(source).metadata["z"] == "end"
    assert len(site.log) == 2
    assert site.sent < 2 * MIB


def test_parts(site: Site) -> None:
    for i, name in enumerate(["a", "b"]):
        pairs = [pair("split.no", building.U16, i), pair("split.count", building.U16, 2)]
        data = building.padded(header(pairs, [tensor(name, (32,), 0, 0)]), 128)
        site.files[f"/dir/m%20x-0000{i + 1}-of-00002.gguf"] = data
    found = gguf.read_parts(site.base + "/dir/m x-00002-of-00002.gguf?download=true", http.open)
    assert [t.name for t in found.tensors] == ["a", "b"]
    assert [path for path, _, _ in site.log] == [
        "/dir/m%20x-00002-of-00002.gguf?download=true",
        "/dir/m%20x-00001-of-00002.gguf?download=true",
    ]
    del site.files["/dir/m%20x-00001-of-00002.gguf"]
    with pytest.raises(errors.BadReference, match=r"Part 1 of 2 is missing: m x-00001-of-00002\.gguf"):
        gguf.read_parts(site.base + "/dir/m x-00002-of-00002.gguf", http.open)


# Servers that refuse or misbehave


def says(start: str, length: int = 100, sent: int = 100, **headers: str) -> Callable[[Handler], None]:
    """A 206 answer with any Content-Range, Content-Length and body."""

    def answer(handler: Handler) -> None:
        handler.head(206, length, Content_Range=start, **headers)
        handler.body(bytes(sent))
        handler.close_connection = True

    return answer


def chunked(n: int) -> Callable[[Handler], None]:
    """A body without a length, longer or shorter than the range."""

    def answer(handler: Handler) -> None:
        handler.send_response(206)
        handler.send_header("Content-Range", "bytes 0-99/100")
        handler.send_header("Transfer-Encoding", "chunked")
        handler.end_headers()
        for _ in range(n):
            handler.body(b"400\r\n" + bytes(1024) + b"\r\n")
        handler.wfile.write(b"5\r\nabcde\r\n0\r\n\r\n")

    return answer


BAD: dict[str, tuple[Callable[[Handler], None], type[errors.GyakusanError], str]] = {
    "401": (status(401), errors.SourceError, r"needs a login \(401\)\. Set HF_TOKEN"),
    "403": (status(403), errors.SourceError, r"refuses access \(403\)\. Ask for access .*HF_TOKEN"),
    "404": (status(404), errors.BadReference, r"does not exist \(404\)\. Check the address"),
    "410": (status(410), errors.BadReference, r"does not exist \(410\)\. Check the address"),
    "416": (status(416), errors.SourceError, r"\(416\)\. .*another copy"),
    "418": (status(418), errors.SourceError, r"status 418\. Check the address"),
    "429": (status(429), errors.SourceError, r"limits the number of requests \(429\)\. Try again later; HF_TOKEN"),
    "429 with time": (status(429, Retry_After="17"), errors.SourceError, r"Try again in 17 seconds"),
    "429 with nonsense": (status(429, Retry_After="9" * 99), errors.SourceError, r"Try again later"),
    "500": (status(500), errors.SourceError, r"server error \(500\)\. Try again later"),
    "503": (status(503), errors.SourceError, r"server error \(503\)\. Try again later"),
    "302 to nowhere": (status(302), errors.SourceError, r"status 302"),
    "204": (status(204), errors.SourceError, r"status 204"),
    "ranges ignored": (whole("application/x"), errors.SourceError, r"ignores range requests\. Download the file"),
    "web page": (whole("text/html; charset=utf-8"), errors.SourceError, r"is a web page, not a file\. .*/resolve/"),
    "no Content-Range": (says(""), errors.SourceError, r"does not state which bytes.*Download the file"),
    "size unknown": (says("bytes 0-99/*"), errors.SourceError, r"does not state which bytes"),
    "nonsense range": (says("bytes 0-99/1e9"), errors.SourceError, r"does not state which bytes"),
    "other unit": (says("items 0-99/100"), errors.SourceError, r"does not state which bytes"),
    "other start": (says("bytes 1-99/100"), errors.SourceError, r"other bytes than requested"),
    "other end": (says("bytes 0-98/100"), errors.SourceError, r"other bytes than requested"),
    "end before start": (says("bytes 5-1/100"), errors.SourceError, r"other bytes than requested"),
    "longer than asked": (says("bytes 0-600000/600001"), errors.SourceError, r"other bytes than requested"),
    "compressed": (
        says("bytes 0-99/100", Content_Encoding="gzip"),
        errors.SourceError,
        r"compressed bytes \(gzip\).*Download the file",
    ),
    "cut": (says("bytes 0-99/100", sent=50), errors.SourceError, r"cannot be read.*Check the address, the network"),
    "length smaller": (
        says("bytes 0-99/100", length=50, sent=50),
        errors.SourceError,
        r"stopped before the end \(50/100\)",
    ),
    "length larger": (says("bytes 0-99/100", length=200, sent=200), errors.SourceError, r"more bytes than it states"),
    "endless": (chunked(100_000), errors.SourceError, r"more bytes than it states"),
    "too short": (chunked(0), errors.SourceError, r"stopped before the end \(5/100\)"),
    "no HTTP": (lambda h: h.body(b"hello\r\n\r\n"), errors.SourceError, r"cannot be read"),
    "endless headers": (
        lambda h: h.body(b"HTTP/1.1 206 OK\r\n" + b"X: y\r\n" * 100_000),
        errors.SourceError,
        r"cannot be read",
    ),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_answers(site: Site, case: str) -> None:
    answer, kind, said = BAD[case]
    site.answers["/bad"] = answer
    with pytest.raises(kind, match=said) as caught:
        http.open(site.base + "/bad", timeout=5)
    assert "\n" not in str(caught.value)
    assert caught.value.mend is not None
    assert len(site.log) == 1
    assert site.sent < 32 * MIB


def test_a_server_that_says_nothing(site: Site) -> None:
    site.answers["/bad"] = lambda _: site.closing.wait(20) and None
    with pytest.raises(errors.SourceError, match=r"did not answer for 0\.2 seconds\. Check the network"):
        http.open(site.base + "/bad", timeout=0.2)


def slow_head(handler: Handler) -> None:
    handler.drip(b"HTTP/1.1 206 Partial Content\r\n" + b"X-Y: z\r\n" * 1000, 0.05)


def slow_circle(handler: Handler) -> None:
    time.sleep(0.15)
    handler.head(302, Location="/bad")


@pytest.mark.parametrize("answer", [slow_body, slow_head, slow_circle])
def test_a_server_that_drips(site: Site, answer: Callable[[Handler], None]) -> None:
    """Each byte comes within the read timeout, and yet it ends."""
    site.answers["/bad"] = answer
    with pytest.raises(errors.SourceError, match=r"took longer than 0\.4 seconds\. Try again on a faster"):
        http.open(site.base + "/bad", timeout=2, patience=0.4)


def test_patience_is_for_all_requests_together(site: Site) -> None:
    def answer(handler: Handler) -> None:
        time.sleep(0.2)
        handler.part(BIG)

    site.answers["/slow"] = answer
    with (
        http.open(site.base + "/slow", patience=0.5) as source,
        pytest.raises(errors.SourceError, match=r"took longer than 0\.5 seconds"),
    ):
        [source.read(at, 1024) for at in range(0, len(BIG), 1024)]
    assert 2 <= len(site.log) <= 3


@pytest.mark.parametrize("change", ["size", "tag"])
def test_a_file_that_changes_while_it_is_read(site: Site, change: str) -> None:
    def answer(handler: Handler) -> None:
        first = len(site.log) == 1
        handler.part(BIG if first or change == "tag" else BIG[:-1], ETag='"1"' if first or change == "size" else '"2"')

    site.answers["/changing"] = answer
    with http.open(site.base + "/changing") as source, pytest.raises(errors.SourceError, match="changed while"):
        source.read(MIB, 10)


def test_jumping_about_for_ever_ends(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http, "MOST", http.FIRST)
    with http.open(site.base + "/big.bin") as source, pytest.raises(errors.SourceError, match="does not end"):
        [source.read(at, 1) for at in [2 * MIB, 0] * http.REQUESTS]
    assert len(site.log) == http.REQUESTS


def test_nobody_there() -> None:
    with serving() as gone:
        base = gone.base
    with pytest.raises(errors.SourceError, match=r"cannot be read: .*\. Check the address, the network"):
        http.open(base + "/x.gguf")


@pytest.mark.parametrize(
    "url",
    [
        "",
        "http://",
        "https:///x",
        "ftp://host/x",
        "file:///etc/passwd",
        "http://[::1",
        "https://host:1x/",
        "x" * 70000,
    ],
)
def test_no_address(url: str) -> None:
    with pytest.raises(errors.BadReference, match=r"web address was expected\. It must look like https"):
        http.open(url)


def test_one_patience_is_for_all_parts_of_a_model() -> None:
    clock = Clock(30)
    assert clock.left > 29
    with Watch(clock) as watch:
        assert watch.left <= 30
    clock = Clock(-1)
    with Watch(clock) as watch:
        time.sleep(0.1)
        assert watch.expired
