"""`ollama:` and bare tags: the store on this computer, then the registry. The registry here is a fake on loopback."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from tests.fakes import fake_ollama, tiny
from tests.models.sources.serving import Site, slow_body, status, whole

from gyakusan import errors, models
from gyakusan.core.model import Extra, Tensor
from gyakusan.models.sources import ollama

EYES = (Tensor("v.blk.0.attn_q.weight", (64, 64), "F16"), Tensor("mm.0.weight", (64, 256), "F16"))


@pytest.fixture
def store(tmp_path: Path) -> Path:
    return tmp_path / "ollama"


def named(site: Site, tag: str = "1b") -> str:
    return f"ollama:{site.base}/library/tiny:{tag}"


@pytest.mark.parametrize(
    ("text", "host", "space", "model", "tag"),
    [
        ("qwen2.5", "registry.ollama.ai", "library", "qwen2.5", "latest"),
        ("qwen2.5:14b", "registry.ollama.ai", "library", "qwen2.5", "14b"),
        ("somebody/thing:q8_0", "registry.ollama.ai", "somebody", "thing", "q8_0"),
        ("hf.co/org/name-GGUF:Q4_K_M", "hf.co", "org", "name-GGUF", "Q4_K_M"),
        ("localhost:5000/ns/name", "localhost:5000", "ns", "name", "latest"),
    ],
)
def test_names(text: str, host: str, space: str, model: str, tag: str) -> None:
    found = ollama.parse(text)
    assert (found.host, found.space, found.model, found.tag) == (host, space, model, tag)


@pytest.mark.parametrize("text", ["", ":", "a b", "../x", "a/../b/c:d", "x:..", "ftp://h/n/m", "a/b/c/d", "x" * 90])
def test_names_that_are_none(text: str) -> None:
    with pytest.raises(errors.BadReference, match=r"An Ollama model name was expected.*ollama:qwen2\.5:14b"):
        ollama.parse(text)


def test_a_tag_in_the_store_needs_no_network(store: Path) -> None:
    blob = tiny.gguf()
    parts = [("model", blob, {}), ("projector", b"p" * 700, {}), ("adapter", b"a" * 30, {}), ("license", b"l", {})]
    fake_ollama.pull(store, "registry.ollama.ai/library/tiny", "1b", parts)
    for text in ("tiny:1b", "ollama:tiny:1b"):
        model = models.load(text, offline=True)
        assert (model.name, model.quantization) == ("tiny:1b", "Q4_K_M")
        assert model.stored is not None
        assert model.stored.bytes == len(blob)
        assert [(e.kind, e.bytes) for e in model.stored.extras] == [("projector", 700), ("adapter", 30)]
        assert Path(model.source).read_bytes() == blob
        assert Path(model.stored.extras[0].source).read_bytes() == b"p" * 700


def test_eyes_in_the_same_file_are_no_text_weights(store: Path) -> None:
    fake_ollama.pull(store, "registry.ollama.ai/library/tiny", "latest", [("model", tiny.gguf(more=EYES), {})])
    model = models.load("tiny")
    assert model.bytes == models.load("ollama:tiny").bytes
    assert not any(t.name.startswith(("v.", "mm.")) for t in model.tensors)
    assert model.stored is not None
    assert model.stored.extras == (Extra("projector", 2 * (64 * 64 + 64 * 256)),)


def test_a_model_stored_tensor_by_tensor(store: Path) -> None:
    one = tiny.safetensors({"model.embed_tokens.weight": ("BF16", [320, 256], 163840)})
    two = tiny.safetensors({"lm_head.weight": ("U32", [320, 32], 40960)})
    config = tiny.config(quantization={"group_size": 32, "bits": 4})
    parts: list[tuple[str, bytes, dict[str, Any]]] = [
        ("tensor", one, {"name": "model.embed_tokens.weight"}),
        ("tensor", two, {"name": "lm_head.weight"}),
        ("json", config, {"name": "config.json"}),
    ]
    fake_ollama.pull(store, "registry.ollama.ai/library/tiny", "mlx", parts)
    model = models.load("tiny:mlx")
    assert model.stored is not None
    assert (model.stored.format, model.stored.bytes) == ("mlx", len(one) + len(two))
    assert model.stored.config["quantization"] == {"group_size": 32, "bits": 4}
    assert model.checkpoint is not None
    assert [(t.name, t.type) for t in model.checkpoint.tensors] == [
        ("model.embed_tokens.weight", "BF16"),
        ("lm_head.weight", "U32"),
    ]


def test_damage_in_the_store_says_how_to_mend_it(store: Path) -> None:
    fake_ollama.pull(store, "registry.ollama.ai/library/tiny", "1b", [("model", tiny.gguf(), {})])
    blob = next((store / "blobs").iterdir())
    blob.write_bytes(blob.read_bytes()[:-100])
    with pytest.raises(errors.Truncated, match=r"manifest states.*ollama pull tiny:1b"):
        models.load("tiny:1b")
    blob.unlink()
    with pytest.raises(errors.SourceError, match=r"missing in Ollama's store.*ollama pull tiny:1b"):
        models.load("tiny:1b")


@pytest.mark.parametrize(
    "body",
    [
        b"{}",
        b"[]",
        b'{"layers": []}',
        b'{"layers": [3]}',
        b'{"layers": [{"mediaType": "x", "digest": "sha256:../../etc/passwd", "size": 1}]}',
        b'{"layers": [{"mediaType": "x", "digest": "sha256:%s", "size": -1}]}' % (b"0" * 64),
        b'{"layers": [{"mediaType": "x", "digest": "sha256:%s", "size": "1"}]}' % (b"0" * 64),
        b"\xff",
        b'{"layers": ' + b"[" * 5000,
    ],
)
def test_manifests_that_make_no_sense(store: Path, body: bytes) -> None:
    path = store / "manifests" / "registry.ollama.ai" / "library" / "tiny"
    path.mkdir(parents=True)
    (path / "latest").write_bytes(body)
    with pytest.raises(errors.Malformed):
        models.load("ollama:tiny")


def test_the_registry_is_read_by_ranges(web: Site) -> None:
    blob = tiny.gguf("Q8_0") + bytes(0)
    fake_ollama.publish(web, "library/tiny", "1b", {"model": blob, "projector": b"p" * 40})
    model = models.load(named(web))
    assert (model.quantization, model.parameters) == ("Q8_0", tiny.model().parameters)
    assert model.stored is not None
    assert model.stored.bytes == len(blob)
    assert model.stored.extras[0].bytes == 40
    assert next(path for path, _, _ in web.log) == "/v2/library/tiny/manifests/1b"
    assert all(asked.startswith("bytes=") for path, asked, _ in web.log if "/cdn/" in path)


def test_no_token_of_another_service_is_sent(web: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", "secret")
    fake_ollama.publish(web, "library/tiny", "1b", {"model": tiny.gguf()})
    models.load(named(web))
    assert {said for _, _, said in web.log} == {""}


def test_a_registry_that_lies_about_sizes(web: Site) -> None:
    fake_ollama.publish(web, "library/tiny", "1b", {"model": tiny.gguf()}, size=10**12)
    with pytest.raises(errors.Malformed, match=r"with 1000000000000 bytes, and sends \d+\. Do not trust it"):
        models.load(named(web))


def test_a_file_shorter_than_its_tensors(web: Site) -> None:
    fake_ollama.publish(web, "library/tiny", "1b", {"model": tiny.gguf()[:-5000]})
    with pytest.raises(errors.Truncated):
        models.load(named(web))


def test_a_tag_without_weights(web: Site) -> None:
    fake_ollama.publish(web, "library/tiny", "1b", {"license": b"MIT"})
    with pytest.raises(errors.Unsupported, match=r"cloud tags have no weights"):
        models.load(named(web))


@pytest.mark.parametrize(
    ("answer", "kind", "said"),
    [
        (status(404), errors.BadReference, r"has no model .*tiny:1b.*Check the spelling"),
        (status(401), errors.SourceError, r"does not publish .*ollama pull"),
        (
            status(429, Retry_After="7"),
            errors.SourceError,
            r"limits the number of requests \(429\)\. Try again in 7 seconds",
        ),
        (status(500), errors.SourceError, r"server error \(500\)"),
        (status(302, Location="http://example.org/x"), errors.SourceError, r"another server without encryption"),
        (whole("application/json"), errors.SourceError, r"is longer than \d+ bytes"),
        (lambda h: h.head(200, 99), errors.SourceError, r"cannot be read|stopped"),
        (slow_body, errors.SourceError, r"."),
    ],
)
def test_a_registry_that_misbehaves(web: Site, answer: Any, kind: type[Exception], said: str) -> None:
    def closing(handler: Any) -> None:
        answer(handler)
        handler.close_connection = True

    web.answers["/v2/library/tiny/manifests/1b"] = closing
    with pytest.raises(kind, match=said):
        models.load(named(web))


def test_offline_the_catalogue_answers(web: Site) -> None:
    model = models.load("ollama:qwen2.5:14b", offline=True)
    assert (model.name, model.quantization) == ("qwen2.5:14b", "Q4_K_M")
    with pytest.raises(errors.SourceError, match=r"not in Ollama's store.*switched off.*--offline"):
        models.load("ollama:nobody/nothing:1b", offline=True)
    assert web.log == []


def test_a_bare_tag_never_asks_the_network(web: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ollama, "HOST", web.base)
    assert models.load("qwen3:8b").name == "qwen3:8b"
    with pytest.raises(errors.UnknownName, match=r"no tag '99b'.*0\.6b"):
        models.load("qwen3:99b")
    assert web.log == []
