"""How much several servers of one computer answer together: they share its cores and the bandwidth of its memory.

Each is counted as the same server on its share of the computer, by the speed model of planning/predict. Two servers on two
cores are not twice as fast as one: they read the weights twice, and each has one core.
"""

from __future__ import annotations

from math import ceil

from msgspec import structs

from gyakusan.core.machine import Machine
from gyakusan.engines.deployment import Deployment
from gyakusan.planning.predict.assessment import turn_shape
from gyakusan.planning.predict.speed import Estimate, estimate_speed


def throughput(
    deployment: Deployment, replicas: int, people: int, *, prompt: float, answer: float, computers: int = 1
) -> Estimate | None:
    """Return output tokens per second of all people, each asking again at once; None where the speed is not known [tokens/s].

    replicas: servers, spread evenly; people: who ask at the same time, spread evenly, too; more than a server answers at
    once wait their turn; prompt, answer: length of each [tokens]; computers: equal ones that run them
    """
    on_each = ceil(replicas / computers)
    compute = deployment.rules.compute_settings(deployment.machine, deployment.settings)
    whole = structs.replace(deployment.machine, gpus=()) if compute.on_cpu else deployment.machine
    machine, slower = share(whole, on_each)
    busy = min(replicas, people)
    users = min(int(deployment.load.users), ceil(people / busy))
    turn = structs.replace(
        turn_shape(deployment.load, compute), users=users, prompt=prompt, answer=answer, depth=0.0,
        threads=machine.cores,
    )  # fmt: skip
    found = estimate_speed(deployment.read, machine, deployment.engine, turn)
    if found is None:
        return None
    one, factor = found.throughput, busy * slower
    return structs.replace(one, value=one.value * factor, low=one.low * factor, high=one.high * factor)


def share(machine: Machine, servers: int) -> tuple[Machine, float]:
    """Return what one of several servers has of a computer without GPUs, and its share of the time where cores are fewer.

    Servers with GPUs have their own, which Ray gives them: the machine is as it is.
    """
    if machine.gpus or machine.host is None or servers == 1:
        return machine, 1.0
    cores = max(1, machine.cores // servers)
    bandwidth = machine.host.bandwidth
    host = structs.replace(
        machine.host, bandwidth=None if bandwidth is None else bandwidth * cores / max(machine.cores, 1)
    )
    return structs.replace(machine, cores=cores, host=host), min(1.0, machine.cores / (servers * cores))
