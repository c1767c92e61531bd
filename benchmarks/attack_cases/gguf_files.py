"""GGUF files: bytes that are spoilt, and well-formed ones that say what no model says."""

from __future__ import annotations

import gzip
import json
from functools import cache
from pathlib import Path
from random import Random
from typing import Any

from tests.models.building import (
    ARRAY,
    F32,
    F64,
    I32,
    I64,
    STRING,
    U8,
    U32,
    U64,
    array,
    header,
    pair,
    recreated,
    small,
    tensor,
)

from benchmarks.attack_cases.case import MARKUP, NUMBERS, Case, Content, Sparse, flipped, word
from gyakusan.core.dtypes import BY_CODE

TRUTH = Path(__file__).parents[2] / "tests" / "truth"
WAYS = (
    ("inspect", "{dir}/m.gguf"),
    ("inspect", "{dir}/m.gguf", "--json"),
    ("inspect", "{dir}/m.gguf", "--why"),
    ("inspect", "{dir}/m.gguf", "--engine", "all"),
    ("inspect", "{dir}/m.gguf", "--device", "RTX 4090", "--json"),
    ("inspect", "{dir}/m.gguf", "--lang", "ja", "--device", "RTX 5090"),
    ("inspect", "{dir}/m.gguf", "--context", "max", "--users", "4"),
    ("compare", "RTX 5090", "--model", "{dir}/m.gguf"),
    ("serve", "{dir}/m.gguf", "--dry-run"),
)
TENSOR_NAMES = (
    "blk.x",
    "blk..weight",
    "blk.1e9.attn_q.weight",
    "blk.-1.attn_q.weight",
    "blk.99999999999999999999.attn_k.weight",
    "blk.",
    "",
    "blk.0.",
    ".weight",
    "blk.０.attn_q.weight",
    "blk.+1.attn_q.weight",
    "blk.1_0.attn_v.weight",
    "blk. 1.attn_v.weight",
    "output.weight",
    "token_embd.weight",
    "x" * 64,
    "x" * 70_000,
)


@cache
def recorded() -> dict[str, Any]:
    """The recorded models: metadata and tensors."""
    found: dict[str, Any] = json.loads(gzip.decompress((TRUTH / "gguf_meta.json.gz").read_bytes()))
    return found


@cache
def head(name: str, quantization: str) -> tuple[bytes, int]:
    """Header and whole size of a recorded model."""
    return recreated(recorded()[name], quantization, {code: d.name for code, d in BY_CODE.items()})


def way(random: Random) -> tuple[str, ...]:
    """Arguments that read m.gguf; plain inspection is the most frequent."""
    return random.choice(WAYS[:2] if random.random() < 0.7 else WAYS)


def some_head(random: Random) -> tuple[bytes, int]:
    name = random.choice(sorted(recorded()))
    return head(name, random.choice(sorted(recorded()[name]["types"])))


def spoilt(random: Random) -> Case:
    """Flips, cuts, splices and lying counts."""
    data, size = some_head(random) if random.random() < 0.8 else (small(), len(small()))
    kind = random.randrange(10)
    if kind == 0:
        other, _ = some_head(random)
        at = random.randrange(len(data))
        data = data[:at] + other[random.randrange(len(other)) :]
    elif kind == 1:  # counts of tensors and keys
        at = random.choice((8, 16))
        data = data[:at] + random.choice((0, 1, 2**31, 2**63, 2**64 - 1)).to_bytes(8, "little") + data[at + 8 :]
    elif kind == 2:
        data = data[:4] + random.choice((0, 1, 2, 4, 2**31, 2**32 - 1, 0x03000000)).to_bytes(4, "little") + data[8:]
    elif kind == 3:
        data, size = random.randbytes(random.randrange(200)), 0
    elif kind == 4:
        data = b"GGUF" + random.randbytes(random.randrange(2000))
    else:
        data = flipped(random, data if random.random() < 0.5 else data[: random.randrange(24, 6000)])
    whole = size if random.random() < 0.7 else random.choice((len(data), size - 1, size + 2**40, 0))
    return Case(way(random), {"m.gguf": Sparse(data, min(max(whole, 0), 2**43))})


def _pair(random: Random, key: str, old: object) -> bytes:
    """One key with another value than it should have."""
    kind = random.randrange(7)
    if kind == 0:
        return pair(key, STRING, word(random).encode("utf-8", "surrogatepass"))
    if kind == 1:
        return pair(key, STRING, bytes(random.randrange(256) for _ in range(random.randrange(40))))
    if kind == 2:
        return pair(
            key, ARRAY, array(I32, [random.choice((0, -1, 1, 2**31 - 1)) for _ in range(random.choice((0, 1, 3, 600)))])
        )
    if kind == 3:
        return pair(key, ARRAY, array(STRING, [word(random)] * random.randrange(4)))
    if kind == 4:
        return pair(
            key, random.choice((F32, F64)), float(random.choice((0, -1, 1e30, float("nan"), float("inf"), 1e-30)))
        )
    if kind == 5 and isinstance(old, int):
        return pair(
            key, U64, min(max(old * random.choice((0, 2, 3, 1000, 2**32)) + random.choice((0, 1)), 0), 2**64 - 1)
        )
    number = random.choice([n for n in NUMBERS if isinstance(n, int)])
    return pair(
        key,
        U64 if number > 2**63 - 1 else I64 if number < 0 else random.choice((U32, U64)) if number < 2**32 else U64,
        number,
    )


