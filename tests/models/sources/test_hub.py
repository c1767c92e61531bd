"""`hf:`: cache first, then the hub. The hub here is a fake on loopback that redirects, guards and lies as told."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from tests.fakes import fake_hub, tiny
from tests.models.sources.serving import Site, status

from gyakusan import errors, models
from gyakusan.models.sources import hub

ONE, TWO = tiny.split("Q8_0")
GGUFS = {
    "README.md": b"#",
    "tiny-Q4_K_M.gguf": tiny.gguf(),
    "tiny-UD-Q5_K_M.gguf": tiny.gguf("Q5_K_M"),
    "Q8_0/tiny-Q8_0-00001-of-00002.gguf": ONE,
    "Q8_0/tiny-Q8_0-00002-of-00002.gguf": TWO,
    "mmproj-F16.gguf": b"m" * 500,
    "imatrix.gguf": b"i" * 100,
}
WEIGHTS = tiny.safetensors({"model.embed_tokens.weight": ("BF16", [320, 256], 163840)})
HEAD = tiny.safetensors({"lm_head.weight": ("BF16", [320, 256], 163840)})
INDEX = json.dumps(
    {"weight_map": {"model.embed_tokens.weight": "model-1.safetensors", "lm_head.weight": "model-2.safetensors"}}
)
PLAIN = {
    "config.json": tiny.config(),
    "model.safetensors.index.json": INDEX.encode(),
    "model-1.safetensors": WEIGHTS,
    "model-2.safetensors": HEAD,
}


def test_quantisations_are_listed(web: Site) -> None:
    fake_hub.publish(web, "org/tiny-GGUF", GGUFS)
    found = {c.name: (c.bytes, len(c.files)) for c in models.quantizations("hf:org/tiny-GGUF")}
    assert found == {
        "Q4_K_M": (len(GGUFS["tiny-Q4_K_M.gguf"]), 1),
        "UD-Q5_K_M": (len(GGUFS["tiny-UD-Q5_K_M.gguf"]), 1),
        "Q8_0": (len(ONE) + len(TWO), 2),
    }
    assert models.quantizations("qwen2.5:14b") == ()


@pytest.mark.parametrize(
    ("wanted", "quantization"),
    [
        ("", "Q4_K_M"),
        (":q4_k_m", "Q4_K_M"),
        (":Q5_K_M", "Q5_K_M"),
        (":UD-Q5_K_M", "Q5_K_M"),
        (":Q8_0", "Q8_0"),
        (":tiny-Q4_K_M.gguf", "Q4_K_M"),
        (":Q8_0/tiny-Q8_0-00002-of-00002.gguf", "Q8_0"),
    ],
)
def test_one_of_them_is_read(web: Site, wanted: str, quantization: str) -> None:
    fake_hub.publish(web, "org/tiny-GGUF", GGUFS)
    model = models.load(f"hf:org/tiny-GGUF{wanted}")
    assert (model.quantization, model.parameters) == (quantization, tiny.model().parameters)
    assert model.stored is not None
    assert [(e.kind, e.bytes) for e in model.stored.extras] == [("projector", 500)]
    if quantization == "Q8_0":
        assert model.stored.bytes == len(ONE) + len(TWO)


def test_only_headers_are_fetched(web: Site) -> None:
    fake_hub.publish(web, "org/big", {**PLAIN, "model-1.safetensors": WEIGHTS})
    models.load("hf:org/big")
    assert all(asked.startswith("bytes=") for path, asked, _ in web.log if path.endswith(".safetensors"))
    ranges = [asked for path, asked, _ in web.log if "/cdn/" in path and "model-1" in path]
    assert ranges[0] == "bytes=0-65535"
    assert web.sent < len(WEIGHTS)


def test_a_quantisation_that_is_not_there(web: Site) -> None:
    fake_hub.publish(web, "org/tiny-GGUF", GGUFS)
    with pytest.raises(errors.BadReference, match=r"has no 'Q2_K'\. It has .*Q4_K_M"):
        models.load("hf:org/tiny-GGUF:Q2_K")


def test_a_part_that_is_missing(web: Site) -> None:
    fake_hub.publish(web, "org/tiny-GGUF", {"Q8_0/tiny-Q8_0-00001-of-00002.gguf": ONE})
    with pytest.raises(errors.Malformed, match=r"has 2 parts, and only 1 are there"):
        models.load("hf:org/tiny-GGUF")


def test_config_and_shards(web: Site) -> None:
    fake_hub.publish(web, "org/tiny", PLAIN)
    model = models.load("hf:org/tiny")
    assert (model.name, model.architecture, model.tied) == ("org/tiny", "llama", False)
    assert model.parameters == tiny.model().parameters
    assert model.stored is not None
    assert (model.stored.format, model.stored.bytes) == ("safetensors", len(WEIGHTS) + len(HEAD))
    assert model.checkpoint is not None
    assert {t.name for t in model.checkpoint.tensors} == {"model.embed_tokens.weight", "lm_head.weight"}


def test_an_mlx_repository(web: Site) -> None:
    weights = tiny.safetensors({"lm_head.weight": ("U32", [320, 32], 40960)}, format="mlx")
    config = tiny.config(quantization={"group_size": 64, "bits": 4})
    fake_hub.publish(web, "mlx-community/tiny-4bit", {"config.json": config, "model.safetensors": weights})
    model = models.load("hf:mlx-community/tiny-4bit")
    assert model.stored is not None
    assert (model.stored.format, model.stored.bytes) == ("mlx", len(weights))
    assert model.stored.config["quantization"]["bits"] == 4


@pytest.mark.parametrize(
    ("token", "said"),
    [
        (
            "",
            r"org/tiny does not exist, or is private or gated \(401\)\..*ask for access at http.*/org/tiny and set HF_TOKEN",
        ),
        ("other", r"org/tiny is gated: .*\(403\)\. Ask for access at http.*/org/tiny"),
    ],
)
def test_a_gated_repository(web: Site, monkeypatch: pytest.MonkeyPatch, token: str, said: str) -> None:
    fake_hub.publish(web, "org/tiny", PLAIN, token="right")
    if token:
        monkeypatch.setenv("HF_TOKEN", token)
    with pytest.raises(errors.SourceError, match=said):
        models.load("hf:org/tiny")


@pytest.mark.parametrize("where", ["environment", "file"])
def test_a_token_opens_it(web: Site, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, where: str) -> None:
    fake_hub.publish(web, "org/tiny", PLAIN, token="right")
    if where == "environment":
        monkeypatch.setenv("HF_TOKEN", "right")
    else:
        (tmp_path / "huggingface").mkdir()
        (tmp_path / "huggingface" / "token").write_text("right\n")
    assert models.load("hf:org/tiny").name == "org/tiny"


def test_a_repository_that_is_not_there(web: Site) -> None:
    with pytest.raises(errors.BadReference, match=r"has no repository org/nothing\. Check the spelling"):
        models.load("hf:org/nothing")


def test_a_repository_without_a_model(web: Site) -> None:
    fake_hub.publish(web, "org/data", {"README.md": b"#"})
    with pytest.raises(errors.BadReference, match=r"neither config\.json nor GGUF"):
        models.load("hf:org/data")
    with pytest.raises(errors.BadReference, match=r"has no 'REDME\.md'.*README\.md"):
        models.load("hf:org/data:REDME.md")


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (status(429, Retry_After="9"), r"limits the number of requests \(429\)\. Try again in 9 seconds"),
        (status(503), r"server error \(503\)\. Try again later"),
        (status(302, Location="http://example.org/"), r"another server without encryption"),
    ],
)
def test_a_hub_that_misbehaves(web: Site, answer: Any, said: str) -> None:
    web.answers["/api/models/org/tiny"] = answer
    with pytest.raises(errors.SourceError, match=said):
        models.load("hf:org/tiny")


@pytest.mark.parametrize(
    "siblings",
    [
        [{"rfilename": "../../x.gguf"}],
        [{"rfilename": "/x.gguf"}],
        [{"rfilename": "a.gguf", "size": -1}],
        [{"rfilename": "a.gguf", "size": "big"}],
        [{}],
        [7],
        "x",
    ],
)
def test_an_api_that_makes_no_sense(web: Site, siblings: Any) -> None:
    body = json.dumps({"siblings": siblings}).encode()

    def answer(handler: Any) -> None:
        handler.head(200, len(body))
        handler.body(body)

    web.answers["/api/models/org/tiny"] = answer
    with pytest.raises(errors.Malformed, match=r"cannot be read"):
        models.load("hf:org/tiny")


def test_a_hub_that_lies_about_sizes(web: Site) -> None:
    fake_hub.publish(web, "org/tiny-GGUF", GGUFS)
    web.files["/cdn/org/tiny-GGUF/resolve/main/tiny-Q4_K_M.gguf"] += b"more"
    with pytest.raises(errors.Malformed, match=r"The hub lists tiny-Q4_K_M\.gguf with \d+ bytes, and sends \d+"):
        models.load("hf:org/tiny-GGUF")


def test_offline_says_so_at_once(web: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(errors.SourceError, match=r"network is switched off.*use the catalogue: qwen2\.5-14b"):
        models.load("hf:Qwen/Qwen2.5-14B-Instruct", offline=True)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(errors.SourceError, match=r"not in Hugging Face's cache.*HF_HUB_OFFLINE.*catalogue name"):
        models.load("hf:org/tiny")
    with pytest.raises(errors.SourceError, match=r"An address needs the network, and the network is switched off"):
        models.load(web.base + "/x.gguf", offline=True)
    assert web.log == []


def test_without_a_connection_the_catalogue_is_offered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(errors.SourceError, match=r"cannot be read.*Without network: use the catalogue: qwen2\.5-14b"):
        models.load("hf:Qwen/Qwen2.5-14B-Instruct")


@pytest.mark.parametrize("text", ["org/tiny", "hf:org/tiny"])
def test_the_cache_needs_no_network(web: Site, tmp_path: Path, text: str) -> None:
    fake_hub.download(tmp_path / "huggingface" / "hub", "org/tiny", PLAIN)
    model = models.load(text)
    assert (model.name, model.stored and model.stored.bytes) == ("org/tiny", len(WEIGHTS) + len(HEAD))
    assert web.log == []


def test_a_cache_with_the_config_alone(tmp_path: Path) -> None:
    kept = {k: v for k, v in PLAIN.items() if k.endswith(".json")}
    fake_hub.download(tmp_path / "huggingface" / "hub", "org/tiny", kept)
    assert models.load("org/tiny").stored is None


def test_a_gguf_in_the_cache(tmp_path: Path) -> None:
    fake_hub.download(tmp_path / "huggingface" / "hub", "org/tiny-GGUF", GGUFS)
    model = models.load("org/tiny-GGUF:Q8_0")
    assert (model.quantization, model.parameters) == ("Q8_0", tiny.model().parameters)
    assert Path(model.source).is_file()


def test_a_bare_repository_says_how_to_read_it(web: Site) -> None:
    with pytest.raises(errors.UnknownName, match=r"neither in the catalogue nor.*write hf:org/tiny"):
        models.load("org/tiny")
    assert models.load("Qwen/Qwen2.5-14B-Instruct").name == "qwen2.5-14b"
    assert web.log == []


@pytest.mark.parametrize(
    "text", ["", "org", "org/", "/x", "a/b/c", "org/na me", "org/..", "org/x:../y", "org/x@../y", "o/x:a//b"]
)
def test_repositories_that_are_none(text: str) -> None:
    with pytest.raises(errors.BadReference, match=r"A Hugging Face repository was expected"):
        hub.parse(text)
