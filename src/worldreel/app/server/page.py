"""The Studio's built page: served from inside the package, and allowed nothing but this server."""

import gzip
import html
import mimetypes
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fastapi import APIRouter, HTTPException, Request
from fastapi.responses import Response

BUILT = Path(__file__).parents[1] / "studio"
"""Where ``make studio`` puts the page."""
INDEX = "index.html"
COMPRESSED = (".js", ".css", ".html", ".svg", ".json", ".map", ".txt", ".webmanifest")
TYPES = {".js": "text/javascript", ".webmanifest": "application/manifest+json"}
"""Those that a system's own table may have wrong."""

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; "
    "media-src 'self' blob:; font-src 'self'; connect-src 'self'; manifest-src 'self'; "
    "worker-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
"""No inline script, nothing from anybody else."""
HEADERS = {
    "content-security-policy": POLICY,
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
}

NOT_BUILT = """<!doctype html>
<html lang="en"><meta charset="utf-8"><title>worldreel</title>
<h1>worldreel</h1>
<p>The server runs, and its API is at <code>/v1</code>. The Studio's page is not built yet:</p>
<pre>make studio</pre>
<p>Then reload this page. It was looked for in <code>{folder}</code>.</p>
</html>
"""

router = APIRouter(include_in_schema=False)


@dataclass(frozen=True)
class File:
    """A file of the page, in memory."""

    kind: str
    body: bytes
    packed: bytes | None
    """The same, compressed by gzip, where that is less."""


class Page:
    """The files of a built page; read again when it was built anew.

    Args:
        folder: holds ``index.html`` and ``assets/``.
    """

    def __init__(self, folder: Path = BUILT) -> None:
        self.folder = folder
        self._built_at: list[int] = []
        self._files: dict[str, File] = {}

    def find(self, name: str) -> File | None:
        """A file by its path inside the folder; only those that are there have a name."""
        # a folder's time changes with each file in it: a build may be under way
        places = (self.folder / INDEX, self.folder, self.folder / "assets")
        built_at = [place.stat().st_mtime_ns for place in places if place.exists()]
        if not (self.folder / INDEX).is_file():
            return None
        if built_at != self._built_at:
            found = [path for path in self.folder.rglob("*") if path.is_file()]
            self._files = {path.relative_to(self.folder).as_posix(): _read(path) for path in found}
            self._built_at = built_at
        return self._files.get(name)


def _read(path: Path) -> File:
    body = path.read_bytes()
    guessed = mimetypes.guess_type(path.name)[0] or "application/octet-stream"
    kind = TYPES.get(path.suffix, guessed)
    packed = gzip.compress(body, 9, mtime=0) if path.suffix in COMPRESSED else None
    return File(kind, body, packed if packed and len(packed) < len(body) else None)


@router.api_route("/", methods=["GET", "HEAD"])
def show_page(request: Request) -> Any:
    """The Studio, or what to do where it is not built."""
    page: Page = request.app.state.page
    found = page.find(INDEX)
    if found is None:
        body = NOT_BUILT.format(folder=html.escape(str(page.folder))).encode()
        found = File("text/html", body, None)
    return _answer(request, found, "no-cache")


@router.api_route("/assets/{name:path}", methods=["GET", "HEAD"])
def show_asset(name: str, request: Request) -> Any:
    """A file of the page whose name holds a hash of what is in it."""
    return _show(request, f"assets/{name}", "public, max-age=31536000, immutable")


@router.api_route("/{name}", methods=["GET", "HEAD"])
def show_file(name: str, request: Request) -> Any:
    """A file beside the page, such as its icon."""
    return _show(request, name, "public, max-age=3600")


def _show(request: Request, name: str, caching: str) -> Response:
    page: Page = request.app.state.page
    if (found := page.find(name)) is None:
        raise HTTPException(404)
    return _answer(request, found, caching)


def _answer(request: Request, file: File, caching: str) -> Response:
    headers = {**HEADERS, "cache-control": caching, "vary": "accept-encoding"}
    body = file.body
    if file.packed is not None and "gzip" in request.headers.get("accept-encoding", ""):
        body, headers["content-encoding"] = file.packed, "gzip"
    return Response(body, media_type=file.kind, headers=headers)
