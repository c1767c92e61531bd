"""The door for JSON and TOML: bounded in size, breadth and depth, before and after the parser; a key may not occur twice.

Every step is linear in the text. What is refused is said by the caller, who knows what the text is: `refuse` takes half a
sentence and returns the error.
"""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Callable
from typing import Any

from gyakusan.doors.text import NAME, line
from gyakusan.errors import GyakusanError
from gyakusan.message import Message, Quoted, quoted, say

DEPTH = 64
"""Most levels of objects and arrays in each other."""
BRACKETS = 200_000
"""Most objects and arrays, and so most memory. Quantisation settings for each tensor reach 10^4."""
ITEMS = 2_000_000
"""Most values that commas separate."""
DIGITS = 40
"""Most digits of a whole number."""
DOTS = 16
"""Most parts of a dotted key of TOML less one: tomllib keeps each prefix of it."""
Refuse = Callable[[Message], GyakusanError]
_STRINGS = re.compile(
    r'"""(?:[^"\\]|\\.|"(?!""))*+(?:"{3,5}|\Z)|' + r"'''(?:[^']|'(?!''))*+(?:'{3,5}|\Z)|"
    r'"(?:[^"\\\n]|\\.)*+["\n]?|' + r"'[^'\n]*+['\n]?|#[^\n]*+",
    re.DOTALL,
)
"""Strings and comments of TOML, also those without an end: each alternative takes what it begins with."""
_LONG_NUMBER = re.compile(rf"(?<![\w.+-])[+-]?\d\w{{{DIGITS},}}+")
_LONG_KEY = re.compile(rf'(?<![\w"-])[\w"-]++(?:[ \t]*+\.[ \t]*+[\w"-]++){{{DOTS},}}+')
"""Both begin where a word begins, so that no letter is read twice."""


JSON_TEXTS = (
    "Expecting value",
    "Expecting property name enclosed in double quotes",
    "Expecting ':' delimiter",
    "Expecting ',' delimiter",
    "Illegal trailing comma before end of object",
    "Illegal trailing comma before end of array",
    "Extra data",
    "Unterminated string starting at",
    "Invalid control character at",
    "Invalid \\escape",
    "Invalid \\uXXXX escape",
)
"""What Python's parser of JSON says. Source: CPython 3.14, Lib/json/decoder.py."""
TOML_TEXTS = (
    "Invalid statement",
    "Invalid value",
    "Invalid date or datetime",
    "Invalid hex value",
    "Invalid initial character for a key part",
    "Cannot overwrite a value",
    "Escaped character is not a Unicode scalar value",
    "Expected newline or end of document after a statement",
    "Expected '=' after a key in a key/value pair",
    "Expected ']' at the end of a table declaration",
    "Expected ']]' at the end of an array declaration",
    "Unclosed array",
    "Unclosed inline table",
    "Unescaped '\\' in a string",
    "Unterminated string",
)
"""What Python's parser of TOML says. Source: CPython 3.14, Lib/tomllib/_parser.py."""
TOML_QUOTED_TEXTS = (
    "Illegal character {quoted}",
    "Found invalid character {quoted}",
    "Expected {quoted}",
    "Cannot declare {quoted} twice",
    "Cannot mutate immutable namespace {quoted}",
    "Cannot redefine namespace {quoted}",
    "Duplicate inline table key {quoted}",
)
"""The same with what stands in the file."""
_TOML_PLACE = re.compile(
    r"(?P<why>.*) \(at (?:line (?P<line>\d+), column (?P<column>\d+)|end of document)\)", re.DOTALL
)
_KIND = re.compile(r"Expected `(?P<wanted>[^`]*)`, got `(?P<got>[^`]*)`")
_FIELD = re.compile(r"Object (?:contains unknown|missing required) field `(?P<field>[^`]*)`")
_CHOICE = re.compile(r"Invalid enum value (?P<value>.*)")


