"""Describe a model of the user's as a record of the catalogue: from a folder, a config.json, a GGUF file or a repository."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from gyakusan.catalog.models import ModelRecord, Role
from gyakusan.catalog.quality_names import matches_rule, short_name
from gyakusan.core import recipe
from gyakusan.core.model import Model
from gyakusan.core.records import shallow
from gyakusan.doors import files
from gyakusan.errors import BadReference, Unsupported
from gyakusan.models import assemble, reference
from gyakusan.models.formats import card, config, gguf_facts

TOLERANCE = 0.01
"""How far the weights of the record's shape may be from those in the file. [fraction]"""
_LANGUAGE = re.compile(r"[a-z]{2,3}")
_SENSES = {"vision_config": "image", "visual": "image", "audio_config": "audio"}
_SIXTEEN = ("F16", "BF16", "F32")


@dataclass(frozen=True, slots=True)
class Facts:
    """What a person, a file or a model card says of a model.

    name: as people write it, "" = not said
    license: SPDX identifier or the licence's name, "" = not said
    languages: ISO 639
    released: ISO 8601, "" = not said
    repository: of the hub, "" = none
    modalities: what it reads
    """

    name: str = ""
    license: str = ""
    languages: tuple[str, ...] = ()
    released: str = ""
    repository: str = ""
    modalities: tuple[str, ...] = ("text",)


def is_model(text: str) -> bool:
    """Return True for what may be a model, and False for what must be a file of records."""
    found = reference.resolve(text)
    if found.kind in ("directory", "hub", "repository"):
        return True
    plain = found.target.split("?", 1)[0].casefold()
    if found.kind in ("file", "url"):
        return plain.endswith((".gguf", "/config.json")) or Path(plain).name == config.NAME
    return reference.cached(found.target) is not None


def describe(text: str, said: Facts, checked: str) -> ModelRecord:
    """Return the record of a model. said: goes before what its files say; checked: today, ISO 8601.

    Raises BadReference, BadModel, SourceError, and Unsupported where the metadata alone does not make this model.
    """
    found = reference.resolve(text)
    if found.kind == "file" and Path(found.target).name == config.NAME:
        found = reference.Reference("directory", str(Path(found.target).parent))
    model, raw = _read(found)
    facts = _joined(said, _facts(found, model, raw))
    name = facts.name or _name(found, model)
    metadata = _metadata(model)
    record = ModelRecord(
        name=name,
        parameters=model.parameters,
        tensors=len(model.tensors),
        tied=model.tied,
        quantization=_quantization(model.quantization),
        basis="read",
        source=_source(found),
        checked=checked,
        aliases=(facts.repository,) if facts.repository and facts.repository != name else (),
        license=facts.license,
        role=_role(name),
        modalities=facts.modalities,
        languages=facts.languages,
        released=facts.released,
        weights=_weights(found, model),
        gguf=(facts.repository,) if facts.repository and model.checkpoint is None else (),
        metadata=metadata,
    )
    return _proved(record, model)


def toml(record: ModelRecord) -> str:
    """Return a record as a file of records has it."""
    kept = shallow(record)
    top = {k: v for k, v in kept.items() if (k not in ("metadata", "listed") and v not in ("", (), 0)) or k == "tied"}
    lines = [f"{k} = {_text(v)}" for k, v in top.items()]
    keys = [f"{_text(k)} = {_text(v)}" for k, v in record.metadata.items()]
    return "\n".join(["schema = 1", "", "[[model]]", *lines, "", "[model.metadata]", *keys, ""])


def missing(record: ModelRecord) -> tuple[str, ...]:
    """Return which of licence, languages and date nothing said."""
    return tuple(f for f in ("license", "languages", "released") if not getattr(record, f))


def _read(found: reference.Reference) -> tuple[Model, bytes]:
    """Return the model, and its README.md if there is one."""
    if found.kind in ("hub", "repository", "catalog"):
        from gyakusan.models import repository
        from gyakusan.models.sources import hub

        listing = reference.listing(hub.parse(found.target))
        raw = listing.document(card.NAME) if card.NAME in listing.files else b""
        return repository.read(listing), raw
    if found.kind == "directory":
        folder = Path(found.target)
        return _from_folder(folder), _readme(folder)
    model = assemble.from_gguf(found.target, remote=found.kind == "url")
    return model, b"" if found.kind == "url" else _readme(Path(found.target).parent)


def _from_folder(folder: Path) -> Model:
    """Return the model of a folder: of its config.json, else of its only GGUF file."""
    if (folder / config.NAME).is_file():
        return assemble.from_directory(str(folder))
    found = [f for f in sorted(folder.glob("*.gguf")) if not f.name.startswith(("mmproj", "mtp-"))]
    first = [f for f in found if not re.search(r"-\d{5}-of-\d{5}\.gguf$", f.name) or "-00001-of-" in f.name]
    if len(first) != 1:
        raise BadReference(
            "{folder} has no config.json and {n} GGUF models.", folder=str(folder)[:200], n=len(first),
            mend="Give the path of one GGUF file.",
        )  # fmt: skip
    return assemble.from_gguf(str(first[0]), remote=False)


def _readme(folder: Path) -> bytes:
    try:
        return files.head(folder / card.NAME, card.LONGEST)
    except (OSError, ValueError):
        return b""


def _facts(found: reference.Reference, model: Model, raw: bytes) -> Facts:
    """Return what the files say."""
    said = card.facts(raw)
    stated = gguf_facts.facts(model.metadata) if model.checkpoint is None else {}
    licence = next(iter(said.get("license_name", ()) or said.get("license", ())), "") or stated.get("license", "")
    languages = said.get("language", ()) or stated.get("languages", ())
    return Facts(
        license="" if licence in ("other", "unknown") else licence,
        languages=_languages(languages),
        repository=_repository(found),
        modalities=_modalities(found, model),
    )


