"""Web servers, hubs, registries and publishers that lie. Everything is on loopback."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from hashlib import sha256
from random import Random
from typing import Any

from tests.models.building import small

from benchmarks.attack_cases.case import Case, flipped, value, word
from benchmarks.attack_cases.gguf_files import some_head


def page(body: bytes, status: str = "200 OK", length: object = None, **more: str) -> bytes:
    """A raw answer. length: what is claimed, None for the truth."""
    lines = [
        f"HTTP/1.1 {status}",
        f"Content-Length: {len(body) if length is None else length}",
        *(f"{k.replace('_', '-')}: {v}" for k, v in more.items()),
    ]
    return "\r\n".join([*lines, "Connection: close", "", ""]).encode("latin-1", "replace") + body


GOALS = (
    "file:///etc/passwd",
    "http://169.254.169.254/latest/meta-data",
    "http://127.0.0.1:1/x",
    "http://[::1]:1/x",
    "http://0x7f000001:1/",
    "http://2130706433:1/",
    "http://user:pw@127.0.0.1:1/",
    "ftp://127.0.0.1/x",
    "//127.0.0.1:1/x",
    "/again",
    "",
    "\x1b[2J",
    "http://[::ffff:127.0.0.1]:1/",
    "javascript:1",
    "http://127.0.0.1:99999/",
    "{web}/again",
    "data:,x",
)


RANGES = (
    "bytes 0-0/1",
    "bytes 0-99/9999999999999999999",
    "bytes 5-1/3",
    "bytes */*",
    "x",
    "bytes 0-{last}/{far}",
    "bytes 1-{size}/{size}",
)
"""What a Content-Range may claim of a body."""
NO_ANSWERS = (b"", b"\x00" * 100, b"SSH-2.0-x\r\n", b"HTTP/9.9 200\r\n\r\n", b"HTTP/1.1\r\n\r\n")
CHUNKS = (b"ffffffffffffffff\r\nx", b"-1\r\n", b"5\r\nab", b"0\r\n\r\n", b"zz\r\n")


def _elsewhere(random: Random, body: bytes) -> bytes:
    return page(b"", random.choice(("301 Moved", "302 Found", "307 x", "308 y")), Location=random.choice(GOALS))


def _wrong_length(random: Random, body: bytes) -> bytes:
    lengths = (0, 1, len(body) + 100, 2**63, -1, "x", 9_999_999_999_999_999_999, "1, 2")
    return page(body, length=random.choice(lengths))


def _wrong_range(random: Random, body: bytes) -> bytes:
    size = len(body)
    said = random.choice(RANGES).format(last=size - 1, far=size + 10**12, size=size)
    return page(body, "206 Partial Content", Content_Range=said)


def _code(random: Random, body: bytes) -> bytes:
    return page(body, f"{random.choice(CODES)} {word(random)[:60]!a}", Retry_After="999999999")


def _chunks(random: Random, body: bytes) -> bytes:
    return b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + random.choice(CHUNKS)


def _no_answer(random: Random, body: bytes) -> bytes:
    return random.choice((*NO_ANSWERS, random.randbytes(300)))


def _right(random: Random, body: bytes) -> bytes:
    size = len(body)
    return page(
        body,
        "206 Partial Content",
        Content_Range=f"bytes 0-{size - 1}/{size}",
        ETag=word(random)[:30].encode("ascii", "replace").decode() if random.random() < 0.3 else '"a"',
    )


ANSWERS: tuple[Callable[[Random, bytes], bytes], ...] = (
    _elsewhere,
    _wrong_length,
    _wrong_range,
    _code,
    lambda random, body: page(gzip.compress(bytes(10_000_000), mtime=0), Content_Encoding="gzip"),
    lambda random, body: page(flipped(random, body)),
    lambda random, body: flipped(random, page(body)),
    _chunks,
    lambda random, body: b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 20_000 + b"\r\n" + body,
    lambda random, body: b"HTTP/1.1 200 OK\r\nX: " + b"y" * 300_000 + b"\r\n\r\n",
    _no_answer,
    *[_right] * 3,
)
"""What a server may send: the right answer, and what lies about it."""


def _sent(random: Random, body: bytes) -> bytes:
    """An answer with a body, right or lying."""
    return random.choice(ANSWERS)(random, body)


def web(random: Random) -> Case:
    """inspect http://.../m.gguf."""
    body = random.choice((small(), some_head(random)[0], b"<html>no</html>", b"", b"GGUF"))
    pages = {"": _sent(random, body)}
    if random.random() < 0.3:
        pages["/again"] = _sent(random, body)
    return Case(("inspect", "{web}/m.gguf", *random.choice(((), ("--json",), ("--lang", "ja")))), pages=pages)


