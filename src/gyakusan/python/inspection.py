"""Python's `inspect` and `quantizations`: one model on one machine, and every quantisation of a repository."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from gyakusan.api import MOST_CONTEXT
from gyakusan.core.ledger import Ledger
from gyakusan.engines.registry import DEFAULT
from gyakusan.errors import BadSetting
from gyakusan.message import Message
from gyakusan.planning.predict.assessment import Assessment, Lengths, assess, check_lengths
from gyakusan.planning.predict.ways import Asked, Way, ways_of
from gyakusan.python.answer import Answer, extended, quality_words, speed_words
from gyakusan.python.options import Amount, check_types, deployed
from gyakusan.units import format_bytes, parse_count

if TYPE_CHECKING:
    from gyakusan.catalog.quality import Quality
    from gyakusan.core.quality import Score
    from gyakusan.documents.ledger import InspectJson, QuantizationsJson
    from gyakusan.engines.deployment import Deployment
    from gyakusan.engines.server import DryRunBuild, DryRunLine
    from gyakusan.planning.predict.quantizations import QuantizationMemory
    from gyakusan.planning.predict.speed import SpeedEstimate
    from gyakusan.show.report import Report


class Inspection(Answer, Ledger, frozen=True, kw_only=True):
    """What `gyakusan inspect` answers: the ledger, with speed and quality.

    deployment: model, engine, machine and settings that the answer is about
    assessment: how fast and how good
    refusals: why the engine would not run this, empty if it would
    ways: changes with which it fits, best first; empty where it surely fits
    dry_run: the engine's own figures beside ours, None without exact=True
    """

    deployment: Deployment
    assessment: Assessment
    refusals: tuple[Message, ...] = ()
    ways: tuple[Way, ...] = ()
    dry_run: tuple[Sequence[DryRunLine], DryRunBuild] | None = None

    @property
    def speed(self) -> SpeedEstimate | None:
        """Return the speeds, None where the memory bandwidth is not known. `pace` is its name in JSON."""
        return self.assessment.speed

    @property
    def pace(self) -> SpeedEstimate | None:
        """Return `speed`."""
        return self.assessment.speed

    @property
    def quality(self) -> Quality | None:
        """Return the published quality of the model, None if its name says nothing."""
        return self.assessment.quality

    @property
    def overall(self) -> Score | None:
        """Return the overall score less what the quantisation costs [points]."""
        return self.assessment.overall

    def document(self) -> InspectJson:
        """Return the document of `gyakusan inspect --json`."""
        from gyakusan.documents import ledger as documents

        dry = {} if self.dry_run is None else {"exact": documents.dry_run(*self.dry_run)}
        return documents.inspect(self, self.assessment, self.refusals, ways=self.ways, **dry)

    def report(self) -> Report:
        """Return the screen of `gyakusan inspect`, a bar for each device, and the ledger line by line."""
        from gyakusan.planning.predict.capacity import find_capacity
        from gyakusan.show.inspect import Inspected, screen
        from gyakusan.show.report import inspect_report

        limits = find_capacity(self.deployment) if self.fit == "fits" and not self.refusals else None
        found = Inspected(self.deployment, self, self.refusals, self.assessment, limits, self.ways)
        return inspect_report(found, screen(found))

    def summary(self) -> Iterator[str]:
        """Yield the verdict, the devices, speed and quality."""
        load = f"{self.load.users} x {int(self.load.context):,} tokens"
        verdict = {"fits": "fits", "unsure": "may not fit", "short": "does not fit"}[self.fit]
        verdict = "refused" if self.refusals else verdict
        yield f"{self.model.name} {self.model.quantization}, {self.engine.name}, {load}: {verdict}"
        yield from (f"  {reason}" for reason in self.refusals)
        for account in self.accounts:
            usable = account.device.usable
            of = "" if usable is None else f" of {format_bytes(usable)}"
            yield f"  {account.device.name}: {format_bytes(float(account.total))}{of}"
        yield f"  {speed_words(self.speed)}, {quality_words(self.overall)}"


@dataclass(frozen=True, slots=True, repr=False)
class Quantizations(Answer):
    """What `gyakusan inspect --quants` answers.

    ledger: of the quantisation that was named
    offers: every quantisation of the repository, with what it needs
    """

    ledger: Ledger
    offers: tuple[QuantizationMemory, ...]

    def document(self) -> QuantizationsJson:
        """Return the document of `gyakusan inspect --quants --json`."""
        from gyakusan.documents import ledger as documents

        return documents.quantizations(self.offers)

    def report(self) -> Report:
        """Return the screen of `gyakusan inspect --quants`."""
        from gyakusan.show.quantizations import screen
        from gyakusan.show.report import other_report

        return other_report("gyakusan inspect --quants", screen(self.offers, self.ledger))

    def summary(self) -> Iterator[str]:
        """Yield one line for each quantisation."""
        yield f"{self.ledger.model.name}: {len(self.offers)} quantisations"
        for offer in self.offers:
            yield f"  {offer.choice.name}: {'fits' if offer.fits else 'does not fit'}"


def inspect(
    model: str,
    *,
    context: Amount | None = None,
    users: Amount = 1,
    device: str | None = None,
    memory: str | None = None,
    reserve: str | None = None,
    bandwidth: str | None = None,
    ram: str | None = None,
    quant: str | None = None,
    engine: str = DEFAULT,
    prompt: int | None = None,
    answer: int | None = None,
    exact: bool = False,
    offline: bool = False,
    **settings: Any,
) -> Inspection:
    """Return what a model needs under an engine, how fast and how good it is. Raises GyakusanError.

    model: a file, a directory, an address or a name
    context: tokens for each user, None = 8192, or what the model was trained for if that is less; "32k" is read, too [tokens]
    device: a name of the catalogue, None = this computer
    prompt, answer: their lengths, None = 1000 and 400, as in a chat [tokens]
    exact: add the figures of the installed llama.cpp's dry run (CPU only)
    offline: stay off the network
    settings: fields of the engine's Settings; kv_type="q8_0" for keys and values together, cpu=True for the CPU, images=True
        to count the projector that reads images
    """
    where = {"device": device, "memory": memory, "reserve": reserve, "bandwidth": bandwidth, "ram": ram}
    check_types(prompt=prompt, answer=answer)
    length, output = (None if n is None else parse_count(n, at_most=MOST_CONTEXT) for n in (prompt, answer))
    given = {"images": None, **settings}
    asked = deployed(model, given, context=context, users=users, quant=quant, engine=engine, offline=offline, **where)
    check_lengths(Lengths(length, output), asked.load)
    ledger, dry = asked.ledger, _dry_run(asked) if exact else None
    ways = ways_of(Asked(asked, device, memory is not None, prompt=length, answer=output), ledger)
    judged = assess(asked, ledger, length, output)
    more: dict[str, Any] = {"assessment": judged, "refusals": asked.refusals, "dry_run": dry}
    return extended(Inspection, ledger, deployment=asked, ways=ways, **more)


def quantizations(model: str, *, offline: bool = False, **options: Any) -> Quantizations:
    """Return every quantisation of a Hugging Face GGUF repository, as `inspect --quants`. options: as for `inspect`."""
    from gyakusan import models
    from gyakusan.planning.predict.quantizations import quantization_memory

    ledger = inspect(model, offline=offline, **options)
    return Quantizations(ledger, tuple(quantization_memory(ledger, models.quantizations(model, offline=offline))))


def _dry_run(asked: Deployment) -> tuple[Sequence[DryRunLine], DryRunBuild]:
    """Return llama.cpp's own figures. Raises BadSetting for another engine."""
    if asked.engine != DEFAULT:
        raise BadSetting("--exact works with llama.cpp only.", mend="Add --engine llama.cpp.")
    return asked.server.dry_run(asked.model, asked.settings)
