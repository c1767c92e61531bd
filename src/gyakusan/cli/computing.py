"""What a command that computes switches off, since it ends before it would pay: waste collection, threads of numpy."""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

THREADS = "OPENBLAS_NUM_THREADS"
"""OpenBLAS reads it once, when numpy is imported; it goes before the others."""
_OTHERS = ("GOTO_NUM_THREADS", "OMP_NUM_THREADS")


@contextmanager
def computing() -> Iterator[None]:
    """Run without garbage collection, and with numpy on one thread.

    Thousands of records are read and all of them stay; to look for waste among them takes a fifth of the time:
    `plan --device "RTX 4090"` took 1.05 s of CPU time with it and 0.83 s without (best of three, November 2026).
    """
    import_numpy()
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        if was:
            gc.enable()


def import_numpy() -> None:
    """Import numpy without the threads of its linear algebra, which nothing here uses; what a person set stays.

    Each of them, one for each core, spins for a while when it has nothing to do: on two cores the import took 0.17 s of CPU
    time with them and 0.10 s without (least of 20, November 2026). Programs that are started later do not see the setting.
    """
    if "numpy" in sys.modules or any(name in os.environ for name in (THREADS, *_OTHERS)):
        return
    os.environ[THREADS] = "1"
    try:
        import numpy as np  # noqa: F401
    finally:
        del os.environ[THREADS]
