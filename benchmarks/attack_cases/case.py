"""One hostile input, and words that hostile inputs share."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

ESCAPES = (
    "\x1b]52;c;cm0gLXJmIH4=\x07",
    "\x1b[2J\x1b[1A",
    "\x9b31m",
    "\x1b]0;pwned\x07",
    "\u202egnp.exe",
    "\u2066x\u2069",
    "\x00",
    "\x08" * 9,
    "\r\nok: fits",
    "\u2028line",
    "\x7f",
    "\x85",
    "\u200e\u200f",
    "\u061c",
)
MARKUP = (
    "[/b]",
    "[red]x",
    "[link=file:///etc/passwd]x[/link]",
    "{0}",
    "{x.__class__}",
    "%s%n",
    "${HOME}",
    "`id`",
    "';--",
)
NUMBERS: tuple[Any, ...] = (
    0,
    -1,
    1,
    2,
    7,
    255,
    2**16,
    2**31 - 1,
    2**31,
    2**32 - 1,
    2**32,
    2**53 + 1,
    2**62,
    2**63 - 1,
    2**64 - 1,
    -(2**31),
    -(2**63),
    0.5,
    -0.0,
    1e-320,
    1e30,
    1e308,
    float("inf"),
    float("-inf"),
    float("nan"),
    True,
    False,
)
WORDS = (
    "",
    " ",
    "\t",
    "x" * 5000,
    "日本語",
    "👩‍👩‍👧‍👦",
    "ｆｕｌｌ",
    "٣",
    "１２",
    "ß" * 300,
    "a\u0301" * 200,
    "con",
    "../../etc/passwd",
    "-",
    "--",
    "~nosuch/x",
    "NaN",
    "null",
    "1e308",
)


@dataclass(frozen=True, slots=True)
class Sparse:
    """A file that begins with some bytes and has a hole behind them.

    head: its bytes; size: of all of it [B]
    """

    head: bytes
    size: int


@dataclass(frozen=True, slots=True)
class Odd:
    """What is no regular file.

    what: fifo, folder or link; to: target of a link
    """

    what: str
    to: str = ""


Content = bytes | Sparse | Odd


@dataclass(frozen=True, slots=True)
class Case:
    """One run of the command.

    arguments: {dir} stands for the folder of the case, {web} for the address of its server
    files: by name, below the folder
    environment: added to a bare one; {dir} and {web} as above
    pages: raw answers of its server, by path; "" answers everything else
    encoding: of stdout and stderr
    alone: True if it needs a process of its own, because what is read is kept by name
    """

    arguments: tuple[str, ...]
    files: Mapping[str, Content] = field(default_factory=dict)
    environment: Mapping[str, str] = field(default_factory=dict)
    pages: Mapping[str, bytes] = field(default_factory=dict)
    encoding: str = "utf-8"
    alone: bool = False


def write(case: Case, folder: Path) -> None:
    """Write the files of a case."""
    for name, content in case.files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(content, Odd):
            if content.what == "fifo":
                os.mkfifo(path)
            elif content.what == "folder":
                path.mkdir()
            else:
                path.symlink_to(content.to)
        elif isinstance(content, Sparse):
            path.write_bytes(content.head)
            os.truncate(path, max(content.size, len(content.head)))
        else:
            path.write_bytes(content)


def word(random: Random) -> str:
    """A hostile text."""
    kind = random.randrange(4)
    if kind == 0:
        return random.choice(ESCAPES)
    if kind == 1:
        return "name" + random.choice(ESCAPES) + random.choice(MARKUP)
    return random.choice(MARKUP) if kind == 2 else random.choice(WORDS)


def value(random: Random, depth: int = 2) -> Any:
    """A hostile value, as JSON has them."""
    kind = random.randrange(8 if depth else 5)
    if kind < 3:
        return random.choice(NUMBERS)
    if kind == 3:
        return word(random)
    if kind == 4:
        return random.choice((None, [], {}, [None], [[]], {"": None}, "1", "0x10", [1] * 300))
    if kind < 7:
        return [value(random, depth - 1) for _ in range(random.randrange(4))]
    return {word(random)[:40]: value(random, depth - 1) for _ in range(random.randrange(3))}


def flipped(random: Random, data: bytes) -> bytes:
    """Bytes with flips, cuts, splices of themselves, or a count that lies."""
    out = bytearray(data)
    for _ in range(random.randrange(1, 4)):
        if not out:
            break
        at = random.randrange(len(out))
        kind = random.randrange(6)
        if kind == 0:
            for _ in range(random.randrange(1, 20)):
                out[random.randrange(len(out))] ^= 1 << random.randrange(8)
        elif kind == 1:
            del out[at:]
        elif kind == 2:
            other = random.randrange(len(out))
            out[at:at] = out[other : other + random.randrange(1, 200)]
        elif kind == 3:
            n = random.choice((0, 1, 2**31, 2**32 - 1, 2**40, 2**63 - 1, 2**63, 2**64 - 1))
            out[at : at + 8] = n.to_bytes(8, "little")
        elif kind == 4:
            del out[at : at + random.randrange(1, 50)]
        else:
            out[at : at + 4] = random.randbytes(4)
    return bytes(out)
