"""A hub on this machine, that serves one repository as the public one does."""

import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote, urlsplit


@dataclass
class FakeHub:
    """What it serves, and what was asked of it.

    Args:
        files: by path; those that end with .safetensors are kept as LFS.
        cut_at: after so many bytes of a file the connection ends, once for each file.
        altered: files whose bytes are not those that the listing promises.
    """

    repository: str
    revision: str
    files: dict[str, bytes]
    cut_at: dict[str, int] = field(default_factory=dict)
    altered: set[str] = field(default_factory=set)
    ranges: list[tuple[str, str | None]] = field(default_factory=list)
    endpoint: str = ""

    def digest(self, path: str) -> str:
        data = self.files[path]
        if path.endswith(".safetensors"):
            return hashlib.sha256(data).hexdigest()
        return hashlib.sha1(f"blob {len(data)}\0".encode() + data).hexdigest()

    def listing(self) -> list[dict]:
        entries: list[dict] = []
        for path, data in self.files.items():
            entry = {"type": "file", "path": path, "size": len(data), "oid": self.digest(path)}
            if path.endswith(".safetensors"):
                size = len(data)
                entry["lfs"] = {"oid": self.digest(path), "size": size, "pointerSize": 130}
            entries.append(entry)
        return entries


@contextmanager
def serving(hub: FakeHub) -> Iterator[FakeHub]:
    """The hub on a free port while the block runs."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, format: str, *args: object) -> None:
            pass

        def do_HEAD(self) -> None:
            self.answer(with_body=False)

        def do_GET(self) -> None:
            self.answer(with_body=True)

        def answer(self, *, with_body: bool) -> None:
            path = unquote(urlsplit(self.path).path)
            if path == f"/api/models/{hub.repository}/tree/{hub.revision}":
                self.send(200, json.dumps(hub.listing()).encode(), {}, with_body)
                return
            prefix = f"/{hub.repository}/resolve/{hub.revision}/"
            name = path.removeprefix(prefix)
            if not path.startswith(prefix) or name not in hub.files:
                self.send(404, b"{}", {"X-Error-Code": "RepoNotFound"}, with_body)
                return
            data = hub.files[name]
            headers = {
                "ETag": f'"{hub.digest(name)}"',
                "X-Repo-Commit": hub.revision,
                "X-Linked-Etag": f'"{hub.digest(name)}"',
                "X-Linked-Size": str(len(data)),
                "Accept-Ranges": "bytes",
            }
            if name in hub.altered:
                data = bytes([data[0] ^ 1]) + data[1:]
            if not with_body:
                self.send(200, data, headers, with_body)
                return
            asked = self.headers.get("Range")
            hub.ranges.append((name, asked))
            start = int(asked.removeprefix("bytes=").split("-")[0]) if asked else 0
            if asked:
                headers["Content-Range"] = f"bytes {start}-{len(data) - 1}/{len(data)}"
            cut = hub.cut_at.pop(name, None) if not asked else None
            self.send(206 if asked else 200, data[start:], headers, True, cut)

        def send(
            self,
            status: int,
            body: bytes,
            headers: dict[str, str],
            with_body: bool,
            cut: int | None = None,
        ) -> None:
            self.send_response(status)
            for key, value in {"Content-Length": str(len(body)), **headers}.items():
                self.send_header(key, value)
            self.end_headers()
            if with_body:
                self.wfile.write(body[:cut])
            if cut is not None:
                self.close_connection = True

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    hub.endpoint = f"http://127.0.0.1:{server.server_port}"
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
