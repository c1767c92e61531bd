"""How much a client of the front may ask for: connections, bytes, requests, tokens, schemas."""

from __future__ import annotations

from dataclasses import dataclass

from gyakusan.units import KIB, MIB

BYTES_PER_TOKEN = 16
"""A prompt that fills the context has no more bytes: four characters of up to four bytes. [B]"""
IMAGE_BYTES = 24 * MIB
"""What images may add to a request. [B]"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What the front lets through.

    slots: requests that the server answers at the same time
    key_slots: requests of one client that are answered at the same time, None for all but one where keys are used
    waiting: requests of one client that may wait; more are refused
    wait: how long a request may wait for a slot [s]
    key_requests: requests of one client in a minute, 0 for no limit
    key_tokens: tokens of one key in a minute, prompts and answers together, 0 for no limit
    body: the largest request [B]
    header: the largest request head [B]
    header_time: how long a client may take to send a request head [s]
    body_time: how long a client may take to send a request's body [s]
    send_time: how long a client may read nothing of its answer [s]
    idle_time: how long a connection may stay open between two requests [s]
    connections: open connections; beyond them the one that has asked for nothing for longest is closed
    schema: the largest JSON schema or grammar [B]
    nodes: parts of a schema or grammar with every reference written out
    repeats: repetitions in patterns and grammars with every reference written out
    repeat: the largest count of one repetition, and of items or characters in a schema
    depth: how deep a schema or a grammar may nest
    list: entries of a list in a request, e.g. stop words
    choices: answers to one request
    probabilities: alternatives that are listed for each token
    """

    slots: int = 1
    key_slots: int | None = None
    waiting: int = 64
    wait: float = 300.0
    key_requests: int = 0
    key_tokens: int = 0
    body: int = 1 * MIB
    header: int = 16 * KIB
    header_time: float = 10.0
    body_time: float = 30.0
    send_time: float = 30.0
    idle_time: float = 15.0
    connections: int = 512
    schema: int = 64 * KIB
    nodes: int = 2000
    repeats: int = 24
    repeat: int = 1000
    depth: int = 24
    list: int = 512
    choices: int = 8
    probabilities: int = 32

    def slots_of_one(self, *, keyed: bool) -> int:
        """Return how many requests of one client are answered at the same time.

        With keys the last slot is for the others; without, it is the user's own computer.
        """
        if self.key_slots is not None:
            return max(1, min(self.key_slots, self.slots))
        return max(1, self.slots - 1) if keyed else self.slots


def largest_body(context: int, *, images: bool) -> int:
    """Return the largest request that can fill a context of so many tokens [B]."""
    return 256 * int(KIB) + context * BYTES_PER_TOKEN + (IMAGE_BYTES if images else 0)
