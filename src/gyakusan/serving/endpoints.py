"""Which running server is meant: by its address, by the name under which it was started, or the only one that answers."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path

from gyakusan.doors import files
from gyakusan.doors.notices import notice
from gyakusan.engines.registry import NAMES, engine
from gyakusan.errors import BadReference, ServerError, did_you_mean
from gyakusan.message import quoted, say
from gyakusan.serving.access import split_address
from gyakusan.serving.conversation import is_up, models_at
from gyakusan.serving.running_servers import RunningServer, running

LARGEST = 100_000
"""No more is read of a file with a key. [B]"""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A server that people talk to.

    name: as it was started, "" for an address
    url: its OpenAI base, e.g. http://127.0.0.1:8080/v1
    key_file: file with its key, None = it asks for none that we know
    key: the key, never shown
    public_url: its OpenAI base for other programs where that is another one: of an encrypted server
    certificate: file by which they know a self-signed server, None where none is needed
    lan_url: its OpenAI base as other computers reach it, "" if none does or nobody knows
    """

    name: str
    url: str
    key_file: Path | None = None
    key: str | None = field(default=None, repr=False)
    public_url: str = ""
    certificate: Path | None = None
    lan_url: str = ""

    @property
    def shown(self) -> Endpoint:
        """The same as other programs are told of it."""
        return replace(self, url=self.public_url or self.url)


def find_endpoint(text: str | None, key_file: str | None = None) -> Endpoint:
    """Return the server that an address or a name means; None = the only one that runs here.

    Raises BadReference, BadSetting, SourceError.
    """
    if text is not None and "://" in text:
        return _keyed(Endpoint("", base(text)), key_file)
    known = started()
    if text is not None:
        found = next((e for e in known if e.name == text), None)
        if found is None:
            near = ", ".join(did_you_mean(text, [e.name for e in known]) or [e.name for e in known]) or "-"
            raise BadReference(
                "No server is called {name}.", name=quoted(text, 80, mark='"'), near=near,
                mend="Name one that runs ({near}), or its address: http://127.0.0.1:8080/v1",
            )  # fmt: skip
        return _keyed(found, key_file)
    ours = [e for e in known if answers(e)]
    alive = ours or [e for e in usual() if answers(e)]
    if len(alive) == 1:  # nobody named the address: a key is not shown to whatever listens there
        if not ours:
            notice(say("No server of gyakusan runs here: this is the one at {url}.", url=alive[0].url))
        return _keyed(alive[0], key_file, everywhere=bool(ours))
    if alive:
        raise BadReference(
            "Several servers run: {names}.", names=", ".join(e.name or e.url for e in alive), mend="Name one of them."
        )
    loading = next((e.name for e in running() if not e.ready), None)
    if loading is not None:
        raise BadReference(
            "{name} is still loading its model.", name=loading,
            mend="Ask again when it is ready. Its log: gyakusan logs {name} --follow",
        )  # fmt: skip
    raise BadReference(
        "No server runs on this computer.",
        mend="Start one: gyakusan serve smollm2 --detach, or name an address: http://127.0.0.1:8080/v1",
    )


def base(url: str) -> str:
    """Return the OpenAI base of an address: /v1 where no path is given. Raises BadSetting."""
    plain = url.strip().rstrip("/")
    split_address(plain)
    return plain if "/" in plain.partition("://")[2] else f"{plain}/v1"


def started() -> tuple[Endpoint, ...]:
    """Return the running servers that gyakusan started, by name."""
    return tuple(_endpoint(entry) for entry in running())


def _endpoint(entry: RunningServer) -> Endpoint:
    key_file = Path(entry.key_file) if entry.key_file else None
    if not entry.local_url:
        return Endpoint(entry.name, entry.url, key_file, lan_url=entry.lan_url)
    certificate = Path(entry.certificate) if entry.certificate else None
    return Endpoint(entry.name, entry.local_url, key_file, None, entry.url, certificate, entry.lan_url)


def usual() -> tuple[Endpoint, ...]:
    """Return the addresses at which servers listen on this computer where nobody names a port."""
    ports = dict.fromkeys(engine(name).PORT for name in NAMES)
    return tuple(Endpoint("", f"http://127.0.0.1:{port}/v1") for port in ports)


def answers(endpoint: Endpoint) -> bool:
    """Return True if a server answers there, even if it wants a key. Our own are asked without counting a refusal."""
    if endpoint.name:
        return is_up(endpoint.url, silence=2.0)
    try:
        models_at(endpoint.url, silence=2.0)
    except ServerError as error:
        return error.message.facts.get("status") in (401, 403)
    return True


def _keyed(endpoint: Endpoint, key_file: str | None, *, everywhere: bool = True) -> Endpoint:
    """Return the same with its key: of the file that is named, of the server's own, or of the environment.

    everywhere: False leaves out that of the environment
    """
    import os

    from gyakusan.serving.access import KEY_VARIABLE

    path = Path(key_file) if key_file is not None else endpoint.key_file
    if path is None:
        key = os.environ.get(KEY_VARIABLE) if everywhere else None
        return replace(endpoint, key_file=None, key=key or None)
    key = files.text(path, LARGEST).partition("\n")[0].strip()
    return replace(endpoint, key_file=path, key=key or None)
