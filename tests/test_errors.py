"""One tree of exceptions, drawn in its docstring, each a line that names the mend."""

from __future__ import annotations

import inspect

import pytest

from gyakusan import errors
from gyakusan.errors import GyakusanError, Malformed, SourceError, UnknownName, did_you_mean, unknown
from gyakusan.message import say

CLASSES = [c for _, c in inspect.getmembers(errors, inspect.isclass) if issubclass(c, GyakusanError)]


@pytest.mark.parametrize("kind", CLASSES, ids=lambda c: c.__name__)
def test_the_docstring_draws_every_class(kind: type[GyakusanError]) -> None:
    assert kind.__name__ in (errors.__doc__ or "")
    assert kind.exit_code in (2, 3)


def test_message_and_mend_are_data() -> None:
    error = Malformed("{key} is {value}.", key="a.b", value=7, mend="Download {key} again.")
    assert str(error) == "a.b is 7. Download a.b again."
    assert (error.message.template, error.message.facts["value"]) == ("{key} is {value}.", 7)
    assert error.exit_code == 2
    assert SourceError("No.").exit_code == 3


def test_facts_may_hold_braces() -> None:
    assert str(Malformed("{name} is odd.", name="{x}")) == "{x} is odd."


def test_the_nearest_names_are_named() -> None:
    error = unknown(say("device"), "RTX 5091", ["RTX 5090", "RTX 3060", "M4 Max"])
    assert isinstance(error, UnknownName)
    assert str(error).startswith("No device is called 'RTX 5091'. Did you mean RTX 5090")


def test_a_name_of_any_length_is_quick_and_short() -> None:
    assert len(str(unknown(say("model"), "x" * 10**6, ["a" * 50] * 200))) < 300
    assert did_you_mean("", ["a"]) == []


def test_chance_is_no_likeness_where_names_are_short() -> None:
    known = ("m1max32", "rtx4090")
    assert did_you_mean("nope", ["nimo", "rtx4090"]) == [], "half alike is by chance"
    assert did_you_mean("31mx", known) == ["m1max32"]
    assert did_you_mean("31mx", known, begun=True) == []
    assert did_you_mean("etx4090", known, begun=True) == ["rtx4090"]


def test_where_nothing_is_near_the_mend_says_where_to_look() -> None:
    assert str(unknown(say("model"), "x", ("llama",), otherwise="Look there.")) == "No model is called 'x'. Look there."
