"""Questions, arguments, records, scores, releases, saved answers, encodings: what a person or a program writes."""

from __future__ import annotations

import json
from collections.abc import Callable
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


def question(random: Random) -> Case:
    """A file for plan, fleet, upgrade or compare --plan. Most are refused: a plan takes a second."""
    name = random.choice(("q.toml", "q.json", "q"))
    if random.random() < 0.25:
        text = random.choice(DEEP)
    else:
        said = {k: QUESTION[k] for k in random.sample(sorted(QUESTION), random.randrange(1, 6))}
        said[random.choice((*QUESTION, word(random)))] = value(random)
        text = _toml(said) if name == "q.toml" else json.dumps(said).encode()
        if random.random() < 0.3:
            text = flipped(random, text)
    content: Content = (
        text
        if random.random() < 0.95
        else random.choice((Odd("folder"), Odd("link", "/dev/zero"), Odd("link", "/proc/kcore")))
    )
    command = ("compare", "--plan") if random.random() < 0.1 else (random.choice(COMMANDS),)
    return Case((*command, "{dir}/" + name, *random.choice(((), ("--json",), ("--lang", "ja")))), {name: content})


def _toml(said: dict[str, Any]) -> bytes:
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
            lines[at] = f"{key} = {_toml({'x': value(random)}).decode('utf-8', 'replace')[4:]}"
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
        else _toml(base)
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


KINDS: dict[str, Callable[[Random], Case]] = {
    "questions in TOML and JSON": question,
    "absurd arguments": argument,
    "records of one's own": record,
    "scores of one's own": scores,
    "kept releases": kept_release,
    "saved answers": saved,
    "encodings and widths": encoding,
}
