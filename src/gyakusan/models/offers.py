"""What is said instead where the network is off or does not answer: the catalogue may know the model."""

from __future__ import annotations

from gyakusan.errors import SourceError, UnknownName
from gyakusan.message import Message, say


def off(what: Message, instead: Message) -> SourceError:
    """Return the error of what needs the network while that is switched off."""
    return SourceError(
        "{what}, and the network is switched off.", what=what, instead=instead,
        mend="Leave out --offline (or HF_HUB_OFFLINE), or {instead}.",
    )  # fmt: skip


def offer(name: str) -> Message:
    """Return the sentence that names the catalogue record of a name."""
    from gyakusan import catalog
    from gyakusan.catalog.repositories import nearest_repositories

    try:
        return say("use the catalogue: {model}", model=catalog.model(name).name)
    except UnknownName:
        near = ", ".join(nearest_repositories(name)) if "/" in name else ""
        return say("name one that is known: {near}", near=near) if near else say("give a catalogue name")


def instead(error: SourceError, name: str) -> SourceError:
    """Return the same error; if the catalogue knows the model, it says so."""
    known = offer(name)
    if not known.facts:
        return error
    return SourceError(
        "{first}", first=error.message, then=error.mend or "", offer=known, mend="{then} Without network: {offer}."
    )
