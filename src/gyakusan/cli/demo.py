"""gyakusan demo: detect, plan, serve, ask, compare, stop: the whole product with a small model."""

from __future__ import annotations

from cyclopts import App
from rich.console import Console

from gyakusan.cli.options import Screen
from gyakusan.core.load import Load
from gyakusan.message import say
from gyakusan.show.wrapping import Text
from gyakusan.text import Language, tell

app = App(name="demo", help="All of it in a minute, with a small model.", help_format="plaintext")

USERS, CONTEXT = 4, 2048
PROMPTS = (
    "What is the capital of Japan?",
    "Name three fruits.",
    "Write one sentence about the sea.",
    "What is two plus three?",
)


@app.default
def demo(*, output: Screen = Screen()) -> int:
    from gyakusan.machines.detect import detect as ask
    from gyakusan.show.console import console

    screen, language = console(colour=output.color), output.language
    _head(screen, language, 1, "This computer")
    machine, notes = ask()
    from gyakusan.show.machine import table as machine_table

    screen.print(machine_table(machine, notes, language))
    _head(screen, language, 2, "What it could serve to 4 people with 8192 tokens each")
    _plan(screen, language)
    return _serve(screen, language)


def _head(screen: Console, language: Language, number: int, text: str) -> None:
    screen.print(Text(f"\n{number}. {tell(text, language)}", style="bold underline"))


def _plan(screen: Console, language: Language) -> None:
    from gyakusan import api
    from gyakusan.show.plan import screen as plans

    screen.print(plans(api.plan(users=USERS, context=8192), language))


def _serve(screen: Console, language: Language) -> int:
    from gyakusan import api
    from gyakusan.serving.chat import chat_many
    from gyakusan.serving.server import Server
    from gyakusan.show.ledger import ledger
    from gyakusan.show.served import Progress, answers, comparison

    _head(screen, language, 3, "SmolLM2 for 4 people: what it needs")
    asked = api.question("smollm2", load=Load(USERS, CONTEXT), device="cpu", memory=None)
    screen.print(ledger(asked.ledger, None, language))
    _head(screen, language, 4, "The real server")
    progress = Progress(screen, language)
    with Server(asked.model.source, asked.engine_settings, on_progress=progress) as server:
        progress.close()
        rows = asked.compared(server.reported)
        screen.print(tell(say("OpenAI base URL: {url}", url=server.url), language))
        screen.print(answers(PROMPTS, chat_many(server.url, PROMPTS, USERS, 40, server.key), language))
    _head(screen, language, 5, "Predicted and reported")
    screen.print(comparison(rows, language))
    right = all(row.exact or (row.kind == "scratch" and abs(row.error_share or 1) <= 0.01) for row in rows)
    screen.print(tell("Every buffer was predicted." if right else "Some buffers were not predicted.", language))
    return 0 if right else 1