OTHERS = b"""untrusted comment: signature
RUSddHtw55fmQb7SQPZcLeS27vQl5W1cD5TUoJ27RCpfshzP2kpRAUg+/jFQY9WaNOevDgISEqgfD5wTuidNV23GksnB5nMmTwg=
trusted comment: of 2026
8jm3icw+TkcniLD/cuDmbiGt6zAoGjFbAZccokV2vRBqPvLobsq38o+EJLX0GbOnfZQ5uwZFOjUI6ocLEgkbDw==
"""
"""A right signature of another text."""
CODES = (100, 199, 204, 299, 304, 400, 401, 403, 404, 416, 418, 429, 500, 503, 999, 0, -1)
REPOSITORY = "some/model-GGUF"


NAMES = (
    "model-Q4_K_M.gguf",
    "model-Q8_0.gguf",
    "model-00001-of-00002.gguf",
    "config.json",
    "model.safetensors",
    "../../x.gguf",
    "a\x1b[2J.gguf",
    "sub/m.gguf",
)


def _listings(random: Random) -> tuple[bytes, bytes]:
    """What a hub says of a repository: its record, and its files."""
    names = [random.choice((*NAMES, word(random) + ".gguf")) for _ in range(random.randrange(5))]
    files: list[Any] = [{"rfilename": n, "size": random.choice((1, len(small()), -1, 2**63, "x", None))} for n in names]
    if random.random() < 0.02:
        files = [{"rfilename": f"model-{i}-Q4_K_M.gguf", "size": 1} for i in range(20_000)]
    listing: Any = {"id": REPOSITORY, "sha": random.choice(("a" * 40, "", word(random), 5)), "siblings": files}
    if random.random() < 0.4:
        listing[random.choice((*listing, "gguf", "gated", "private", "config"))] = value(random)
    tree: Any = (
        [{"type": "file", "path": n, "size": random.choice((1, 2**62, -5, None))} for n in names]
        if random.random() < 0.7
        else value(random)
    )
    right = json.dumps(listing).encode()
    return random.choice((right, right, b"[" * 100_000, b'{"siblings":' * 9000, b"null")), json.dumps(tree).encode()


def hub(random: Random) -> Case:
    """inspect hf:some/model-GGUF."""
    text, tree = _listings(random)
    bodies = (small(), json.dumps(value(random)).encode(), b'{"model_type": "llama", "hidden_size": "x"}')
    pages = {
        f"/api/models/{REPOSITORY}": _sent(random, text) if random.random() < 0.3 else page(text),
        f"/api/models/{REPOSITORY}/tree/main": page(tree),
        "": _sent(random, random.choice(bodies)),
    }
    more = random.choice(
        ((), ("--json",), ("--quants",), ("--quant", "Q8_0"), ("--engine", "vllm", "--device", "RTX 5090"))
    )
    environment = {"HF_ENDPOINT": "{web}", "HF_TOKEN": random.choice(("", "hf_secret", "a b", "日本", "x\r\ny: z"))}
    return Case(("inspect", f"hf:{REPOSITORY}", *more), environment=environment, pages=pages)


