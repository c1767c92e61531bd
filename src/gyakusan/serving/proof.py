"""Whether a server that has just started computes: it is asked for one token, in a thread, as that may take minutes."""

from __future__ import annotations

import http.client
import threading
import time

from gyakusan.doors.text import line, shortened
from gyakusan.errors import ServerError
from gyakusan.serving.one_token import ask_for_token

PATIENCE = 900.0
"""How long the first token may take: weights are read from a slow disk meanwhile. [s]"""
PAUSE = 0.5
"""Between two questions to a server that still loads. [s]"""


class Proof:
    """One question for a token. `told` is asked again and again."""

    def __init__(self, url: str, key: str | None, model: str = "") -> None:
        """Begin to ask.

        url: scheme, address and port; key: that the server asks for; model: its name there, "" = the server's only one
        """
        self._url, self._key, self._model = url, key, model
        self._answered = False
        self._over = threading.Event()
        self._error: ServerError | None = None
        self._thread = threading.Thread(target=self._ask, name="proof", daemon=True)
        self._thread.start()

    def told(self) -> bool:
        """Return True once there was a token. Raises ServerError if the server refuses."""
        if self._error is not None:
            raise self._error
        return self._answered

    def end(self) -> None:
        """Ask no more."""
        self._over.set()

    def _ask(self) -> None:
        """Ask until there is an answer that is not "later"; a connection that breaks is asked again."""
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end and not self._over.is_set():
            try:
                status, text = ask_for_token(self._url, self._key, PATIENCE, self._model)
            except (OSError, http.client.HTTPException):
                status, text = http.client.SERVICE_UNAVAILABLE, b""
            if status == http.client.OK:
                self._answered = True
                return
            if status != http.client.SERVICE_UNAVAILABLE:
                said = shortened(line(text.decode("utf-8", "replace")), 200)
                self._error = ServerError(
                    "The server gives no token: it answers {status}, {said}.", status=status, said=said,
                    mend="See the server's log.",
                )  # fmt: skip
                return
            self._over.wait(PAUSE)
