"""Does a command name files that are published, and are they a chat model? llama.cpp's own rule over the files that were seen."""

from __future__ import annotations

import ast
import re
import shlex
import tomllib
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path

from benchmarks.plan_judges.verdict import Verdict
from gyakusan.catalog import tags
from gyakusan.catalog.artifacts import Artifact, artifacts, published, repository_files
from gyakusan.catalog.models import find
from gyakusan.engines.llamacpp.hub_reference import parse_hub_reference, resolve_hub_reference
from gyakusan.errors import GyakusanError
from gyakusan.planning.select.plan import Plan

PLACEHOLDER = re.compile(r"<[^<>]*>|\.\.\.|…|\bTODO\b|\bXXX\b|path/to/")
VARIABLE = re.compile(r"\$\{?([A-Za-z_]\w*)")
HUB = ("-hf", "-hfr", "--hf-repo")
REPOSITORY = re.compile(r"[\w.-]+/[\w.-]+")
OLLAMA_HUB = "hf.co/"
MLX_TEXTS = Path(__file__).resolve().parents[2] / "tools" / "mlx_repositories.toml"
"""MLX conversions, each with the text that names it."""
UNTUNED = ("base",)
"""What an artifact of a chat model is not."""


def commands(plan: Plan) -> Iterator[tuple[str, ...]]:
    """Yield every command that a plan prints: what prepares the files, the server, then what its client runs."""
    yield from (tuple(shlex.split(text)) for text in plan.preparation)
    yield plan.command.argv
    yield from plan.command.then


def judge(question: str, plan: Plan) -> Iterator[Verdict]:
    """Yield one verdict on the command of a plan."""
    why = placeholder(plan) or resolves(plan)
    yield Verdict("artifact", f"{question}: {' '.join(plan.command.argv)}", why)


def placeholder(plan: Plan) -> str:
    """Return what nobody can type, "" if there is none."""
    environment = plan.command.environment
    for argv in commands(plan):
        text = " ".join(argv)
        found = PLACEHOLDER.search(text)
        if found:
            return f"a placeholder: {found[0]}"
        unset = [v for v in VARIABLE.findall(text) if v not in environment]
        if unset:
            return f"a variable that nothing sets: {unset[0]}"
    return ""


def known_artifacts(name: str) -> tuple[Artifact, ...]:
    """Return the published forms of a model that somebody saw: in the table of artifacts, or named in a public text."""
    table = artifacts(name)
    own = (a for a in published(find(name)) if a not in table and a.repository in _named_in_texts())
    return (*table, *own)


@cache
def _named_in_texts() -> frozenset[str]:
    """Return the MLX conversions for which a text is recorded."""
    document = tomllib.loads(MLX_TEXTS.read_text("utf-8"))
    return frozenset(repository for by_name in document.values() for repository in by_name)


def resolves(plan: Plan) -> str:
    """Return what is wrong with the reference of a command, "" if it finds the planned, tuned artifact of the plan's model."""
    known = known_artifacts(plan.name)
    if plan.artifact is None:
        return _prepared(plan, known) if plan.preparation else "neither a published artifact nor commands that make one"
    rule = {"llama.cpp": _llama, "Ollama": _ollama}.get(plan.engine, _repository)
    return rule(plan, known, plan.artifact)


def _llama(plan: Plan, known: Sequence[Artifact], planned: Artifact) -> str:
    """Return what llama.cpp's rule finds wrong."""
    argv = plan.command.argv
    at = next((i for i, word in enumerate(argv) if word in HUB), None)
    if at is None:
        return "no -hf, and no commands that make the file"
    return _file(plan, known, planned, argv[at + 1], projector="--no-mmproj" not in argv)


