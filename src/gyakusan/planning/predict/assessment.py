"""How fast and how good one model is on one machine: what a ledger does not say."""

from __future__ import annotations

from msgspec import Struct, structs

from gyakusan.catalog import quality as scores
from gyakusan.catalog.quality import Quality
from gyakusan.core.broadcast import ceil_div
from gyakusan.core.ledger import Ledger
from gyakusan.core.load import Load, check_prompt_length, check_turn_lengths
from gyakusan.core.machine import Backend, Machine
from gyakusan.core.model import Experts, Model
from gyakusan.core.quality import Score, after_penalty
from gyakusan.core.roofline import expected_batches
from gyakusan.core.traffic import expected_distinct_expert_share
from gyakusan.engines.base import ComputeSettings
from gyakusan.engines.deployment import Deployment
from gyakusan.errors import GyakusanError, UnknownName
from gyakusan.message import Message, say
from gyakusan.planning.predict.lineage import Lineage, lineage, lineage_name
from gyakusan.planning.predict.speed import SpeedEstimate, TurnShape, estimate_speed, of_replicas, traffic_of
from gyakusan.planning.predict.speed_inputs import NO_HOST_WEIGHTS, HostWeights, bus_bandwidth, host_bandwidth

PROMPT, ANSWER = 1000, 400
"""A turn of a conversation where nobody says: prompt and answer, as a plan takes them for chatting [tokens]."""


class Lengths(Struct, frozen=True):
    """What is asked and answered.

    prompt, answer: None = as for chatting [tokens]
    """

    prompt: int | None = None
    answer: int | None = None


class Assessment(Struct, frozen=True):
    """How fast and how good one model is on one machine.

    speed: None where it cannot be predicted
    turn: the turn that the speeds are for
    quality: of the usual reasoning mode, None if the name says nothing
    cost: what the quantisation costs of each score, None without one [points]
    unknown: why there is no speed
    lineage: the model of the catalogue that it was recognised as, None = it is not there
    """

    speed: SpeedEstimate | None
    turn: TurnShape
    quality: Quality | None
    cost: Score | None
    unknown: Message | None = None
    lineage: Lineage | None = None

    @property
    def overall(self) -> Score | None:
        """Return the overall score less what the quantisation costs [points]."""
        return self.score("overall")

    def score(self, metric: str) -> Score | None:
        """Return a score less what the quantisation costs, None if the name says nothing [points].

        metric: overall, coding, agentic or japanese
        """
        if self.quality is None or self.cost is None:
            return None
        return after_penalty(getattr(self.quality, metric), self.cost)


def assess(deployment: Deployment, ledger: Ledger, prompt: int | None = None, answer: int | None = None) -> Assessment:
    """Return speed and quality of a deployment whose ledger is known. Scalars only.

    prompt, answer: their lengths, None = as for chatting [tokens]
    """
    model, machine = deployment.read, deployment.machine
    compute = deployment.rules.compute_settings(machine, deployment.settings)
    turn = structs.replace(
        turn_shape(deployment.load, compute, prompt, answer), host=host_weights(ledger, compute, machine)
    )
    machine = _driven(machine, compute.driver)
    if compute.on_cpu or not machine.gpus:
        machine, turn = structs.replace(machine, gpus=()), structs.replace(turn, stages=1)
    speed = of_replicas(estimate_speed(model, machine, deployment.engine, turn), compute.replicas)
    known = None if speed else _unknown(machine)
    return Assessment(speed, turn, *_quality(deployment, model), known, lineage(deployment.model))


def _driven(machine: Machine, driver: Backend | None) -> Machine:
    """Return the machine with its GPUs driven as the settings say."""
    if driver is None:
        return machine
    return structs.replace(machine, gpus=tuple(structs.replace(gpu, backend=driver) for gpu in machine.gpus))


