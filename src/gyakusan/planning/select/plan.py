"""From a candidate to a plan: the exact deployment, its ledger and command, and its speed with what others measured."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache

from msgspec import Struct, structs

from gyakusan.catalog.artifacts import Artifact
from gyakusan.catalog.models import find
from gyakusan.catalog.thinking import NO_THINKING, Thinking, template_arguments, thinking
from gyakusan.core.broadcast import ceil_div
from gyakusan.core.ledger import Account, Fit, Ledger
from gyakusan.core.load import Load
from gyakusan.core.machine import Machine
from gyakusan.core.model import Model
from gyakusan.core.quality import Score
from gyakusan.engines.base import Command, PartiallyInRam, PartInRam
from gyakusan.engines.deployment import NO_CHANGES, Deployment, deploy
from gyakusan.engines.images import ImagePart, ProjectorUse, image_part
from gyakusan.engines.registry import engine
from gyakusan.errors import BadSetting, Malformed
from gyakusan.models.assemble import from_record
from gyakusan.planning.candidates.bought_ram import with_bought_ram
from gyakusan.planning.candidates.hardware import HardwareOption
from gyakusan.planning.candidates.model_table import CatalogModel, ReasoningMode
from gyakusan.planning.evaluate.results import SweepResult
from gyakusan.planning.predict.assessment import host_weights
from gyakusan.planning.predict.speed import SpeedEstimate, TurnShape, estimate_speed, of_replicas
from gyakusan.planning.predict.speed_inputs import NO_HOST_WEIGHTS
from gyakusan.planning.request.request import PlanRequest

NEARLY_FULL = 0.92
"""Memory limits a plan from this share of the usable memory on."""


class Plan(Struct, frozen=True):
    """One recommended deployment, verified with the engine's own ledger.

    roles: what it is best at, e.g. ("balanced", "fastest")
    deployment: model, format, engine, machine, load and settings
    offer: the machine as it is owned or sold
    ledger: memory by device
    command: how the server is started
    pace: speeds, None where the machine's bandwidth is unknown
    score: benchmark quality after the quantisation loss [points]
    mode: reasoning on or off, and the evidence of its quality
    bottleneck: what limits it: memory, bandwidth, compute, software or unknown
    tied_with: number of the plan of the answer whose quality is equal within the error, 0 = none
    projector: of images: "none" (the model has none), "off" (the command switches it off) or "counted"
    projector_bytes: its file as published, 0 = not known or none [B]
    blocks_in_ram: blocks of the model of which a part is in RAM although a GPU computes [blocks]
    in_ram: what of these blocks: "experts", "layers" or "" = nothing
    replicas: copies of the model in one server, each on its own GPUs and for its share of the users
    thinking: tokens that are generated for each visible one, in the task that is asked about
    metric: which quality the score is: overall, japanese, coding, reasoning or agentic
    """

    roles: tuple[str, ...]
    deployment: Deployment
    offer: HardwareOption
    ledger: Ledger
    command: Command
    pace: SpeedEstimate | None
    score: Score
    mode: ReasoningMode
    bottleneck: str
    tied_with: int = 0
    projector: ProjectorUse = "none"
    projector_bytes: int = 0
    blocks_in_ram: int = 0
    in_ram: PartInRam = ""
    replicas: int = 1
    thinking: Thinking = NO_THINKING
    metric: str = "overall"

    def __repr__(self) -> str:
        return f"Plan({self.name} {self.quantization}, {self.engine} on {self.offer.machine.name})"

    @property
    def name(self) -> str:
        """The model's name in the catalogue."""
        return self.deployment.name

    @property
    def quantization(self) -> str:
        """The engine's name of the format."""
        return self.deployment.quantization

    @property
    def quality_basis(self) -> str:
        """What the score rests on: measured, few, vendor, inferred or assumed."""
        return self.mode.basis_of(self.metric)

    @property
    def artifact(self) -> Artifact | None:
        """The published file or repository that the command names, None if nobody is known to publish it."""
        return self.deployment.artifact

    @property
    def preparation(self) -> tuple[str, ...]:
        """The commands that make the model's files, () where they are published."""
        return self.deployment.preparation

    @property
    def engine(self) -> str:
        """The engine's name."""
        return self.deployment.engine

    @property
    def small_cache(self) -> bool:
        """True if the cache of conversations has 8 bits for a value."""
        deployment = self.deployment
        small = deployment.rules.cache_setting("Q8_0")
        if not small:
            return False
        return all(deployment.changes.get(name) == value for name, value in small.items())

    @property
    def left(self) -> int | None:
        """Usable bytes that are left on the fullest device, None if its capacity is unknown [B]."""
        known = [a.device.usable - int(a.total) for a in self.ledger.accounts if a.device.usable is not None]
        return min(known) if known else None

    @property
    def spare(self) -> int | None:
        """Usable bytes that are left on the fullest device at the high end of doubt, None if its capacity is unknown [B].

        What grows with use up to a limit (prompt cache, checkpoints) is a line of its own and no doubt.
        """
        spare = self.ledger.tightest.spare
        return None if spare is None else int(spare)

    @property
    def surely_fits(self) -> bool:
        """True if every device holds its share at the high end of doubt."""
        return self.ledger.surely_fits


