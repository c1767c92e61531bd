"""What `run` and the worker write to each other, as JSON."""

from __future__ import annotations

from typing import TypeAlias, TypedDict

Job: TypeAlias = dict[str, int | bool]
"""Fields of llama_context_params, and "repack"."""


class Order(TypedDict):
    """The worker's standard input."""

    library: str
    path: str
    seconds: float
    jobs: list[Job]


class Answer(TypedDict, total=False):
    """One line of the worker's standard output: `sizes` (weights, context, compute [B]) or `error`, and the `log`."""

    sizes: tuple[int, int, int]
    error: str
    log: list[str]
