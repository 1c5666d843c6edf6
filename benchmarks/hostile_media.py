"""Hostile files through the reader of footage: what they cost, and whether any gets out.

    python -m benchmarks.hostile_media --json benchmarks/results/hostile-media.json

Every file is read for its frames and asked what it is, each in a decoding process of its own. A
crash is anything but frames or a clear error; a read outside is an event that the kernel reports
of the folder with the canaries, a connection to the server that nobody may ask, or a frame in
the canary's colour.
"""

import argparse
import ctypes
import json
import multiprocessing
import os
import resource
import socket
import struct
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
from tests.hostile_corpus import CANARY, Case, encode, hostile_cases

from worldreel.app.machine import describe_machine
from worldreel.core.errors import WorldreelError
from worldreel.media.footage import describe_file, read_footage
from worldreel.media.limits import UPLOAD, Limits

ACCESSED, OPENED = 0x1, 0x20


class Outside:
    """A folder and a port that are watched: nothing may come near them.

    Args:
        folder: to be made; it gets a clip in the canary's colour and a secret.
    """

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        canary = np.full((5, 48, 64, 3), CANARY, np.uint8)
        encode(folder / "canary.mp4", canary, "libx264")
        (folder / "secret.txt").write_text("secret")
        self.server = socket.create_server(("127.0.0.1", 0))
        self.server.setblocking(False)
        self.port = self.server.getsockname()[1]
        libc = ctypes.CDLL(None, use_errno=True)
        self.events = libc.inotify_init1(os.O_NONBLOCK)
        assert self.events >= 0, os.strerror(ctypes.get_errno())
        added = libc.inotify_add_watch(self.events, bytes(folder), ACCESSED | OPENED)
        assert added >= 0, os.strerror(ctypes.get_errno())

    def num_reads(self) -> int:
        """Accesses and connections since the last call."""
        count = 0
        try:
            data = os.read(self.events, 65_536)
            while data:
                (_, _, _, length) = struct.unpack("iIII", data[:16])
                data = data[16 + length :]
                count += 1
        except BlockingIOError:
            pass
        try:
            self.server.accept()[0].close()
            count += 1
        except BlockingIOError:
            pass
        return count

    def close(self) -> None:
        """Ends watching."""
        os.close(self.events)
        self.server.close()


def read_frames(path: str, *, limits: Limits) -> None:
    """Reads footage; raises AssertionError if it shows the canary."""
    frames = read_footage(path, size=(48, 64), how="stretch", limits=limits).frames
    close = np.abs(frames.astype(int) - np.array(CANARY)).max(axis=-1) < 12
    if close.mean() > 0.5:
        raise AssertionError("a frame of the canary")


Reading = Callable[..., object]
READINGS: tuple[Reading, ...] = (read_frames, describe_file)


def outcome(case: Case, readings: Sequence[Reading] = READINGS) -> tuple[str, float]:
    """What came of a case, and the seconds of its longer reading.

    Returns:
        ``refused``, ``read``, or what is wrong about it.
    """
    found = {}
    longest_s = 0.0
    for read in readings:
        began = time.perf_counter()
        found[_try(case, read)] = None
        longest_s = max(longest_s, time.perf_counter() - began)
    wrong = [what for what in found if what not in ("read", "refused")]
    return next(iter(wrong), "read" if "read" in found else "refused"), longest_s


def _try(case: Case, read: Reading) -> str:
    try:
        read(case.path, limits=UPLOAD)
    except WorldreelError as error:
        if not error.remedy or "\n" in error.message or "\x1b" in error.message:
            return "an unclear message"
        return "brought its decoder down" if "down" in error.message else "refused"
    except AssertionError as error:
        return str(error)
    except BaseException as error:
        return f"{type(error).__name__}: {error}"
    return "read where it should be refused" if case.must_refuse and read is read_frames else "read"


def children_peak_mb() -> float:
    """Most memory that one decoding process has held, at least this process's own."""
    return resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024 / 1e6


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    counts: Counter[tuple[str, str]] = Counter()
    num_outside = num_cases = 0
    slowest = (0.0, "")
    wrong = []
    # a process that has made no bombs: what starts a child is counted as the child's own memory
    context = multiprocessing.get_context("spawn")
    with (
        tempfile.TemporaryDirectory() as temporary,
        ProcessPoolExecutor(1, mp_context=context) as reader,
    ):
        outside = Outside(Path(temporary) / "outside")
        inside = Path(temporary) / "inside"
        inside.mkdir()
        outside.num_reads()
        cases = hostile_cases(inside, Path(temporary) / "outside", outside.port)
        for case in cases:
            what, took_s = reader.submit(outcome, case).result()
            slowest = max(slowest, (took_s, f"{case.kind}, {Path(case.path).suffix}"))
            num_cases += 1
            counts[case.kind, what] += 1
            num_outside += outside.num_reads()
            if what not in ("read", "refused"):
                wrong.append(f"{case.kind}: {case.path[-60:]!r}: {what}")
        outside.close()
        most_mb = reader.submit(children_peak_mb).result()
    downs = sum(count for (_, what), count in counts.items() if what.startswith("brought"))
    crashed = len(wrong) - downs
    for (kind, what), count in sorted(counts.items()):
        print(f"{kind:26} {what:32} {count:4}")
    print(*wrong, sep="\n")
    print(
        f"{crashed} of {num_cases} crashed, {num_outside} reads outside,"
        f" {downs} decoding processes brought down, max {most_mb:.0f} MB,"
        f" max {slowest[0]:.1f} s ({slowest[1]})"
    )
    if options.json:
        machine = describe_machine()
        results = {
            "hardware": {key: machine[key] for key in ("cpu", "cores", "python")},
            "num_cases": num_cases,
            "crashed": crashed,
            "reads_outside": num_outside,
            "decoders_brought_down": downs,
            "max_mb": round(most_mb),
            "max_s": round(slowest[0], 2),
            "by_kind": {f"{kind}: {what}": count for (kind, what), count in sorted(counts.items())},
        }
        options.json.write_text(json.dumps(results, indent=2) + "\n")
    return 1 if crashed or num_outside else 0


if __name__ == "__main__":
    sys.exit(main())
