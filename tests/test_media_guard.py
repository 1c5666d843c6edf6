"""Decoding in a process of its own: what it may not do, and what becomes of it."""

import io
import json
import os
import subprocess
import sys
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
from benchmarks.hostile_media import Outside, outcome, read_frames
from PIL import Image
from tests.hostile_corpus import hostile_cases, save_moving

from worldreel.core.errors import WorldreelError
from worldreel.media import guard
from worldreel.media.footage import read_footage
from worldreel.media.limits import MIB, Limits

SOURCE = Path(__file__).parents[1] / "src"

LOCKED = """
import os, socket, sys
from pathlib import Path
from worldreel.media.jail import lock
from worldreel.media.limits import Limits

def attempt(name, call):
    try:
        call()
    except (OSError, MemoryError) as error:
        os.write(1, f"{name}: {type(error).__name__}\\n".encode())
    else:
        os.write(1, f"{name}: done\\n".encode())

lock(Limits())
target = sys.argv[1]
attempt("read a file", lambda: os.open(target, os.O_RDONLY))
attempt("write a file", lambda: os.open(target + ".new", os.O_WRONLY | os.O_CREAT))
attempt("ask a host", lambda: socket.socket().connect(("127.0.0.1", 9)))
attempt("start a process", os.fork)
attempt("become another", lambda: os.execv("/bin/true", ["true"]))
attempt("remove a file", lambda: os.unlink(target))
attempt("rename a file", lambda: os.rename(target, target + ".new"))
attempt("end its parent", lambda: os.kill(os.getppid(), 0))
attempt("take memory", lambda: bytearray(600 * 2**20))
attempt("think", lambda: sum(range(1000)))
os._exit(0)
"""


BUSY = """
import json, sys
sys.path[:] = json.loads(sys.argv[1])
from worldreel.media.jail import lock
from worldreel.media.limits import Limits
lock(Limits(**json.loads(sys.argv[2])["limits"]))
while True:
    pass
"""

LISTENING = """
import json, os, sys
sys.path[:] = json.loads(sys.argv[1])
import worldreel.media.child, worldreel.media.decode, worldreel.media.info
heavy = [name for name in ("torch", "transformers", "ssl", "mujoco") if name in sys.modules]
keys = [name for name in os.environ if "KEY" in name]
frame = {"shape": [1, 1, 3], "time_s": None, "duration_s": None, "turns": 0, "is_mirrored": False}
def say(**message):
    os.write(1, json.dumps(message).encode() + b"\\n")
say(kind="open", fps=0, is_still=True)
say(kind="frame", **frame)
os.write(1, b"abc")
say(kind="end", notes=[*heavy, *keys])
"""


@pytest.fixture
def picture(tmp_path) -> Path:
    path = tmp_path / "a.png"
    Image.new("RGB", (8, 8), (255, 0, 0)).save(path)
    return path


def python(code: str, *words: str) -> list[str]:
    """The lines that a fresh interpreter prints."""
    done = subprocess.run(
        [sys.executable, "-c", code, *words],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": str(SOURCE), "OPENBLAS_NUM_THREADS": "1"},
    )
    return done.stdout.splitlines()


def refusal(path: Path, limits: Limits | None = None) -> str:
    with pytest.raises(WorldreelError) as caught:
        read_footage(path, limits=limits)
    assert caught.value.remedy
    return caught.value.message


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel of Linux holds the lock")
def test_behind_the_lock_there_are_no_files_hosts_or_processes(tmp_path):
    target = tmp_path / "secret"
    target.write_text("secret")
    lines = dict(line.split(": ") for line in python(LOCKED, str(target)))
    assert lines.pop("think") == "done"
    assert lines.pop("take memory") == "MemoryError"
    assert len(lines) == 8 and set(lines.values()) == {"OSError"}, lines
    assert [path.name for path in tmp_path.iterdir()] == ["secret"]


