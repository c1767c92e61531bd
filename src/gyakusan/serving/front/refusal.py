"""Why the front refuses a request: the status and the JSON that OpenAI's clients read."""

from __future__ import annotations

from typing import Final

import msgspec

JSON_TYPE: Final = b"application/json"
Headers = list[tuple[bytes, bytes]]


class Refusal(Exception):
    """A request that is not passed on.

    status: of HTTP
    kind: word for programs
    text: one sentence for people, in English as all of this API
    retry: when to ask again [s]
    """

    def __init__(self, status: int, kind: str, text: str, *, retry: int | None = None) -> None:
        super().__init__(text)
        self.status = status
        self.kind = kind
        self.text = text
        self.retry = retry

    def body(self) -> bytes:
        """Return the JSON of the error, in the form of OpenAI's API."""
        return msgspec.json.encode({"error": {"message": self.text, "type": self.kind, "code": self.status}})

    def headers(self) -> Headers:
        """Return the headers of the answer. The connection ends with it: what is still sent of the request is not read."""
        found = [(b"content-type", JSON_TYPE), (b"connection", b"close")]
        if self.status == 401:
            found.append((b"www-authenticate", b"Bearer"))
        if self.retry is not None:
            found.append((b"retry-after", str(self.retry).encode()))
        return found
