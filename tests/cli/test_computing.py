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


REAL = """
import os, sys
from gyakusan.cli import main
assert main(sys.argv[1:]) in (0, 1)  # 1: nothing to buy is better
print(len(os.listdir("/proc/self/task")), file=sys.stderr)
"""


@linux
@pytest.mark.skipif((os.cpu_count() or 1) < 2, reason="on one core numpy starts no threads")
@pytest.mark.parametrize(
    "words",
    [
        ["plan", "--device", "RTX 4090", "--model", "gpt-oss-20b"],
        ["fleet", "--users", "4", "--model", "gpt-oss-20b", "--device", "RTX 4090"],
        ["upgrade", "--device", "RTX 3060 12GB", "--model", "gpt-oss-20b"],
        ["compare", "RTX 4090", "--model", "gpt-oss-20b"],
    ],
    ids=lambda words: words[0],
)
def test_a_real_command_has_one_thread(words: list[str]) -> None:
    """Of `fleet` and `upgrade` numpy was imported, with its threads, before it was asked to have none."""
    done = subprocess.run(
        [sys.executable, "-c", REAL, *words], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.stderr.splitlines()[-1] == "1", done.stderr


@linux
def test_numpy_brings_no_threads_and_children_do_not_see_the_setting() -> None:
    assert run() == ["1", "None"]


@linux
def test_the_number_of_threads_that_a_person_set_stays() -> None:
    assert run(**{THREADS: "2"})[1] == "2"
