"""What a failure of a request means, and what to do about it."""

from __future__ import annotations

from collections.abc import Mapping

from gyakusan.errors import ServerError
from gyakusan.load_testing.records import FailureKind
from gyakusan.load_testing.result import FailureCount
from gyakusan.message import Message, say

FAILURE_TEXTS: Mapping[FailureKind, str] = {
    "refused": "Nobody listens at {url}.",
    "unknown_host": "The name in {url} has no address.",
    "unreachable": "{url} cannot be reached: {detail}.",
    "connect_timeout": "{url} does not accept a connection within 10 s.",
    "tls": "The certificate of {url} is not accepted: {detail}.",
    "hang": "The server accepts a request and then says nothing until the limit.",
    "drip": "The server sends an answer so slowly that it has no end within the limit.",
    "unauthorized": "The server refuses the API key (status {status}).",
    "not_found": "The server has no chat completions at {url} (status 404): {detail}.",
    "rate_limited": "The server allows no more requests for now (status 429): {detail}.",
    "bad_request": "The server refuses the request (status {status}): {detail}.",
    "server_error": "The server failed (status {status}): {detail}.",
    "http_error": "The server answered with status {status} instead of 200.",
    "cut": "The server ended the connection before the answer was whole.",
    "garbage": "What came is not a stream of chat completions: {detail}.",
    "stream_error": "The server reported an error within the answer: {detail}.",
    "empty": "The server ended the answer without a token.",
    "not_sent": "4,096 requests were open at once; more were not sent.",
    "other": "The tool that measured does not say why.",
}
MEND_TEXTS: Mapping[FailureKind, str] = {
    "refused": "Check the port, and that the server is running.",
    "unknown_host": "Check the spelling of the address.",
    "unreachable": "Check the network.",
    "connect_timeout": "Check the address and the firewall.",
    "tls": "Write http:// for a server without TLS, or install its certificate authority.",
    "hang": "See the server's log. --silence 300s waits longer.",
    "drip": "Ask for shorter answers, or wait longer: --longest 30min.",
    "unauthorized": "Put the key into GYAKUSAN_API_KEY, or into a file: --key-file FILE.",
    "not_found": "Check the path in the address, and the model's name: --model-name NAME.",
    "rate_limited": "Load it with fewer people or a smaller rate.",
    "bad_request": "Check that prompt and answer fit into the context of one conversation.",
    "server_error": "See the server's log.",
    "http_error": "Give the address that answers itself, without a redirection.",
    "cut": "See the server's log: it may have ended, or a proxy has a time limit.",
    "garbage": "Check that the address is that of an OpenAI-compatible server.",
    "stream_error": "See the server's log.",
    "empty": "Check that the model is a chat model.",
    "not_sent": "Load it with a smaller rate.",
    "other": "See its own report.",
}


def failure_message(found: FailureCount, url: str) -> Message:
    """Return what happened."""
    detail = found.detail or say("no reason given")
    return Message(FAILURE_TEXTS[found.kind], {"url": url, "status": found.status, "detail": detail})


def failure_mend(found: FailureCount) -> Message:
    """Return what to do about it."""
    return Message(MEND_TEXTS[found.kind])


def no_answer(found: FailureCount, url: str) -> ServerError:
    """Return the error for a server that answers nothing at all."""
    message = failure_message(found, url)
    return ServerError(message.template, **message.facts, mend=failure_mend(found))
