"""The application: routes, caps, metrics and what runs beside them."""

import contextlib
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable, MutableMapping, Sequence
from typing import Any

from fastapi import FastAPI
from starlette.concurrency import run_in_threadpool
from starlette.middleware.cors import CORSMiddleware

from worldreel import __version__
from worldreel.app.server import (
    administration,
    canvases,
    characters,
    collection,
    consents,
    contract,
    events,
    files,
    operations,
    page,
    plays,
    problems,
    provenance_checks,
    pulls,
    pulse,
    signing_in,
    storyboards,
    videos,
    webhooks,
)
from worldreel.app.server.caps import BodyCaps
from worldreel.app.server.metrics import Metrics
from worldreel.app.server.playing import Plays
from worldreel.app.server.service import Service, Watch

Scope = MutableMapping[str, Any]
PARTS = (
    characters,  # before videos, whose ids would match anything
    events,
    videos,
    canvases,
    collection,
    storyboards,
    consents,
    files,
    plays,
    pulls,
    pulse,
    signing_in,
    webhooks,
    operations,
    provenance_checks,
    administration,
    page,  # its names would match anything
)
UNMATCHED = "unknown"


def make_app(service: Service, *, cors_origins: Sequence[str] = (), posts: bool = True) -> FastAPI:
    """The whole server as an ASGI application.

    Args:
        cors_origins: pages of other hosts that may call it from a browser; none by default.
        posts: whether this process sends webhooks.
    """

    @contextlib.asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        postman = webhooks.Postman(service)
        if posts:
            postman.start()
        # before any request's thread needs it: Python's imports may lock each other out
        await run_in_threadpool(_import_heavy)
        yield
        await run_in_threadpool(app.state.plays.stop)
        if posts:
            postman.stop()

    app = _routes(lifespan)
    app.state.service = service
    app.state.watch = Watch(service)
    app.state.pulse = pulse.Pulse(service)
    app.state.page = page.Page()
    app.state.stopping = threading.Event()
    app.state.pulls = pulls.Pulls()
    app.state.plays = Plays(service.settings.plays_max)
    problems.add_handlers(app)
    if cors_origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=list(cors_origins),
            allow_methods=["GET", "POST", "DELETE"],
            allow_headers=["authorization", "content-type", "idempotency-key"],
            expose_headers=["openai-poll-after-ms", "retry-after"],
        )
    app.add_middleware(BodyCaps, upload_max_bytes=service.settings.upload_max_bytes)
    app.add_middleware(_Measured, metrics=service.metrics)
    return app


def openapi() -> dict[str, Any]:
    """The OpenAPI document; no server and no database is needed for it."""
    return _routes().openapi()


def _routes(lifespan: Any = None) -> FastAPI:
    app = FastAPI(
        title="worldreel",
        version=__version__,
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        openapi_url="/openapi.json",
        redirect_slashes=False,
        # whatever has no handler of its own is logged and answered in the one shape
        debug=False,
    )
    for part in PARTS:
        app.include_router(part.router)
    contract.install(app)
    return app


class _Measured:
    """ASGI middleware that counts answers, and sets the headers that all of them have."""

    def __init__(self, app: Any, metrics: Metrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(
        self,
        scope: Scope,
        receive: Callable[[], Awaitable[Any]],
        send: Callable[[Any], Awaitable[None]],
    ) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began = time.perf_counter()

        async def sending(message: MutableMapping[str, Any]) -> None:
            if message["type"] == "http.response.start":
                route = getattr(scope.get("route"), "path", UNMATCHED)
                took_s = time.perf_counter() - began
                self._metrics.observe(scope["method"][:10], route, message["status"], took_s)
                headers = [*message.get("headers", []), (b"x-content-type-options", b"nosniff")]
                message["headers"] = headers
            await send(message)

        await self._app(scope, receive, sending)


def _import_heavy() -> None:
    """Imports what requests need, so that their threads find it whole."""
    import worldreel.generate.plan
    import worldreel.media.footage
    import worldreel.media.sheet  # noqa: F401
