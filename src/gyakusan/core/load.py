"""The load of a server: how many people use it, and how long their conversations are."""

from __future__ import annotations

from msgspec import Struct

from gyakusan.core.arrays import Number
from gyakusan.errors import BadQuantity


class Load(Struct, frozen=True):
    """The load that a server has to bear. Both figures may be arrays; their shapes broadcast.

    users: conversations served at the same time
    context: tokens that one conversation may reach, prompt and output together [tokens]
    """

    users: Number
    context: Number


def check_prompt_length(prompt: int, context: int) -> None:
    """Raise BadQuantity for a prompt that leaves no room for an answer in its context [tokens]."""
    if prompt < context:
        return
    facts = {"prompt": f"{prompt:,}", "context": f"{context:,}"}
    mend = "Raise the context, or shorten the prompt."
    if prompt > context:
        raise BadQuantity("A prompt of {prompt} tokens is longer than the context of {context}.", mend=mend, **facts)
    raise BadQuantity("A prompt of {prompt} tokens fills the context: no answer fits.", mend=mend, **facts)


def check_turn_lengths(prompt: int, answer: int, context: int) -> None:
    """Raise BadQuantity for a prompt and an answer that are not within one context together [tokens]."""
    check_prompt_length(prompt, context)
    if prompt + answer > context:
        raise BadQuantity(
            "A prompt of {prompt} tokens and an answer of {answer} exceed the context of {context}.",
            prompt=f"{prompt:,}",
            answer=f"{answer:,}",
            context=f"{context:,}",
            mend="Raise the context, or shorten the prompt or the answer.",
        )
