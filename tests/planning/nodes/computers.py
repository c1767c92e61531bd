"""Nodes for tests: recorded computers as `gyakusan detect --json` describes them, and devices of the catalogue."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from tests.machines.boxes import box

from gyakusan import machines
from gyakusan.documents import machine as documents
from gyakusan.documents.writer import plain
from gyakusan.machines.detect import detect
from gyakusan.planning.nodes.node import Node


def described(box_name: str, /, **more: object) -> dict[str, Any]:
    """What `gyakusan detect --json` prints on a recorded computer."""
    with TemporaryDirectory() as folder:
        document: dict[str, Any] = plain(documents.machine(*detect(box(box_name, Path(folder)))), "en")
    return {**document, **more}


def node(device: str, name: str | None = None, address: str | None = None) -> Node:
    """A node with a device of the catalogue."""
    return Node(name or device, machines.parse(device), address)
