"""What the parser of the command line says, in the reader's language: help, and mistakes.

Commands and options carry English templates; they are translated here, when they are shown.
Source: cyclopts 5.4, help/formatters/default.py and exceptions.py.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Literal, get_args, get_origin

from cyclopts import (
    CoercionError,
    CycloptsError,
    MissingArgumentError,
    UnknownCommandError,
    UnknownOptionError,
    UnusedCliTokensError,
)

from gyakusan.choices import CHOICE_WORDS
from gyakusan.message import Choices, Message, Quoted, quoted, say
from gyakusan.numerals import in_digits
from gyakusan.text import Language, tell

if TYPE_CHECKING:
    from cyclopts.help import HelpEntry, HelpPanel
    from rich.console import Console, ConsoleOptions

PARSER_TEXTS = ("Commands", "Arguments", "Parameters", "Display this message and exit.", "Display application version.")
"""What cyclopts itself writes."""
VALUE_TEXTS = ("STR", "INT", "FLOAT", "CHOICE", "PATH", "COMMAND", "OPTIONS", "ARGS")
"""What stands for a value in a line of usage and behind an option."""
ELSEWHERE_TEXTS = {
    "Tokens for each user, prompt and answer together, e.g. 32k; inspect takes max.": (
        "Tokens for each user, prompt and answer together, e.g. 32k."
    ),
    "People served at the same time; inspect takes max.": "People served at the same time.",
    "llama.cpp, ollama, vllm or mlx; inspect takes several with commas, or all.": "llama.cpp, ollama, vllm or mlx.",
}
"""Help of options that inspect shares -> what it is in other commands."""

SYNONYMS = {"--lan": "--host", "--server": "--engine"}
"""Options of one command, and how another one calls the same."""
HOSTS = {"serve": "--host 0.0.0.0", "export": "--host NAME"}
"""What lets other computers in, by command."""


class Help:
    """Draws help as cyclopts does, after translating it. rich is imported only when something is drawn."""

    def __init__(self, language: Language) -> None:
        self._language = language
        self._command = ""  # the usage, which is drawn first, names it

    def __call__(self, console: Console, options: ConsoleOptions, panel: HelpPanel) -> None:
        """One panel: its title, and each entry."""
        from cyclopts.help import DefaultFormatter, PanelSpec
        from rich import box

        from gyakusan.show.terminal import prefers_ascii

        plain = prefers_ascii(console.file)
        entries = [self._entry(e) for e in panel.entries]
        frame = DefaultFormatter(panel_spec=PanelSpec(box=box.ASCII)) if plain else DefaultFormatter()
        frame(console, options, panel.copy(title=self._tell(panel.title), entries=entries))

    def render_usage(self, console: Console, options: ConsoleOptions, usage: Any) -> None:
        """The first line."""
        if usage:
            self._command = str(usage)
            told = self._tell(say("Usage: {usage}", usage=self._values(str(usage).strip())))
            console.print(f"{told}\n", style="bold", markup=False)

    def render_description(self, console: Console, options: ConsoleOptions, description: Any) -> None:
        """What the command is for."""
        if description:
            from rich.console import Group

            from gyakusan.cli.help_text import WrappingText

            console.print(Group(WrappingText(self._tell(_plain(description)) + "\n")))

    def _entry(self, entry: HelpEntry) -> HelpEntry:
        """The description with what is known of the values; False and nothing go without saying."""
        from gyakusan.cli.help_text import WrappingText

        told = _plain(entry.description)
        shared = told if " inspect " in self._command else ELSEWHERE_TEXTS.get(told, told)
        parts = [self._tell(shared)]
        if entry.choices:
            option = next((n.lstrip("-") for n in entry.names if n.lstrip("-") in CHOICE_WORDS), "")
            parts.append(self._tell(say("[one of: {choices}]", choices=Choices(option, tuple(entry.choices)))))
        if entry.default == "True":
            parts.append(self._tell("[default: on]"))
        elif entry.default not in (None, "False", "()", '""'):
            parts.append(self._tell(say("[default: {value}]", value=entry.default)))
        if entry.required:
            parts.append(self._tell("[required]"))
        value = self._values(entry.metavar) if entry.metavar else entry.metavar
        shown = WrappingText(" ".join(parts))
        return entry.copy(description=shown, metavar=value, choices=None, default=None, required=False)

    def _values(self, text: str) -> str:
        """Return a text with the words for values in the reader's language."""
        return re.sub(rf"(?<![\w-])(?:{'|'.join(VALUE_TEXTS)})(?![\w-])", lambda found: self._tell(found[0]), text)

    def _tell(self, text: Any) -> str:
        return tell(text if isinstance(text, Message) else str(text), self._language)


def _plain(description: Any) -> str:
    """The template inside what cyclopts made of it."""
    inner = getattr(description, "primary_renderable", description)
    return str(getattr(inner, "plain", inner or "")).strip()


