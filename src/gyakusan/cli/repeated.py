"""Options that were given twice with different values: the last one counts, which is said, or the two are refused.

The last one counts because screens say what to add to a command, and `--context 32k` behind `--context 8k` is meant. Two
tasks or two models are not: whoever types them wants both.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from gyakusan.doors.notices import notice
from gyakusan.errors import BadSetting
from gyakusan.message import say

BESIDE = {"--task": "{value}", "--model": "chat:model={value}"}
"""Options of which two values make sense together -> how --also says the second one."""


def check(_app: object, commands: tuple[str, ...], arguments: Any) -> None:
    """Say of each repeated option which value counts. Called by cyclopts for each command (App.config).

    Raises BadSetting where both may be meant and the command has a place for the second.
    """
    from gyakusan.typed_words import typed

    if not commands:
        return
    words = typed()[: typed().index("--")] if "--" in typed() else typed()
    beside = any("--also" in one.names for one in arguments)
    for one in arguments:
        if not one.tokens or one.token_count(())[1]:  # it takes several values
            continue
        given = tuple(_given(words, one))
        if len(set(given)) > 1:
            _tell(one.name, given, beside=beside)


def _given(words: Sequence[str], argument: Any) -> Iterator[str]:
    """Yield the values of an option in the order in which they were typed; of one without a value the word itself."""
    for place, word in enumerate(words):
        name, equals, value = word.partition("=")
        if name not in (*argument.names, *argument.negatives):
            continue
        if equals:
            yield value
        elif argument.is_flag() or place + 1 == len(words):
            yield name
        else:
            yield words[place + 1]


def _tell(name: str, given: Sequence[str], *, beside: bool) -> None:
    values = [value[:40] for value in given]  # as typed: of 8k, 32k, 8k the last 8k counts
    if beside and name in BESIDE:
        raise BadSetting(
            "{option} was given twice: {values}.", option=name, values=", ".join(dict.fromkeys(values)),
            also=BESIDE[name].format(value=values[-1]), mend="Give one, and the other one beside it: --also {also}",
        )  # fmt: skip
    notice(say("{option} was given twice: {value} counts.", option=name, value=values[-1]))
