"""One timed thing of a measured row, with everything that a prediction of it needs."""

from __future__ import annotations

from dataclasses import dataclass

from benchmarks.speed.resolve import Subject


@dataclass(frozen=True, slots=True)
class Observation:
    """One measured time, or one rate.

    kind: decode, prefill, ttft, throughput or gain
    seconds: measured; of throughput the time for each output token of all users together [s];
        of gain the time with drafts over that without
    source: campaign that published it
    subject: model, quantisation, device and engine
    users: at one replica
    context: mean length while decoding [tokens]
    prompt: length of the prompt [tokens]
    depth: tokens in the cache before the prompt [tokens]
    answer: length of the answer [tokens]
    piece: tokens computed at once in prefill [tokens]
    parallel: tensor parallel degree
    devices: number of devices
    replicas: copies of the whole model; users are those of one
    style: wave or steady
    cache: bytes of one cached value [B]
    row: its number in the file
    backend: as written there
    era: "2025" for builds before 2026, else ""
    drafts: tokens drafted for each step
    accepted: share of them that was accepted, nan = not told
    conversations: whose recurrent states a step reads, 0 = of each user
    opening: share of the first tokens in a mean that belong to users who all start together
    even: True where all answers are of one length, so that users keep the order in which they started
    """

    kind: str
    seconds: float
    source: str
    subject: Subject
    users: float
    context: float
    prompt: float
    depth: float
    answer: float
    piece: float
    parallel: float
    devices: float
    replicas: float
    style: str
    cache: float
    row: int
    backend: str
    era: str = ""
    drafts: float = 0.0
    accepted: float = float("nan")
    conversations: float = 0.0
    opening: float = 0.0
    even: bool = False

    @property
    def cell(self) -> tuple[str, ...]:
        """source x device x model x backend x quantisation."""
        s = self.subject
        return (self.source, s.chip.name, s.model, f"{s.engine}-{s.api}", s.quant.label)
