"""A real client of the Model Context Protocol starts `gyakusan mcp` and asks."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Awaitable, Callable
from typing import Any

import anyio
import jsonschema
import pytest

from gyakusan.python.inspection import inspect

mcp = pytest.importorskip("mcp")
from mcp.client.stdio import stdio_client  # noqa: E402


def asked(talk: Callable[[Any], Awaitable[Any]], *options: str) -> Any:
    """Return what a conversation with the command brings."""

    async def run() -> Any:
        command = mcp.StdioServerParameters(
            command=sys.executable,
            args=["-P", "-m", "gyakusan", "mcp", *options],
            env=dict(os.environ),  # also what traces the children
        )
        async with stdio_client(command) as (reading, writing), mcp.ClientSession(reading, writing) as session:
            await session.initialize()
            return await talk(session)

    return anyio.run(run)


def test_the_tools() -> None:
    found = asked(lambda session: session.list_tools()).tools
    assert [tool.name for tool in found] == ["inspect", "plan", "compare", "record", "why_not"]
    for tool in found:
        jsonschema.Draft202012Validator.check_schema(tool.input_schema)
        assert tool.annotations.read_only_hint
    assert found[-1].input_schema["required"] == ["why_not"]


def test_an_answer_is_that_of_the_command() -> None:
    arguments = {"model": "gpt-oss-20b", "device": "RTX 4090", "context": "131072", "users": "2", "images": False}

    async def talk(session: Any) -> Any:
        return (await session.list_tools()).tools[0], await session.call_tool("inspect", arguments)

    tool, answer = asked(talk)
    expected = inspect("gpt-oss-20b", device="RTX 4090", context=131072, users=2).to_dict("en")
    assert answer.structured_content == expected
    assert json.loads(answer.content[0].text) == expected
    jsonschema.Draft202012Validator(tool.output_schema).validate(answer.structured_content)


def test_several_questions() -> None:
    async def talk(session: Any) -> Any:
        compared = await session.call_tool("compare", {"device": ["RTX 5090", "RTX 4090"], "model": ["gpt-oss-20b"]})
        why = await session.call_tool("why_not", {"device": "RTX 4090", "why_not": "gpt-oss-120b"})
        wrong = await session.call_tool("inspect", {"model": "gpt-oss-20"})
        nothing = await session.call_tool("evil\u202e\x1b", {})
        bare = await session.call_tool("why_not", {})
        return compared, why, wrong, nothing, bare

    compared, why, wrong, nothing, bare = asked(talk, "--lang", "ja")
    assert [row["device"] for row in compared.structured_content["answers"]] == [
        "NVIDIA GeForce RTX 5090",
        "NVIDIA GeForce RTX 4090",
    ]
    assert why.structured_content["why_not"]
    assert wrong.is_error
    assert "gpt-oss-20b" in wrong.content[0].text
    assert "ません" in wrong.content[0].text
    assert nothing.is_error
    assert nothing.content[0].text.startswith("There is no tool evil??. Tools: inspect")
    assert (bare.is_error, bare.content[0].text) == (True, "why_not needs why_not.")
