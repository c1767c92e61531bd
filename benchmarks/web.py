"""How quick the pages are: size of the first page, a drag, a plan that changes, the API beside a static page, memory.

python benchmarks/web.py [--requests 2000]

A drag needs Debian's chromium and playwright; the rest needs neither. Times are of this machine and of one run: the ratios count.
"""

from __future__ import annotations

import argparse
import gzip
import statistics
import sys
import time
from pathlib import Path
from typing import Any

import httpx2

sys.path.insert(0, str(Path(__file__).parent.parent))  # as a script: its folder alone is on the path
from tests.web.browser import CHROMIUM, QUIET, Tab, pages_served

from gyakusan.serving.process_memory import resident_bytes

FIT = "/fit?model=gpt-oss-20b&device=RTX+4090&context=131072&users=2"
FILES = ("page.css", "page.js", "fit.js", "keys.js", "open.js")
PLANS = [
    f"/api/v1/plan?budget=1000000JPY&users={users}&context={context}"
    for users in (1, 2, 4, 8)
    for context in ("8k", "32k")
]
MODELS, CONTEXTS = ("gpt-oss-20b", "qwen3.6-27b", "llama3.1-8b"), (8192, 16384, 32768, 65536)


def main() -> int:
    """Print every figure beside its bar; exit code 1 where one is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--requests", type=int, default=2000)
    asked = parser.parse_args()
    with pages_served() as site, httpx2.Client(base_url=site, timeout=120) as client:
        held = [first_page(client), plans(client), *load(client, asked.requests)]
        held += [drag(site)] if CHROMIUM else []
    return 0 if all(held) else 1


def told(what: str, value: str, bar: str, held: bool) -> bool:
    """Print one figure; whether its bar holds."""
    print(f"{what:48} {value:>16}  {bar:24} {'' if held else 'MISSED'}")
    return held


def first_page(client: httpx2.Client) -> bool:
    """Bytes of the first page with its files, as they are and as they travel."""
    texts = [client.get(FIT).content, *(client.get(f"/static/{name}").content for name in FILES)]
    size, travels = sum(map(len, texts)), sum(len(gzip.compress(t)) for t in texts)
    return told(
        "first page with its files", f"{size / 1e3:.0f} kB ({travels / 1e3:.0f})", "at most 150 kB", size <= 150e3
    )


def plans(client: httpx2.Client) -> bool:
    """A plan over the whole catalogue whose people or context change."""
    client.get(PLANS[0])
    middle = statistics.median(took(client, address) for address in PLANS[1:])
    return told("a plan over the whole catalogue, warm", f"{middle * 1e3:.0f} ms", "under 300 ms", middle < 0.3)


def took(client: httpx2.Client, address: str) -> float:
    """Seconds that one request takes."""
    begun = time.perf_counter()
    client.get(address).raise_for_status()
    return time.perf_counter() - begun


def load(client: httpx2.Client, requests: int) -> list[bool]:
    """Requests a second of the API beside a static file of the same server, and what its memory does meanwhile."""
    pid = server_pid()
    addresses = [
        f"/api/v1/inspect?model={model}&device=RTX+4090&context={context}&users={1 + i % 8}"
        for i in range(8)
        for model in MODELS
        for context in CONTEXTS
    ]
    begun = time.perf_counter()
    fits = [address for address in addresses if client.get(address).json()["fits"]]
    told(
        "every question once, with ways to make it fit",
        f"{(time.perf_counter() - begun) / len(addresses) * 1e3:.0f} ms",
        "",
        True,
    )
    before = resident_bytes(pid) or 0
    rates = {}
    for name, paths in (("static", ["/static/page.js"]), ("api", fits)):
        begun = time.perf_counter()
        for i in range(requests):
            client.get(paths[i % len(paths)])
        rates[name] = requests / (time.perf_counter() - begun)
    grown = ((resident_bytes(pid) or 0) - before) / 2**20
    return [
        told(
            "/api/v1/inspect of what fits, one by one",
            f"{rates['api']:.0f} /s",
            f"200 /s (static {rates['static']:.0f})",
            rates["api"] >= 200,
        ),
        told(f"memory after {2 * requests:,} requests", f"{grown:+.1f} MiB", "flat: under 8 MiB", grown < 8),
    ]


def server_pid() -> int:
    """Process of the server: the youngest child of this one."""
    children = Path(f"/proc/self/task/{Path('/proc/self').resolve().name}/children").read_text().split()
    return int(children[-1])


def drag(site: str) -> bool:
    """From a key on the slider to the new words, for every stop; 95th percentile."""
    from playwright.sync_api import sync_playwright

    script = """() => { const s = document.getElementById("s-users"), times = [];
      for (let n = 0; n < 120; n++) { s.value = n % (Number(s.max) + 1); const t = performance.now();
        s.dispatchEvent(new Event("input", { bubbles: true })); document.body.offsetHeight; times.push(performance.now() - t); }
      return times; }"""
    with sync_playwright() as driver:
        browser: Any = driver.chromium.launch(executable_path=CHROMIUM, args=list(QUIET))
        tab = Tab(browser.new_context())
        begun = time.perf_counter()
        tab.page.goto(site + FIT)
        tab.page.wait_for_selector("#s-users:not([hidden])")
        ready = time.perf_counter() - begun
        times = sorted(tab.page.evaluate(script))
        browser.close()
    late = times[int(len(times) * 0.95)]
    told("Fit can be used after", f"{ready * 1e3:.0f} ms", "under 1 s", ready < 1)
    return told("a drag's answer, 95th percentile", f"{late:.1f} ms", "under 50 ms", late < 50) and ready < 1


if __name__ == "__main__":
    sys.exit(main())
