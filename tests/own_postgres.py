"""A Postgres of the test's own, in a folder, without a network."""

import contextlib
import os
import pwd
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

USER = "postgres"
PROGRAMS = sorted(Path("/usr/lib/postgresql").glob("*/bin"))


def why_not() -> str | None:
    """Why there can be none here; None where there can."""
    if not PROGRAMS and shutil.which("initdb") is None:
        return "Postgres is not installed"
    if os.getuid() == 0:
        try:
            pwd.getpwnam(USER)
        except KeyError:
            return "Postgres runs as no root, and there is no user for it"
    return None


@contextlib.contextmanager
def own_postgres() -> Iterator[str]:
    """The URL of an empty database, for the length of the block."""
    programs = PROGRAMS[-1] if PROGRAMS else Path(str(shutil.which("initdb"))).parent
    folder = Path(tempfile.mkdtemp(prefix="pg-"))
    as_user = {}
    if os.getuid() == 0:
        entry = pwd.getpwnam(USER)
        os.chown(folder, entry.pw_uid, entry.pw_gid)
        as_user = {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "cwd": folder}
    made = [programs / "initdb", "-D", folder / "d", "-A", "trust", "-U", "worldreel", "-N"]
    subprocess.run(made, check=True, **quiet, **as_user)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    words = ["-D", folder / "d", "-p", str(port), "-c", "listen_addresses=127.0.0.1"]
    words += ["-c", f"unix_socket_directories={folder}", "-c", "fsync=off"]
    process = subprocess.Popen([programs / "postgres", *words], **quiet, **as_user)
    try:
        end = time.monotonic() + 30
        while True:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
                break
            assert process.poll() is None and time.monotonic() < end
            time.sleep(0.05)
        time.sleep(0.3)  # it listens a moment before it answers
        yield f"postgresql://worldreel@127.0.0.1:{port}/postgres"
    finally:
        process.terminate()
        process.wait()
        shutil.rmtree(folder, ignore_errors=True)
