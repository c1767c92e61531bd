"""Questions, arguments and encodings: what a person types or writes."""

from __future__ import annotations

import json
from random import Random
from typing import Any

from benchmarks.attack_cases.case import ESCAPES, MARKUP, WORDS, Case, Content, Odd, flipped, value, word

QUESTION: dict[str, Any] = {
    "device": "RTX 4090",
    "users": 2,
    "context": "16k",
    "prompt": 1000,
    "answer": 300,
    "task": "chat",
    "language": "en",
    "quant": "Q4_K_M",
    "budget": "500000JPY",
    "currency": "JPY",
    "memory": "24GiB",
    "reserve": "1GiB",
    "bandwidth": "80GB/s",
    "ram": "64GiB",
    "rates": "USD=155",
    "power": 400,
    "outlet": 1500,
    "gpus": 2,
    "os": "linux",
    "brand": "NVIDIA",
    "used": True,
    "speed": 10,
    "first": 5,
    "quality": 30,
    "prefer": "speed",
    "engine": "llama.cpp",
    "kv-type": "q8_0",
    "licenses": "apache-2.0",
    "families": "qwen",
    "model": "gpt-oss-20b",
    "arrivals": "2000/h",
    "computer": "own",
    "also": ["coding:users=2"],
    "images": True,
    "spare": 1,
    "resale": "40000JPY",
}
"""Keys of a question, each with a value that is taken."""
COMMANDS = ("plan", "fleet", "upgrade")
DEEP = (
    b"a=" + b"[" * 5000,
    b"[" * 100_000,
    b"{" * 3000,
    b"a" + b".a" * 20_000 + b"=1",
    b'{"a":' * 50_000,
    b"[[a]]\n" * 20_000,
    b"#" * 300_000,
    b"\x00" * 1000,
    b"a='''" + b"x" * 10_000,
    b"\xff\xfe",
    b"",
    b"a=1\n" * 1000,
)


def question(random: Random) -> Case:
    """A file for plan, fleet, upgrade or compare --plan. Most are refused: a plan takes a second."""
    name = random.choice(("q.toml", "q.json", "q"))
    if random.random() < 0.25:
        text = random.choice(DEEP)
    else:
        said = {k: QUESTION[k] for k in random.sample(sorted(QUESTION), random.randrange(1, 6))}
        said[random.choice((*QUESTION, word(random)))] = value(random)
        text = toml(said) if name == "q.toml" else json.dumps(said).encode()
        if random.random() < 0.3:
            text = flipped(random, text)
    content: Content = (
        text
        if random.random() < 0.95
        else random.choice((Odd("folder"), Odd("link", "/dev/zero"), Odd("link", "/proc/kcore")))
    )
    command = ("compare", "--plan") if random.random() < 0.1 else (random.choice(COMMANDS),)
    return Case((*command, "{dir}/" + name, *random.choice(((), ("--json",), ("--lang", "ja")))), {name: content})


def toml(said: dict[str, Any]) -> bytes:
    """A file of TOML, not always a right one."""
    lines = []
    for key, v in said.items():
        written = (
            json.dumps(v, ensure_ascii=False).replace("null", '""').replace("Infinity", "inf").replace("NaN", "nan")
        )
        lines.append(f"{key if key.isidentifier() else json.dumps(key, ensure_ascii=False)} = {written}")
    return "\n".join(lines).encode("utf-8", "surrogatepass")


