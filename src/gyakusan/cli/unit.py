"""A unit of systemd that starts the server again at every boot of the computer or login of its user."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from gyakusan.cli.writing import terminal
from gyakusan.engines.service_files import unit_argument, unit_word
from gyakusan.errors import BadSetting, ServerError

if TYPE_CHECKING:
    from gyakusan.cli.options import Output
    from gyakusan.serving.background import Named

_LEFT_OUT = ("--systemd", "--detach", "--json", "--dry-run")
_PASSED = (
    "PATH",
    "XDG_STATE_HOME",
    "XDG_CONFIG_HOME",
    "XDG_CACHE_HOME",
    "HF_HOME",
    "HF_HUB_CACHE",
    "LLAMA_CACHE",
    "OLLAMA_MODELS",
)
"""Variables by which programs and models are found: a user's systemd does not know those of the shell."""
_PATIENCE = 20.0


def write_unit(named: Named, output: Output) -> int:
    """Write the unit, check it, and print how it is switched on. Raises BadSetting, ServerError."""
    from gyakusan.show.servers import unit_written
    from gyakusan.typed_words import typed

    file = check_place(named.name)
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(unit(named.name, typed()), encoding="utf-8")
    except OSError as error:
        raise ServerError(
            "{path} cannot be written: {error}.", path=str(file), error=error.strerror or "?",
            mend="Make room on the disk, or set XDG_CONFIG_HOME to a folder that you can write.",
        ) from error  # fmt: skip
    if fault := check(file):
        file.unlink(missing_ok=True)
        raise ServerError("systemd refuses the unit: {fault}.", fault=fault, mend="Report it: gyakusan wrote it.")
    terminal(output).show(*unit_written(file))
    return 0


def check_place(name: str) -> Path:
    """Return the file of a server's unit. Raises BadSetting where no unit can be, or one is already."""
    if not sys.platform.startswith("linux"):
        raise BadSetting("This computer has no systemd.", mend="Use --detach.")
    file = folder() / f"gyakusan-{name}.service"
    if file.exists():
        raise BadSetting(
            "The unit {file} exists already.", file=str(file), mend="Give another --name, or remove the file."
        )
    return file


def folder() -> Path:
    """Return where the units of this user stand."""
    home = os.environ.get("XDG_CONFIG_HOME", "")
    return Path(home if os.path.isabs(home) else os.path.expanduser("~/.config"), "systemd", "user")


def unit(name: str, words: Sequence[str]) -> str:
    """Return the text of a unit.

    words: of the command that was typed
    """
    kept = [w for w in words if w.partition("=")[0] not in _LEFT_OUT]
    at = kept.index("serve") + 1
    named = [*kept[:at], *([] if any(w.partition("=")[0] == "--name" for w in kept) else ["--name", name]), *kept[at:]]
    start = (sys.executable, "-P", "-m", "gyakusan", *named)
    variables = [f"{k}={os.environ[k]}" for k in _PASSED if os.environ.get(k)]
    lines = [
        "[Unit]",
        f"Description=gyakusan: {name}",
        "",
        "[Service]",
        f"WorkingDirectory={os.getcwd().replace('%', '%%')}",
        *(f"Environment={unit_word(v)}" for v in variables),
        f"ExecStart={' '.join(map(unit_argument, start))}",
        "Restart=on-failure",
        "RestartSec=5",
        "KillMode=mixed",
        "TimeoutStopSec=30",
        "NoNewPrivileges=true",
        "",
        "[Install]",
        "WantedBy=default.target",
    ]
    return "\n".join(lines) + "\n"


def check(file: Path) -> str:
    """Return what systemd finds wrong with a unit, "" if it finds nothing or is not here. Its exit code tells too little."""
    program = shutil.which("systemd-analyze")
    if program is None:
        return ""
    command = [program, "verify", "--man=no", str(file)]
    try:
        told = subprocess.run(command, capture_output=True, timeout=_PATIENCE, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    lines = told.stderr.decode("utf-8", "replace").splitlines()
    return next((line.strip()[:200] for line in lines if file.name in line), "")
