"""Errors in OpenAI's shape: ``{"error": {message, type, param, code}}``."""

import logging
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel
from sqlalchemy.exc import DBAPIError
from starlette.exceptions import HTTPException

from worldreel.core.errors import UsageError, WorldreelError

BUSY_S = 5

log = logging.getLogger("worldreel.server")


class ProblemBody(BaseModel):
    """What went wrong."""

    message: str
    type: str
    param: str | None
    code: str | None


class Problem(BaseModel):
    """The answer to a request that failed."""

    error: ProblemBody


class ApiError(Exception):
    """A request that cannot be answered as asked."""

    def __init__(
        self,
        status: int,
        message: str,
        *,
        type: str = "invalid_request_error",
        param: str | None = None,
        code: str | None = None,
        headers: dict[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.body = {"message": message, "type": type, "param": param, "code": code}
        self.headers = headers or {}

    def response(self) -> JSONResponse:
        """The answer."""
        return JSONResponse({"error": self.body}, self.status, self.headers)


def policy_silent() -> ApiError:
    """The answer where work would begin at once and what judges it does not answer."""
    message = "What judges requests here does not answer, so nothing is begun. Try again later."
    kind = {"type": "server_error", "code": "policy_unavailable"}
    return ApiError(503, message, headers={"retry-after": "30"}, **kind)


def not_found(what: str, name: str, param: str | None = None) -> ApiError:
    """The answer for what does not exist, or belongs to somebody else."""
    message = f"There is no {what} with the id {name[:80]!r}."
    return ApiError(404, message, param=param, code=f"{what}_not_found")


def invalid(message: str, param: str | None = None, code: str = "invalid_value") -> ApiError:
    """The answer for a value that cannot be."""
    return ApiError(400, message, param=param, code=code)


def disk_full() -> ApiError:
    """The answer while nothing can be written."""
    message = "The server's disk is full: nothing was accepted. Try again later."
    headers = {"retry-after": "60"}
    return ApiError(503, message, type="server_error", code="disk_full", headers=headers)


def add_handlers(app: FastAPI) -> None:
    """Answers every kind of failure in one shape."""
    app.add_exception_handler(ApiError, _api_error)
    app.add_exception_handler(HTTPException, _http_error)
    app.add_exception_handler(RequestValidationError, _validation_error)
    app.add_exception_handler(WorldreelError, _worldreel_error)
    app.add_exception_handler(DBAPIError, _database_error)
    app.add_exception_handler(OSError, _system_error)
    app.add_exception_handler(Exception, _unexpected)


async def _api_error(request: Request, error: Any) -> JSONResponse:
    return error.response()


async def _http_error(request: Request, error: Any) -> JSONResponse:
    messages = {
        404: f"Unknown request URL: {request.method} {request.url.path[:200]}.",
        405: f"{request.method} is not allowed on {request.url.path[:200]}.",
    }
    message = messages.get(error.status_code, str(error.detail))
    codes = {404: "unknown_url", 405: "method_not_allowed"}
    code = codes.get(error.status_code)
    return ApiError(error.status_code, message, code=code, headers=error.headers).response()


async def _validation_error(request: Request, error: Any) -> JSONResponse:
    return first_error(error.errors()).response()


def first_error(errors: list[Any]) -> ApiError:
    """What pydantic says of the first value that cannot be."""
    first = errors[0]
    places = [str(part) for part in first["loc"] if part not in ("body", "query", "path", "header")]
    param = ".".join(places) or None
    codes = {"missing": "missing_required_parameter", "extra_forbidden": "unknown_parameter"}
    message = str(first["msg"]).removeprefix("Value error, ").rstrip(".")
    where = f"{param}: " if param else ""
    return invalid(f"{where}{message}.", param, codes.get(first["type"], "invalid_value"))


async def _worldreel_error(request: Request, error: Any) -> JSONResponse:
    message = str(error).replace("\n", " ")
    if "disk is full" in message:
        return disk_full().response()
    if (code := getattr(error, "code", None)) is not None:
        return invalid(message, code=code).response()
    if isinstance(error, UsageError):
        return invalid(message).response()
    return ApiError(500, message, type="server_error", code="server_error").response()


async def _database_error(request: Request, error: Any) -> JSONResponse:
    log.error("the database failed: %s", str(error.orig).splitlines()[0])
    if "full" in str(error.orig):
        return disk_full().response()
    message = "The server's database does not answer. Try again in a few seconds."
    headers = {"retry-after": str(BUSY_S)}
    kind = {"type": "server_error", "code": "database_unavailable"}
    return ApiError(503, message, headers=headers, **kind).response()


async def _system_error(request: Request, error: Any) -> JSONResponse:
    import errno

    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return disk_full().response()
    return await _unexpected(request, error)


async def _unexpected(request: Request, error: Any) -> JSONResponse:
    log.error("%s %s failed", request.method, request.url.path, exc_info=error)
    message = "The server failed at this request. It has been logged."
    return ApiError(500, message, type="server_error", code="server_error").response()
