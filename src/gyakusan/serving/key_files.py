"""Files with the key of a server, which only their owner may read."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from gyakusan import posix
from gyakusan.errors import BadSetting


def check_private(path: str | Path) -> None:
    """Raise BadSetting for a key file that other users of this computer can read."""
    try:
        status = os.stat(os.path.expanduser(path))
    except OSError:  # the reader says why
        return
    if stat.S_ISREG(status.st_mode) and posix.open_to_others(status.st_mode):
        raise BadSetting(
            "Other users of this computer can read the key in {path}.",
            path=str(path),
            mend="Make a new key, and let nobody else read it: chmod 600 {path}",
        )
