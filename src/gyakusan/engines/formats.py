"""What people call a format of weights, for one engine; where another engine reads it, the error says which."""

from __future__ import annotations

from gyakusan.core import recipe
from gyakusan.core.model import Experts, Model
from gyakusan.engines.base import Format
from gyakusan.engines.registry import NAMES, engine
from gyakusan.errors import BadSetting, unknown
from gyakusan.message import say

LONGEST = 80
"""Of a name in a message. [characters]"""


def find_format(name: str, engine_name: str) -> Format:
    """Return the format that people call `name` under an engine. Raises BadSetting for another engine's, UnknownName."""
    rules = engine(engine_name)
    found = rules.named_format(name)
    if found is not None:
        return found
    other = next((o for o in NAMES if engine(o).named_format(name) is not None), None)
    if other is None:
        raise unknown(say("quantisation"), name[:LONGEST], (*rules.FORMATS, *recipe.people_names()))
    raise BadSetting(
        "{name} is a format of {other}: add --engine {option}.", name=name[:LONGEST], other=other, option=other.casefold(),
        engine=rules.NAME, formats=", ".join(rules.FORMATS), mend="For {engine}: {formats}.",
    )  # fmt: skip


def check_format(wanted: Format, model: Model, engine_name: str) -> None:
    """Raise BadSetting for a format that a model cannot have: MXFP4 of a model without experts."""
    if not wanted.experts_only or any(isinstance(f, Experts) for f in model.feed_forward):
        return
    raise BadSetting(
        "{model} has no files in MXFP4: that format holds experts, and this model has none.", model=model.name,
        formats=", ".join(f for f in engine(engine_name).FORMATS if f != wanted.name), mend="Choose one of: {formats}.",
    )  # fmt: skip