def mistake(error: CycloptsError) -> tuple[Message, Message]:
    """What is wrong with the command line, and the mend."""
    chain = list(error.command_chain or ())
    mend = say("See `{command} --help`.", command=" ".join(["gyakusan", *chain]))
    match error:
        case UnknownOptionError():
            name = error.token.keyword or error.token.value
            return say("There is no option {flag}.", flag=_short(name)), _or_option(name, error, mend)
        case UnknownCommandError(unused_tokens=[name, *_]) if name.startswith("-"):
            return say("There is no option {flag}.", flag=_short(name)), mend
        case UnknownCommandError(unused_tokens=[name, *_]):
            return say("There is no command {command}.", command=_short(name)), _or_near(name, _commands(error), mend)
        case MissingArgumentError(argument=argument) if argument is not None:
            if error.keyword or argument.field_info.is_keyword_only:
                return _no_value(error.keyword or argument.name, error, mend)
            name = argument.name.lstrip("-").upper()
            return say("{flag} is missing.", flag=name), _or_list(name, chain, mend)
        case CoercionError():
            return _unfit(error, mend)
        case UnusedCliTokensError(unused_tokens=[first, *_]):
            return say("{word} is one argument too many.", word=quoted(_short(first))), _or_nodes(error, mend)
        case _:
            return say("The command line cannot be read: {detail}", detail=" ".join(str(error).split())), mend


def _no_value(flag: str, error: CycloptsError, mend: Message) -> tuple[Message, Message]:
    """An option without a value, or with an amount below zero, which the parser takes for an option."""
    words = list(error.root_input_tokens or ())
    after = words[words.index(flag) + 1 : words.index(flag) + 2] if flag in words else []
    amount = after[0].lstrip(_DASHES) if after and not after[0].startswith("--") else ""
    if after and amount != after[0] and in_digits(amount)[:1].isdigit():
        said = say("{flag} takes an amount above zero, not {word}.", flag=flag, word=quoted(_short(after[0])))
        return said, say("Type for example {flag} {amount}.", flag=flag, amount=_short(amount))
    return say("The option {flag} needs a value.", flag=flag), mend


_DASHES = "-\u2010\u2011\u2012\u2013\u2014\u2015\u2212\u30fc\uff0d"
"""What an input method or a page makes of the hyphen."""


def _or_nodes(error: CycloptsError, mend: Message) -> Message:
    """A shell that lists files after --nodes gives it the first only; and a dash of another kind begins no option."""
    for word in error.root_input_tokens or ():
        name = word.lstrip(_DASHES)
        if word[:1] in _DASHES[1:] and name.isascii() and name[:1].isalpha():
            return say("Options begin with two hyphens: --{name}", name=name)
    typed = [word.partition("=")[0] for word in error.root_input_tokens or ()]
    if "--nodes" in typed and list(error.command_chain or ()) == ["plan"]:
        return say("Write --nodes before each file: gyakusan plan --nodes a.json --nodes b.json")
    return mend


def _unfit(error: CoercionError, mend: Message) -> tuple[Message, Message]:
    """A value that its option cannot take."""
    name = getattr(error.token, "keyword", None) or _argument_name(error)
    facts: dict[str, Any] = {"flag": name, "value": quoted(_short(getattr(error.token, "value", "")))}
    if get_origin(error.target_type) is Literal:
        choices = Choices(name.lstrip("-"), tuple(map(str, get_args(error.target_type))))
        return _cannot_be(**facts), say("Choose one of: {choices}.", choices=choices)
    if error.target_type is int:
        listed = _or_list(name, list(error.command_chain or ()), mend)
        return say("{flag} needs a whole number, not {value}.", **facts), listed
    return _cannot_be(**facts), mend


def _cannot_be(flag: str, value: Quoted | str) -> Message:
    """Say it as every other wrong value of an option is said."""
    return say("{key} cannot be {value}.", key=flag, value=value)


def _argument_name(error: CoercionError) -> str:
    """Return what an argument is called in the help: NUMBER where it has a place, --number where it is an option."""
    name = str(getattr(error.argument, "name", "?"))
    field = getattr(error.argument, "field_info", None)
    return name if field is None or field.is_keyword_only else name.lstrip("-").upper()


def _or_list(name: str, chain: list[str], mend: Message) -> Message:
    """Say where the values of an argument are listed."""
    if name == "MODEL":
        return say("Write a model's name (gyakusan catalog list models) or a GGUF file. {otherwise}", otherwise=mend)
    if chain[:1] == ["bench"] and name == "NUMBER":
        return say("The numbers: gyakusan bench list")
    return mend


def _options(error: UnknownOptionError) -> list[str]:
    return [name for argument in error.argument_collection for name in argument.names if name.startswith("--")]


def _or_option(name: str, error: UnknownOptionError, mend: Message) -> Message:
    """What another command calls by this name, else what is spelt alike."""
    known, meant = _options(error), SYNONYMS.get(name, "")
    if name == "--lan" and meant not in known:
        return say(
            "--lan belongs to gyakusan plan and gyakusan export; gyakusan serve has --host 0.0.0.0. {otherwise}",
            otherwise=mend,
        )
    if meant not in known:
        return _or_near(name, known, mend)
    command = " ".join(error.command_chain or ())
    return _did_you_mean(HOSTS.get(command, meant) if meant == "--host" else meant, mend)


def _commands(error: UnknownCommandError) -> list[str]:
    return [name for name in error.app or () if not name.startswith("-")]


def _or_near(name: str, known: Iterable[str], mend: Message) -> Message:
    from difflib import get_close_matches  # only where something was misspelt

    near = get_close_matches(name[:80], list(known), n=1, cutoff=0.7)
    return _did_you_mean(near[0], mend) if near else mend


def _did_you_mean(near: str, mend: Message) -> Message:
    return say("Did you mean {near}? {otherwise}", near=near, otherwise=mend)


def _short(text: str) -> str:
    return text if len(text) <= 80 else text[:77] + "..."
