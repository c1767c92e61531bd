"""How mlx_lm.server is started: its options, and the Python that has it. Source: mlx-lm 0.32.2, mlx_lm/server.py (main)."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import fields
from importlib.util import find_spec
from pathlib import Path

from gyakusan.doors import files
from gyakusan.engines.mlx.settings import Settings
from gyakusan.errors import GyakusanError, ServerError

PACKAGE, PROGRAM = "mlx_lm", "mlx_lm.server"
_OURS = ("context", "users", "weights", "mlx", "nax")
"""Settings that the load, the files, the chip and the library decide, and no option."""
_UNNEEDED = ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN", "HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE")
"""The model is on this computer: the server fetches nothing, and needs nobody's token."""


def arguments(settings: Settings) -> tuple[str, ...]:
    """Return the options that differ from the server's defaults."""
    argv: list[str] = []
    for name in (f.name for f in fields(Settings) if f.name not in _OURS):
        value, usual = getattr(settings, name), Settings.__dataclass_fields__[name].default
        if value != usual:
            argv += [f"--{name.replace('_', '-')}", str(value)]
    return tuple(argv)


def is_installed_here() -> bool:
    """Return True if the Python that runs has MLX-LM."""
    try:
        return find_spec(PACKAGE) is not None and find_spec("mlx") is not None
    except (ImportError, ValueError):
        return False


def interpreter(program: str) -> str:
    """Return the Python of a program: of mlx_lm.server on PATH the one beside it, else the one of its first line.

    Raises ServerError.
    """
    if program == PACKAGE:
        return sys.executable
    where = Path(program).resolve()
    for name in ("python3", "python"):
        if (beside := where.with_name(name)).is_file():
            return str(beside)
    try:
        first = files.head(where, 1024).partition(b"\n")[0].decode("utf-8", "replace")
    except (GyakusanError, OSError):
        first = ""
    found = first.removeprefix("#!").split()
    if first.startswith("#!/") and found and Path(found[0]).name.startswith("python"):
        return found[0]
    raise ServerError(
        "The Python of {program} is not known.", program=program,
        mend="Install MLX-LM beside gyakusan: pip install 'gyakusan[mlx]'",
    )  # fmt: skip


def environment(base: Mapping[str, str]) -> dict[str, str]:
    """Return the server's environment: nothing is fetched, and no token is passed on."""
    clean = {k: v for k, v in base.items() if k not in _UNNEEDED and not k.endswith("_API_KEY")}
    return {**clean, "HF_HUB_OFFLINE": "1"}
