"""How quickly is a header read? From disk and over HTTP, from the file of a 400 GB model (sparse: header and a hole).

    python benchmarks/header_reading.py [--file MODEL.gguf] [--json]

One row for each file and way: seconds (median of 5), peak of Python's memory [B], requests and bytes fetched (HTTP).
"""

from __future__ import annotations

import argparse
import json
import os
import re
import statistics
import struct
import tempfile
import threading
import time
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from gyakusan.models.formats import gguf
from gyakusan.models.sources import Source, http

RUNS = 5
TENSORS = 2_000
VOCABULARY = 256_000
ROWS = 46_000
"""Rows of 4,096 Q8_0 values in each tensor: 2,000 of them are 400 GB."""


@dataclass(frozen=True, slots=True)
class Row:
    """One measurement."""

    file: str
    way: str
    size: int
    seconds: float
    peak: int
    requests: int = 0
    fetched: int = 0


def text(value: str) -> bytes:
    return struct.pack("<Q", len(value)) + value.encode()


def strings(key: str, word: str) -> bytes:
    body = b"".join(text(f"{word}{i}") for i in range(VOCABULARY))
    return text(key) + struct.pack("<IIQ", 9, 8, VOCABULARY) + body


def numbers(key: str) -> bytes:
    return text(key) + struct.pack("<IIQ", 9, 6, VOCABULARY) + bytes(4 * VOCABULARY)


def make(path: Path) -> Path:
    """A 400 GB file with a large vocabulary, of which only the header takes room."""
    size = 4096 // 32 * 34 * ROWS
    keys = [
        text("general.architecture") + struct.pack("<I", 8) + text("llama"),
        strings("tokenizer.ggml.tokens", "tok"),
        numbers("tokenizer.ggml.scores"),
        numbers("tokenizer.ggml.token_type"),
        strings("tokenizer.ggml.merges", "to k"),
    ]
    tensors = [text(f"blk.{i}.weight") + struct.pack("<IQQIQ", 2, 4096, ROWS, 8, i * size) for i in range(TENSORS)]
    head = b"GGUF" + struct.pack("<IQQ", 3, len(tensors), len(keys)) + b"".join(keys + tensors)
    path.write_bytes(head)
    os.truncate(path, (len(head) + 31) // 32 * 32 + TENSORS * size)
    return path


@contextmanager
def serving(path: Path, log: list[int]) -> Iterator[str]:
    """`path` at an address on loopback; log: bytes sent for each request."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            size = path.stat().st_size
            match = re.fullmatch(r"bytes=(\d+)-(\d+)", self.headers["Range"])
            assert match is not None
            start, stop = int(match[1]), min(int(match[2]) + 1, size)
            log.append(stop - start)
            self.send_response(206)
            self.send_header("Content-Range", f"bytes {start}-{stop - 1}/{size}")
            self.send_header("Content-Length", str(stop - start))
            self.end_headers()
            with path.open("rb") as file:
                file.seek(start)
                self.wfile.write(file.read(stop - start))

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/{path.name}"
    finally:
        server.shutdown()
        server.server_close()


def timed(where: str, opener: Callable[[str], Source]) -> float:
    began = time.perf_counter()
    gguf.read_parts(where, opener)
    return time.perf_counter() - began


def measure(name: str, way: str, where: str, opener: Callable[[str], Source], log: list[int]) -> Row:
    seconds = statistics.median(timed(where, opener) for _ in range(RUNS))
    log.clear()
    tracemalloc.start()
    header = gguf.read_parts(where, opener)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return Row(name, way, header.size or 0, seconds, peak, len(log), sum(log))


def rows(files: dict[str, Path]) -> Iterator[Row]:
    for name, path in files.items():
        yield measure(name, "disk", str(path), files.open, [])
        log: list[int] = []
        with serving(path, log) as url:
            yield measure(name, "http", url, http.open, log)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--file", type=Path, help="a GGUF file to measure as well")
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        files = {"sparse 400 GB": make(Path(folder) / "huge.gguf")}
        if asked.file:
            files[asked.file.name] = asked.file
        found = list(rows(files))
    if asked.json:
        print(json.dumps([asdict(row) for row in found], indent=1))
        return
    for row in found:
        web = f"  {row.requests} requests, {row.fetched / 2**20:.1f} MiB" if row.requests else ""
        print(f"{row.file:40} {row.way}  {row.seconds * 1e3:7.1f} ms  peak {row.peak / 2**20:5.1f} MiB{web}")


if __name__ == "__main__":
    main()
