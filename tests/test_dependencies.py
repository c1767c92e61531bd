"""Every dependency of the product has an upper bound, and what is installed here, and so tested, lies within."""

from __future__ import annotations

import tomllib
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import pytest
from packaging.requirements import Requirement

PROJECT = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text("utf-8"))["project"]
EXTRAS = ("serve", "nvidia", "mlx", "png")
WANTED = [*PROJECT["dependencies"], *(line for extra in EXTRAS for line in PROJECT["optional-dependencies"][extra])]


@pytest.mark.parametrize("line", WANTED)
def test_a_dependency_has_bounds_and_is_tested_within_them(line: str) -> None:
    wanted = Requirement(line)
    assert any(part.operator == "<" for part in wanted.specifier), "no upper bound"
    assert any(part.operator == ">=" for part in wanted.specifier), "no lower bound"
    try:
        installed = version(wanted.name)
    except PackageNotFoundError:
        pytest.skip(f"{wanted.name} is not installed")
    assert installed in wanted.specifier
