"""Which running server is meant: by its address, by the name under which it was started, or the only one that answers.

Without an address only servers that gyakusan started are meant: what else listens on a usual port may be anybody's.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path

from gyakusan.doors import files
from gyakusan.errors import BadReference, did_you_mean
from gyakusan.message import quoted
from gyakusan.serving.access import split_address
from gyakusan.serving.conversation import is_up
from gyakusan.serving.running_servers import RunningServer, nothing_runs, running

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
    people_keys: True where people have keys of their own: the file holds the owner's
    """

    name: str
    url: str
    key_file: Path | None = None
    key: str | None = field(default=None, repr=False)
    public_url: str = ""
    certificate: Path | None = None
    lan_url: str = ""
    people_keys: bool = False

    @property
    def read_file(self) -> Path | None:
        """The file from which a text for programs reads the key, None where each person has a key of their own."""
        return None if self.people_keys else self.key_file

    @property
    def shown(self) -> Endpoint:
        """The same as other programs are told of it."""
        return replace(self, url=self.public_url or self.url)


def find_endpoint(text: str | None, key_file: str | None = None) -> Endpoint:
    """Return the server that an address or a name means; None = the only one that gyakusan started and that answers.

    Raises BadReference, BadSetting, SourceError.
    """
    if text is not None and "://" in text:
        return _keyed(Endpoint("", base(text)), key_file)
    known = started()
    if text is not None:
        found = next((e for e in known if e.name == text), None)
        if found is None:
            raise _unknown(text, [e.name for e in known])
        return _keyed(found, key_file)
    alive = [e for e in known if is_up(e.url, silence=2.0)]  # never whatever else listens: nobody named its address
    if len(alive) == 1:
        return _keyed(alive[0], key_file)
    if alive:
        raise BadReference(
            "Several servers run: {names}.", names=", ".join(e.name for e in alive), mend="Name one of them."
        )
    loading = next((e.name for e in running() if not e.ready), None)
    if loading is not None:
        raise BadReference(
            "{name} is still loading its model.", name=loading,
            mend="Ask again when it is ready. Its log: gyakusan logs {name} --follow",
        )  # fmt: skip
    raise nothing_runs(address=True)


def _unknown(name: str, known: list[str]) -> BadReference:
    """Return the error of a name that no server has, with the names of those that run."""
    shown, near = quoted(name, 80, mark='"'), ", ".join(did_you_mean(name, known) or known)
    if not near:
        return BadReference(
            "No server is called {name}: none that gyakusan started runs on this computer.", name=shown,
            mend="Start one: gyakusan serve smollm2 --detach, or name an address: http://127.0.0.1:8080/v1",
        )  # fmt: skip
    return BadReference(
        "No server is called {name}.", name=shown, near=near,
        mend="Name one that runs ({near}), or its address: http://127.0.0.1:8080/v1",
    )  # fmt: skip


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
        return Endpoint(entry.name, entry.url, key_file, lan_url=entry.lan_url, people_keys=entry.people_keys)
    certificate = Path(entry.certificate) if entry.certificate else None
    reached = entry.url, certificate, entry.lan_url
    return Endpoint(entry.name, entry.local_url, key_file, None, *reached, entry.people_keys)


def _keyed(endpoint: Endpoint, key_file: str | None) -> Endpoint:
    """Return the same with its key: of the file that is named, of the server's own, or of the environment."""
    import os

    from gyakusan.serving.access import KEY_VARIABLE

    path = Path(key_file) if key_file is not None else endpoint.key_file
    if path is None:
        return replace(endpoint, key_file=None, key=os.environ.get(KEY_VARIABLE) or None)
    key = files.text(path, LARGEST).partition("\n")[0].strip()
    people = endpoint.people_keys and key_file is None  # who names a file has a key
    return replace(endpoint, key_file=path, key=key or None, people_keys=people)
