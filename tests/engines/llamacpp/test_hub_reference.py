"""llama.cpp's rule for `-hf`: its own cases (tests/test-model-resolution), listings seen on the hub, and wrong input."""

from __future__ import annotations

import pytest

from gyakusan.engines.llamacpp.hub_reference import (
    Download,
    HubReference,
    find_draft,
    find_model,
    find_parts,
    find_projector,
    is_model_file,
    parse_hub_reference,
    resolve_hub_reference,
)
from gyakusan.errors import BadReference

FLAT = (
    "README.md",
    *(f"model-{q}.gguf" for q in ("BF16", "Q4_K_M", "Q8_0")),
    *(f"mmproj-model-{q}.gguf" for q in ("BF16", "Q8_0")),
    *(f"mtp-model-{q}.gguf" for q in ("BF16", "Q4_0", "Q8_0")),
    *(f"dflash-model-{q}.gguf" for q in ("BF16", "Q8_0")),
)
SUBDIR = (
    "mmproj-model-f16.gguf",
    *(f"model-mtp-{q}.gguf" for q in ("BF16", "Q8_0")),
    *(f"Q3_K_M/model-Q3_K_M-0000{i}-of-00003.gguf" for i in (1, 2, 3)),
    *(f"Q8_0/model-Q8_0-0000{i}-of-00002.gguf" for i in (1, 2)),
)
HOLE = tuple(f for f in FLAT if not f.startswith("mmproj"))
UNSLOTH = ("model-UD-Q8_K_XL.gguf", "mmproj-BF16.gguf", "model-MTP-BF16.gguf")
QUAD = tuple(f"{k}model-Q8_0.gguf" for k in ("", "mtp-", "dflash-", "eagle3-", "dspark-"))
SPARK = ("README.md", "model-MXFP4.gguf", "dspark-model-BF16.gguf", "dspark-model-MXFP4.gguf")
QWEN36 = (
    *(f"BF16/Qwen3.6-27B-BF16-0000{i}-of-00002.gguf" for i in (1, 2)),
    *(f"Qwen3.6-27B-{q}.gguf" for q in ("IQ4_XS", "Q4_0", "Q4_K_M", "Q4_K_S", "Q8_0", "UD-Q4_K_XL")),
    *(f"mmproj-{q}.gguf" for q in ("BF16", "F16", "F32")),
)
MOE = ("Qwen3.6-35B-A3B-MXFP4_MOE.gguf", "Qwen3.6-35B-A3B-UD-Q4_K_M.gguf", "Qwen3.6-35B-A3B-UD-Q4_K_XL.gguf")


@pytest.mark.parametrize("turned", range(11))
@pytest.mark.parametrize(
    ("files", "tag", "model", "projector", "drafts"),
    [
        (FLAT, "Q8_0", "model-Q8_0.gguf", "mmproj-model-Q8_0.gguf", ("mtp-model-Q8_0.gguf", "dflash-model-Q8_0.gguf")),
        (FLAT, "", "model-Q4_K_M.gguf", "mmproj-model-Q8_0.gguf", ("mtp-model-Q4_0.gguf", "dflash-model-Q8_0.gguf")),
        (
            SUBDIR, "Q3_K_M", "Q3_K_M/model-Q3_K_M-00001-of-00003.gguf", "mmproj-model-f16.gguf",
            ("model-mtp-Q8_0.gguf", ""),
        ),
        (HOLE, "Q4_0", "", "", ("mtp-model-Q4_0.gguf", "dflash-model-Q8_0.gguf")),
        (HOLE, "", "model-Q4_K_M.gguf", "", ("mtp-model-Q4_0.gguf", "dflash-model-Q8_0.gguf")),
        (UNSLOTH, "Q8_K_XL", "model-UD-Q8_K_XL.gguf", "mmproj-BF16.gguf", ("", "")),
        (QUAD, "Q8_0", "model-Q8_0.gguf", "", ("mtp-model-Q8_0.gguf", "dflash-model-Q8_0.gguf")),
    ],
)  # fmt: skip
def test_upstreams_cases(
    files: tuple[str, ...], tag: str, model: str, projector: str, drafts: tuple[str, str], turned: int
) -> None:
    at = turned % len(files)
    listed = [*files[at:], *files[:at]]
    listed = listed[::-1] if turned % 2 else listed
    found = resolve_hub_reference(listed, tag)
    assert (found.model[0] if found.model else "", found.projector) == (model, projector)
    kinds = [resolve_hub_reference(listed, tag, draft=kind).draft for kind in ("mtp", "dflash")]
    assert tuple(kinds) == drafts


