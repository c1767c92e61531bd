"""How a server is run by others: its container, and the metric by which they see that requests wait."""

from __future__ import annotations

from msgspec import Struct


class Container(Struct, frozen=True):
    """How a server is run in a container.

    image: with its tag
    entry: words of the command that the image says itself
    folder: where it keeps fetched models
    devices: files of the GPUs, empty where the runtime passes them on or there is none
    nvidia: True if NVIDIA's runtime passes the GPUs on
    shared_memory: True if its processes share the memory of the computer
    """

    image: str
    entry: tuple[str, ...]
    folder: str
    devices: tuple[str, ...] = ()
    nvidia: bool = False
    shared_memory: bool = False


class QueueMetric(Struct, frozen=True):
    """What a server tells Prometheus of its queue.

    name: of the gauge of requests that wait
    flags: with which it tells its metrics, () where it always does
    """

    name: str
    flags: tuple[str, ...] = ()
