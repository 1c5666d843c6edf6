"""Who is asking: a key in the header, or the cookie of a browser that is signed in.

A browser sends the cookie by itself, whoever wrote the page that made it do so. So a request with
a cookie must come from a page of this very server: the browser says so (``Sec-Fetch-Site`` or
``Origin``), and what changes anything carries a token that only such a page can have read. Keys in
the header are sent by programs alone, and need none of that.
"""

from typing import Annotated

from fastapi import Depends, Request
from starlette.concurrency import run_in_threadpool

from worldreel.app.jobs.keys import Caller
from worldreel.app.jobs.sessions import Session, is_csrf_token
from worldreel.app.server.problems import ApiError
from worldreel.app.server.service import service_of

CSRF_HEADER = "x-csrf-token"
READING = ("GET", "HEAD", "OPTIONS")


async def caller_of(request: Request) -> Caller:
    """Who sent a request.

    Raises:
        ApiError: nobody whom this server knows, or a page of another server.
    """
    if "authorization" not in request.headers and cookie_of(request):
        return (await session_of(request)).caller
    secret = bearer_of(request)
    keys = service_of(request).keys
    caller = keys.remembered(secret) or await run_in_threadpool(keys.caller, secret)
    if caller is None:
        shown = f"{secret[:5]}..." if len(secret) > 12 else "that was given"
        raise unauthorized(f"The API key {shown!r} opens nothing here.", "invalid_api_key")
    return caller


async def owner_of(caller: Annotated[Caller, Depends(caller_of)]) -> str:
    """Whose videos the request may see."""
    return caller.owner


async def admin_of(caller: Annotated[Caller, Depends(caller_of)]) -> Caller:
    """The caller, who may manage the server; raises ApiError for others."""
    if not caller.admin:
        message = "Only a key of an administrator may do this (worldreel keys add NAME --admin)."
        raise ApiError(403, message, type="permission_error", code="admin_only")
    return caller


async def session_of(request: Request) -> Session:
    """The session of the browser that sent a request.

    Raises:
        ApiError: it is not signed in, or a page of another server made it ask.
    """
    secret = cookie_of(request)
    if not secret:
        raise unauthorized("This browser is not signed in.", "invalid_session")
    check_same_origin(request)
    sessions = service_of(request).sessions
    session = sessions.remembered(secret) or await run_in_threadpool(sessions.find, secret)
    if session is None:
        raise unauthorized("The session has ended. Sign in again.", "invalid_session")
    if request.method not in READING:
        if not (token := request.headers.get(CSRF_HEADER, "")):
            message = "A change by a browser needs the token of GET /v1/session as X-CSRF-Token."
            raise forbidden(message, "csrf_token_missing")
        if not is_csrf_token(secret, token):
            raise forbidden("The X-CSRF-Token is not this session's.", "csrf_token_wrong")
    return session


def check_same_origin(request: Request) -> None:
    """Raises ApiError where a browser says that another server's page made it ask."""
    site, origin = request.headers.get("sec-fetch-site"), request.headers.get("origin")
    host = request.headers.get("host", "")
    foreign = site is not None and site not in ("same-origin", "none")
    if origin is not None and origin.partition("://")[2].lower() != host.lower():
        foreign = True
    if foreign:
        raise forbidden("A page of another server may not ask in your name.", "cross_origin")


def cookie_of(request: Request) -> str:
    """The session's secret, empty where the browser has none."""
    return request.cookies.get(cookie_name(request), "")


def cookie_name(request: Request) -> str:
    """A browser keeps cookies by host, whatever the port: each server has a name of its own."""
    return f"worldreel-{(request.scope.get('server') or ('', 0))[1]}"


def bearer_of(request: Request) -> str:
    """The secret in the header; raises ApiError where there is none."""
    scheme, _, secret = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not secret.strip():
        message = "There is no API key. Send it as: Authorization: Bearer KEY"
        raise unauthorized(message, "missing_api_key")
    return secret.strip()


def unauthorized(message: str, code: str) -> ApiError:
    """The answer for those whom this server does not know."""
    headers = {"www-authenticate": "Bearer"}
    return ApiError(401, message, code=code, headers=headers)


def forbidden(message: str, code: str) -> ApiError:
    """The answer for those who may not."""
    return ApiError(403, message, type="permission_error", code=code)


Asker = Annotated[Caller, Depends(caller_of)]
Admin = Annotated[Caller, Depends(admin_of)]
Owner = Annotated[str, Depends(owner_of)]