AMOUNTS = (
    "1e30",
    "0",
    "-1",
    "-0",
    "１２",
    "٣",
    "",
    " ",
    "NaN",
    "inf",
    "1e308",
    "1e-308",
    "0x10",
    "1_000",
    "1,000",
    "9" * 400,
    "24GiB",
    "1e400GiB",
    "-5k",
    "24 parsecs",
    "½",
    "1/0",
    "max",
    "1" + "k" * 50,
    "+",
    "1e30JPY",
    "0JPY",
    "1JPY",
)
PLACES = (
    "/dev/zero",
    "/",
    "~nosuch/x.gguf",
    "/proc/self/environ",
    "/dev/stdin",
    "http://127.0.0.1:99999/x.gguf",
    "file:///etc/passwd",
    "hf:",
    "hf:a/b/c/d",
    "ollama:",
    "ollama:../..",
    "http://[::1",
    "https://",
    "ftp://x/y",
    "catalog:nothing",
    ".",
    "..",
    "\x00",
    "x" * 5000,
    "con:",
    "//host/share",
    "hf:\x1b[2J/x",
    "http://user:secret@127.0.0.1:1/x.gguf",
)
OPTIONS = {
    "inspect": (
        "--quant",
        "--prompt",
        "--context",
        "--users",
        "--device",
        "--memory",
        "--reserve",
        "--bandwidth",
        "--ram",
        "--engine",
        "--set",
        "--kv-type",
        "--batch",
        "--ubatch",
        "--lang",
    ),
    "plan": (
        "--users",
        "--arrivals",
        "--context",
        "--prompt",
        "--answer",
        "--task",
        "--device",
        "--memory",
        "--budget",
        "--currency",
        "--rates",
        "--power",
        "--gpus",
        "--speed",
        "--first",
        "--quality",
        "--engine",
        "--licenses",
        "--families",
        "--model",
        "--also",
        "--details",
        "--why-not",
        "--save",
    ),
    "fleet": ("--users", "--arrivals", "--spare", "--device", "--budget", "--details", "--command"),
    "upgrade": ("--device", "--resale", "--budget", "--users", "--model"),
    "compare": ("--model", "--plan", "--quant", "--context", "--users", "--kv-type"),
    "serve": ("--port", "--host", "--threads", "--key-file", "--log-file", "--context", "--users", "--set", "--device"),
    "catalog list": ("--search", "--memory", "--language"),
    "catalog show": (),
    "catalog check": (),
    "catalog add": (),
    "catalog update": ("--address", "--key"),
}
FIRST = {"inspect": "gpt-oss-20b", "catalog list": "models", "catalog show": "RTX 5090", "compare": "RTX 5090"}


def argument(random: Random) -> Case:
    """A command with an absurd argument, or three."""
    command = random.choice(sorted(OPTIONS))
    said = command.split()
    if command in ("catalog show", "catalog check", "catalog add") or random.random() < 0.35:
        said.append(random.choice((*PLACES, *WORDS, word(random))))
    elif command in FIRST:
        said.append(FIRST[command])
    for _ in range(random.randrange(1, 4)):
        if OPTIONS[command]:
            said += [
                random.choice(OPTIONS[command]),
                random.choice((*AMOUNTS, *AMOUNTS, *WORDS, *PLACES[:6], word(random))),
            ]
    if command == "serve":
        said.append("--dry-run")
    if command in ("plan", "fleet", "upgrade") and random.random() < 0.7:  # a whole plan takes a second
        said += ["--users", random.choice(("-1", "x", ""))]
    said += random.choice(((), ("--json",), ("--lang", "ja"), ("--help",)))
    return Case(tuple(said))


ENCODINGS = (
    "cp932",
    "euc-jp",
    "iso2022-jp",
    "latin-1",
    "cp1252",
    "ascii",
    "utf-16",
    "utf-8",
    "cp437",
    "koi8-r",
    "shift_jis",
    "gbk",
)
SPOKEN: tuple[tuple[str, ...], ...] = (
    ("inspect", "gpt-oss-20b", "--device", "RTX 4090"),
    ("catalog", "list", "devices", "--search", "50"),
    ("catalog", "show", "RTX 5090"),
    ("catalog", "sources"),
    ("compare", "RTX 5090", "RTX 4090", "--model", "gpt-oss-20b"),
    ("inspect", "nosuch"),
    ("inspect", "--help"),
    ("plan", "--help"),
    ("accuracy", "speed"),
    ("inspect", "gpt-oss-20b", "--why", "--device", "RTX 4090"),
    ("plan", "--users", "x"),
    ("inspect", "日本語"),
    ("catalog", "show", "{odd}"),
    ("inspect", "gpt-oss-20b", "--json"),
    ("schema", "plan"),
)
WIDTHS = ("", "0", "1", "5", "20", "40", "79", "10000", "-1", "x", "1e3", "９９")


def encoding(random: Random) -> Case:
    """Terminals of every encoding, width and language."""
    said = [a.replace("{odd}", random.choice((*ESCAPES, *MARKUP))) for a in random.choice(SPOKEN)]
    environment = {
        "COLUMNS": random.choice(WIDTHS),
        "TERM": random.choice(("", "dumb", "xterm-256color", "x" * 300)),
        "GYAKUSAN_LANG": random.choice(("ja", "en", "xx", "")),
    }
    return Case(
        (*said, *random.choice(((), ("--lang", "ja")))), environment=environment, encoding=random.choice(ENCODINGS)
    )