def _file(plan: Plan, known: Sequence[Artifact], planned: Artifact, text: str, *, projector: bool) -> str:
    """Return what is wrong with `owner/name:TAG` of a GGUF file."""
    try:
        reference = parse_hub_reference(text)
    except GyakusanError as error:
        return str(error)
    own = [a for a in known if a.repository == reference.repository and a.format == "gguf"]
    if not own:
        return f"{reference.repository} is not known for {plan.name}"
    if reference.repository != planned.repository:
        return f"{reference.repository} is named, planned was {planned.repository}"
    files = repository_files(plan.name, reference.repository)
    found = resolve_hub_reference(files, reference.tag, projector=projector)
    if not found.model:
        named = [a for a in own if a.quantization.upper() == reference.tag.upper() and not a.files]
        if not named:
            return f"{reference} finds none of {len(files)} files"
        return "" if _tuned(named) else f"{reference} is a base model"
    holders = [a for a in own if set(a.files) & set(found.model)]
    if not _tuned(holders or own):
        return f"{reference} is a base model"
    if planned.files and not set(planned.files) & set(found.model):
        return f"{reference} finds {found.model[0]}, planned was {planned.files[0]}"
    return ""


def _repository(plan: Plan, known: Sequence[Artifact], planned: Artifact) -> str:
    """Return what is wrong with a repository of the hub: MLX-LM reads MLX conversions, nobody else does."""
    name = next((w for w in plan.command.argv[1:] if REPOSITORY.fullmatch(w)), "")
    here = [a for a in known if a.repository == name]
    own = [a for a in here if a.format not in ("gguf", "ollama")]
    if not own:
        return f"{name or 'no repository'} is not known for {plan.name}"
    fitting = [a for a in own if (a.format == "mlx") is (plan.engine == "MLX-LM")]
    if not fitting:
        return f"{name} is {'no' if plan.engine == 'MLX-LM' else 'an'} MLX conversion"
    if name != planned.repository:
        return f"{name} is named, planned was {planned.repository}"
    return "" if _tuned(fitting) else f"{name} is a base model"


def _ollama(plan: Plan, known: Sequence[Artifact], planned: Artifact) -> str:
    """Return what is wrong with what Ollama pulls: a tag of its library, or a GGUF file of the hub; then it runs the same."""
    tag = planned.repository if planned.format == "ollama" else OLLAMA_HUB + planned.reference
    fetched, run = (_tags(plan, verb) for verb in ("pull", "run"))
    if not fetched:
        return f"no command pulls {tag}"
    if {*fetched, *run} != {tag}:
        return f"{', '.join(sorted({*fetched, *run} - {tag}))} is named, planned was {tag}"
    if planned.format != "ollama":
        return _file(plan, known, planned, planned.reference, projector=True)
    own = [a for a in known if a.format == "ollama" and a.repository == tag]
    return "" if own or tag in tags.of_model(plan.name) else f"{tag} is not known for {plan.name}"


def _tags(plan: Plan, verb: str) -> list[str]:
    """Return what `ollama pull` or `ollama run` is given."""
    return [argv[2] for argv in commands(plan) if argv[:2] == ("ollama", verb) and len(argv) > 2]


def _prepared(plan: Plan, known: Sequence[Artifact]) -> str:
    """Return what is wrong with the commands that make the files: they start from a tuned repository."""
    words = {w for argv in commands(plan) for w in _words_of(argv)}
    sources = [a for a in known if a.repository in words]
    if sources and not _tuned(sources):
        return f"made from a base model: {sources[0].repository}"
    return "" if sources else f"made from nothing that is known for {plan.name}"


def _words_of(argv: Sequence[str]) -> Iterator[str]:
    """Yield the words of a command, and the texts of a program that `python -c` is given."""
    yield from argv
    if tuple(argv[:2]) == ("python", "-c"):
        yield from (str(n.value) for n in ast.walk(ast.parse(argv[2])) if isinstance(n, ast.Constant))


def _tuned(found: Sequence[Artifact]) -> bool:
    return any(a.tuned not in UNTUNED for a in found)
