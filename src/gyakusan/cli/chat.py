"""gyakusan chat: talk to a running server in the terminal."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated

from cyclopts import App, Parameter

from gyakusan.cli.options import Screen, _, whole
from gyakusan.cli.writing import warn
from gyakusan.doors.text import block
from gyakusan.errors import BadSetting, GyakusanError
from gyakusan.message import Message, say
from gyakusan.text import Language, tell

if TYPE_CHECKING:
    from gyakusan.serving.conversation import Piece, Spoken
    from gyakusan.serving.endpoints import Endpoint

app = App(name="chat", help="Talk to a running server in the terminal.", help_format="plaintext")
LONGEST = 200_000
"""Longest question [characters]."""
PIPED_TOKENS = 1024
"""Longest answer to a question from a pipe, where nobody can stop one that does not end. [tokens]"""
TYPED = ("/exit", "/new", "/stats", "/help")

MaxTokens = Annotated[
    int | None,
    Parameter(
        converter=whole, help=_("Longest answer in tokens; default: 1,024 through a pipe, else what the server allows.")
    ),
]


@app.default
def chat(
    where: Annotated[
        str | None, Parameter(help=_("Address or name of a server; default: the only one that gyakusan started."))
    ] = None,
    *,
    model: Annotated[str | None, Parameter(help=_("The model's name there; default: its first."))] = None,
    system: Annotated[str | None, Parameter(help=_("What the model is told before the first question."))] = None,
    max_tokens: MaxTokens = None,
    stats: Annotated[bool, Parameter(help=_("Print speed and first token of each answer."), negative="")] = False,
    key_file: Annotated[str | None, Parameter(help=_("File with the API key."))] = None,
    screen: Screen = Screen(),
) -> int:
    """Run `gyakusan chat` and return its exit code."""
    from gyakusan.serving.conversation import models_at
    from gyakusan.serving.endpoints import find_endpoint

    if max_tokens is not None and max_tokens < 1:
        raise BadSetting("{key} cannot be {value}.", key="--max-tokens", value=max_tokens, mend="Give 1 or more.")
    endpoint = find_endpoint(where, key_file)
    name = model or next(iter(models_at(endpoint.url, endpoint.key, silence=30.0)), "")
    piped = sys.stdin is not None and not sys.stdin.isatty()
    talk = Talk(endpoint, name, max_tokens or (PIPED_TOKENS if piped else None), screen.language, stats)
    if system:
        talk.messages.append({"role": "system", "content": system})
    if sys.stdin is None:
        raise BadSetting("Standard input is closed.", mend="Type a question, or pipe one: echo Hello | gyakusan chat")
    if piped:
        return talk.once(_piped())
    talk.note(
        say(
            "{model} at {url}. /exit or Ctrl-D ends, Ctrl-C stops an answer, /help lists more.",
            model=name,
            url=endpoint.url,
        )
    )
    return talk.loop()


def _piped() -> str:
    """Return the question that comes through a pipe. Raises BadSetting for what is none."""
    raw = sys.stdin.buffer.read(4 * LONGEST + 1)
    try:
        text = raw.decode("utf-8-sig").strip()
    except UnicodeDecodeError as error:
        raise BadSetting(
            "Standard input is not UTF-8 text: byte {at} cannot be read.", at=error.start, mend="Convert it to UTF-8."
        ) from None
    if not text or len(text) > LONGEST:
        raise BadSetting(
            "Standard input has {n} characters, and a question has 1 to {most}.", n=len(text), most=f"{LONGEST:,}",
            mend="Type a question, or pipe one: echo Hello | gyakusan chat",
        )  # fmt: skip
    return text


@dataclass(slots=True)
class Talk:
    """One conversation.

    endpoint: the server
    model: its name there
    max_tokens: longest answer, None = the server's own limit [tokens]
    language: of what is said around the answers
    stats: True if speeds are printed
    messages: what was said so far
    """

    endpoint: Endpoint
    model: str
    max_tokens: int | None
    language: Language
    stats: bool = False
    messages: list[dict[str, str]] = field(default_factory=list)

    def loop(self) -> int:
        """Ask for questions until /exit or Ctrl-D."""
        for question in self._questions():
            if question.startswith("/") and question.split()[0] in TYPED:
                if question.split()[0] == "/exit":
                    return 0
                self._command(question.split()[0])
            elif question:
                try:
                    self._answer(question)
                except GyakusanError as error:
                    warn("\n" + " ".join(tell(m, self.language) for m in (error.message, error.mend) if m))
        return 0

    def once(self, question: str) -> int:
        """Answer what came through a pipe."""
        self._answer(question.strip())
        return 0

    def note(self, message: Message) -> None:
        """Say something that is no answer, on stderr."""
        warn(tell(message, self.language))

    def _questions(self) -> Iterator[str]:
        """Yield what is typed; Ctrl-C takes a line back, Ctrl-D ends."""
        import contextlib

        with contextlib.suppress(AttributeError, OSError):
            sys.stdin.reconfigure(errors="replace")  # type: ignore[union-attr]
        with contextlib.suppress(ImportError):
            import readline  # noqa: F401 - lines can be edited and called back
        while True:
            try:
                yield input("> ")[:LONGEST].strip()
            except KeyboardInterrupt:
                print()
            except EOFError:
                print()
                return

    def _command(self, word: str) -> None:
        if word == "/new":
            self.messages = [m for m in self.messages if m["role"] == "system"]
            self.note(say("A new conversation begins."))
        elif word == "/stats":
            self.stats = not self.stats
            self.note(say("Speeds are printed.") if self.stats else say("Speeds are not printed."))
        else:
            self.note(say("/new begins another conversation, /stats prints speeds or stops it, /exit ends."))

    def _answer(self, question: str) -> None:
        """Ask one question and print the answer as it arrives. What is broken off stays in the conversation."""
        from gyakusan.serving.conversation import Stream

        asked = [*self.messages, {"role": "user", "content": question}]
        stream = Stream(self.endpoint.url, asked, self.endpoint.key, model=self.model, max_tokens=self.max_tokens)
        try:
            self.show(stream)
        except KeyboardInterrupt:
            stream.close()
            print()
            self.note(say("Stopped."))
        found = stream.spoken()
        if found.text:
            self.messages = [*asked, {"role": "assistant", "content": found.text}]
        if self.stats:
            self.note(figures(found))

    def show(self, stream: Iterable[Piece]) -> None:
        """Print an answer as it arrives."""
        thinking = False
        for piece in stream:
            if piece.kind == "thinking":
                if not thinking:
                    self.note(say("Thinking."))
                thinking = True
                continue
            print(block(piece.text), end="", flush=True)
        print()


def figures(found: Spoken) -> Message:
    """Return tokens, speed and first token of an answer."""
    told = {
        "tokens": f"{found.completion_tokens:,}",
        "first": f"{found.ttft:.1f}" if found.ttft >= 0.1 else "<0.1",
        "speed": "?"
        if found.decode is None
        else f"{found.decode:.0f}"
        if found.decode >= 10
        else f"{found.decode:.1f}",
    }
    if found.counted:
        return say("{tokens} tokens, {speed} tokens/s, first token after {first} s", **told)
    return say("{tokens} pieces (not counted by the server), {speed} pieces/s, first one after {first} s", **told)
