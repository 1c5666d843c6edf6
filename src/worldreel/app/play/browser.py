"""The window in the browser: one page, its frames as they are shown, and what is said to it.

Served to this machine alone. Every address holds a random token, so that no other page and no
other user can reach it; other Host headers are refused, so that no name that a stranger has
pointed at this machine can either.
"""

import base64
import hmac
import io
import json
import secrets
import socket
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.resources import files
from types import TracebackType
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from worldreel.app.play.cue import CAMERA, SCENES, Cue
from worldreel.app.play.player import Player
from worldreel.core.errors import UsageError, WorldreelError
from worldreel.core.words import check_text

ADDRESS = "127.0.0.1"
BODY_MAX_BYTES = 200_000
STREAMS_MAX = 8
QUALITY = 88
WAIT_S = 1.0
"""After so long without a frame a stream says that it still lives."""


class Browser:
    """A server of the page, from the beginning of the block to its end.

    Args:
        player: what is shown.
        port: 0 for one that is free.

    Raises:
        UsageError: the port is taken.
    """

    def __init__(self, player: Player, port: int = 0) -> None:
        self.player = player
        self.token = secrets.token_urlsafe(24)
        self.stopped = threading.Event()
        self.streams = threading.BoundedSemaphore(STREAMS_MAX)
        try:
            self._server = _Server((ADDRESS, port), self)
        except OSError as error:
            raise UsageError(
                f"Port {port} cannot be used: {error.strerror or error}.",
                remedy="Choose another --port, or leave it out for one that is free.",
            ) from error
        self.port: int = self._server.server_address[1]
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.1,), name="serve", daemon=True
        )

    @property
    def url(self) -> str:
        """Where the page is."""
        return f"http://{ADDRESS}:{self.port}/{self.token}/"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stopped.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False  # a stream ends at its next frame

    def __init__(self, address: tuple[str, int], browser: Browser) -> None:
        self.browser = browser
        super().__init__(address, _Handler)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Whoever was answered has gone; nothing to say about that."""


class _Handler(BaseHTTPRequestHandler):
    server: _Server  # pyright: ignore[reportIncompatibleVariableOverride]
    protocol_version = "HTTP/1.1"
    server_version = "worldreel"
    sys_version = ""
    timeout = 30

    def do_GET(self) -> None:
        """The page, or the stream of frames."""
        match self._asked():
            case "":
                self._send_page()
            case "frames":
                self._send_frames()
            case None:
                pass
            case _:
                self._refuse(404, "There is nothing here.")

    def do_POST(self) -> None:
        """What is said, or the wish to save."""
        match self._asked():
            case "say":
                self._answer(self._say)
            case "save":
                self._answer(self._save)
            case None:
                pass
            case _:
                self._refuse(404, "There is nothing here.")

    def log_message(self, format: str, *args: Any) -> None:
        """Says nothing: the terminal belongs to the address of the page."""

    def _asked(self) -> str | None:
        """What of the page is asked for; None if it was refused."""
        browser = self.server.browser
        hosts = [f"{name}:{browser.port}" for name in (ADDRESS, "localhost")]
        if self.headers.get("Host") not in hosts:
            return self._refuse(403, "This page is for this machine alone.")
        origin = self.headers.get("Origin")
        if origin is not None and origin not in [f"http://{host}" for host in hosts]:
            return self._refuse(403, "Another page may not ask for this.")
        _, _, rest = self.path.partition("/")
        token, slash, name = rest.partition("/")
        if not slash or not hmac.compare_digest(token.encode(), browser.token.encode()):
            return self._refuse(403, "The address is not complete: it ends in a token.")
        return name.partition("?")[0]

    def _refuse(self, status: int, message: str) -> None:
        self._send_json(status, {"error": message})

    def _answer(self, act: Any) -> None:
        length = self.headers.get("Content-Length", "")
        if not length.isdecimal() or int(length) > BODY_MAX_BYTES:
            return self._refuse(413, f"At most {BODY_MAX_BYTES:,} bytes can be said.")
        try:
            asked = json.loads(self.rfile.read(int(length)) or b"{}")
            if not isinstance(asked, dict):
                raise ValueError
            answer = act(asked)
        except ValueError:
            return self._refuse(400, "That is not a JSON object of texts.")
        except UsageError as error:
            return self._refuse(400, str(error))
        except (WorldreelError, OSError) as error:
            return self._refuse(500, str(error))
        return self._send_json(200, answer)

    def _say(self, asked: dict[str, Any]) -> dict[str, Any]:
        player = self.server.browser.player
        key, prompt = asked.get("key"), asked.get("prompt")
        if isinstance(prompt, str) and prompt.strip():
            check_text("prompt", prompt)
            player.say(Cue(prompt.strip()))
        elif isinstance(key, str):
            player.say(player.cue.after(key))
        else:
            raise ValueError
        return {"prompt": player.cue.prompt}

    def _save(self, asked: dict[str, Any]) -> dict[str, Any]:
        return {"saved": str(self.server.browser.player.seen.save())}

    def _send_json(self, status: int, answer: dict[str, Any]) -> None:
        self.close_connection = status != 200  # a body that was refused is not read
        self._send(status, "application/json", json.dumps(answer).encode())

    def _send_page(self) -> None:
        nonce = secrets.token_urlsafe(16)
        text = (files("worldreel.app.play") / "page.html").read_text(encoding="utf-8")
        player = self.server.browser.player
        start = {"scenes": SCENES, "camera": CAMERA, "prompt": player.cue.prompt}
        told = json.dumps(start).replace("<", "\\u003c")
        text = text.replace("{{nonce}}", nonce).replace("{{start}}", told)
        policy = (
            f"default-src 'none'; script-src 'nonce-{nonce}'; style-src 'nonce-{nonce}'; "
            "img-src data:; connect-src 'self'; base-uri 'none'; form-action 'none'; "
            "frame-ancestors 'none'"
        )
        self._send(200, "text/html; charset=utf-8", text.encode(), policy=policy)

    def _send(self, status: int, kind: str, body: bytes, *, policy: str = "") -> None:
        self._send_head(status, kind, policy=policy, length=len(body))
        self.wfile.write(body)

    def _send_head(
        self, status: int, kind: str, *, policy: str = "", length: int | None = None
    ) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        if length is not None:
            self.send_header("Content-Length", str(length))
        if self.close_connection or length is None:
            self.send_header("Connection", "close")
        self.send_header("Cache-Control", "no-store")
        self.send_header("X-Content-Type-Options", "nosniff")
        self.send_header("Referrer-Policy", "no-referrer")
        self.send_header("Content-Security-Policy", policy or "default-src 'none'")
        self.end_headers()

    def _send_frames(self) -> None:
        browser = self.server.browser
        if not browser.streams.acquire(blocking=False):
            return self._refuse(503, f"{STREAMS_MAX} windows are open; close one first.")
        try:
            self.close_connection = True
            self._send_head(200, "text/event-stream")
            # what is not taken is not kept for later: a slow window misses frames instead
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 16)
            with browser.player.watching():
                number = -1
                while not browser.stopped.is_set():
                    try:
                        shown = browser.player.next(number, WAIT_S)
                    except Exception as error:
                        return self._send_event("failed", {"error": str(error)})
                    if shown is None:
                        self._send_event("state", self._state())
                        continue
                    number = shown.number
                    told = {"webp": _webp(shown.frame), "made_with": shown.prompt}
                    self._send_event("frame", {**told, "number": number, **self._state()})
            self._send_event("stopped", {})
        except OSError:
            return None  # the window was closed
        finally:
            browser.streams.release()

    def _state(self) -> dict[str, Any]:
        player = self.server.browser.player
        return {"fps": player.fps, "speed": player.speed, "prompt": player.cue.prompt}

    def _send_event(self, name: str, data: dict[str, Any]) -> None:
        self.wfile.write(f"event: {name}\ndata: {json.dumps(data)}\n\n".encode())


def _webp(frame: NDArray[np.uint8]) -> str:
    file = io.BytesIO()
    Image.fromarray(frame).save(file, "WEBP", quality=QUALITY, method=0)
    return base64.b64encode(file.getvalue()).decode()
