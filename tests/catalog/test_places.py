"""Where files are kept, and what is never replaced."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.mark.parametrize(
    "name", ["/dev/null", "/dev/full", "/dev/stdout", "/proc/self/fd/1", "/dev/nothing-of-this-name"]
)
def test_what_the_system_keeps_is_special(name: str) -> None:
    """Never written in a test: as root it would succeed, and every program of the machine would lose its null device."""
    from gyakusan.catalog import places

    assert places._is_special(Path(name))
