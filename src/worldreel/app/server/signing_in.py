"""The routes of a browser's session: a key or a one-time token becomes a cookie."""

from typing import Any, Literal

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel

from worldreel.app.jobs.keys import Caller
from worldreel.app.jobs.sessions import LASTS_S, TOKEN_START, Session, csrf_token
from worldreel.app.server.callers import (
    bearer_of,
    check_same_origin,
    cookie_name,
    cookie_of,
    session_of,
    unauthorized,
)
from worldreel.app.server.service import Served, in_thread

router = APIRouter(prefix="/v1/session", tags=["session"])


class SessionObject(BaseModel):
    """A browser that is signed in."""

    object: Literal["session"] = "session"
    owner: str
    admin: bool
    csrf_token: str
    """To be sent as X-CSRF-Token with what changes anything."""
    expires_at: int

    @classmethod
    def of(cls, secret: str, session: Session) -> "SessionObject":
        """A session as its browser sees it."""
        caller = session.caller
        return cls(
            owner=caller.owner,
            admin=caller.admin,
            csrf_token=csrf_token(secret),
            expires_at=int(session.expires_at),
        )


class SessionDeleted(BaseModel):
    """A browser that is signed out."""

    object: Literal["session.deleted"] = "session.deleted"
    deleted: bool = True


@router.post("", response_model=SessionObject)
async def begin_session(request: Request, response: Response, service: Served) -> Any:
    """Signs a browser in: the header holds a key, or the token that the server printed."""
    given = bearer_of(request)
    check_same_origin(request)

    def begin() -> tuple[str, Session] | None:
        caller: Caller | None
        if given.startswith(TOKEN_START):
            caller = service.sessions.take_token(given)
        else:
            caller = service.keys.caller(given)
        return service.sessions.begin(caller) if caller else None

    if (begun := await in_thread(begin)) is None:
        message = "This key or token opens nothing here; a token works once."
        raise unauthorized(message, "invalid_api_key")
    secret, session = begun
    response.set_cookie(
        cookie_name(request),
        secret,
        max_age=LASTS_S,
        httponly=True,
        samesite="strict",
        secure=request.url.scheme == "https",
    )
    return SessionObject.of(secret, session)


@router.get("", response_model=SessionObject)
async def retrieve_session(request: Request) -> Any:
    """Who this browser is signed in as."""
    session = await session_of(request)
    return SessionObject.of(cookie_of(request), session)


@router.delete("", response_model=SessionDeleted)
async def end_session(request: Request, response: Response, service: Served) -> Any:
    """Signs this browser out."""
    await session_of(request)
    await in_thread(service.sessions.end, cookie_of(request))
    response.delete_cookie(cookie_name(request), httponly=True, samesite="strict")
    return SessionDeleted()
