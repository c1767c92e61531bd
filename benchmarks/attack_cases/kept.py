"""Records, scores, releases and saved answers: files that stand in the user's folders, or come from elsewhere."""

from __future__ import annotations

import json
from random import Random
from typing import Any

from benchmarks.attack_cases.case import Case, Content, Odd, flipped, value, word
from benchmarks.attack_cases.texts import AMOUNTS, DEEP, toml

DEVICE = """[[device]]
name = "Some GPU"
vendor = "NVIDIA"
kind = "gpu"
sizes_gib = [8]
bandwidth_gb_s = 500
source = "https://example.org/specs"
checked = "2026-07"
"""
MODEL = """[[model]]
name = "some-1b"
architecture = "llama"
source = "https://example.org"
checked = "2026-07"
"""


def _record(random: Random, base: str) -> bytes:
    """A record with a line changed, added or left out."""
    lines = base.splitlines()
    for _ in range(random.randrange(1, 4)):
        at = random.randrange(1, len(lines))
        key = lines[at].partition(" = ")[0]
        kind = random.randrange(5)
        if kind == 0:
            del lines[at]
        elif kind == 1:
            lines.insert(at, lines[at])
        elif kind == 2:
            lines[at] = f"{key} = {json.dumps(word(random), ensure_ascii=False)}"
        elif kind == 3:
            lines[at] = f"{key} = {toml({'x': value(random)}).decode('utf-8', 'replace')[4:]}"
        else:
            lines.append(
                f"{random.choice(('schema', 'like', 'derived_from', 'aliases', 'colour', 'price'))} = {json.dumps(word(random))}"
            )
    text = "\n".join(lines).encode("utf-8", "surrogatepass") + b"\n"
    return flipped(random, text) if random.random() < 0.2 else text


OWN = "home/.config/gyakusan/catalog/"


def record(random: Random) -> Case:
    """A file of records: checked, added, or standing in the user's folder already."""
    text: Content = random.choice(DEEP) if random.random() < 0.1 else _record(random, random.choice((DEVICE, MODEL)))
    if random.random() < 0.05:
        text = random.choice((Odd("folder"), Odd("link", "/dev/zero"), Odd("link", "nowhere"), Odd("fifo")))
    if random.random() < 0.5:
        return Case(
            ("catalog", random.choice(("check", "add")), "{dir}/r.toml", *random.choice(((), ("--json",)))),
            {"r.toml": text},
            alone=True,
        )
    then = (
        ("inspect", "gpt-oss-20b", "--device", "RTX 4090"),
        ("catalog", "list", "devices", "--search", "5090"),
        ("catalog", "check"),
        ("catalog", "show", "Some GPU"),
        ("catalog", "list", "models", "--search", "some"),
    )
    return Case(
        random.choice(then),
        {OWN + random.choice(("r.toml", "日本.toml", "[b].toml", "r\x1b[2J.toml")): text},
        alone=True,
    )


def scores(random: Random) -> Case:
    """A CSV of the user's own scores."""
    rows = [
        "hf_id,item,score,mode",
        *(
            f"Qwen/Qwen3-8B,MMLU-Pro,{random.choice(('0.5', '61.5%', word(random), str(random.choice(AMOUNTS))))},on"
            for _ in range(3)
        ),
    ]
    rows.insert(random.randrange(4), ",".join((word(random), word(random), random.choice(AMOUNTS), word(random))))
    text = "\n".join(rows).encode("utf-8", "surrogatepass")
    if random.random() < 0.4:
        text = flipped(random, text)
    elif random.random() < 0.1:
        text = random.choice(
            (
                b'"' * 200_000,
                b"," * 500_000,
                b"hf_id,item,score\n" + b"a,b,1\n" * 50_000,
                b'hf_id,item,score\n"' + b"x" * 200_000,
            )
        )
    content: Content = text if random.random() < 0.95 else random.choice((Odd("folder"), Odd("link", "/dev/zero")))
    return Case(("scores", "{dir}/s.csv"), {"s.csv": content})


FETCHED = "home/.local/share/gyakusan/catalog/"


def kept_release(random: Random) -> Case:
    """Odd entries in the folder of releases."""
    name = random.choice(
        ("2099.01.01", "2026.12.24", "9999.99.99", "２０９９.０１.０１", "2099.01.01\x1b[2J", "2099", "2099.13.45")
    )
    files: dict[str, Content] = {}
    kind = random.randrange(6)
    if kind == 0:
        files[FETCHED + name] = random.choice(
            (Odd("folder"), b"", Odd("fifo"), Odd("link", "/dev/zero"), Odd("link", "/"))
        )
    else:
        for file in ("catalog.json", "catalog.json.minisig", "verified.json", "catalogue.sqlite", "rates.toml"):
            if random.random() < 0.8:
                files[f"{FETCHED}{name}/{file}"] = random.choice(
                    (
                        random.choice(DEEP),
                        json.dumps(value(random)).encode(),
                        json.dumps({"key": word(random), "sha256": word(random)}).encode(),
                        Odd("fifo"),
                        Odd("link", "/dev/zero"),
                        b"untrusted comment: x\n",
                    )
                )
    if random.random() < 0.5:
        files[FETCHED + "chosen"] = random.choice(
            (b"", b"built-in", name.encode(), b"\xff" * 100, Odd("fifo"), Odd("folder"), Odd("link", "/dev/zero"))
        )
    then = (
        ("catalog", "show", "RTX 5090", "--json"),
        ("inspect", "gpt-oss-20b", "--device", "RTX 4090"),
        ("catalog", "update", "--built-in"),
        ("catalog", "update", "--back"),
    )
    return Case(random.choice(then), files, alone=True)


def saved(random: Random) -> Case:
    """Saved answers and the last answer, changed."""
    base: dict[str, Any] = {
        "device": "RTX 4090",
        "users": 1,
        "answered": "2026-11-28",
        "saved": "2026-11-28",
        "plans": [{"model": "gpt-oss-20b", "quantization": "MXFP4", "engine": "llama.cpp", "machine": "RTX 4090"}],
    }
    for _ in range(random.randrange(1, 4)):
        base[random.choice((*base, word(random)))] = value(random)
    text = (
        random.choice(DEEP)
        if random.random() < 0.2
        else json.dumps(base).encode()
        if random.random() < 0.5
        else toml(base)
    )
    if random.random() < 0.3:
        text = flipped(random, text)
    content: Content = (
        text if random.random() < 0.9 else random.choice((Odd("folder"), Odd("link", "/dev/zero"), Odd("fifo")))
    )
    then = (
        ("serve", "1", "--dry-run"),
        ("serve", "{dir}/a.toml", "--dry-run"),
        ("serve", "{dir}/a.json", "--dry-run"),
        ("plan", "{dir}/a.toml"),
        ("compare", "--plan", "{dir}/a.json"),
        ("plan", "--check", "{dir}/a.toml"),
    )
    return Case(
        random.choice(then),
        {"a.toml": content, "a.json": content, "home/.local/state/gyakusan/last-plan.json": content},
        alone=True,
    )
