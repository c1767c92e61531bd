"""The server that is loaded: its address as it was typed, its key, and what it says about itself."""

from __future__ import annotations

import os
import re
import socket
from dataclasses import dataclass, replace
from typing import Any

import msgspec

from gyakusan.errors import BadSetting
from gyakusan.load_testing.connection import Target
from gyakusan.load_testing.stream import printable
from gyakusan.serving.access import KEY_VARIABLE, is_loopback, split_address

LARGEST_FACT = 2**20
"""No more is read of what a server says about itself. [B]"""
PATIENCE = 5.0
"""How long a server may take to say it. [s]"""
_KEY = re.compile(r"[\x21-\x7e]{1,4096}")
_PAGES = re.compile(r"(/chat/completions|/completions|/models)?/*$")


@dataclass(frozen=True, slots=True)
class ServerFacts:
    """What a server says about itself, "" and None where it does not.

    model: the first model in its list
    build: of the program
    slots: conversations that it answers at once
    context: of each conversation [tokens]
    """

    model: str = ""
    build: str = ""
    slots: int | None = None
    context: int | None = None


def target_of(text: str, key: str | None = None) -> Target:
    """Return where requests for an address go. Raises BadSetting.

    text: e.g. http://127.0.0.1:8080, with or without /v1; key: None takes that of the environment, if there is one.
    """
    parts = split_address(text if "://" in text else f"http://{text}")
    base = _PAGES.sub("", parts.path) or "/v1"
    tls = parts.scheme == "https"
    return Target(
        parts.hostname or "", parts.port or (443 if tls else 80), f"{base}/chat/completions", tls, checked_key(key)
    )


def checked_key(key: str | None) -> str | None:
    """Return the key, that of the environment if none is given. Raises BadSetting for one that no header can hold."""
    found = key or os.environ.get(KEY_VARIABLE) or None
    if found is not None and not _KEY.fullmatch(found):
        raise BadSetting("The API key holds a blank or a character that is not ASCII.", mend="Check the key file.")
    return found


def address(target: Target) -> str:
    """Return the address for people and for the store: without a key, in one spelling."""
    host = f"[{target.host}]" if ":" in target.host else target.host
    return f"{'https' if target.tls else 'http'}://{host}:{target.port}{target.path.removesuffix('/chat/completions')}"


def is_here(target: Target) -> bool:
    """Return True if the server runs on this computer."""
    return is_loopback(target.host)


USERS = (1, 2, 4, 8)
"""People at a time of the loads of a bench, unless somebody names them."""
NO_BUILD = "b0-"
"""How the build of a program begins that was built outside a repository: it does not know its number."""


def facts_of(target: Target) -> ServerFacts:
    """Return what the server says about itself. Never raises: a server need not say anything."""
    models = _asked(target, target.path.removesuffix("/chat/completions") + "/models")
    root = target.path.removesuffix("/chat/completions").removesuffix("/v1")
    return _with_properties(ServerFacts(_model(models)), _asked(target, f"{root}/props"))


def usual_users(target: Target) -> tuple[int, ...]:
    """Return the people at a time of a bench's loads: up to the slots of a server that tells them. Never raises."""
    return loads_within(facts_of(target).slots)


def loads_within(slots: int | None) -> tuple[int, ...]:
    """Return the people at a time of the loads that a bench has without options. slots: of the server, None = not known."""
    return USERS if slots is None else tuple(n for n in USERS if n <= max(1, slots))


def _with_properties(facts: ServerFacts, told: Any) -> ServerFacts:
    """Return the facts with those of /props, which llama-server has."""
    if not isinstance(told, dict):
        return facts
    settings = told.get("default_generation_settings")
    context = settings.get("n_ctx") if isinstance(settings, dict) else None
    build = told.get("build_info")
    return replace(
        facts,
        build=printable(build) if isinstance(build, str) and not build.startswith(NO_BUILD) else "",
        slots=_count(told.get("total_slots")),
        context=_count(context),
    )


def _model(told: Any) -> str:
    data = told.get("data") if isinstance(told, dict) else None
    first = data[0] if isinstance(data, list) and data else None
    name = first.get("id") if isinstance(first, dict) else None
    return name if isinstance(name, str) and len(name) <= 300 and name.isprintable() else ""


def _count(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 < value < 2**40 else None


def _asked(target: Target, path: str) -> Any:
    """Return the JSON of a page of the server, None where there is none."""
    import http.client

    made = http.client.HTTPSConnection if target.tls else http.client.HTTPConnection
    connection = made(target.host, target.port, timeout=PATIENCE)
    headers = {"Authorization": f"Bearer {target.key}"} if target.key else {}
    try:
        connection.request("GET", path, headers=headers)
        response = connection.getresponse()
        raw = response.read(LARGEST_FACT)
        return msgspec.json.decode(raw) if response.status == 200 else None
    except (OSError, http.client.HTTPException, msgspec.DecodeError, ValueError, RecursionError):
        return None
    finally:
        connection.close()


def is_host(name: str) -> bool:
    """Return True for a name with a dot or a port, and for one that this network knows: else a server's name is meant."""
    if set(".:") & set(name):
        return True
    try:
        socket.getaddrinfo(name, None)
    except (OSError, UnicodeError):
        return False
    return True
