"""Inside the namespace of two_nodes.sh: SmolLM2 on two nodes, one replica killed under load, scaled, updated, deleted.

Prints one JSON object with what was seen; test_cluster.py judges it.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import threading
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

from gyakusan import api
from gyakusan.core.load import Load
from gyakusan.deploying import cluster
from gyakusan.deploying.throughput import throughput
from gyakusan.load_testing.conditions import OtherPrograms
from gyakusan.load_testing.ram_bandwidth import ram_bandwidth

PEOPLE, PROMPT = 4, 31
"""Who ask, and the length of a prompt: "Hi" in SmolLM2's template, with its system prompt. [tokens]"""
ADDRESS, PORT = "127.0.0.1:6399", 8321
URL = f"http://127.0.0.1:{PORT}/v1/chat/completions"


ANSWER = 24
"""Output tokens of each request whose speed counts."""


def ask(tokens: int = ANSWER) -> int:
    """One request; its status, 0 where the connection broke."""
    body = {"messages": [{"role": "user", "content": "Hi"}], "max_tokens": tokens, "ignore_eos": True}
    request = urllib.request.Request(URL, json.dumps(body).encode(), {"Content-Type": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=90) as answer:
            return 200 if json.load(answer)["choices"] else 0
    except urllib.error.HTTPError as error:
        return error.code
    except (OSError, ValueError):
        return 0


def servers() -> list[int]:
    """Processes of the model servers in this namespace."""
    found = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            with contextlib.suppress(OSError):
                if b"embedded_server" in (folder / "cmdline").read_bytes():
                    found.append(int(folder.name))
    return found


def loaded(people: int, each: int) -> tuple[list[int], float]:
    """Statuses of so many people who ask one after another, and output tokens per second."""
    statuses: list[int] = []

    def person() -> None:
        statuses.extend(ask() for _ in range(each))

    begun = time.monotonic()
    threads = [threading.Thread(target=person) for _ in range(people)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    return statuses, ANSWER * len(statuses) / (time.monotonic() - begun)


def running(serve: Any, count: int, seconds: float = 90.0) -> int:
    """Wait for so many running replicas; how many there are."""
    end = time.monotonic() + seconds
    found = 0
    while time.monotonic() < end:
        found = sum(a.replicas.get("RUNNING", 0) for a in cluster.status(serve))
        if found == count:
            break
        time.sleep(0.5)
    return found


def main() -> None:
    seen: dict[str, Any] = {}
    serve = cluster.connect(ADDRESS)
    speed = f"{ram_bandwidth(len(os.sched_getaffinity(0)), 1.0) / 1e9:.1f}GB/s"
    asked = api.deployment("smollm2", load=Load(2, 2048), settings={"backend": "cpu"}, bandwidth=speed)
    rates = {}
    for count in (1, 2, 3):
        cluster.up(serve, asked, "smollm2", cluster.Scale(replicas=count, port=PORT))
        seen[f"running {count}"] = running(serve, count)
        ask(1)
        others = OtherPrograms(servers())
        statuses, measured = loaded(PEOPLE, 4)
        left = 1 - min(0.99, (others.cores or 0.0) / (os.cpu_count() or 1))
        told = throughput(asked, count, PEOPLE, prompt=PROMPT, answer=ANSWER)
        assert told is not None
        rates[count] = {"predicted": [told.low, told.value, told.high], "left": left, "measured": measured}
        seen[f"statuses {count}"] = sorted(statuses)
    seen["tokens per second"] = rates
    cluster.up(serve, asked, "smollm2", cluster.Scale(replicas=2, port=PORT))
    seen["after scaling down"] = running(serve, 2)
    victim = servers()[0]
    threading.Timer(0.5, os.kill, (victim, signal.SIGKILL)).start()
    seen["statuses of a kill"] = sorted(loaded(4, 10)[0])
    seen["after the kill"] = running(serve, 2)
    more = api.deployment("smollm2", load=Load(3, 2048), settings={"backend": "cpu"})
    cluster.up(serve, more, "smollm2", cluster.Scale(replicas=2, port=PORT))
    seen["after an update"] = [running(serve, 2), ask()]
    cluster.delete(serve, "smollm2")
    end = time.monotonic() + 30
    while servers() and time.monotonic() < end:
        time.sleep(0.5)
    seen["left"] = [len(cluster.status(serve)), len(servers())]
    serve.shutdown()
    print(json.dumps(seen))


main()