def confirm_surely(request: PlanRequest, result: SweepResult, index: int) -> Plan | None:
    """Return a confirmed candidate, None also where it may not fit at the high end of doubt."""
    plan = confirm_candidate(request, result, index)
    return plan if plan is not None and plan.surely_fits else None


def confirm_candidate(
    request: PlanRequest, grid: SweepResult, index: int, changes: Mapping[str, object] = NO_CHANGES
) -> Plan | None:
    """Return the plan of a candidate, None if it does not hold: the engine's ledger or the measured speed say otherwise.

    changes: settings of the engine in addition to the type of the cache
    """
    found = _held(request, grid, index, changes)
    return None if found is None else _plan(request, grid, index, found)


def fit_of(request: PlanRequest, grid: SweepResult, index: int) -> Fit:
    """Return whether a candidate holds, and at which ends of the ranges it fits: "short" where it is not confirmed."""
    found = _held(request, grid, index, NO_CHANGES, timed=bool(request.speed) or request.max_ttft is not None)
    return "short" if found is None else found.ledger.fit


class _Held(Struct, frozen=True):
    """A candidate that holds.

    part: what of it is in RAM, None = nothing
    command: in the way it thinks
    speed: None where the bandwidth is not known, or nobody asked for it
    """

    deployment: Deployment
    ledger: Ledger
    image: ImagePart
    part: PartiallyInRam | None
    command: Command
    speed: SpeedEstimate | None


def _held(
    request: PlanRequest, grid: SweepResult, index: int, changes: Mapping[str, object], *, timed: bool = True
) -> _Held | None:
    """Return a candidate that holds, else None: the only rule for that.

    The engine runs it, its ledger fits at the best figure (`Ledger.fit` says how surely), the server has an option for the
    way it thinks, and the careful ends of its speeds keep the limits of the request.
    timed: False leaves out the speed, where no limit needs it
    """
    try:
        image, part = _image_part(request, grid, index), None
        deployment = _deployment(request, grid, index, {**image.settings, **changes})
        if deployment is not None and grid.cells.blocks_in_ram[index] > 0:
            part = deployment.rules.part_in_ram(
                deployment.model, deployment.load, deployment.machine, deployment.changes
            )
            deployment = None if part is None else _with_changes(deployment, part.settings)
        ledger = exact_ledger(deployment)
        command = _command(grid, index, deployment) if deployment and ledger and ledger.fits else None
        if deployment is None or ledger is None or command is None:
            return None
        speed = exact_speed(request, deployment) if timed else None
    except Malformed:  # tensors that the engine's graph does not know
        return None
    if speed is not None and not _within_limits(request, speed):
        return None
    return _Held(deployment, ledger, image, part, command, speed)


def missing_memory(request: PlanRequest, grid: SweepResult, index: int) -> Account | None:
    """Return the memory that lacks most for a candidate by the engine's ledger, None where none is short or it is refused."""
    try:
        image = _image_part(request, grid, index)
        ledger = exact_ledger(_deployment(request, grid, index, image.settings))
    except Malformed:  # tensors that the engine's graph does not know
        return None
    short = () if ledger is None else tuple(a for a in ledger.accounts if not a.fits)
    return max(short, key=lambda a: a.short_by, default=None)


def _command(grid: SweepResult, index: int, deployment: Deployment) -> Command | None:
    """Return the command of a candidate, None where the server has no option for the way it thinks."""
    model = grid.columns.models[int(grid.models[index])]
    return command_in_mode(deployment, model, model.modes[int(grid.cells.mode[index])])


def _plan(request: PlanRequest, grid: SweepResult, index: int, found: _Held) -> Plan:
    """Return the plan of a candidate that holds."""
    cells, part = grid.cells, found.part
    model = grid.columns.models[int(grid.models[index])]
    mode = model.modes[int(cells.mode[index])]
    return Plan(
        roles=(),
        deployment=switched(found.deployment, found.command, mode),
        offer=grid.offers[int(cells.offer[index])],
        ledger=found.ledger,
        command=found.command,
        pace=found.speed,
        score=Score(float(cells.quality[index]), float(cells.error[index])),
        mode=mode,
        bottleneck=bottleneck(found.ledger, found.speed),
        projector=found.image.use,
        projector_bytes=found.image.projector_bytes,
        blocks_in_ram=part.blocks_in_ram if part else 0,
        in_ram=part.part if part else "",
        replicas=int(cells.replicas[index]),
        thinking=thinking(model.name, mode.mode, request.task),
        metric=request.workload.quality_metric,
    )


def _image_part(request: PlanRequest, grid: SweepResult, index: int) -> ImagePart:
    """Return what becomes of the part of a candidate that reads images."""
    name = grid.engines[int(grid.cells.engine[index])]
    table, row = grid.columns.of_engine(name), int(grid.cells.row[index])
    return image_part(
        find(grid.columns.models[int(table.model[row])].name), name, table.name[row], images=request.images
    )


