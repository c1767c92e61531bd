"""gyakusan demo: detect, plan, serve, ask, compare, stop: the whole product with a small model."""

from __future__ import annotations

import contextlib
import gc
from typing import TYPE_CHECKING

from cyclopts import App

from gyakusan.cli.options import Screen
from gyakusan.cli.writing import terminal
from gyakusan.core.load import Load
from gyakusan.message import Message, say
from gyakusan.show.tree import Pause, Text, Title, Tree

if TYPE_CHECKING:
    from gyakusan.show.terminal import Terminal

app = App(name="demo", help="Try every step in a minute with a small model.", help_format="plaintext")

USERS, CONTEXT = 4, 2048
PROMPTS = (
    "What is the capital of Japan?",
    "Name three fruits.",
    "Write one sentence about the sea.",
    "What is two plus three?",
)


@app.default
def demo(*, output: Screen = Screen()) -> int:
    """Run `gyakusan demo` and return its exit code."""
    import gyakusan
    from gyakusan.machines import detect
    from gyakusan.show import machine, plan

    screen = terminal(output)
    screen.show(*_head(1, "This computer"), *machine.screen(*detect.detect()))
    screen.show(*_head(2, "What it can serve to 4 people with 8,192 tokens each"))
    screen.show(*plan.screen(gyakusan.plan(users=USERS, context=8192)))
    return _serve(screen)


def _head(number: int, text: str) -> Tree:
    return Pause(), Title(say("{n}. {text}", n=number, text=Message(text)), chapter=True)


def _serve(screen: Terminal) -> int:
    from gyakusan import api
    from gyakusan.serving.buffer_comparison import compare_deployment
    from gyakusan.serving.chat import chat_many
    from gyakusan.serving.server import ServerOptions
    from gyakusan.serving.service import Service, ServiceOptions
    from gyakusan.show import ledger, served

    gc.enable()  # `main` switched it off
    asked = api.deployment("smollm2", load=Load(USERS, CONTEXT), device="cpu", memory=None)
    screen.show(*_head(3, "SmolLM2 for 4 people: the memory it takes"), *ledger.tables(asked.ledger))
    screen.show(*_head(4, "The real server"))
    progress = screen.progress()
    with contextlib.closing(progress), Service(asked, ServiceOptions(ServerOptions(on_progress=progress))) as server:
        progress.close()
        rows = compare_deployment(asked, server.report)
        screen.show(Text(say("OpenAI base URL: {url}", url=server.url)))
        screen.show(*served.answers(PROMPTS, chat_many(server.url, PROMPTS, USERS, 40, server.key)))
    screen.show(*_head(5, "Predicted and reported"), served.comparison(rows))
    right = all(row.exact or (row.kind == "scratch" and abs(row.error_share or 1) <= 0.01) for row in rows)
    screen.show(Text(say("Every buffer was predicted." if right else "Some buffers differ from the prediction.")))
    return 0 if right else 1
