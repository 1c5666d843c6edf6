"""Bodies are measured before anything reads them: past the cap, 413 and nothing was kept."""

import json
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

SMALL = 64 * 1024
JSON_MAX = 24 * 2**20
"""A data URL may have 20,971,520 characters, beside the prompt and the rest."""
MULTIPART_SPARE = 2**20


class _TooLarge(Exception):
    pass


class BodyCaps:
    """ASGI middleware that ends requests whose body is larger than its kind may be.

    Args:
        upload_max_bytes: for multipart bodies.
    """

    def __init__(self, app: Any, upload_max_bytes: int) -> None:
        self._app = app
        self._upload_max = upload_max_bytes + MULTIPART_SPARE

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = dict(scope["headers"])
        cap = self._cap(scope["method"], headers.get(b"content-type", b""))
        declared = headers.get(b"content-length", b"0")
        if not declared.isdigit() or int(declared) > cap:
            await _refuse(send, cap)
            return
        received, started = 0, False

        async def measured() -> Message:
            nonlocal received
            message = await receive()
            if message["type"] == "http.request":
                received += len(message.get("body", b""))
                if received > cap:
                    raise _TooLarge
            return message

        async def sending(message: Message) -> None:
            nonlocal started
            started = True
            await send(message)

        try:
            await self._app(scope, measured, sending)
        except _TooLarge:
            if not started:
                await _refuse(send, cap)

    def _cap(self, method: str, content_type: bytes) -> int:
        if method not in ("POST", "PUT", "PATCH"):
            return SMALL
        is_multipart = content_type.lower().startswith(b"multipart/")
        return self._upload_max if is_multipart else JSON_MAX


async def _refuse(send: Send, cap: int) -> None:
    error = {
        "message": f"The request's body is larger than the {cap:,} bytes that it may have.",
        "type": "invalid_request_error",
        "param": None,
        "code": "request_too_large",
    }
    body = json.dumps({"error": error}).encode()
    headers = [(b"content-type", b"application/json"), (b"connection", b"close")]
    headers.append((b"content-length", str(len(body)).encode()))
    await send({"type": "http.response.start", "status": 413, "headers": headers})
    await send({"type": "http.response.body", "body": body})
