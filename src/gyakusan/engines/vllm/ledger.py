"""vLLM's memory, charged to the devices of a machine."""

from __future__ import annotations

from dataclasses import asdict, replace

from msgspec import structs

from gyakusan.core.arrays import Number
from gyakusan.core.broadcast import ceil_div, is_array
from gyakusan.core.ledger import Account, Engine, Ledger, Line, Part
from gyakusan.core.load import Load
from gyakusan.core.machine import UNKNOWN_HOST, Device, Machine
from gyakusan.core.model import Compressed, Experts, Indexer, Latent, Model
from gyakusan.engines.vllm import launch, profile, vision
from gyakusan.engines.vllm.blocks import Group, Reservation
from gyakusan.engines.vllm.pool import Pool, pool, requested
from gyakusan.engines.vllm.profile import NOTHING, Range
from gyakusan.engines.vllm.settings import Settings, check
from gyakusan.engines.vllm.small_cache import costs
from gyakusan.engines.vllm.weights import prediction_layers, stored
from gyakusan.errors import BadSetting
from gyakusan.message import Message, say
from gyakusan.units import GIB, format_bytes

TOWER_MORE = 1.5
"""High end of an encoder's weights over its published projector: Qwen3.5-2B loaded 4.55 GiB where 4.25 are counted."""
PROCESS = (1.0, 1.5, 2.0)
"""Resident memory of one of the server's processes: seen 1 to 2 GiB [GiB]."""


def ledger(model: Model, load: Load, machine: Machine, settings: Settings) -> Ledger:
    """Return the bytes by device and kind. Raises BadSetting, UnknownName."""
    pools = _pools(model, machine, settings)
    notes = (*_notes(model, load, machine, settings, pools), *_cache_costs(model, machine, settings))
    charged = _accounts(model, load, machine, settings, pools)
    return Ledger(model, Engine("vLLM", settings.version), asdict(settings), load, charged, notes)


def accounts(model: Model, load: Load, machine: Machine, settings: Settings) -> tuple[Account, ...]:
    """Return the accounts of the ledger alone. Raises BadSetting, UnknownName."""
    return _accounts(model, load, machine, settings, _pools(model, machine, settings))


