"""Decoding in a process of its own, so that a file can break nothing but its decoder.

The file is opened here, once, and handed over open; the child never learns its path. Before it
looks at the first byte it gives up what it does not need (see ``jail``). Frames come back
through a pipe as raw bytes; whatever comes is checked again here.
"""

import contextlib
import json
import math
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Generator, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import IO, Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from worldreel.core.errors import UsageError, WorldreelError
from worldreel.media.frame import Frame
from worldreel.media.limits import MIB, Limits
from worldreel.media.regular import open_regular, shown_name

START = "import json, sys; sys.path[:] = json.loads(sys.argv[1]); from worldreel.media.child import"
START += " main; main(sys.argv[2])"
LONGEST_LINE = 65_536
PIPE_BYTES = 2**20


class Decoding:
    """A file that is being decoded by a child process."""

    fps = 0.0
    """Frames per second as declared; 0 where nothing is. Known once a frame has come."""
    is_still = False

    def __init__(self, process: subprocess.Popen[bytes], name: str, limits: Limits) -> None:
        assert process.stdout is not None
        self.notes: list[str] = []
        """What was done to show the frames, in sentences; whole once they have ended."""
        self.info: dict[str, Any] = {}
        self._process = process
        self._pipe: IO[bytes] = process.stdout
        self._name = name
        self._limits = limits
        self._deadline = time.monotonic() + limits.wall_s
        self._rest = bytearray()

    def frames(self) -> Generator[Frame]:
        """The frames as they come.

        Raises:
            WorldreelError: whatever the child found wrong, a limit, or its end without a word.
        """
        num_frames = 0
        while (message := self._message())["kind"] != "end":
            if message["kind"] == "open":
                self.fps, self.is_still = float(message["fps"]), bool(message["is_still"])
                continue
            num_frames += 1
            yield self._frame(message, num_frames)
        self.notes = [str(note) for note in message["notes"]]

    def describe(self) -> dict[str, Any]:
        """What the child says of a file when it is asked for no frames."""
        message = self._message()
        assert message["kind"] == "described", message
        return message

    def _frame(self, message: dict[str, Any], num_frames: int) -> Frame:
        height, width, channels = message["shape"]
        times_s = (message["time_s"], message["duration_s"])
        most = max(self._limits.picture_pixels, self._limits.video_pixels)
        is_allowed = (
            all(type(value) is int and value > 0 for value in (height, width))
            and height * width <= most
            and channels in (3, 4)
            and num_frames <= self._limits.num_frames
            and all(value is None or math.isfinite(value) for value in times_s)
            and message["turns"] in range(4)
        )
        if not is_allowed:
            self._ended()
        data = self._exactly(height * width * channels)
        pixels: NDArray[np.uint8] = np.frombuffer(data, np.uint8).reshape(height, width, channels)
        return Frame(pixels, *times_s, message["turns"], bool(message["is_mirrored"]))

    def _message(self) -> dict[str, Any]:
        while b"\n" not in self._rest:
            if len(self._rest) > LONGEST_LINE:
                self._ended()
            self._rest += self._some(4096)
        line, _, rest = self._rest.partition(b"\n")
        self._rest = bytearray(rest)
        try:
            message = json.loads(line)
            kind = message["kind"]
        except (ValueError, TypeError, KeyError):
            self._ended()
        if kind == "error":
            error = UsageError if message["is_usage"] else WorldreelError
            raise error(message["message"], remedy=message["remedy"])
        return message

    def _exactly(self, size: int) -> bytearray:
        data = bytearray(size)
        start = min(size, len(self._rest))
        data[:start] = self._rest[:start]
        del self._rest[:start]
        view = memoryview(data)
        while start < size:
            self._wait()
            count = self._pipe.readinto(view[start:])  # type: ignore[attr-defined]
            if not count:
                self._ended()
            start += count
        return data

    def _some(self, most: int) -> bytes:
        self._wait()
        data = os.read(self._pipe.fileno(), most)
        if not data:
            self._ended()
        return data

    def _wait(self) -> None:
        poll = select.poll()
        poll.register(self._pipe, select.POLLIN | select.POLLHUP)
        left_s = self._deadline - time.monotonic()
        if left_s <= 0 or not poll.poll(left_s * 1000):
            raise WorldreelError(
                f"{self._name} takes longer to decode than {self._limits.wall_s:g} s, the limit",
                remedy="Cut it shorter, or make it smaller.",
            )

    def _ended(self) -> NoReturn:
        """The child is gone, or says what it never says."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(1.0)
        code = self._process.returncode
        if code == -signal.SIGXCPU:
            raise WorldreelError(
                f"{self._name} takes more processor time to decode than {self._limits.cpu_s} s,"
                " the limit",
                remedy="Cut it shorter, or make it smaller.",
            )
        how = f"signal {-code}" if code and code < 0 else f"code {code}"
        raise WorldreelError(
            f"{self._name} brought its decoder down ({how}); the file is damaged, or made to harm",
            remedy="Export it again, or leave it.",
        )


@contextlib.contextmanager
def guarded(
    path: str | Path,
    limits: Limits,
    *,
    with_alpha: bool = False,
    only_describe: bool = False,
) -> Iterator[Decoding]:
    """Starts a child that decodes a file, and ends it with the block.

    Args:
        with_alpha: frames of pictures with transparency have four channels.
        only_describe: no frames, but ``describe``.

    Raises:
        WorldreelError: the file cannot be opened, or is no regular file.
    """
    name = shown_name(path)
    task = {
        "name": name,
        "limits": asdict(limits),
        "with_alpha": with_alpha,
        "only_describe": only_describe,
    }
    # nothing of ours, no keys: what libraries need to be found, and one thread each
    environment = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "MALLOC_ARENA_MAX": "1"}
    for key in ("LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH"):
        if key in os.environ:
            environment[key] = os.environ[key]
    handle = open_regular(path)
    try:
        size_bytes = os.fstat(handle).st_size
        if size_bytes > limits.file_bytes:
            raise WorldreelError(
                f"{name} is {size_bytes / MIB:,.0f} MiB; the limit is"
                f" {limits.file_bytes / MIB:,.0f} MiB",
                remedy="Cut it shorter, or export it smaller.",
            )
        process = subprocess.Popen(
            [
                sys.executable,
                *("-I", "-S", "-B", "-c", START),
                json.dumps([str(Path(entry).resolve()) for entry in sys.path]),
                json.dumps(task),
            ],
            stdin=handle,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            bufsize=0,
            cwd="/",
            env=environment,
        )
    finally:
        os.close(handle)
    assert process.stdout is not None
    with contextlib.suppress(ImportError, AttributeError, OSError):
        import fcntl

        fcntl.fcntl(process.stdout, fcntl.F_SETPIPE_SZ, PIPE_BYTES)
    try:
        yield Decoding(process, name, limits)
    finally:
        process.kill()
        process.stdout.close()
        process.wait()