def plain_pair(key: str, old: Any) -> bytes:
    """One key with its value."""
    if isinstance(old, list):
        kind = STRING if old and isinstance(old[0], str) else F32 if old and isinstance(old[0], float) else I32
        return pair(key, ARRAY, array(kind, old))
    if isinstance(old, bool):
        return pair(key, 7, old)
    if isinstance(old, str):
        return pair(key, STRING, old)
    return (
        pair(key, F32, old)
        if isinstance(old, float)
        else pair(key, U64 if old > 2**32 - 1 else U32, old)
        if old >= 0
        else pair(key, I64, old)
    )


def lying(random: Random) -> Case:
    """A real model whose keys or tensors say something else."""
    name = random.choice(sorted(recorded()))
    row = recorded()[name]
    codes = list(row["types"][random.choice(sorted(row["types"]))])
    keys = dict(row["kv"])
    changed = set(random.sample(sorted(keys), min(len(keys), random.randrange(0, 4))))
    pairs = [
        _pair(random, k, v) if k in changed else plain_pair(k, v)
        for k, v in keys.items()
        if k not in changed or random.random() < 0.8
    ]
    if random.random() < 0.3:
        pairs.append(
            _pair(
                random,
                random.choice(
                    ("general.name", "general.architecture", "general.alignment", "split.count", word(random)[:60])
                ),
                "",
            )
        )
    tensors = [list(t) for t in row["tensors"]]
    if random.random() < 0.6:
        for _ in range(random.randrange(1, 4)):
            at = random.randrange(len(tensors))
            _change(random, tensors, codes, at)
    return Case(way(random), {"m.gguf": _built(pairs, tensors, codes)})


def _change(random: Random, tensors: list[Any], codes: list[int], at: int) -> None:
    """Change one tensor."""
    kind = random.randrange(5)
    if kind == 0:
        tensors[at] = [random.choice(TENSOR_NAMES) if random.random() < 0.6 else word(random), tensors[at][1]]
    elif kind == 1:
        tensors[at] = [
            tensors[at][0],
            [random.choice((0, 1, 32, 2**31, 2**40, 2**63)) for _ in range(random.randrange(0, 6))],
        ]
    elif kind == 2:
        codes[at] = random.choice((0, 1, 2, 3, 4, 5, 36, 39, 40, 41, 255, 2**31))
    elif kind == 3:
        tensors[at] = tensors[random.randrange(len(tensors))]
    else:
        tensors[at] = [tensors[at][0] + random.choice(("", ".x", "\x1b[2J", "[b]")), tensors[at][1]]


def _built(pairs: list[bytes], tensors: list[Any], codes: list[int]) -> Content:
    """The file; offsets are right where sizes are known."""
    at, rows = 0, []
    for (name, shape), code in zip(tensors, codes, strict=True):
        rows.append(tensor(name.encode("utf-8", "surrogatepass"), tuple(shape), code, min(at, 2**62)))
        known = BY_CODE.get(code)
        size = known.row(shape[0]) if known and shape and shape[0] % known.block == 0 else 0
        for n in shape[1:]:
            size *= n
        at += (size + 31) // 32 * 32
    data = header(pairs, rows)
    return Sparse(data, min((len(data) + 31) // 32 * 32 + at, 2**43))


def large(random: Random) -> Case:
    """Headers near the limits: many tensors, strings, keys, parts."""
    kind = random.randrange(6)
    base = [
        pair("general.architecture", STRING, "llama"),
        pair("llama.block_count", U32, random.choice((1, 512, 2**31))),
    ]
    files: dict[str, Content] = {}
    if kind == 0:
        n = random.choice((20_000, 65_536, 70_000))
        files["m.gguf"] = _built(base, [[f"blk.{i}.attn_q.weight", [32]] for i in range(n)], [0] * n)
    elif kind == 1:
        files["m.gguf"] = header(
            [*base, pair("tokenizer.ggml.tokens", ARRAY, array(STRING, ["t"] * random.choice((300_000, 1_000_000))))],
            [],
        )
    elif kind == 2:
        files["m.gguf"] = header([*base, *(pair(f"k{i}", U8, 1) for i in range(60_000))], [])
    elif kind == 3:
        files["m.gguf"] = header(
            [*base, pair("general.name", STRING, random.choice(("x", "\x1b[2J", "日", "[b]")) * 300_000)], []
        )
    elif kind == 4:
        files["m.gguf"] = header([*base, *([pair("general.name", STRING, "x")] * 60_000)], [])
    else:
        parts, n = random.choice(((40, 3_000), (300, 100), (10, 60_000)))
        for i in range(parts):
            split = [
                pair("split.no", U32, i),
                pair("split.count", U32, parts),
                pair("split.tensors.count", I32, parts * n),
            ]
            rows = [[f"blk.{i * n + j}.attn_q.weight", [32]] for j in range(n)]
            files[f"m-{i + 1:05}-of-{parts:05}.gguf"] = _built([*(base if i == 0 else []), *split], rows, [0] * n)
        return Case(("inspect", f"{{dir}}/m-00001-of-{parts:05}.gguf"), files)
    return Case(way(random), files)


def named(random: Random) -> Case:
    """Files whose names are odd, and what is no file."""
    from benchmarks.attack_cases.case import Odd

    odd = random.choice(
        (
            "m\x1b[2J.gguf",
            "m\u202efugg.gguf",
            "m\n ok.gguf",
            f"{random.choice(MARKUP).replace('/', '')}.gguf",
            "日本.gguf",
            "m.GGUF",
            "-m.gguf",
        )
    )
    content: Content = random.choice(
        (Odd("folder"), Odd("link", "/dev/zero"), Odd("link", "/proc/self/mem"), Odd("link", odd), small(), b"")
    )
    if random.random() < 0.2:
        content = Odd("fifo")
    return Case(("inspect", "{dir}/" + odd, *random.choice(((), ("--json",), ("--lang", "ja")))), {odd: content})