def _pools(model: Model, machine: Machine, settings: Settings) -> tuple[Pool, ...]:
    """Return the pool of each GPU that is used."""
    chosen = check(settings)
    gpus = machine.gpus[: chosen.gpus]
    if len(gpus) < chosen.gpus:
        raise BadSetting(
            "{name} has {has} GPUs; {asked} were requested.",
            name=machine.name,
            has=len(machine.gpus),
            asked=chosen.gpus,
            mend="Lower tensor_parallel, pipeline_parallel or data_parallel.",
        )
    stages = [i // chosen.tensor_parallel % chosen.pipeline_parallel for i in range(chosen.gpus)]
    return tuple(pool(model, chosen, g, stage=stage) for stage, g in zip(stages, gpus, strict=True))


def _accounts(
    model: Model, load: Load, machine: Machine, settings: Settings, pools: tuple[Pool, ...]
) -> tuple[Account, ...]:
    """Return what one rank takes of each GPU, and the processes in RAM. Each copy of the model serves its share of users."""
    gpus, share = (
        machine.gpus[: settings.gpus],
        structs.replace(load, users=ceil_div(load.users, settings.data_parallel)),
    )
    charged = tuple(_account(model, share, g, p) for g, p in zip(gpus, pools, strict=True))
    in_ram = (process(settings), *_offloaded(settings, pools))
    if gpus[0].kind == "unified":
        return (structs.replace(charged[0], lines=(*charged[0].lines, *in_ram)), *charged[1:])
    return (*charged, Account(machine.host or UNKNOWN_HOST, in_ram))


def _offloaded(settings: Settings, pools: tuple[Pool, ...]) -> tuple[Line, ...]:
    """Return the weights that stay in RAM with --cpu-offload-gb, of all GPUs."""
    size = sum(min(settings.cpu_offload, p.weights.best) for p in pools)
    return (
        (Line("weights.blocks", size, "derived", say("weights that stay in RAM (--cpu-offload-gb)")),) if size else ()
    )


def _account(model: Model, load: Load, gpu: Device, rank: Pool) -> Account:
    settings = rank.settings
    lines = [_weights(model, settings, rank)]
    lines += _drafting(model, settings)
    lines += [_kept(group, rank.reservation, load, settings) for group in _by_kind(rank.reservation)]
    lines += _vision(model, settings)
    peak = profile.activation(model, settings)
    batch, formula = _largest(model, settings, peak)
    lines.append(Line("compute", peak.best, "measured", batch, formula, peak.low, peak.high))
    captured = profile.graphs(settings)
    if captured is not profile.NOTHING:
        lines.append(
            Line("compute.graphs", captured.best, "measured", say("CUDA graphs"), "", captured.low, captured.high)
        )
    rest = profile.base(gpu)
    lines.append(
        Line("overhead.driver", rest.best, "measured", say("libraries and communication"), "", rest.low, rest.high)
    )
    return Account(_limited(gpu, settings), tuple(lines))


def _largest(model: Model, settings: Settings, peak: Range) -> tuple[Message, str]:
    """Return what the peak comes from, and its formula: the largest batch, or sampling for all requests at once."""
    tokens = f"{settings.max_num_batched_tokens} tokens x {profile.token_bytes(model, settings.tensor_parallel):,} B"
    sampled = profile.sampling(model, settings).best
    if is_array(peak.best, sampled) or sampled < peak.best:
        return say("largest batch, measured at start"), "" if is_array(settings.max_num_batched_tokens) else tokens
    return say(
        "sampling for {n} requests at once", n=f"{settings.max_num_seqs:,}"
    ), f"{settings.max_num_seqs:,} x {model.vocabulary:,} x 4 B x copies"


def _weights(model: Model, settings: Settings, rank: Pool) -> Line:
    form = stored(model, settings)
    name = form.method or form.dtype
    if settings.world == 1:
        share = say("{n} tensors, {quantization}", n=len(form.tensors or model.tensors), quantization=name)
    else:
        share = say("one of {n} tensor-parallel shares, {quantization}", n=settings.world, quantization=name)
    w = rank.weights.less(settings.cpu_offload)
    return Line("weights", w.best, "read" if form.tensors else "derived", share, low=w.low, high=w.high)


def _drafting(model: Model, settings: Settings) -> list[Line]:
    """Return the prediction layers that draft; what they keep is among the blocks."""
    size = prediction_layers(model, settings)
    reason = say("prediction layers (MTP) that draft {n} tokens", n=settings.speculative_tokens)
    return [Line("draft.weights", size, "derived", reason, high=round(size * 1.5))] if size else []


def _vision(model: Model, settings: Settings) -> list[Line]:
    """Return what reads images: the weights are shared by the ranks, and what vLLM measures of the largest images."""
    lines = []
    if settings.vision_bytes:
        size = settings.vision_bytes // settings.tensor_parallel
        weights = say("the part that reads images, as its published projector has it")
        lines.append(
            Line(
                "weights.projector", size, "assumed", weights, low=size, high=round(settings.vision_bytes * TOWER_MORE)
            )
        )
    peak = vision.compute(model, settings)
    if peak is not NOTHING:
        images = say("the largest images that fit a batch, and their vectors; vLLM measures them at start")
        lines.append(Line("compute.projector", peak.best, "assumed", images, low=peak.low, high=peak.high))
    return lines


def _by_kind(reservation: Reservation) -> tuple[tuple[Group, ...], ...]:
    """Groups that keep tokens, and those that keep states."""
    states = tuple(g for g in reservation.groups if g.parts and g.parts[0].kind == "state")
    rest = tuple(g for g in reservation.groups if g not in states)
    return tuple(part for part in (rest, states) if part)


def _kept(groups: tuple[Group, ...], reservation: Reservation, load: Load, settings: Settings) -> Line:
    """Return the blocks that the users' conversations reserve, all groups of one kind together."""
    recurrent = groups[0].parts[0].kind == "state"
    blocks: Number = sum(g.blocks(settings) for g in groups)
    layers = sum(len(p.layers) for g in groups for p in g.parts)
    reason = (
        say("{n} layers, a state for each person", n=layers)
        if recurrent
        else say("{n} layers, blocks for {users}", n=layers, users=_people(load.users))
    )
    formula = "" if is_array(blocks, load.users) else f"{load.users} x {blocks} blocks x {reservation.block:,} B"
    part: Part = "state" if recurrent else "kv"
    return Line(part, load.users * blocks * reservation.block, "derived", reason, formula)


def _people(users: Number) -> Message:
    return say("1 person") if not is_array(users) and users == 1 else say("{n} people", n=users)


def _limited(gpu: Device, settings: Settings) -> Device:
    """Return the device as far as the server uses it: a share of what CUDA counts, never more than is free."""
    if gpu.memory is None:
        return gpu
    limit = requested(profile.visible(gpu), settings)
    if gpu.usable is not None and gpu.usable <= limit:
        return gpu
    reason = say(
        "vLLM takes {share} % of the memory that CUDA reports", share=round(settings.gpu_memory_utilization * 100)
    )
    return structs.replace(gpu, reserved=gpu.memory - limit, reserved_basis="derived", reserved_reason=reason)


def process(settings: Settings) -> Line:
    """Return the API server, the engine and one worker for each GPU, in RAM [B]."""
    count = 1 + settings.gpus
    low, best, high = (round(x * GIB * count / 2) for x in PROCESS)
    return Line("overhead.process", best, "measured", say("{n} server processes", n=count), low=low, high=high)


def _cache_costs(model: Model, machine: Machine, settings: Settings) -> tuple[Message, ...]:
    return costs(model, machine) if settings.kv_cache_dtype.startswith("fp8") else ()


def _notes(model: Model, load: Load, machine: Machine, settings: Settings, pools: tuple[Pool, ...]) -> list[Message]:
    notes = []
    first = min(pools, key=lambda p: p.available.best) if not is_array(settings.max_num_batched_tokens) else pools[0]
    if not is_array(settings.max_model_len, settings.max_num_batched_tokens, settings.max_num_seqs):
        notes.append(_capacity(first))
        notes += _experts_and_copies(model, machine, settings, first)
    if len(machine.gpus) > settings.gpus:
        notes.append(say("{n} of {all} GPUs are used.", n=settings.gpus, all=len(machine.gpus)))
    if settings.speculative_method == "mtp" and settings.speculative_tokens and not prediction_layers(model, settings):
        notes.append(say("{name} has no prediction layers (MTP): no drafting is counted.", name=model.name))
    if len({g.memory for g in machine.gpus[: settings.gpus]}) > 1:
        notes.append(say("The smallest GPU limits the blocks of every GPU."))
    short = [g for g in machine.gpus[: settings.gpus] if _scarce(g, settings)]
    if short:
        notes.append(
            say(
                (
                    "vLLM would not start: it requests {share} % of {name}, and less is free. Lower "
                    "gpu_memory_utilization."
                ),
                share=round(settings.gpu_memory_utilization * 100),
                name=short[0].name,
            )
        )
    if settings.quantization not in ("auto", "none", *launch.ONLINE) and model.checkpoint is None:
        notes.append(
            say(
                "vLLM does not load {quantization}: a checkpoint of {method} is counted.",
                method=settings.quantization.upper(),
                quantization=model.quantization,
            )
        )
    if unread := _images_left_out(model, settings):
        size = format_bytes(unread)
        notes.append(say("Without what reads images, {size} (--language-model-only): --images counts it.", size=size))
    if model.checkpoint is not None and model.checkpoint.encoders and not model.checkpoint.tensors:
        notes.append(say("Vision and audio weights are estimated from the config."))
    if machine.gpus and machine.gpus[0].kind != "unified" and (machine.host is None or machine.host.memory is None):
        notes.append(say("The computer's RAM is unknown, so it is not checked."))
    return notes


MORE = 1.2
"""Copies are named where they keep at least so many times the tokens."""


def _experts_and_copies(model: Model, machine: Machine, settings: Settings, smallest: Pool) -> list[Message]:
    """Return what each GPU has of experts and caches, and what copies would keep where each GPU keeps every token."""
    counts = [f.count for f in model.feed_forward if isinstance(f, Experts)]
    notes = []
    if settings.data_parallel > 1:
        total = f"{int(smallest.tokens(smallest.available.best)) * settings.data_parallel:,}"
        notes.append(
            say(
                "That is one of {n} copies; together they hold {tokens} tokens.", n=settings.data_parallel, tokens=total
            )
        )
    if counts and settings.expert_parallel:
        here = -(-max(counts) // settings.expert_ranks)
        notes.append(
            say(
                "Each GPU has {n} of {all} experts; buffers of their exchange are not counted.", n=here, all=max(counts)
            )
        )
    ranks = settings.tensor_parallel
    if not (counts and ranks > 1 and settings.data_parallel == settings.decode_context_parallel == 1):
        return notes
    if settings.pipeline_parallel > 1 or not all(isinstance(m, (Latent, Indexer, Compressed)) for m in model.memory):
        return notes
    spread = replace(settings, tensor_parallel=1, data_parallel=ranks, expert_parallel=True)
    other = min((pool(model, spread, g) for g in machine.gpus[:ranks]), key=lambda p: p.available.best)
    held, kept = smallest.tokens(smallest.available.best), other.tokens(other.available.best)
    if kept * ranks < held * MORE:
        return notes
    return [
        *notes,
        say(
            "Each of {n} GPUs keeps every token; "
            "data_parallel={n} with tensor_parallel=1 and expert_parallel=true holds {tokens}.",
            n=ranks, tokens=f"{int(kept) * ranks:,}",
        ),
    ]  # fmt: skip


def _images_left_out(model: Model, settings: Settings) -> int:
    """Return the part that reads images of a model of the catalogue, which is served text only, 0 = none or counted [B]."""
    if not model.catalogue_name or vision.sees(model, settings):
        return 0
    from gyakusan.catalog.models import find
    from gyakusan.catalog.projectors import unquantized_projector

    found = unquantized_projector(find(model.catalogue_name))
    return 0 if found is None else found.bytes


def _scarce(gpu: Device, settings: Settings) -> bool:
    return gpu.usable is not None and requested(profile.visible(gpu), settings) > gpu.usable


def _capacity(smallest: Pool) -> Message:
    """Return how much the pool holds, as a range."""
    a = smallest.available
    return say(
        "The KV pool holds {tokens} tokens ({low}-{high}): {requests} requests.",
        tokens=f"{int(smallest.tokens(a.best)):,}",
        low=f"{int(smallest.tokens(a.low)):,}",
        high=f"{int(smallest.tokens(a.high)):,}",
        requests=f"{smallest.requests(a.best):.1f}",
    )