def _joined(said: Facts, read: Facts) -> Facts:
    """Return what a person says, else what the files say."""
    return replace(
        read,
        name=said.name,
        license=said.license or read.license,
        languages=_languages(said.languages) or read.languages,
        released=said.released or read.released,
    )


def _languages(texts: Iterable[str]) -> tuple[str, ...]:
    plain = (t.strip().casefold().split("-")[0] for t in texts)
    return tuple(dict.fromkeys(t for t in plain if _LANGUAGE.fullmatch(t)))


def _modalities(found: reference.Reference, model: Model) -> tuple[str, ...]:
    """Return what it reads: parts for images or sound in its config, or a projector in the folder of its GGUF file."""
    stated = model.stored.config if model.stored and model.stored.config else {}
    if found.kind == "directory" and not stated and (Path(found.target) / config.NAME).is_file():
        stated = config.read(found.target)
    senses = [sense for key, sense in _SENSES.items() if isinstance(stated.get(key), Mapping)]
    folder = Path(found.target).parent if found.kind == "file" else Path(found.target)
    near = found.kind in ("file", "directory") and any(folder.glob("mmproj*.gguf"))
    extras = model.stored.extras if model.stored else ()
    return tuple(dict.fromkeys(("text", *senses, *(["image"] if near or extras else []))))


def _repository(found: reference.Reference) -> str:
    if found.kind not in ("hub", "repository", "catalog"):
        return ""
    return found.target.partition(":")[0].partition("@")[0]


def _name(found: reference.Reference, model: Model) -> str:
    """Return the name of the repository, the folder or the file, without its quantisation."""
    written = _repository(found).rsplit("/", 1)[-1] or model.name
    plain = re.sub(r"-?GGUF$", "", written, flags=re.IGNORECASE)
    ending = re.search(r"[-.]([A-Za-z0-9_]+)$", plain)
    while ending and _is_quantization(ending[1]):
        plain = plain[: ending.start()]
        ending = re.search(r"[-.]([A-Za-z0-9_]+)$", plain)
    return "".join(c for c in plain if c.isprintable())[:120] or "model"


def _is_quantization(text: str) -> bool:
    plain = text.upper().replace("-", "_").removeprefix("UD_")
    return plain in recipe.QUANTIZATIONS or plain in ("MXFP4", "UD")


def _quantization(stated: str) -> str:
    """Return the quantisation of a file, the usual one where there is none."""
    plain = stated.removeprefix("UD-")
    return plain if plain in recipe.QUANTIZATIONS and plain not in _SIXTEEN else "Q4_K_M"


def _weights(found: reference.Reference, model: Model) -> str:
    """Return where the weights are, "" where the catalogue's table knows repositories such as this."""
    if found.kind == "directory":
        path = Path(model.source).absolute() if model.checkpoint is None else Path(found.target).absolute()
        return str(path)
    if found.kind == "file":
        return str(Path(found.target).absolute())
    return f"hf:{_repository(found)}" if found.kind != "url" and model.checkpoint is None else ""


def _role(name: str) -> Role:
    short = short_name(name)
    return "base" if matches_rule("base", short) else "code" if matches_rule("coder", short) else "chat"


def _source(found: reference.Reference) -> str:
    if found.kind == "url":
        return "metadata of a GGUF file on the web"
    what = "metadata of" if found.target.casefold().endswith(".gguf") else "config.json of"
    shown = found.target if "/" in found.target and found.kind not in ("file", "directory") else Path(found.target).name
    return f"{what} {''.join(c for c in shown if c.isprintable())[:150]}, added by the user"


def _metadata(model: Model) -> dict[str, Any]:
    """Return the key-values that make the model again: without its tokenizer, with keys for what only tensors show."""
    prefix = f"{model.architecture}."
    kept = {k: v for k, v in model.metadata.items() if k.startswith((prefix, "gyakusan.")) and _plain_value(v)}
    kept.pop("gyakusan.tied", None)
    marks = {} if model.checkpoint is not None else gguf_facts.marks({t.name for t in model.tensors})
    vocabulary = {} if f"{prefix}vocab_size" in kept else {f"{prefix}vocab_size": model.vocabulary}
    return {"general.architecture": model.architecture, **kept, **vocabulary, **marks}


def _plain_value(value: object) -> bool:
    """Return True for what a TOML file can hold."""
    if isinstance(value, (list, tuple)):
        return all(isinstance(v, (bool, int, float, str)) for v in value)
    return isinstance(value, (bool, int, float, str))


def _text(value: Any) -> str:
    """Return a value of TOML on one line."""
    import json

    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(_text(v) for v in value) + "]"
    if isinstance(value, float):
        return repr(float(f"{value:.7g}"))
    return json.dumps(value, ensure_ascii=False)


def _proved(record: ModelRecord, model: Model) -> ModelRecord:
    """Return the record if its shape makes the model that was read. Raises Unsupported."""
    made = assemble.plain(record) if not model.inferred else None
    if made is None or abs(made.parameters - model.parameters) > TOLERANCE * model.parameters:
        raise Unsupported(
            "{name} holds {has} weights, and its metadata describes {says}.",
            name=record.name, has=f"{model.parameters:,}", says=f"{made.parameters:,}" if made else "?",
            mend="A record would be wrong: plan the file by its path.",
        )  # fmt: skip
    return record