def registry(random: Random) -> Case:
    """inspect ollama:http://.../library/m:latest."""
    model = small()
    layers: list[Any] = [
        {
            "mediaType": "application/vnd.ollama.image.model",
            "digest": "sha256:" + sha256(model).hexdigest(),
            "size": random.choice((len(model), len(model), 0, 2**63, -1, "x")),
        }
    ]
    layers += [
        {
            "mediaType": random.choice(
                ("application/vnd.ollama.image.template", "application/vnd.ollama.image.params", word(random))
            ),
            "digest": random.choice(("sha256:" + "0" * 64, "../..", word(random))),
            "size": 5,
        }
        for _ in range(random.randrange(3))
    ]
    manifest: Any = {"schemaVersion": 2, "layers": layers}
    if random.random() < 0.5:
        manifest[random.choice((*manifest, "config", "mediaType"))] = value(random)
    text = random.choice(
        (json.dumps(manifest).encode(), json.dumps(manifest).encode(), b"[" * 50_000, b'{"a":1,' * 3000)
    )
    pages = {
        "/v2/library/m/manifests/latest": _sent(random, text) if random.random() < 0.3 else page(text),
        "": _sent(random, model),
    }
    return Case(("inspect", "ollama:{web}/library/m:latest", *random.choice(((), ("--json",)))), pages=pages)


def publisher(random: Random) -> Case:
    """catalog update, from a publisher who lies; the rest of the catalogue must go on as before."""
    document = json.dumps(
        {"files": random.choice(({}, {"devices/a.toml": ""}, {"../../x.toml": ""}, value(random)))}
    ).encode()
    manifest: Any = {
        "release": random.choice(("2099.01.01", "2026.11.28", "9999.99.99", "２０２６.１２.０１", word(random))),
        "schema": random.choice((1, -1, 2, True, "1")),
        "file": random.choice(("c.json", "../c.json", word(random))),
        "sha256": sha256(document).hexdigest(),
    }
    if random.random() < 0.4:
        manifest[random.choice((*manifest, "more"))] = value(random)
    raw = json.dumps(manifest).encode()
    signature = random.choice(
        (
            b"untrusted comment: x\n" + b"A" * 100 + b"\ntrusted comment: y\n" + b"A" * 88 + b"\n",
            b"",
            b"\xff" * 300,
            OTHERS,
            b"\n" * 1000,
            b"x" * 20_000,
        )
    )
    pages = {
        "/catalog.json": _sent(random, raw) if random.random() < 0.4 else page(raw),
        "/catalog.json.minisig": _sent(random, signature) if random.random() < 0.3 else page(signature),
        "": page(document),
    }
    key = (
        ("--key", "RWSddHtw55fmQTJWftLGJVmPs1uKHFigTmAqm8PLuyGcJ/SP3OrlW8jO")
        if random.random() < 0.6
        else random.choice(((), ("--key", word(random))))
    )
    return Case(
        ("catalog", "update", "--online", "--address", "{web}/", *key, *random.choice(((), ("--json",), ("--older",)))),
        pages=pages,
        alone=True,
    )


def signed_publisher(random: Random) -> Case:
    """catalog update, from a publisher whose key is trusted and whose release is none."""
    from tools.release import Secret

    secret = Secret.new()
    case = publisher(random)
    raw = case.pages["/catalog.json"].partition(b"\r\n\r\n")[2]
    signature = secret.sign(raw, word(random).replace("\n", " ").replace("\r", " ")).encode("utf-8", "replace")
    arguments = (
        "catalog",
        "update",
        "--online",
        "--address",
        "{web}/",
        "--key",
        secret.public,
        *random.choice(((), ("--json",), ("--older",))),
    )
    return Case(
        arguments,
        pages={**case.pages, "/catalog.json": page(raw), "/catalog.json.minisig": page(signature)},
        alone=True,
    )
