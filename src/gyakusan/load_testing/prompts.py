"""Prompts of a wanted length, though nobody but the server can count tokens, and prompts of a person's own."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import msgspec

from gyakusan.doors.files import head
from gyakusan.errors import BadSetting, SourceError
from gyakusan.load_testing.workload import Shape

Messages: TypeAlias = Sequence[Mapping[str, Any]]
"""A conversation as it is sent."""
LARGEST_FILE = 64 * 2**20
"""No file of prompts is larger. [B]"""
MOST_PROMPTS = 100_000
_TEXT = (
    "time way year work day part place case week company system program question government number night point home "
    "water room mother area money story fact month lot right study book eye job word business issue side kind head "
    "house service friend father power hour game line end member law car city name president team minute idea body "
    "information back parent face others level office door health person art war history party result change morning "
    "reason research girl guy moment air teacher force education foot boy age policy process music market sense nation"
)
WORDS = tuple(_TEXT.split())
"""Common words, each one token of most vocabularies."""
TELL = "Tell a long story with these words: "


@dataclass(frozen=True, slots=True)
class TokenRule:
    """How many tokens a server counts for a prompt of our words: base + slope x words.

    base: of the template around the prompt and its first sentence [tokens]
    slope: of each word [tokens]
    counted: False if the server counts nothing, so that the rule is assumed
    """

    base: float = 20.0
    slope: float = 1.0
    counted: bool = False

    def words(self, tokens: float) -> int:
        """Return how many words make a prompt of so many tokens."""
        return max(1, round((tokens - self.base) / self.slope))


def rule_from(short: tuple[int, int], long: tuple[int, int]) -> TokenRule:
    """Return the rule through two prompts that the server counted, each as (words, tokens)."""
    slope = (long[1] - short[1]) / (long[0] - short[0])
    if slope <= 0:
        return TokenRule()
    return TokenRule(short[1] - slope * short[0], slope, counted=True)


@dataclass(frozen=True, slots=True)
class PromptSource:
    """Where prompts come from.

    shape: lengths
    rule: how the server counts
    seed: of the random words
    own: prompts of the person, () = made ones
    """

    shape: Shape
    rule: TokenRule
    seed: int
    own: tuple[Messages, ...] = ()

    def __iter__(self) -> Iterator[Messages]:
        """Yield prompts without end; made ones differ from their first number on, so that no cache holds them."""
        if self.own:
            while True:
                yield from self.own
        rng = random.Random(self.seed)
        shared = random.Random(f"shared {self.shape.shared}")
        common = " ".join(shared.choices(WORDS, k=self.rule.words(self.shape.shared))) if self.shape.shared else ""
        taken = len(common.split())
        most = max(1, self.rule.words(self.shape.prompt) - taken)
        before = self._before()
        while True:
            own = " ".join(rng.choices(WORDS, k=most))
            text = f"{TELL}{common} {own}" if common else f"{rng.randrange(10**6, 10**7)} {own}. {TELL}"
            yield (*before, {"role": "user", "content": text})

    def _before(self) -> Messages:
        """Return the conversation of the depth that is asked for: the same for every request of a step."""
        if not self.shape.depth:
            return ()
        rng = random.Random(f"depth {self.shape.depth}")
        words = max(1, round((self.shape.depth - self.rule.base) / self.rule.slope))
        told = " ".join(rng.choices(WORDS, k=words))
        return {"role": "user", "content": TELL + told}, {"role": "assistant", "content": "Done."}


def made(words: int, seed: int) -> Messages:
    """Return one prompt of so many words."""
    rng = random.Random(seed)
    text = " ".join(rng.choices(WORDS, k=words))
    return ({"role": "user", "content": f"{rng.randrange(10**6, 10**7)} {text}. {TELL}"},)


def own_prompts(path: Path) -> tuple[Messages, ...]:
    """Return the prompts in a file: one a line, as text or as JSON ("prompt" or "messages"). Raises SourceError, BadSetting."""
    try:
        if not path.is_file():
            raise OSError("not a file")
        if path.stat().st_size > LARGEST_FILE:
            raise OSError(f"larger than {LARGEST_FILE // 2**20} MiB")
        lines = head(path, LARGEST_FILE).decode("utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        problem = getattr(error, "strerror", None) or str(error)
        raise SourceError(
            "{file} cannot be read: {problem}.",
            file=str(path),
            problem=problem,
            mend="Name a text file with one prompt on each line, or JSON Lines.",
        ) from error
    found = tuple(_prompt(line, path, n) for n, line in enumerate(lines[:MOST_PROMPTS], 1) if line.strip())
    if not found:
        raise BadSetting("{file} holds no prompt.", file=str(path), mend="Write one prompt on each line.")
    return found


def _prompt(line: str, path: Path, number: int) -> Messages:
    if not line.lstrip().startswith("{"):
        return ({"role": "user", "content": line},)
    try:
        told = msgspec.json.decode(line)
    except (msgspec.DecodeError, ValueError, RecursionError):
        told = None
    messages = told.get("messages") if isinstance(told, dict) else None
    prompt = told.get("prompt") if isinstance(told, dict) else None
    if isinstance(prompt, str) and prompt:
        return ({"role": "user", "content": prompt},)
    if isinstance(messages, list) and messages and all(isinstance(m, dict) for m in messages):
        return tuple(messages)
    raise BadSetting(
        'Line {line} of {file} is JSON without "prompt" or "messages".',
        line=number,
        file=str(path),
        mend='Write {{"prompt": "..."}} or {{"messages": [...]}} on each line.',
    )
