"""What the modules that start a server have in common, where an engine does nothing of its own."""

from __future__ import annotations

from pathlib import Path
from typing import NoReturn

from gyakusan.core.machine import Machine
from gyakusan.core.model import Model
from gyakusan.engines.base import System
from gyakusan.engines.server import PredictedBuffer
from gyakusan.errors import GyakusanError, ServerError


def checkpoint_error(path: Path) -> GyakusanError | None:
    """Return what is missing or broken in the folder of a checkpoint, None if its files can be read."""
    from gyakusan.errors import BadReference
    from gyakusan.models.formats import safetensors

    try:
        safetensors.read_folder(path)
    except GyakusanError as error:
        return error
    lacking = next((name for name in ("config.json", "tokenizer_config.json") if not (path / name).is_file()), None)
    if lacking is None:
        return None
    return BadReference(
        "{folder} lacks {file}.", folder=str(path), file=lacking,
        mend="Get the whole model again, with all its files: gyakusan get MODEL",
    )  # fmt: skip


def no_dry_run(model: Model, settings: object) -> NoReturn:
    """Raise ServerError: the engine has no dry run of its own."""
    raise ServerError("This engine has no dry run of its own.", mend="Add --engine llama.cpp.")


def no_buffers(model: Model, settings: object) -> tuple[PredictedBuffer, ...]:
    """Return nothing: the server reports no buffers to compare with."""
    return ()


def same_device(device: str) -> str:
    """Return the name in lower case: no line of the log names a device of ours."""
    return device.casefold()


def no_packaged(machine: Machine, system: System) -> tuple[str, ...]:
    """Return nothing: no package puts its program on PATH."""
    return ()


def no_installing(machine: Machine, folder: str) -> tuple[str, ...]:
    """Return nothing: what installs it differs with the computer, and its own page says how."""
    return ()


def no_workers() -> None:
    """Return no module: the server computes on the devices of its own computer."""