def test_drafts_of_other_kinds() -> None:
    assert resolve_hub_reference(QUAD, "Q8_0", draft="eagle3").draft == "eagle3-model-Q8_0.gguf"
    assert resolve_hub_reference(SPARK, draft="dspark") == Download(
        ("model-MXFP4.gguf",), draft="dspark-model-MXFP4.gguf"
    )
    alone = resolve_hub_reference(SPARK, "BF16", draft="dspark")
    assert alone == Download(draft="dspark-model-BF16.gguf")
    assert alone.found
    assert not resolve_hub_reference(SPARK, "BF16").found


def test_parts_come_in_order_and_only_whole() -> None:
    shuffled = [SUBDIR[5], SUBDIR[4], SUBDIR[3], *SUBDIR[6:], "Q3_K_M/other-Q3_K_M-00001-of-00003.gguf"]
    found = resolve_hub_reference(shuffled, "model-Q3_K_M").model
    assert found == SUBDIR[3:6]
    assert find_parts(SUBDIR, "Q8_0/model-Q8_0-00001-of-00002.gguf") == SUBDIR[6:]
    assert find_parts(SUBDIR, "model-mtp-Q8_0.gguf") == ("model-mtp-Q8_0.gguf",)


@pytest.mark.parametrize(
    ("files", "tag", "model"),
    [
        (QWEN36, "Q4_K_M", "Qwen3.6-27B-Q4_K_M.gguf"),
        (QWEN36, "q4_k_m", "Qwen3.6-27B-Q4_K_M.gguf"),
        (QWEN36, "Q4_K_XL", "Qwen3.6-27B-UD-Q4_K_XL.gguf"),
        (QWEN36, "UD-Q4_K_XL", "Qwen3.6-27B-UD-Q4_K_XL.gguf"),
        (QWEN36, "F16", "BF16/Qwen3.6-27B-BF16-00001-of-00002.gguf"),
        (QWEN36, "Q4_K", ""),
        (QWEN36, "Q5_K_M", ""),
        (QWEN36, "Qwen3.6-27B-Q8_0.gguf", ""),
        (QWEN36, "27B", "BF16/Qwen3.6-27B-BF16-00001-of-00002.gguf"),
        (QWEN36, "BF16/Qwen3", None),
        (MOE, "Q4_K_M", "Qwen3.6-35B-A3B-UD-Q4_K_M.gguf"),
        (MOE, "MXFP4", ""),
        (MOE, "MXFP4_MOE", "Qwen3.6-35B-A3B-MXFP4_MOE.gguf"),
        (("gpt-oss-20b-mxfp4.gguf",), "MXFP4", "gpt-oss-20b-mxfp4.gguf"),
        (("gpt-oss-20b-mxfp4.gguf",), "MXFP4_MOE", ""),
        (("Phi-3-mini-4k-instruct-q4.gguf",), "Q4_K_M", ""),
        (("BlackSheep-24B.Q8_0.gguf",), "Q8_0", "BlackSheep-24B.Q8_0.gguf"),
        (("m-Q8_0.GGUF",), "Q8_0", ""),
        (("m-Q8_0.gguf.part",), "Q8_0", ""),
        (("Step-Q4_K_S.gguf",), "Q4.K.S", "Step-Q4_K_S.gguf"),
        ((), "Q8_0", ""),
    ],
)
def test_tags(files: tuple[str, ...], tag: str, model: str | None) -> None:
    if model is None:
        with pytest.raises(BadReference, match="letters, digits"):
            find_model(files, tag)
    else:
        assert find_model(files, tag) == model


def test_a_hidden_model_and_a_shown_one() -> None:
    assert is_model_file("Qwen3.6-35B-A3B-MTP-UD-Q4_K_M.gguf")
    assert not is_model_file("Qwen3.6-35B-A3B-mtp-Q4_K_M.gguf")
    assert is_model_file("mmproj/model-Q4_K_M.gguf"), "the folder does not count"
    assert not is_model_file("model.imatrix.gguf")
    assert find_model(("b-imatrix-Q4_K_M.gguf", "z-IQ2_M.gguf", "a-IQ2_M.gguf")) == "z-IQ2_M.gguf"
    assert find_model(("m-IQ2_M-00002-of-00002.gguf", "m-IQ2_M-00001-of-00002.gguf")) == "m-IQ2_M-00001-of-00002.gguf"
    assert find_model(("a-Q8_0.gguf", "b-Q4_K_M-00002-of-00002.gguf")) == "a-Q8_0.gguf"