def switched(deployment: Deployment, command: Command, mode: ReasoningMode) -> Deployment:
    """Return a deployment that knows how it thinks where its command says so. command: in that mode."""
    return deployment if command == deployment.command else structs.replace(deployment, mode=mode.mode)


def command_in_mode(deployment: Deployment, model: CatalogModel, mode: ReasoningMode) -> Command | None:
    """Return the command of a deployment that thinks in a mode, None where the server has no option for that."""
    can_think = any(m.mode != "off" for m in model.modes)
    if not can_think:
        return deployment.command
    rules, arguments = deployment.rules, template_arguments(deployment.name, mode.mode)
    return rules.with_thinking(deployment.command, deployment.model.architecture, mode.mode, arguments)


def _within_limits(request: PlanRequest, speed: SpeedEstimate) -> bool:
    """Return True if the careful ends of the speeds reach what was asked for."""
    late = request.max_ttft is not None and speed.ttft.high > request.max_ttft
    return not late and not (request.speed and speed.decode_each.low < request.speed)


def _deployment(
    request: PlanRequest, grid: SweepResult, index: int, changes: Mapping[str, object]
) -> Deployment | None:
    """Return the deployment of a candidate with everything on its GPUs, None if the engine refuses."""
    cells = grid.cells
    name = grid.engines[int(cells.engine[index])]
    table, row = grid.columns.of_engine(name), int(cells.row[index])
    model, machine = grid.columns.models[int(table.model[row])], with_bought_ram(grid.offers[int(cells.offer[index])])
    load, kv_type = Load(request.users, request.workload.context), request.cache_types[int(cells.kv[index])]
    if cells.replicas[index] > 1:
        changes = {**changes, **(engine(name).replica_settings(int(cells.replicas[index])) or {})}
    return catalogue_deployment(model.name, table.name[row], name, machine, load, kv_type, changes)


def _with_changes(deployment: Deployment, changes: Mapping[str, object]) -> Deployment:
    return deployment.under(deployment.engine, {**deployment.changes, **changes})


def catalogue_deployment(
    name: str,
    quantization: str,
    engine_name: str,
    machine: Machine,
    load: Load,
    kv: str,
    changes: Mapping[str, object] = NO_CHANGES,
) -> Deployment | None:
    """Return a model of the catalogue as `inspect` deploys it; None if the engine refuses.

    quantization: the format as `inspect --quant` takes it
    kv: type of the cache, "F16" or "Q8_0"
    changes: further settings of the engine
    """
    rules = engine(engine_name)
    cache, form = rules.cache_setting(kv), rules.named_format(quantization)
    if cache is None or form is None:
        return None
    try:
        both = {**form.changes, **cache, **changes}
        deployment = deploy(_model(name, form.base), engine_name, machine, load, both, quantization)
        return None if deployment.refusals else deployment
    except (BadSetting, Malformed):  # refused, or tensors that the engine's graph does not know
        return None


def exact_ledger(deployment: Deployment | None) -> Ledger | None:
    """Return the ledger of a deployment, None if there is none or the engine cannot run it so."""
    try:
        return None if deployment is None else deployment.ledger
    except (BadSetting, Malformed):
        return None


def exact_speed(request: PlanRequest, deployment: Deployment) -> SpeedEstimate | None:
    """Return the speeds of a deployment under the request's workload, None where the bandwidth is unknown.

    Measurements of the very same model and device move the estimate.
    """
    rules = deployment.rules
    workload, machine = request.workload, deployment.machine
    compute = rules.compute_settings(machine, deployment.settings)
    host = NO_HOST_WEIGHTS
    if compute.part_in_ram:
        host = host_weights(deployment.ledger, compute, machine, request.users)
    estimate = estimate_speed(
        deployment.read,
        machine,
        deployment.engine,
        TurnShape(
            users=ceil_div(request.users, compute.replicas),
            prompt=workload.prompt_tokens,
            answer=workload.output_tokens,
            depth=max(0, workload.context - workload.prompt_tokens - workload.output_tokens) / 2,
            chunk=compute.prefill_chunk,
            parallel=compute.ranks,
            stages=max(1, len(machine.gpus)) if rules.MULTI_GPU == "layers" else 1,
            value_bytes=compute.cache_bytes,
            host=host,
            slots=compute.slots,
            kept=compute.kept,
            together=compute.together,
        ),
    )
    return of_replicas(estimate, compute.replicas)


def bottleneck(ledger: Ledger, speed: SpeedEstimate | None) -> str:
    """Return what limits a plan: memory, bandwidth, compute, software or unknown."""
    account = ledger.accounts[0]
    if account.device.usable and account.total > NEARLY_FULL * account.device.usable:
        return "memory"
    if speed is None:
        return "unknown"
    kinds = {
        "weights": "bandwidth",
        "cache": "bandwidth",
        "state": "bandwidth",
        "host": "bandwidth",
        "compute": "compute",
    }
    return kinds.get(speed.bottleneck, "software")


@lru_cache(maxsize=64)
def _model(name: str, base: str) -> Model:
    return from_record(find(name), base)
