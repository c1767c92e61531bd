"""Two Ray nodes in a network namespace of their own, real SmolLM2 servers: what happens under load and when one is killed."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

HERE = Path(__file__).parent
SOURCE = HERE.parents[1] / "src"


def _reason() -> str:
    """Why two nodes cannot run here, "" if they can."""
    try:
        import ray  # noqa: F401
    except ImportError:
        return "Ray is not installed (make ray)"
    if not shutil.which("unshare") or not shutil.which("ip"):
        return "no unshare or ip here"
    allowed = subprocess.run(["unshare", "-rn", "-p", "-f", "true"], capture_output=True, timeout=30, check=False)
    return "" if allowed.returncode == 0 else "a network namespace is not allowed here"


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> Any:
    if reason := _reason():
        pytest.skip(reason)
    home = tmp_path_factory.mktemp("home")
    space = ["unshare", "-rn", "-p", "-f", "--mount-proc", "--kill-child"]
    command = [*space, "bash", str(HERE / "two_nodes.sh"), sys.executable, str(HERE / "ray_script.py")]
    state = {**os.environ, "PYTHONPATH": str(SOURCE), "XDG_STATE_HOME": str(home)}
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, env=state, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout.strip().splitlines()[-1])


def test_every_request_of_one_two_and_three_replicas_is_answered(seen: Any) -> None:
    for count in (1, 2, 3):
        assert seen[f"running {count}"] == count
        assert set(seen[f"statuses {count}"]) == {200}


def test_a_killed_server_loses_only_what_it_was_answering(seen: Any) -> None:
    statuses = seen["statuses of a kill"]
    lost = [s for s in statuses if s != 200]
    assert len(statuses) == 40
    assert len(lost) <= 4, "more than the four requests that were under way"
    assert seen["after the kill"] == 2, "another replica takes its place"


def test_it_is_scaled_updated_and_deleted_and_nothing_is_left(seen: Any) -> None:
    assert seen["after scaling down"] == 2
    assert seen["after an update"] == [2, 200]
    assert seen["left"] == [0, 0]
