"""tests/ mirrors src: whoever reads a module finds its tests at the same place, and the other way round."""

from __future__ import annotations

from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
TESTS = ROOT / "tests"
APART = {
    "attack": "hostile input through every command, and the guard that judges it",
    "documents": "JSON of all commands, by the published schemas",
    "screens": "what people see of all commands, by command",
    "test_layout.py": "of the tests themselves",
    "test_japanese.py": "of all Japanese screens and pages together",
    "test_architecture.py": "of all modules together",
    "test_dependencies.py": "of the bounds of all dependencies",
    "test_docstrings.py": "of all records together",
    "test_names.py": "of all numbers together",
    "doors/test_only_doors.py": "of all modules outside doors/",
    "fetching/test_hub_library.py": "beside huggingface_hub, which judges our cache",
    "benchmarks/test_small_benchmarks.py": "two short benchmarks, mlx_accuracy and ollama_accuracy",
    "catalog/test_embeddings.py": "embedding models from the record to the byte",
    "engines/test_contract.py": "a toy engine through every command",
    "engines/test_no_engine_names.py": "of all modules outside engines/",
    "models/families/test_newer.py": "families of 2026 together, by the weights that the hub counts",
    "serving/test_real_servers.py": "one real model under other real servers, where they are installed",
    "serving/test_real_router.py": "two real models behind a real router, where one is installed",
    "tools/test_container.py": "of the Containerfile, step by step",
    "tools/test_screen_labels.py": "of the labels that pages explain",
    "tools/test_makefile.py": "of what the Makefile says",
    "engines/mlx/test_real_mlx.py": "beside the real library, where it is installed",
}
"""Test files and folders without a module of their own -> what they test."""


def modules() -> list[str]:
    """Test files that should have a counterpart, e.g. planning/request/test_money.py."""
    found = (str(p.relative_to(TESTS)) for p in TESTS.rglob("test_*.py"))
    return sorted(p for p in found if p not in APART and p.split("/")[0] not in APART)


def counterparts(test: str) -> list[Path]:
    """Where the tested thing may be: a module, a private module, a folder, or the __init__ of the folder's own name."""
    *folders, file = test.split("/")
    name = file.removeprefix("test_").removesuffix(".py")
    roots = [ROOT / "src" / "gyakusan", *([ROOT] if folders[:1] in (["benchmarks"], ["tools"]) else [])]
    places = [root.joinpath(*folders) for root in roots]
    if folders and name == folders[-1]:
        return [place / "__init__.py" for place in places]
    return [p for place in places for p in (place / f"{name}.py", place / f"_{name}.py", place / name / "__init__.py")]


@pytest.mark.parametrize("test", modules())
def test_every_test_file_has_a_module(test: str) -> None:
    assert any(place.is_file() for place in counterparts(test))


@pytest.mark.parametrize("test", APART)
def test_what_is_apart_is_still_there(test: str) -> None:
    assert (TESTS / test).exists()
    assert not test.endswith(".py") or not any(place.is_file() for place in counterparts(test))
