"""What a command that computes switches off, and that nothing of it stays."""

import gc
import os
import subprocess
import sys

import pytest

from gyakusan.cli.computing import THREADS, computing

SEEN = f"""
import os
from gyakusan.cli.computing import computing
with computing():
    print(len(os.listdir("/proc/self/task")), os.environ.get({THREADS!r}))
"""


def run(**environment: str) -> list[str]:
    """Return the threads of a fresh process that computes, and the setting that its children would see."""
    kept = {name: value for name, value in os.environ.items() if name != THREADS}
    done = subprocess.run(
        [sys.executable, "-c", SEEN], env=kept | environment, capture_output=True, text=True, check=True, timeout=60
    )
    return done.stdout.split()


def test_nothing_is_collected_while_a_command_computes_and_collection_is_on_again_after_it() -> None:
    was = gc.isenabled()
    try:
        with computing():
            assert not gc.isenabled()
        assert gc.isenabled()
    finally:
        if not was:
            gc.disable()


linux = pytest.mark.skipif(sys.platform != "linux", reason="only Linux lists the threads of a process as files")


@linux
def test_numpy_brings_no_threads_and_children_do_not_see_the_setting() -> None:
    assert run() == ["1", "None"]


@linux
def test_the_number_of_threads_that_a_person_set_stays() -> None:
    assert run(**{THREADS: "2"})[1] == "2"
