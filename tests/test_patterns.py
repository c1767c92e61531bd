"""A pattern that is compiled late is the pattern."""

import copy
import re

import pytest

from gyakusan.patterns import late


def test_it_answers_as_the_compiled_pattern_does() -> None:
    text, words = r"(?P<n>\d+)-x", "7-X and 12-x"
    one, other = late(text, re.IGNORECASE), re.compile(text, re.IGNORECASE)
    assert [m["n"] for m in one.finditer(words)] == [m["n"] for m in other.finditer(words)] == ["7", "12"]
    assert one.sub("y", words) == other.sub("y", words)
    assert (one.pattern, one.flags, one.search("z")) == (other.pattern, other.flags, None)


def test_it_is_compiled_when_it_is_first_used() -> None:
    broken = late("(")
    with pytest.raises(re.error):
        broken.search("")


def test_a_copy_finds_what_the_pattern_finds() -> None:
    """It asked itself for its own text without end."""
    assert copy.copy(late("a+")).fullmatch("aa")