@pytest.mark.parametrize(
    ("model", "projectors", "chosen"),
    [
        ("Qwen3.6-27B-Q4_K_M.gguf", ("mmproj-BF16.gguf", "mmproj-F16.gguf", "mmproj-F32.gguf"), "mmproj-BF16.gguf"),
        ("Qwen3.6-27B-Q4_K_M.gguf", ("mmproj-F32.gguf", "mmproj-F16.gguf", "mmproj-BF16.gguf"), "mmproj-F16.gguf"),
        (
            "gemma-4-31B-it-Q4_K_M.gguf",
            ("mmproj-gemma-4-31B-it-bf16.gguf", "mmproj-gemma-4-31B-it-Q8_0.gguf"),
            "mmproj-gemma-4-31B-it-Q8_0.gguf",
        ),
        ("m-BF16.gguf", ("mmproj-m-Q8_0.gguf", "mmproj-m-BF16.gguf"), "mmproj-m-BF16.gguf"),
        ("Q8/m-Q8_0.gguf", ("mmproj-Q8_0.gguf", "Q8/mmproj-F32.gguf"), "Q8/mmproj-F32.gguf"),
        ("Q8/m-Q8_0.gguf", ("Q4/mmproj-Q8_0.gguf",), ""),
        ("m-Q8_0.gguf", ("vision/mmproj-Q8_0.gguf",), ""),
        ("m-Q8_0.gguf", ("mmproj-Q8_0.GGUF", "mmproj.txt"), ""),
        ("Ministral-3-8B-Q4_K_M.gguf", ("Ministral-3-8B-BF16-mmproj.gguf",), "Ministral-3-8B-BF16-mmproj.gguf"),
    ],
)
def test_projectors(model: str, projectors: tuple[str, ...], chosen: str) -> None:
    assert find_projector((model, *projectors), model) == chosen
    assert resolve_hub_reference((model, *projectors), projector=False).projector == ""


def test_a_sidecar_in_a_folder_is_not_found() -> None:
    files = ("gemma-4-31B-it-Q8_0.gguf", "MTP/mtp-gemma-4-31B-it-Q8_0.gguf")
    assert find_draft(files, files[0], "mtp", "Q8_0") == ""
    assert find_draft((*files, "mtp-gemma-4-31B-it.gguf"), files[0], "mtp", "Q8_0") == "mtp-gemma-4-31B-it.gguf"
    assert find_draft(files, files[0], "") == ""


def test_the_exact_tag_of_a_draft_precedes_the_nearest_bits() -> None:
    files = ("m-UD-Q4_K_XL.gguf", "mtp-m-Q4_0.gguf", "mtp-m-UD-Q4_K_XL.gguf")
    assert find_draft(files, files[0], "mtp", "UD-Q4_K_XL") == files[2]


def test_a_preset_replaces_everything() -> None:
    found = resolve_hub_reference((*FLAT, "preset.ini"), "Q8_0")
    assert found == Download(preset="preset.ini")
    assert found.found
    assert resolve_hub_reference(("sub/preset.ini", *FLAT), "Q8_0").model == ("model-Q8_0.gguf",)


def test_a_file_by_its_path() -> None:
    assert resolve_hub_reference(FLAT, file="MODEL-bf16.GGUF").model == ("model-BF16.gguf",)
    assert resolve_hub_reference(FLAT, file="nope.gguf") == Download()


@pytest.mark.parametrize(
    ("text", "repository", "tag"),
    [
        ("ggml-org/gpt-oss-20b-GGUF:MXFP4", "ggml-org/gpt-oss-20b-GGUF", "MXFP4"),
        ("ggml-org/gpt-oss-20b-GGUF", "ggml-org/gpt-oss-20b-GGUF", ""),
        ("a/b:c:d", "a/b", "d"),
    ],
)
def test_references(text: str, repository: str, tag: str) -> None:
    assert parse_hub_reference(text) == HubReference(repository, tag)
    assert str(HubReference(repository, tag)) == text.replace(":c:", ":")


@pytest.mark.parametrize(
    "text",
    ["", "name", "a/b/c", "https://huggingface.co/a/b", "a/b:Q4 K", "a/b:(a+)+$", "/b", "a/", "a/b:" + "x" * 200],
)
def test_no_references(text: str) -> None:
    with pytest.raises(BadReference, match="-hf takes owner/name"):
        parse_hub_reference(text)


def test_hostile_tags_and_listings_end() -> None:
    names = [f"{'a' * 3000}-{i:05}-of-00400.gguf" for i in range(1, 401)]
    assert find_model([*names, "-" * 5000 + ".gguf"], "." * 96) == names[0]
    assert find_model(names, "a." * 47 + "b") == ""
    assert find_projector([*names, "mmproj-" + "9" * 5000 + ".gguf"], names[0]).startswith("mmproj-")
    for tag in ("(a+)+", "[", "a\n", "Q4_K_M|", "é"):
        with pytest.raises(BadReference):
            find_model(FLAT, tag)