def json_value(raw: bytes | str, refuse: Refuse, brackets: int = BRACKETS) -> Any:
    """Return the value of a JSON text. brackets: most objects and arrays. Raises what `refuse` returns."""
    try:
        text = raw if isinstance(raw, str) else raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise refuse(say("byte {at} is not UTF-8", at=error.start)) from None
    if text.count("[") + text.count("{") > brackets or text.count(",") > ITEMS:
        raise refuse(say("too many values"))

    def whole(digits: str) -> int:
        if len(digits) > DIGITS:
            raise refuse(say("a number has {n} digits", n=len(digits)))
        return int(digits)

    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) < len(pairs):
            raise refuse(say("the key {key} occurs twice", key=quoted(_twice(pairs), 80)))
        return found

    try:
        found = json.loads(text, object_pairs_hook=once, parse_int=whole)
    except RecursionError:
        raise refuse(say("nested too deeply")) from None
    except json.JSONDecodeError as error:
        facts = {"line": error.lineno, "column": error.colno, "why": _why(error.msg)}
        raise refuse(say("line {line}, column {column}: {why}", **facts)) from None
    if _depth(found) > DEPTH:
        raise refuse(say("nested too deeply"))
    return found


def toml_value(text: str, refuse: Refuse) -> dict[str, Any]:
    """Return the table of a TOML text. Raises what `refuse` returns."""
    import tomllib  # JSON needs it not

    bare = _STRINGS.sub('""', text)
    if bare.count("[") + bare.count("{") > BRACKETS or bare.count(",") + bare.count("\n") > ITEMS:
        raise refuse(say("too many values"))
    if _LONG_KEY.search(bare):
        raise refuse(say("a key has more than {n} parts", n=DOTS))
    if _LONG_NUMBER.search(bare):
        raise refuse(say("a number has more than {n} digits", n=DIGITS))
    try:
        found = tomllib.loads(text)
    except RecursionError:
        raise refuse(say("nested too deeply")) from None
    except ValueError as error:
        raise refuse(_toml_problem(str(error))) from None
    if _depth(found) > DEPTH:
        raise refuse(say("nested too deeply"))
    return found


def _twice(pairs: list[tuple[str, Any]]) -> str:
    """Return the first key that occurs again."""
    seen: set[str] = set()
    return next(key for key, _ in pairs if key in seen or seen.add(key))  # type: ignore[func-returns-value]


def misfit(text: str) -> Message:
    """Return what msgspec says of a value that has another form, in words that have a translation.

    text: of its ValidationError, e.g. "Expected `int`, got `bool` - at `$.rows[0].users`"
    """
    told, at, path = line(text, NAME).rpartition(" - at ")
    told, path = (told, path.strip("`").removeprefix("$").removeprefix(".")) if at else (path, "")
    place = path or say("the whole")
    if kind := _KIND.match(told):
        return say("{place} is of the kind {got}, not {wanted}", place=place, **kind.groupdict())
    if field := _FIELD.match(told):
        if "unknown" in told:
            return say("{place} has a field {field}, which is not known", place=place, field=field["field"])
        return say("{place} lacks the field {field}", place=place, field=field["field"])
    if choice := _CHOICE.match(told):
        return say("{place} cannot be {value}", place=place, value=_unquoted(choice["value"]))
    return say("{place}: {why}", place=place, why=told)


def _why(text: str) -> Message | str:
    """Return a parser's message on one short line."""
    found = line(text, NAME).rstrip(". ")
    if found in JSON_TEXTS or found in TOML_TEXTS:
        return Message(found)
    for template in TOML_QUOTED_TEXTS:
        before, after = template.split("{quoted}")
        if found.startswith(before) and found.endswith(after):
            return Message(template, {"quoted": _unquoted(found[len(before) : len(found) - len(after)])})
    return found


def _unquoted(text: str) -> Quoted | str:
    """Return what a parser quotes: 'x', or ('a', 'b') for the key a.b."""
    try:
        value = ast.literal_eval(text)
    except (SyntaxError, ValueError):
        return text
    return quoted(".".join(map(str, value)) if isinstance(value, tuple) else value)


def _toml_problem(text: str) -> Message:
    """Return what tomllib says, and where, as what is said of JSON."""
    at = _TOML_PLACE.fullmatch(text)
    if at is None:
        return say("{why}", why=_why(text))
    if at["line"] is None:
        return say("at the end: {why}", why=_why(at["why"]))
    return say("line {line}, column {column}: {why}", line=at["line"], column=at["column"], why=_why(at["why"]))


def _depth(value: Any) -> int:
    """Return the levels of nesting, counted up to one more than DEPTH."""
    level = [value]
    for depth in range(DEPTH + 1):
        level = [v for each in level if isinstance(each, (dict, list)) for v in _inside(each)]
        if not level:
            return depth
    return DEPTH + 1


def _inside(value: dict[str, Any] | list[Any]) -> list[Any]:
    return list(value.values()) if isinstance(value, dict) else value
