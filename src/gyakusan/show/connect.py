"""What other programs are told of a running server."""

from __future__ import annotations

import urllib.parse
from collections.abc import Sequence

from gyakusan.message import Message, say
from gyakusan.serving.access import KEY_VARIABLE, is_loopback
from gyakusan.serving.endpoints import Endpoint
from gyakusan.serving.snippets import THEIR_KEY, Snippet, has_key, key_command
from gyakusan.show.tree import Address, Next, Pause, Text, Title, Tree, Verdict, whole

KEY_TEXTS = {
    "variable": "The key, typed before in the same shell:",
    "secret": "The key, written once:",
    "pasted": "The key to paste:",
}
"""What the command is for that gives a program the key."""


YOUR_KEY = "YOUR-KEY"
"""Stands where a person types a key that was made for them."""


def only_here(endpoint: Endpoint) -> Message | None:
    """Return that other computers do not reach a server and what lets them in, None where they do."""
    address = urllib.parse.urlsplit(endpoint.url)
    if endpoint.lan_url or not is_loopback(address.hostname or ""):
        return None
    port = address.port or (443 if address.scheme == "https" else 80)
    return say(
        "This address is for programs on this computer only. For other computers start the server with {option}, "
        "or let each of them open a tunnel: {command}",
        option=whole("--host 0.0.0.0"), command=whole(f"ssh -NL {port}:127.0.0.1:{port} USER@THIS-COMPUTER"),
    )  # fmt: skip


def screen(endpoint: Endpoint, found: Sequence[Snippet], elsewhere: str = "") -> Tree:
    """Return each program with its text, which can be pasted as it stands.

    elsewhere: the line for curl on another computer, "" where none reaches the server
    """
    parts: Tree = (Verdict((say("Programs reach it at {url}.", url=whole(endpoint.url)),), tone="plain"),)
    if (note := only_here(endpoint)) is not None:
        parts += (Text(note, "note"),)
    if endpoint.people_keys:
        parts += (
            Text(
                say("People have keys of their own (gyakusan keys add NAME). Each types theirs once in a shell:"),
                "note",
            ),
            Address(f"export {KEY_VARIABLE}={YOUR_KEY}"),
            Text(say("The owner's key is in {path}", path=whole(str(endpoint.key_file))), "note"),
        )
    elif endpoint.key_file is not None:
        parts += (Text(say("The API key is in {path}", path=endpoint.key_file), "note"),)
    elif has_key(endpoint):
        parts += (Text(say("The API key is in the variable {name}.", name=KEY_VARIABLE), "note"),)
    elif not is_loopback(urllib.parse.urlsplit(endpoint.url).hostname or ""):
        parts += (Text(say("No API key was given. If the server asks for one, add --key-file FILE."), "note"),)
    if elsewhere:
        parts += (
            Pause(),
            Text(say("Other computers reach it at {url}", url=whole(endpoint.lan_url))),
            Address(elsewhere),
        )
        if endpoint.read_file is not None or (has_key(endpoint) and not endpoint.people_keys):
            parts += (Text(say("{file}: a file on that computer with the key.", file=THEIR_KEY), "note"),)
    for snippet in found:
        parts += (Pause(), Title(snippet.title, aside=snippet.place))
        parts += tuple(Address(line) for line in snippet.text.split("\n"))
        if command := key_command(endpoint, snippet.key):
            parts += (Text(Message(KEY_TEXTS[snippet.key]), "note"), Address(command))
    return (*parts, Pause(), Next((say("add {flag}", flag="--for curl"), say("add {flag}", flag="--curl"))))
