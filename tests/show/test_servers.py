"""Servers that run: what is said of one that loads, runs, or is started again."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from msgspec import structs
from tests.show.drawing import text_of

from gyakusan.serving.live import Live
from gyakusan.serving.running_servers import RunningServer
from gyakusan.show.servers import screen, state, status
from gyakusan.text import Language, tell
from gyakusan.units import GIB

NOW = datetime(2026, 11, 30, 12, tzinfo=UTC)
ENTRY = RunningServer(name="office", url="http://127.0.0.1:8080/v1", started=(NOW - timedelta(minutes=3)).isoformat())


@pytest.mark.parametrize(
    ("language", "up", "said"),
    [
        ("en", "starts again", "office runs for 3 min; its server has ended and starts again."),
        ("ja", "再起動中", "officeは3分稼働中です。サーバーが終了したため、再起動しています。"),
    ],
)
def test_a_server_that_starts_again_is_not_said_to_run(language: Language, up: str, said: str) -> None:
    """`ps` showed minutes of running while nothing answered."""
    live = Live(starting=True, restarts=1)
    assert tell(state(ENTRY, live, NOW), language) == said
    drawn = text_of(*screen([(ENTRY, live)], NOW), language=language, width=80)
    assert up in drawn
    assert up not in text_of(*screen([(ENTRY, Live())], NOW), language=language, width=80)
    assert max(map(len, drawn.splitlines())) <= 80


def test_the_planned_memory_says_how_far_it_may_grow() -> None:
    """`status` showed 0.5 GiB planned and 3.2 GiB held, as chats that are kept in RAM had grown as planned."""
    grows = structs.replace(ENTRY, bytes=0.5 * GIB, most_bytes=8.6 * GIB, device="RAM")
    live = Live(resident=int(3.2 * GIB))
    drawn = text_of(*status(grows, live, NOW), language="en", width=100)
    assert "0.50 GiB planned on RAM, up to 8.60 as its cache of prompts fills, 3.20 GiB of RAM held now" in drawn
    fixed = structs.replace(grows, most_bytes=0.5 * GIB)
    assert "with use" not in text_of(*status(fixed, live, NOW), language="en", width=100)


def test_what_nobody_has_counted_yet_is_no_zero() -> None:
    """Two answers that were not streamed had 0.0 tokens/s, until they ended."""
    drawn = text_of(*status(ENTRY, Live(answering=2, requests=2, unstreamed=2), NOW), language="en", width=100)
    assert "? tokens/s, prompts and answers together" in drawn
    assert "at the end of answers that are not streamed: 2" in drawn
    idle = text_of(*status(ENTRY, Live(requests=2), NOW), language="en", width=100)
    assert "0.0 tokens/s" in idle
    assert "not streamed" not in idle
