"""The shortest question that makes a model compute: one token of an answer."""

from __future__ import annotations

import http.client
import json
from urllib.parse import urlsplit

LARGEST = 65536
"""No more is read of the answer. [B]"""
_BODY = {"prompt": "1", "max_tokens": 1}


def ask_for_token(url: str, key: str | None, seconds: float, model: str = "") -> tuple[int, bytes]:
    """Return status and text of a server's answer. Raises OSError, http.client.HTTPException.

    url: scheme, address and port; key: that the server asks for; seconds: how long it may be silent [s]
    model: its name there, "" = the server's only one
    """
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=seconds)
    headers = {"Content-Type": "application/json"} | ({} if key is None else {"Authorization": f"Bearer {key}"})
    try:
        connection.request("POST", "/v1/completions", json.dumps(_BODY | ({"model": model} if model else {})), headers)
        response = connection.getresponse()
        return response.status, response.read(LARGEST)
    finally:
        connection.close()