def test_the_decoding_process_loads_no_network_and_knows_no_keys(picture, monkeypatch):
    monkeypatch.setenv("WORLDREEL_API_KEY", "a key")
    monkeypatch.setattr(guard, "START", LISTENING)
    footage = read_footage(picture)
    assert footage.frames.tobytes() == b"abc" and footage.notes == ()


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)", r"down \(signal 11\)"),
        ("import os; os._exit(3)", r"down \(code 3\)"),
        ("print('nonsense', flush=True)", "brought its decoder down"),
        ("print('[1]', flush=True)", "brought its decoder down"),
        ("print('a' * 100_000, flush=True)", "brought its decoder down"),
        ("import time; time.sleep(60)", "takes longer to decode than 0.5 s, the limit"),
        ("while True: pass", "takes longer to decode than 0.5 s, the limit"),
    ],
)
def test_a_decoder_that_dies_hangs_or_babbles_is_an_error_of_the_file(
    picture, monkeypatch, code, message
):
    monkeypatch.setattr(guard, "START", code)
    with pytest.raises(WorldreelError, match=message) as caught:
        read_footage(picture, limits=Limits(wall_s=0.5 if "limit" in message else 30))
    assert caught.value.remedy


@pytest.mark.parametrize(
    "wrong",
    [
        {"shape": [100_000, 100_000, 3]},
        {"shape": [1, 1, 2]},
        {"shape": [-1, -1, 3]},
        {"time_s": float("nan")},
        {"turns": 9},
    ],
)
def test_a_decoder_that_was_taken_over_is_not_believed(picture, monkeypatch, wrong):
    frame = {
        "kind": "frame",
        "shape": [1, 1, 3],
        "time_s": None,
        "duration_s": None,
        "turns": 0,
        "is_mirrored": False,
        **wrong,
    }
    monkeypatch.setattr(guard, "START", f"print({json.dumps(frame)!r}, flush=True)")
    assert "brought its decoder down" in refusal(picture)


def test_processor_time_memory_and_size_have_limits_that_are_named(tmp_path, picture, monkeypatch):
    Image.new("RGB", (3500, 3500)).save(tmp_path / "large.png")
    message = refusal(tmp_path / "large.png", Limits(memory_bytes=256 * MIB))
    assert "needs more memory to decode than 256 MiB, the limit" in message
    assert "is 0 MiB; the limit is 0 MiB" in refusal(picture, Limits(file_bytes=1))
    monkeypatch.setattr(guard, "START", BUSY)
    assert "more processor time to decode than 1 s, the limit" in refusal(picture, Limits(cpu_s=1))


def test_a_reader_that_stops_early_leaves_no_process(tmp_path):
    # more than a pipe holds, and no two frames alike: alike ones would be kept as one
    shades = np.arange(200, dtype=np.uint8)[:, None, None, None]
    path = save_moving(tmp_path / "a.gif", np.broadcast_to(shades, (200, 128, 128, 3)).copy())
    with guard.guarded(path, Limits()) as decoding:
        next(decoding.frames())
        process = decoding._process
        assert process.poll() is None
    assert process.returncode is not None


def test_a_file_replaced_while_it_is_read_is_the_one_that_was_opened(tmp_path, picture):
    handle = guard.open_regular(picture)
    picture.write_bytes(b"")
    os.close(handle)
    other = io.BytesIO()
    Image.new("RGB", (8, 8), (0, 0, 255)).save(other, "PNG")
    picture.unlink()
    picture.write_bytes(other.getvalue())
    assert read_footage(picture).frames[0, 0, 0].tolist() == [0, 0, 255]


@pytest.mark.skipif(sys.platform != "linux", reason="inotify watches the canaries")
def test_forty_hostile_files_crash_nothing_and_reach_nothing(tmp_path):
    outside = Outside(tmp_path / "outside")
    folder = tmp_path / "inside"
    folder.mkdir()
    outside.num_reads()
    cases = hostile_cases(folder, tmp_path / "outside", outside.port, with_bombs=False)
    wrong = []
    kinds = set()
    for case in islice(cases, 5, None, 16):
        what, took_s = outcome(case, [read_frames])
        kinds.add(case.kind)
        if what not in ("read", "refused") or took_s > 10 or outside.num_reads():
            wrong.append((case.kind, case.path, what, took_s))
    outside.close()
    assert wrong == [] and len(kinds) >= 8


def test_the_watch_over_the_canaries_sees_a_read(tmp_path):
    outside = Outside(tmp_path / "outside")
    outside.num_reads()
    (tmp_path / "outside" / "secret.txt").read_text()
    assert outside.num_reads() > 0
    outside.close()
