"""Does a command name files that are published, and are they a chat model? llama.cpp's own rule over the files that were seen."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from benchmarks.plan_judges.verdict import Verdict
from gyakusan.catalog.artifacts import Artifact, artifacts, repository_files
from gyakusan.engines.llamacpp.hub_reference import parse_hub_reference, resolve_hub_reference
from gyakusan.errors import GyakusanError
from gyakusan.planning.select.plan import Plan

PLACEHOLDER = re.compile(r"<[^<>]*>|\.\.\.|…|\bTODO\b|\bXXX\b|path/to/")
VARIABLE = re.compile(r"\$\{?([A-Za-z_]\w*)")
HUB = ("-hf", "-hfr", "--hf-repo")
REPOSITORY = re.compile(r"[\w.-]+/[\w.-]+")
UNTUNED = ("base",)
"""What an artifact of a chat model is not."""


def commands(plan: Plan) -> Iterator[tuple[str, ...]]:
    """Yield every command that a plan prints: what prepares the files, then the server."""
    yield from (tuple(c) if not isinstance(c, str) else (c,) for c in getattr(plan, "preparation", ()))
    yield plan.command.argv


def judge(question: str, plan: Plan) -> Iterator[Verdict]:
    """Yield one verdict on the command of a plan."""
    why = placeholder(plan) or resolves(plan)
    yield Verdict("artifact", f"{question}: {' '.join(plan.command.argv)}", why)


def placeholder(plan: Plan) -> str:
    """Return what nobody can type, "" if there is none."""
    environment = plan.command.environment
    for argv in commands(plan):
        for word in argv:
            if PLACEHOLDER.search(word):
                return f"a placeholder: {word}"
            unset = [v for v in VARIABLE.findall(word) if v not in environment]
            if unset:
                return f"a variable that nothing sets: {unset[0]}"
    return ""


def resolves(plan: Plan) -> str:
    """Return what is wrong with the reference of a command, "" if it finds a tuned artifact of the plan's model."""
    known = artifacts(plan.name)
    made = tuple(getattr(plan, "preparation", ()))
    artifact = getattr(plan, "artifact", None)
    if artifact is None and made:
        return _prepared(plan, known)
    rule = {"llama.cpp": _llama, "Ollama": _ollama}.get(plan.engine, _repository)
    return rule(plan, known)


def _llama(plan: Plan, known: Sequence[Artifact]) -> str:
    """Return what llama.cpp's rule finds wrong."""
    argv = plan.command.argv
    at = next((i for i, word in enumerate(argv) if word in HUB), None)
    if at is None:
        return "no -hf, and no commands that make the file"
    try:
        reference = parse_hub_reference(argv[at + 1])
    except GyakusanError as error:
        return str(error)
    own = [a for a in known if a.repository == reference.repository]
    if not own:
        return f"{reference.repository} is not known for {plan.name}"
    files = repository_files(plan.name, reference.repository)
    found = resolve_hub_reference(files, reference.tag, projector="--no-mmproj" not in argv)
    if not found.model:
        named = [a for a in own if a.quantization.upper() == reference.tag.upper() and not a.files]
        return "" if named and _tuned(named) else f"{reference} finds none of {len(files)} files"
    holders = [a for a in own if set(a.files) & set(found.model)]
    if not _tuned(holders or own):
        return f"{reference} is a base model"
    artifact = getattr(plan, "artifact", None)
    if artifact is not None and artifact.files and not set(artifact.files) & set(found.model):
        return f"{reference} finds {found.model[0]}, planned was {artifact.files[0]}"
    return ""


def _repository(plan: Plan, known: Sequence[Artifact]) -> str:
    """Return what is wrong with a repository of the hub."""
    argv = plan.command.argv
    name = next((w for w in argv[1:] if REPOSITORY.fullmatch(w)), "")
    own = [a for a in known if a.repository == name and a.format not in ("gguf", "ollama")]
    if not own:
        return f"{name or 'no repository'} is not known for {plan.name}"
    if (plan.engine == "MLX-LM") != any(a.format == "mlx" for a in own) and plan.engine == "MLX-LM":
        return f"{name} is no MLX conversion"
    return "" if _tuned(own) else f"{name} is a base model"


def _ollama(plan: Plan, known: Sequence[Artifact]) -> str:
    """Return what is wrong with an Ollama tag: pulled or run by a command of the plan, and known in its library."""
    from gyakusan.catalog import tags

    words = [w for argv in commands(plan) for w in argv]
    artifact = getattr(plan, "artifact", None)
    wanted = artifact.repository if artifact is not None else ""
    names = {a.repository for a in known if a.format == "ollama"} | set(tags.of_model(plan.name))
    said = [w for w in words for n in names if n == w or w.endswith(f" {n}")]
    if not said:
        return f"no command pulls a known tag of {plan.name}" + (f" ({wanted})" if wanted else "")
    return ""


def _prepared(plan: Plan, known: Sequence[Artifact]) -> str:
    """Return what is wrong with the commands that make the files: they start from a tuned repository."""
    words = " ".join(w for argv in commands(plan) for w in argv)
    sources = [a for a in known if a.repository in words]
    if sources and not _tuned(sources):
        return f"made from a base model: {sources[0].repository}"
    return "" if sources else f"made from nothing that is known for {plan.name}"


def _tuned(found: Sequence[Artifact]) -> bool:
    return any(a.tuned not in UNTUNED for a in found)
