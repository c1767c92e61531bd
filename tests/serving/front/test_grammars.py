"""Grammars of people pass; those that would keep the server busy do not."""

from __future__ import annotations

import pytest

from gyakusan.serving.front.grammars import check_grammar
from gyakusan.serving.front.limits import Limits
from gyakusan.serving.front.refusal import Refusal

JSON = r"""
root   ::= object
value  ::= object | array | string | number | ("true" | "false" | "null") ws
object ::= "{" ws ( string ":" ws value ("," ws string ":" ws value)* )? "}" ws
array  ::= "[" ws ( value ("," ws value)* )? "]" ws
string ::= "\"" ( [^"\\\x7F\x00-\x1F] | "\\" (["\\bfnrt] | "u" [0-9a-fA-F]{4}) )* "\"" ws
number ::= ("-"? ([0-9] | [1-9] [0-9]{0,15})) ("." [0-9]+)? ws  # a comment with * and +
ws ::= | " " | "\n" [ \t]{0,20}
"""
DOUBLED = "root ::= r0 r0\n" + "\n".join(f"r{i} ::= r{i + 1} r{i + 1}" for i in range(20)) + '\nr20 ::= "a"*'


def refused(text: str, *, recursion: bool = True) -> str:
    with pytest.raises(Refusal) as caught:
        check_grammar(text, Limits(), recursion=recursion)
    assert caught.value.status == 400
    return caught.value.kind


def test_a_list_passes() -> None:
    check_grammar('root ::= "- " [^\\n]+ "\\n" ("- " [^\\n]+ "\\n")*', Limits(), recursion=False)


def test_rules_that_use_themselves_are_for_ones_own_computer() -> None:
    check_grammar(JSON, Limits(repeats=60), recursion=True)
    assert refused(JSON, recursion=False) == "schema_recursive"
    assert refused('root ::= "x" root "y" | "x" root "z" | ""', recursion=False) == "schema_recursive"


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("root ::= " + "[ab]* " * 100, "schema_too_costly"),
        (DOUBLED, "schema_too_costly"),
        ("root ::= [a]{1,100000}", "schema_too_costly"),
        ("root ::= [a]{99999999999}", "schema_too_costly"),
        ("root ::= " + '"a" ' * 3000, "schema_too_costly"),
        ("root ::= " + " r1\n" + "\n".join(f"r{i} ::= r{i + 1}" for i in range(1, 99)), "schema_too_costly"),
        ("root ::= [a]" + " " * 100_000, "schema_too_large"),
    ],
    ids=["stars", "doubled", "count", "huge count", "long", "deep", "large"],
)
def test_what_would_stop_the_others(text: str, kind: str) -> None:
    assert refused(text) == kind


def test_what_is_no_repetition() -> None:
    check_grammar('root ::= "' + "*" * 200 + '" [*+?]', Limits(), recursion=False)
