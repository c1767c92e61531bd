"""The questions of the API as tools of the Model Context Protocol, so that an assistant asks instead of guessing."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import partial
from typing import Any

import anyio.to_thread
from mcp import types
from mcp.server.lowlevel import Server
from msgspec import Struct

from gyakusan._version import __version__
from gyakusan.documents.schema import schema
from gyakusan.documents.writer import plain
from gyakusan.doors.scope import catalogue_only
from gyakusan.doors.text import line
from gyakusan.errors import GyakusanError
from gyakusan.text import Language, tell
from gyakusan.web.openapi import parameters
from gyakusan.web.queries import read
from gyakusan.web.routes import ROUTES, ApiRoute

INSTRUCTIONS = (
    "Facts about running language models on one's own hardware: memory, speed, quality and price, each with how it is known. "
    "Ask inspect for one model on one machine, plan for what to run or buy, compare for several machines."
)
_OF_NAME = {route.name: route for route in ROUTES}


class Tool(Struct, frozen=True):
    """One tool.

    name: as an assistant calls it
    route: whose question it asks
    about: what it is for
    required: parameters that it cannot do without
    """

    name: str
    route: ApiRoute
    about: str
    required: tuple[str, ...] = ()


TOOLS = {
    tool.name: tool
    for tool in (
        *(Tool(name, _OF_NAME[name], _OF_NAME[name].about) for name in ("inspect", "plan", "compare", "record")),
        Tool(
            "why_not", _OF_NAME["plan"], "Why a model or a machine is not among the best, with both numbers.", ("why_not",)
        ),
    )
}  # fmt: skip
"""Every tool by its name."""


def server(language: Language) -> Server[Any]:
    """Return the server of the tools. language: of the sentences in their answers."""
    return Server(
        "gyakusan", version=__version__, instructions=INSTRUCTIONS, on_list_tools=_listed,
        on_call_tool=partial(_called, language),
    )  # fmt: skip


async def serve(language: Language) -> None:
    """Answer on stdin and stdout until stdin ends."""
    from mcp.server.stdio import stdio_server

    made = server(language)
    async with stdio_server() as (reading, writing):
        await made.run(reading, writing, made.create_initialization_options())


async def _listed(context: Any, asked: types.PaginatedRequestParams | None) -> types.ListToolsResult:
    return types.ListToolsResult(tools=[_described(tool) for tool in TOOLS.values()])


def _described(tool: Tool) -> types.Tool:
    given = {p["name"]: {**p["schema"], "description": p["description"]} for p in parameters(tool.route.query)}
    asks = {"type": "object", "properties": given, "required": list(tool.required), "additionalProperties": False}
    told = types.ToolAnnotations(read_only_hint=True, open_world_hint=False)
    return types.Tool(
        name=tool.name, description=tool.about, input_schema=asks, output_schema=_answer_schema(tool.route), annotations=told
    )  # fmt: skip


def _answer_schema(route: ApiRoute) -> dict[str, Any] | None:
    """Return the schema of the answer; None where it may be one of several documents."""
    if len(route.documents) != 1:
        return None
    found = schema(route.documents[0])
    if not route.listed:
        return found
    parts = found.pop("$defs", {})
    listed = {"type": "array", "items": {k: v for k, v in found.items() if not k.startswith("$")}}
    return {"type": "object", "properties": {"answers": listed}, "required": ["answers"], "$defs": parts}


async def _called(language: Language, context: Any, asked: types.CallToolRequestParams) -> types.CallToolResult:
    tool = TOOLS.get(asked.name)
    if tool is None:
        return _failed(f"There is no tool {line(asked.name, 80)}. Tools: {', '.join(TOOLS)}.")
    if missing := [name for name in tool.required if not (asked.arguments or {}).get(name)]:
        return _failed(f"{tool.name} needs {', '.join(missing)}.")
    try:
        found = await anyio.to_thread.run_sync(partial(_answer, tool, asked.arguments or {}, language))
    except GyakusanError as error:
        mend = "" if error.mend is None else " " + tell(error.mend, language)
        return _failed(tell(error.message, language) + mend)
    text = types.TextContent(text=json.dumps(found, ensure_ascii=False))
    return types.CallToolResult(content=[text], structured_content=found)


def _answer(tool: Tool, arguments: Mapping[str, Any], language: Language) -> Any:
    pairs = [(name, word) for name, value in arguments.items() for word in _words(value)]
    with catalogue_only(computer=True):
        found = plain(tool.route.ask(read(tool.route.query, pairs)), language)
    return {"answers": found} if tool.route.listed else found


def _words(value: Any) -> list[str]:
    """Return a value of JSON as the words that an address would have."""
    if isinstance(value, list):
        return [word for part in value for word in _words(part)]
    if value is None:
        return []
    return [str(value).lower() if isinstance(value, bool) else str(value)]


def _failed(text: str) -> types.CallToolResult:
    return types.CallToolResult(content=[types.TextContent(text=text)], is_error=True)
