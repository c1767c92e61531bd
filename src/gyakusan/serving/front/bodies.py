"""What a request may ask of the server: answers, lists, schemas, grammars, images."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import msgspec

from gyakusan.serving.front.grammars import check_grammar
from gyakusan.serving.front.limits import Limits
from gyakusan.serving.front.refusal import Refusal
from gyakusan.serving.front.schemas import check_schema

_CHOICES = ("n", "n_cmpl", "best_of")
_PROBABILITIES = ("n_probs", "top_logprobs", "logprobs")
_LISTS = ("stop", "stop_sequences", "logit_bias", "samplers", "dry_sequence_breakers", "response_fields", "lora")
_OWNERS = ("grammar_triggers", "grammar_lazy", "id_slot", "chat_template", "preserved_tokens")
"""Fields that change how the server works for others, or patterns that it runs unchecked."""


def check_body(body: bytes, limits: Limits, *, keyed: bool) -> dict[str, Any]:
    """Return the JSON of a request. Raises Refusal for what would keep the server from its other clients."""
    try:
        asked = msgspec.json.decode(body)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        raise Refusal(400, "bad_json", "The body is not JSON.") from None
    if not isinstance(asked, dict):
        raise Refusal(400, "bad_json", "The body has to be a JSON object.")
    _check_numbers(asked, limits)
    _check_lists(asked, limits)
    for name in _OWNERS:
        value = asked.get(name)
        if value not in (None, [], -1) and value is not False:
            raise Refusal(400, "not_allowed", f"This server does not take {name}.")
    if isinstance(grammar := asked.get("grammar"), str):
        check_grammar(grammar, limits, recursion=not keyed)
    for schema in _schemas(asked):
        check_schema(schema, limits)
    for url in _images(asked):
        if not url.startswith("data:"):
            raise Refusal(400, "not_allowed", "This server fetches no images: send them as data: URLs.")
    return asked


def _check_numbers(asked: dict[str, Any], limits: Limits) -> None:
    for names, largest in ((_CHOICES, limits.choices), (_PROBABILITIES, limits.probabilities)):
        for name in names:
            value = asked.get(name, 0)
            if isinstance(value, int | float) and value > largest:
                raise Refusal(400, "too_many", f"{name} is at most {largest} here.")


def _check_lists(asked: dict[str, Any], limits: Limits) -> None:
    for name in _LISTS:
        value = asked.get(name)
        if isinstance(value, list | dict | str) and len(value) > limits.list:
            raise Refusal(400, "too_many", f"{name} has at most {limits.list} entries here.")
    for name in ("prompt", "input", "documents"):
        value = asked.get(name)
        texts = sum(not isinstance(v, int) for v in value) if isinstance(value, list) else 0
        if texts > limits.list:
            raise Refusal(400, "too_many", f"{name} has at most {limits.list} texts here.")


def _schemas(asked: dict[str, Any]) -> Iterator[Any]:
    """Yield every schema that the server would turn into a grammar; those of all tools count as one."""
    yield from _found(asked, "json_schema")
    yield from _found(asked, "response_format", "json_schema", "schema")
    yield from _found(asked, "response_format", "schema")
    yield from _found(asked, "text", "format", "schema")
    yield from _found(asked, "output_format", "schema")
    tools = asked.get("tools")
    if isinstance(tools, list):
        yield {"anyOf": [*_each(tools, _of_tool)]}


def _found(asked: dict[str, Any], *path: str) -> Iterator[Any]:
    value: Any = asked
    for name in path:
        value = value.get(name) if isinstance(value, dict) else None
    if value is not None:
        yield value


def _of_tool(tool: dict[str, Any]) -> Iterator[Any]:
    yield from _found(tool, "function", "parameters")
    yield from _found(tool, "parameters")
    yield from _found(tool, "input_schema")


def _each(values: list[Any], of_one: Callable[[dict[str, Any]], Iterator[Any]]) -> Iterator[Any]:
    for value in values:
        if isinstance(value, dict):
            yield from of_one(value)


def _images(asked: dict[str, Any]) -> Iterator[str]:
    """Yield the address of every image and sound in the conversation."""
    told = [asked.get(name) for name in ("messages", "input")]
    for message in [m for messages in told if isinstance(messages, list) for m in messages]:
        content = message.get("content") if isinstance(message, dict) else None
        yield from _each(content, _address) if isinstance(content, list) else ()


def _address(part: dict[str, Any]) -> Iterator[str]:
    for name in ("image_url", "audio_url", "video_url", "input_video"):
        value = part.get(name)
        url = value.get("url") if isinstance(value, dict) else value
        if isinstance(url, str):
            yield url
    source = part.get("source")
    if isinstance(source, dict) and isinstance(source.get("url"), str):
        yield source["url"]