def _unknown(machine: Machine) -> Message:
    if machine.gpus:
        return say("Speed unknown: the memory bandwidth of this device is not in the catalogue.")
    return say(
        "Speed unknown: the bandwidth of this computer's memory is not known. "
        "Give it with --bandwidth 80GB/s, or measure it: gyakusan calibrate."
    )


def host_weights(ledger: Ledger, compute: ComputeSettings, machine: Machine, users: float | None = None) -> HostWeights:
    """Return the weights in RAM beside a GPU, without tables that are only looked up; of experts, those that are read.

    users: conversations that are answered at once, None = all that the ledger is for
    """
    model = ledger.model
    tables = sum(t.bytes for t in model.tensors if t.name in model.tables)
    in_ram = sum(float(a.of("weights")) for a in ledger.accounts if a.device.kind == "host")
    if len(ledger.accounts) < 2 or in_ram <= tables * 1.01 + 1e6:
        return NO_HOST_WEIGHTS
    routed = next((f for f in model.feed_forward if isinstance(f, Experts)), None)
    share = 1.0
    if routed is not None and compute.experts_in_ram:
        active = users or float(ledger.load.users)
        rows = active / expected_batches(active, compute.slots)
        share = float(expected_distinct_expert_share(rows, routed.count, routed.used))
    return HostWeights(
        read=(in_ram - tables) * share,
        held=in_ram - tables,
        bandwidth=host_bandwidth(machine),
        pcie=bus_bandwidth(machine),
    )


def check_lengths(lengths: Lengths, load: Load) -> None:
    """Raise BadQuantity for lengths that the context does not hold: only those that nobody gave are shortened to fit it."""
    context = int(load.context)
    if lengths.prompt is not None:
        check_prompt_length(lengths.prompt, context)
    if lengths.answer is not None:
        check_turn_lengths(_prompt(lengths.prompt, context), lengths.answer, context)


def _prompt(prompt: int | None, context: int) -> int:
    """Return a prompt that leaves room for an answer in its context [tokens]."""
    return min(prompt, max(1, context - 1)) if prompt else min(PROMPT, max(1, context * 3 // 4))


def turn_shape(load: Load, compute: ComputeSettings, prompt: int | None = None, answer: int | None = None) -> TurnShape:
    """Return a turn of a conversation that has used half of what prompt and answer leave of its context, as plans take it.

    prompt, answer: their lengths, None = as for chatting [tokens]
    """
    context = int(load.context)
    prompt = _prompt(prompt, context)
    answer = min(ANSWER if answer is None else answer, max(1, context - prompt))
    return TurnShape(
        users=ceil_div(int(load.users), compute.replicas),
        prompt=prompt,
        answer=answer,
        depth=max(0, context - prompt - answer) / 2,
        chunk=compute.prefill_chunk,
        value_bytes=compute.cache_bytes,
        parallel=compute.ranks,
        stages=compute.stages,
        drafts=compute.drafts,
        slots=compute.slots,
        kept=compute.kept,
        together=compute.together,
    )


def _quality(deployment: Deployment, read: Model) -> tuple[Quality | None, Score | None]:
    """Return the scores of the model that it is, and what its format costs of them. read: as in memory."""
    model = deployment.model
    name = lineage_name(model) or model.name
    try:
        usual = scores.find(name, parameters=model.parameters, active=model.active_parameters)[0]
    except UnknownName:
        return None, None
    return usual, scores.penalty(deployment.quantization, _bits(deployment, read), model.parameters, model=name)


def _bits(deployment: Deployment, read: Model) -> float:
    """Return the bits of each weight as planning counts them: of the tensors, or of a checkpoint on one device."""
    if not read.parameters:
        return 16.0
    if read.checkpoint is None:
        return 8 * read.bytes / read.parameters
    try:
        return 8 * deployment.rules.weight_bytes(read)[0] / read.parameters
    except GyakusanError:
        found = traffic_of(read)
        return 8 * (found.dense_bytes + found.expert_bytes) / read.parameters
