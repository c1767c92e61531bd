"""Models whose header somebody gave to a page: for its questions `file:NAME` means one of them, and nothing is opened."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar

from gyakusan.core.model import Model
from gyakusan.errors import BadReference
from gyakusan.message import quoted

PREFIX = "file:"
_GIVEN: ContextVar[Mapping[str, Model] | None] = ContextVar("given", default=None)


@contextmanager
def given(models: Mapping[str, Model]) -> Iterator[None]:
    """Let the questions inside see these models by their names."""
    before = _GIVEN.set(models)
    try:
        yield
    finally:
        _GIVEN.reset(before)


def find(text: str) -> Model | None:
    """Return the model that a name means, None for another kind of name. Raises BadReference for one that is forgotten."""
    models = _GIVEN.get()
    if models is None or not text.startswith(PREFIX):
        return None
    name = text.removeprefix(PREFIX)
    if name not in models:
        raise BadReference(
            "The file {name} is not open in this page.", name=quoted(name, 80, mark='"'),
            mend="Open it again on Fit: only its header is read.",
        )  # fmt: skip
    return models[name]
