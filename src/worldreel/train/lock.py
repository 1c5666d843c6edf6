"""One process at a time in a run's folder."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from worldreel.core.errors import WorldreelError
from worldreel.media.atomic import disk_errors

FILE_NAME = ".lock"


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Keeps other processes out of ``folder`` until the block is left or the process dies.

    The system drops the lock with the process, so that what is left of a killed run never
    has to be cleared away. The file itself stays, with the last holder's process number.

    Raises:
        WorldreelError: another process holds it, or the folder is not writable.
    """
    folder = Path(folder)
    path = folder / FILE_NAME
    with disk_errors(path):
        folder.mkdir(parents=True, exist_ok=True)
        file = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            holder = os.read(file, 20).decode(errors="replace").strip()
            raise WorldreelError(
                f"another process{f' ({holder})' if holder else ''} is training in {folder}.",
                remedy="Wait until it ends, or stop it (it writes a checkpoint on SIGTERM), "
                "or train into another folder.",
            ) from error
        os.ftruncate(file, 0)
        os.pwrite(file, f"{os.getpid()}\n".encode(), 0)
        yield
    finally:
        os.close(file)
