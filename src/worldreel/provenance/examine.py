"""A file's credentials and labels, read in a process of its own: the file can break only that.

The file is opened here and handed over open. The other process gives up what it does not need
before it looks at the first byte (see ``media.jail``).
"""

import base64
import contextlib
import hashlib
import json
import os
import subprocess
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from worldreel.core.errors import WorldreelError
from worldreel.media.limits import MIB, Limits
from worldreel.media.regular import open_regular, shown_name
from worldreel.media.sniff import HEAD_BYTES, sniff
from worldreel.provenance.credentials import Credentials, Ingredient
from worldreel.provenance.labels import FoundLabels

START = "import json, sys; sys.path[:] = json.loads(sys.argv[1])"
START += "; from worldreel.provenance.examine import main; main(sys.argv[2])"
ANSWER_MAX_BYTES = 64 * MIB
MIMES = {
    "PNG": "image/png",
    "JPEG": "image/jpeg",
    "GIF": "image/gif",
    "WEBP": "image/webp",
    "TIFF": "image/tiff",
    "mp4": "video/mp4",
    "avi": "video/avi",
    "matroska": "video/x-matroska",
}
"""Types by what the first bytes are (see ``media.sniff``)."""


@dataclass(frozen=True, kw_only=True)
class Examined:
    """What a file carries."""

    mime: str
    credentials: Credentials
    labels: FoundLabels


def examine(path: str | Path, anchors_pem: str = "", limits: Limits | None = None) -> Examined:
    """The credentials and labels of any file.

    Raises:
        WorldreelError: no such file, no video or picture, or one that brought its reader down.
    """
    answer = _ask(path, {"anchors": anchors_pem}, limits or Limits())
    labels = FoundLabels(**answer["labels"])
    credentials = Credentials.from_json(answer["credentials"])
    return Examined(mime=answer["mime"], credentials=credentials, labels=labels)


def ingredient_of(
    path: str | Path, number: int, title: str | None = None, limits: Limits | None = None
) -> Ingredient:
    """A file as the source of another: its hash, and its own credentials if it has any.

    Args:
        number: its place among the sources, from 0.
        title: what it is called; the file's own name if None.
    """
    title = Path(path).name if title is None else title
    task = {"title": title, "number": number}
    answer = _ask(path, task, limits or Limits())
    with open(path, "rb") as file:
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    archive = answer["archive"]
    return Ingredient(
        title=title,
        sha256=sha256,
        mime=answer["mime"],
        archive=None if archive is None else base64.b64decode(archive),
    )


def main(task_json: str) -> None:
    """Reads one file for ``_ask`` and ends the process."""
    # all libraries are loaded before the doors close; nothing can be opened afterwards
    import c2pa

    from worldreel.media.jail import lock
    from worldreel.provenance import carriers, credentials

    task = json.loads(task_json)
    c2pa.Builder.get_supported_mime_types()
    # the libraries of credentials are larger than the decoder's: what a limit says is beside them
    lock(Limits(**task["limits"]))
    with open(0, "rb", buffering=0, closefd=False) as raw:
        file: Any = _Patient(raw)
        if "title" in task:
            packed = credentials.archive_ingredient(
                file, task["mime"], task["title"], task["number"]
            )
            said: dict[str, Any] = {
                "archive": None if packed is None else base64.b64encode(packed).decode()
            }
        else:
            found = credentials.read(file, task["mime"], task["anchors"])
            labels = carriers.read_labels(file, task["mime"])
            said = {"credentials": asdict(found), "labels": asdict(labels)}
    data = memoryview(json.dumps(said).encode())
    with contextlib.suppress(BrokenPipeError):
        while len(data):
            data = data[os.write(1, data) :]
    os._exit(0)


class _Patient:
    """A raw file whose ``read`` gives all that is asked for, as long as there is any."""

    def __init__(self, raw: Any) -> None:
        self._raw = raw
        self.seek, self.tell, self.fileno = raw.seek, raw.tell, raw.fileno

    def read(self, size: int = -1) -> bytes:
        if size < 0:
            return self._raw.readall()
        parts: list[bytes] = []
        while size and (part := self._raw.read(min(size, 2**24))):
            parts.append(part)
            size -= len(part)
        return b"".join(parts)

    def write(self, data: bytes) -> int:
        raise OSError("only to be read")

    def flush(self) -> None:
        """Nothing is kept."""


def _ask(path: str | Path, task: dict[str, Any], limits: Limits) -> dict[str, Any]:
    name = shown_name(path)
    handle = open_regular(path)
    try:
        size_bytes = os.fstat(handle).st_size
        if size_bytes > limits.file_bytes:
            raise WorldreelError(
                f"{name} is {size_bytes / MIB:,.0f} MiB; the limit is"
                f" {limits.file_bytes / MIB:,.0f} MiB",
                remedy="Cut it shorter, or export it smaller.",
            )
        mime = MIMES.get(sniff(os.pread(handle, HEAD_BYTES, 0), name).format, "video/other")
        environment = {"MALLOC_ARENA_MAX": "1", "OMP_NUM_THREADS": "1"}
        for key in ("LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH"):
            if key in os.environ:
                environment[key] = os.environ[key]
        paths = json.dumps([str(Path(entry).resolve()) for entry in sys.path])
        words = json.dumps({**task, "mime": mime, "limits": asdict(limits)})
        done = subprocess.run(
            [sys.executable, "-I", "-S", "-B", "-c", START, paths, words],
            stdin=handle,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            cwd="/",
            env=environment,
            timeout=limits.wall_s,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise WorldreelError(
            f"{name} takes longer to read than {limits.wall_s:g} s, the limit",
            remedy="Its credentials may be made to harm; leave it.",
        ) from None
    finally:
        os.close(handle)
    if done.returncode != 0 or not done.stdout or len(done.stdout) > ANSWER_MAX_BYTES:
        raise WorldreelError(
            f"{name} brought the reader of its credentials down (code {done.returncode})",
            remedy="They are damaged, or made to harm; leave the file.",
        )
    return {**json.loads(done.stdout), "mime": mime}
