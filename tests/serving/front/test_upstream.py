"""A server that closes a connection at the moment of the next request, and one that is gone."""

from __future__ import annotations

import asyncio

import httpx2
import pytest

from gyakusan.serving.front.refusal import Refusal
from gyakusan.serving.front.upstream import Target, Upstream

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"


async def asked(most: int, requests: int) -> tuple[list[int], int]:
    """Statuses, and connections that were opened. most: requests on one connection; the next is cut off without a word."""
    opened, ended = 0, asyncio.Semaphore(0)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal opened
        opened += 1
        try:
            for _ in range(most):
                await reader.readuntil(b"\r\n\r\n")
                writer.write(ANSWER)
            await reader.readuntil(b"\r\n\r\n")
        except asyncio.IncompleteReadError:
            pass
        finally:
            writer.close()
            ended.release()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    upstream = Upstream()
    upstream.target = Target(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", "key")
    statuses = []
    try:
        for _ in range(requests):
            async with upstream.ask("GET", "/v1/models", b"") as response:
                statuses.append(response.status_code)
                await response.aread()
    finally:
        await upstream.close()
        for _ in range(opened):
            await ended.acquire()
        await asyncio.sleep(0)  # transports close in the next turn
        server.close()
    return statuses, opened


def test_a_request_that_is_cut_off_without_a_word_is_sent_once_more() -> None:
    assert asyncio.run(asked(most=1, requests=3)) == ([200, 200, 200], 3)
    with pytest.raises(httpx2.RemoteProtocolError):
        asyncio.run(asked(most=0, requests=1))


def test_a_server_that_is_gone() -> None:
    async def ask() -> None:
        upstream = Upstream()
        upstream.target = Target("http://127.0.0.1:9")
        try:
            async with upstream.ask("GET", "/health", b""):
                pass
        finally:
            await upstream.close()

    with pytest.raises(Refusal) as refused:
        asyncio.run(ask())
    assert refused.value.status == 503
