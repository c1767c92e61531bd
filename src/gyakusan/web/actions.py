"""What the page of this computer does: start and stop servers, bench one. Never on a public copy.

The guard lets a request in that comes from this page in a browser of this computer's owner; the token proves that the page was
read, and each start of `gyakusan web` has another one.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable, Mapping
from functools import partial
from urllib.parse import parse_qsl

import anyio
import anyio.to_thread
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from gyakusan.errors import BadSetting, GyakusanError
from gyakusan.message import say
from gyakusan.text import tell
from gyakusan.web import computer_page
from gyakusan.web.control import Control
from gyakusan.web.guard import Post
from gyakusan.web.opened_files import MOST_BYTES
from gyakusan.web.problems import problem_of, refused, status_of
from gyakusan.web.queries import MOST_PAIRS, BenchForm, ComputerQuery, NameForm, OpenForm, StartForm, read, typed
from gyakusan.web.reader import language_of
from gyakusan.web.rendering import page

PATIENCE = 30.0
"""How long a body may take. [s]"""
OLD_FORM = say("This form is of another start of gyakusan web. Load the page again.")
TOKEN = "token"


Act = Callable[[Request, list[tuple[str, str]]], None]


def _start(request: Request, pairs: list[tuple[str, str]]) -> None:
    control: Control = request.app.state.control
    control.starts.begin(read(StartForm, pairs), language_of(request))


def _stop(request: Request, pairs: list[tuple[str, str]]) -> None:
    from gyakusan.serving.running_servers import find_running, stop

    stop(find_running(read(NameForm, pairs).name))
    control: Control = request.app.state.control
    control.live.look(fresh=True)


def _bench(request: Request, pairs: list[tuple[str, str]]) -> None:
    control: Control = request.app.state.control
    control.bench.begin(read(BenchForm, pairs))


def _cancel(request: Request, pairs: list[tuple[str, str]]) -> None:
    control: Control = request.app.state.control
    control.bench.end_early()


def _forget(request: Request, pairs: list[tuple[str, str]]) -> None:
    control: Control = request.app.state.control
    control.starts.forget(read(NameForm, pairs).name)


ACTS: Mapping[str, Act] = {
    "/computer/start": _start,
    "/computer/forget": _forget,
    "/computer/stop": _stop,
    "/computer/bench": _bench,
    "/computer/cancel": _cancel,
}
OPEN = "/fit/file"
"""Where the beginning of a file is sent."""
POSTS: Mapping[str, Post] = {**dict.fromkeys(ACTS, Post()), OPEN: Post("application/octet-stream", MOST_BYTES)}
"""Path of each action -> what it takes."""


def routes() -> list[Route]:
    """Return the endpoints of the actions."""
    forms = [Route(path, partial(_act, act), methods=["POST"]) for path, act in ACTS.items()]
    return [*forms, Route(OPEN, _open, methods=["POST"])]


async def _open(request: Request) -> Response:
    """Keep what the header of a file says; the model's name on the page as JSON, or why not."""
    control: Control = request.app.state.control
    language = language_of(request)
    try:
        if not _same(request.headers.get("x-gyakusan-token", ""), control.token):
            return JSONResponse({"detail": tell(OLD_FORM, language)}, 403)
        asked = read(OpenForm, request.query_params.multi_items())
        with control.files.place():
            with anyio.fail_after(PATIENCE):
                body = await request.body()  # the guard has bounded it
            name = await anyio.to_thread.run_sync(control.files.keep, asked.name, asked.size, body)
    except TimeoutError:
        return JSONResponse({"detail": tell(say("The file came too slowly."), language)}, 408)
    except GyakusanError as error:
        return JSONResponse(problem_of(error, language), status_of(error))
    return JSONResponse({"model": name})


async def _act(act: Act, request: Request) -> Response:
    try:
        with anyio.fail_after(PATIENCE):
            body = await request.body()  # the guard has bounded it
    except TimeoutError:
        return page(request, "error.html", say("Error: the form came too slowly"), status=408, lines=(), names=False)
    pairs: list[tuple[str, str]] = []
    try:
        pairs = _pairs(body)
        if not _is_ours(request, pairs):
            return page(request, "error.html", say("Error: an old form"), status=403, lines=(OLD_FORM,), names=False)
        await anyio.to_thread.run_sync(act, request, [(k, v) for k, v in pairs if k != TOKEN])
    except GyakusanError as error:
        return await anyio.to_thread.run_sync(partial(_refused, request, error, dict(pairs)))
    return RedirectResponse("/computer", 303)


def _pairs(body: bytes) -> list[tuple[str, str]]:
    """Return names and values of a form. Raises BadSetting."""
    try:
        return parse_qsl(body.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=MOST_PAIRS)
    except ValueError:
        raise BadSetting("The form cannot be read.", mend="Load the page again.") from None


def _is_ours(request: Request, pairs: list[tuple[str, str]]) -> bool:
    control: Control = request.app.state.control
    given = [v for k, v in pairs if k == TOKEN]
    return len(given) == 1 and _same(given[0], control.token)


def _same(given: str, token: str) -> bool:
    """Return True for the same token, in a time that tells nothing of it."""
    return hmac.compare_digest(given.encode("utf-8", "replace"), token.encode())


def _refused(request: Request, error: GyakusanError, given: Mapping[str, str]) -> Response:
    """Return the page with the reason on top, and what was typed in its fields."""
    if request.url.path == "/computer/start":
        return computer_page.draw_refused(request, refused(error), typed(ComputerQuery, list(given.items())), {})
    return computer_page.draw_refused(request, refused(error), ComputerQuery(), given)
