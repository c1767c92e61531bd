"""What is to be there: the published files of a deployment, or what a person names."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct, structs

from gyakusan.engines.registry import DEFAULT, engine
from gyakusan.errors import BadReference, UnknownName
from gyakusan.message import quoted
from gyakusan.models import reference
from gyakusan.models.sources import hub, ollama

if TYPE_CHECKING:
    from gyakusan.catalog.artifacts import Artifact
    from gyakusan.catalog.models import ModelRecord
    from gyakusan.engines.deployment import Deployment


class Wanted(Struct, frozen=True):
    """Files that a server is to load.

    name: of the model, as people know it
    quantization: as the engine calls it, "" = not known before the files are listed
    storage: kind of files: gguf, checkpoint, mlx; ollama for a tag that Ollama fetches itself
    repository: of the hub with its revision, None for a tag of Ollama
    tag: of a GGUF file or its path in the repository, or the whole name of a tag of Ollama
    projector: True if images are sent, so that the projector is loaded
    bytes: of the weights, as the catalogue knows them; None = not known [B]
    counted: of the weights, as a plan counts them; None = no plan is asked about [B]
    usual: True if nobody asked for this format: another one that is here will do
    """

    name: str
    quantization: str
    storage: str
    repository: hub.Repository | None
    tag: str = ""
    projector: bool = False
    bytes: int | None = None
    usual: bool = False
    counted: int | None = None

    @property
    def reference(self) -> str:
        """What one writes for these files: owner/name:TAG, owner/name, or Ollama's tag."""
        if self.repository is None:
            return f"ollama:{self.tag}"
        return f"{self.repository.id}:{self.tag}" if self.tag else self.repository.id


def of_deployment(deployment: Deployment, *, projector: bool = False) -> Wanted:
    """Return what the server of a deployment loads. Raises BadReference where nobody publishes that format.

    projector: True if the plan counts the image part
    """
    artifact = deployment.artifact
    if artifact is None:
        raise _unpublished(deployment.name, deployment.quantization, deployment.preparation)
    wanted = _of_artifact(artifact, deployment.name, deployment.engine)
    counted = round(deployment.model.bytes)
    return structs.replace(wanted, quantization=deployment.quantization, projector=projector, counted=counted)


def of_text(text: str, quantization: str | None = None, engine_name: str = DEFAULT, *, images: bool = False) -> Wanted:
    """Return what a person names: a model of the catalogue, owner/name:TAG, a page of the hub, a tag of Ollama.

    quantization: a format as people write it; images: the projector is loaded, too.
    Raises UnknownName, BadReference, BadSetting.
    """
    found = reference.resolve(text)
    if found.kind == "ollama" or (found.kind == "catalog" and "/" not in found.target and _is_tag(found.target)):
        ollama.parse(found.target)
        return Wanted(found.target, "", "ollama", None, found.target)
    if found.kind in ("hub", "repository") or (found.kind == "catalog" and "/" in found.target):
        return _of_repository(found.target, quantization, engine_name, images)
    if found.kind == "catalog":
        return _of_record(found.target, quantization, engine_name, images)
    raise BadReference(
        "{text} names no published model.", text=quoted(text, 120, mark='"'),
        mend="Give a model of the catalogue, owner/name:TAG of Hugging Face, ollama:TAG, or the number of a plan.",
    )  # fmt: skip


def _is_tag(name: str) -> bool:
    """Return True for a tag of Ollama's library: it has a colon, and the catalogue lists it or Ollama holds it."""
    if ":" not in name:
        return False
    from gyakusan.catalog import tags

    try:
        return tags.find(name) is not None or ollama.local(ollama.parse(name)) is not None
    except (UnknownName, BadReference):
        return False


def _of_repository(target: str, quantization: str | None, engine_name: str, images: bool) -> Wanted:
    """Return a repository of the hub; what kind of files it holds follows from the catalogue, or from its list."""
    from gyakusan.catalog.repositories import find_published

    asked, rules = hub.parse(target), engine(engine_name)
    tag = asked.wanted or quantization or ""
    known = find_published(f"{asked.id}:{tag}" if tag else asked.id)
    artifact = None if known is None else known.artifact
    name = asked.id if known is None else known.repository
    if rules.STORAGE == "gguf" and rules.NAME != DEFAULT:
        return Wanted(name, tag, "ollama", None, f"hf.co/{name}:{tag}" if tag else f"hf.co/{name}")
    storage = rules.STORAGE
    if artifact is not None and artifact.format != "gguf":
        storage = "mlx" if artifact.format == "mlx" else "checkpoint"
    said = artifact.quantization if artifact is not None and storage == "gguf" else tag
    repository = hub.Repository(name, at=asked.at)
    size = artifact.bytes if artifact is not None else None
    return Wanted(name, said, storage, repository, tag if storage == "gguf" else "", images, size)


def _of_record(name: str, quantization: str | None, engine_name: str, images: bool) -> Wanted:
    """Return the best published files of a model of the catalogue in a format."""
    from gyakusan import catalog
    from gyakusan.engines.formats import find_format

    record, rules = catalog.model(name), engine(engine_name)
    form = find_format(quantization, engine_name).name if quantization else _usual(record, engine_name)
    artifact = rules.artifact(record, form) if form else None
    if artifact is None:
        asked = form or record.quantization
        raise _unpublished(record.name, asked, rules.preparation(record, asked))
    found = _of_artifact(artifact, record.name, rules.NAME)
    return structs.replace(found, quantization=form, projector=images, usual=not quantization)


def _usual(record: ModelRecord, engine_name: str) -> str:
    """Return the format that people usually download: the record's, else the published one nearest to it; "" = none."""
    from gyakusan.models.assemble import plain

    rules = engine(engine_name)
    if rules.artifact(record, record.quantization) is not None:
        return record.quantization
    named = [v.name for v in rules.variants(plain(record), record) if v.published and rules.artifact(record, v.name)]
    four = [n for n in named if "4" in n]
    return next(iter((*four, *reversed(named))), "")


def _of_artifact(artifact: Artifact, name: str, engine_name: str) -> Wanted:
    """Return the files of a published form; a server that reads GGUF from the hub through Ollama has a name for it."""
    rules = engine(engine_name)
    if artifact.format == "ollama":
        return Wanted(name, artifact.quantization, "ollama", None, artifact.repository, bytes=artifact.bytes)
    if rules.STORAGE == "gguf" and rules.NAME != DEFAULT and artifact.format == "gguf":
        return Wanted(name, artifact.quantization, "ollama", None, f"hf.co/{artifact.reference}", bytes=artifact.bytes)
    kind = "gguf" if artifact.format == "gguf" else rules.STORAGE
    tag = artifact.quantization if artifact.format == "gguf" else ""
    return Wanted(name, artifact.quantization, kind, hub.Repository(artifact.repository), tag, bytes=artifact.bytes)


def _unpublished(name: str, quantization: str, commands: tuple[str, ...]) -> BadReference:
    return BadReference(
        "Nobody is known to publish {name} in {quantization}.", name=name, quantization=quantization or "-",
        commands="; ".join(commands), mend="Make it: {commands}" if commands else "Choose another with --quant.",
    )  # fmt: skip
