"""What a server is given as its model: a path on this computer, or the name under which a program keeps it."""

from __future__ import annotations

from pathlib import Path

from gyakusan.engines.deployment import Deployment
from gyakusan.errors import BadReference
from gyakusan.fetching.find import PACKAGED, find_files
from gyakusan.fetching.wanted import of_deployment, of_text
from gyakusan.message import quoted


def model_file(asked: Deployment, typed: str, get: str) -> str:
    """Return the path of the model, wherever a program keeps it. Raises BadReference if it is not on this computer.

    typed: the model as it was typed; get: the command that fetches it
    """
    if asked.server.GIVEN == "name":
        return _tag(asked, typed)
    source, folder = asked.model.source, asked.server.GIVEN == "folder"
    if folder and Path(source).is_dir():
        return source
    if not folder and asked.model.name == PACKAGED and not source.endswith(".gguf"):
        from gyakusan.models.embedded import embedded

        return str(embedded())
    if not folder and source.endswith(".gguf") and Path(source).is_file():
        return source
    found = find_files(asked)
    if found is not None and (found.path.is_dir() if folder else found.path.is_file()):
        return str(found.path)
    if asked.artifact is None and asked.preparation:
        of_deployment(asked)  # raises: nobody publishes them, and they have to be made
    raise BadReference(
        "The files of {name} are not on this computer.", name=asked.model.name, command=get,
        mend="Fetch them: {command}",
    )  # fmt: skip


def _tag(asked: Deployment, typed: str) -> str:
    """Return the name under which a program keeps the model. Raises BadReference where it has none."""
    wanted = of_deployment(asked) if asked.model.catalogue_name else of_text(typed, None, asked.engine)
    if wanted.repository is not None:
        raise BadReference(
            "{engine} has no name for {model}.", engine=asked.engine, model=quoted(typed, 80, mark='"'),
            mend="Name a model of its library, e.g. ollama:qwen3:8b, or hf.co/owner/name:TAG.",
        )  # fmt: skip
    return wanted.tag
