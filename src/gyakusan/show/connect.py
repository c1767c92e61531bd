"""What other programs are told of a running server."""

from __future__ import annotations

from collections.abc import Sequence

from gyakusan.message import Message, say
from gyakusan.serving.access import KEY_VARIABLE
from gyakusan.serving.endpoints import Endpoint
from gyakusan.serving.snippets import Snippet, has_key, key_command
from gyakusan.show.tree import Address, Next, Pause, Text, Title, Tree, Verdict, whole

KEY_TEXTS = {
    "variable": "The key, typed before in the same shell:",
    "secret": "The key, written once:",
    "pasted": "The key to paste:",
}
"""What the command is for that gives a program the key."""


def screen(endpoint: Endpoint, found: Sequence[Snippet]) -> Tree:
    """Return each program with its text, which can be pasted as it stands."""
    parts: Tree = (Verdict((say("Programs reach it at {url}.", url=whole(endpoint.url)),), tone="plain"),)
    if endpoint.key_file is not None:
        parts += (Text(say("The API key is in {path}", path=endpoint.key_file), "note"),)
    elif has_key(endpoint):
        parts += (Text(say("The API key is in the variable {name}.", name=KEY_VARIABLE), "note"),)
    for snippet in found:
        parts += (Pause(), Title(snippet.title, aside=snippet.place))
        parts += tuple(Address(line) for line in snippet.text.split("\n"))
        if command := key_command(endpoint, snippet.key):
            parts += (Text(Message(KEY_TEXTS[snippet.key]), "note"), Address(command))
    return (*parts, Pause(), Next((whole("add --for NAME"), whole("add --curl"))))
