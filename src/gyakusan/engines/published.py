"""Which published files an engine is planned with: one for each width, and the best of each. Others have to be made."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from msgspec import Struct

from gyakusan.catalog.artifacts import Artifact, best, published
from gyakusan.doors.shell import shell_words

if TYPE_CHECKING:
    from gyakusan.catalog.models import ModelRecord

GGUF_QUANTS = ("Q8_0", "Q6_K", "Q5_K_M", "Q4_K_M", "Q3_K_M", "Q2_K")
"""GGUF quantisations that are planned with where nobody publishes any of their width, the largest first."""
WIDTHS = (
    ("BF16", "F16"),
    ("Q8_0", "UD-Q8_K_XL"),
    ("Q6_K", "UD-Q6_K", "UD-Q6_K_XL", "Q6_K_L"),
    ("Q5_K_M", "UD-Q5_K_XL", "UD-Q5_K_M", "Q5_K_L", "Q5_K_S", "UD-Q5_K_S"),
    ("Q4_K_M", "UD-Q4_K_XL", "UD-Q4_K_M", "Q4_K_L", "Q4_K_S", "UD-Q4_K_S", "Q4_0", "Q4_1", "MXFP4_MOE", "MXFP4"),
    ("IQ4_XS", "UD-IQ4_XS", "IQ4_NL", "UD-IQ4_NL"),
    ("Q3_K_M", "UD-Q3_K_XL", "UD-Q3_K_M", "Q3_K_L", "IQ3_M", "Q3_K_S", "UD-IQ3_XXS"),
    ("Q2_K", "UD-Q2_K_XL", "Q2_K_L", "IQ2_M", "UD-IQ2_M"),
)
"""Tags of GGUF files of about one width, best first: of each line one is planned with."""
NATIVE_TAGS = ("MXFP4", "MXFP4_MOE")
"""Tags of files of a model whose makers publish it in MXFP4: other tags of it hold the same experts."""
KNOWN_PUBLISHERS = 2
"""Ranks up to this one go before others: see Artifact.rank."""
INT4 = {"AWQ": "AWQ", "INT4": "INT4", "GPTQ-Int4": "GPTQ"}
"""Tag of a checkpoint with 4-bit integers -> our name of the format. Of these one is planned with."""
MLX_NAMES = ("bf16", "8bit", "6bit", "5bit", "4bit")


class PlannedFormat(Struct, frozen=True):
    """A format of a model that an engine is planned with.

    name: as people write it: UD-Q4_K_XL, AWQ, 4bit
    artifact: the published file or repository, None if it has to be made
    """

    name: str
    artifact: Artifact | None


def gguf_formats(record: ModelRecord) -> Iterator[PlannedFormat]:
    """Yield GGUF files of a model, the largest first: of each width the best, else the usual one, which has to be made."""
    found = _first_by_tag(a for a in published(record) if a.format == "gguf")
    if record.weights and not record.own_folder:  # these files, and no others
        yield PlannedFormat(record.quantization, found.get(record.quantization))
        return
    if record.quantization not in GGUF_QUANTS and record.quantization in NATIVE_TAGS:
        yield _best(NATIVE_TAGS, found) or PlannedFormat(record.quantization, None)
        return
    for tags in WIDTHS:
        made = PlannedFormat(tags[0], None) if tags[0] in GGUF_QUANTS else None
        chosen = _best(tags, found) or made
        if chosen is not None:
            yield chosen


def checkpoint_formats(record: ModelRecord) -> Iterator[PlannedFormat]:
    """Yield Hugging Face checkpoints of a model: as published, FP8, 4-bit integers, and NVFP4, MXFP4 of known publishers."""
    if record.weights and not record.own_folder:
        return
    every = published(record)
    kinds = {kind: next((a for a in every if a.format == kind), None) for kind in ("bf16", "fp8", "nvfp4", "mxfp4")}
    if record.quantization in NATIVE_TAGS:
        # No tool makes MXFP4 experts again: trained at that width, they are published or not there.
        if kinds["mxfp4"] is not None:
            yield PlannedFormat("MXFP4", kinds["mxfp4"])
        return
    if kinds["bf16"] is not None or record.own_folder:
        yield PlannedFormat("BF16", kinds["bf16"])
    if kinds["fp8"] is not None or kinds["bf16"] is not None or record.own_folder:
        yield PlannedFormat("FP8", kinds["fp8"] or kinds["bf16"])
    integers = _first_by_tag(a for a in every if a.quantization in INT4 and a.format in ("awq", "int4", "gptq"))
    four = _best(tuple(INT4), integers)
    yield PlannedFormat(INT4[four.name], four.artifact) if four is not None else PlannedFormat("AWQ", None)
    routed = any(key.endswith(".expert_count") for key in record.metadata)  # MXFP4 holds experts
    for kind in ("nvfp4", "mxfp4") if routed else ("nvfp4",):
        made = kinds[kind]
        if made is not None and made.rank <= KNOWN_PUBLISHERS:
            yield PlannedFormat(kind.upper(), made)


def mlx_formats(record: ModelRecord) -> Iterator[PlannedFormat]:
    """Yield MLX conversions of a model; what nobody published is made by mlx_lm.convert."""
    if record.weights and not record.own_folder:
        return
    found = _first_by_tag(a for a in published(record) if a.format == "mlx")
    if record.quantization in NATIVE_TAGS:
        yield _best(("mxfp4-q8", "mxfp4-q4", "mxfp4"), found) or PlannedFormat("mxfp4-q8", None)
        return
    original = next((a for a in published(record) if a.format == "bf16"), None)
    for name in MLX_NAMES:
        artifact = found.get(name) or (original if name == "bf16" else None)
        if artifact is not None or name not in ("bf16", "5bit"):
            yield PlannedFormat(name, artifact)


def named(formats: Iterable[PlannedFormat], name: str) -> Artifact | None:
    """Return the artifact of the planned format with this name, in any case; None if there is none."""
    return next((f.artifact for f in formats if f.name.casefold() == name.casefold()), None)


def _first_by_tag(artifacts: Iterable[Artifact]) -> dict[str, Artifact]:
    found: dict[str, Artifact] = {}
    for artifact in artifacts:
        found.setdefault(artifact.quantization, artifact)
    return found


def _best(tags: Sequence[str], found: dict[str, Artifact]) -> PlannedFormat | None:
    """Return the best of some tags: seen in a listing, of a known publisher, early in the list. None if there is none."""
    here = [t for t in tags if t in found]
    if not here:
        return None

    def order(tag: str) -> tuple[bool, bool, int]:
        artifact = found[tag]
        return artifact.confidence != "listing", artifact.rank > KNOWN_PUBLISHERS, tags.index(tag)

    tag = min(here, key=order)
    return PlannedFormat(tag, found[tag])


def gguf_artifact(record: ModelRecord, name: str) -> Artifact | None:
    """Return the best published GGUF file with this tag, None if none is known."""
    own = (a for a in published(record) if a.format == "gguf" and a.quantization.upper() == name.upper())
    return best(record.name, name) or next(own, None)


def gguf_preparation(record: ModelRecord, name: str) -> tuple[str, ...]:
    """Return the commands that make a GGUF file of a model in `name`. Source: llama.cpp, tools/quantize/README.md."""
    if record.own_file:
        return ()
    folder, made = record.own_folder or record.name, gguf_file(record, name)
    whole = f"{record.name}-BF16.gguf"
    fetch = (shell_words(("hf", "download", original(record), "--local-dir", folder)),) if not record.own_folder else ()
    return (
        *fetch,
        shell_words(("python", "convert_hf_to_gguf.py", folder, "--outtype", "bf16", "--outfile", whole)),
        *((shell_words(("llama-quantize", whole, made, name)),) if made != whole else ()),
    )


def gguf_file(record: ModelRecord, name: str) -> str:
    """Return the name of the file that `gguf_preparation` makes, or the user's own."""
    return record.own_file or f"{record.name}-{name}.gguf"


def original(record: ModelRecord) -> str:
    """Return the repository of the original weights, as people know the model, or the user's own folder."""
    if record.own_folder:
        return record.own_folder
    whole = next((a.repository for a in published(record) if a.format == "bf16"), "")
    return whole or next((n for n in record.aliases if "/" in n), record.name)
