"""A file is either there whole or not there: temporary name, fsync, rename."""

import contextlib
import errno
import os
import secrets
from collections.abc import Iterator
from pathlib import Path

from worldreel.core.errors import UsageError, WorldreelError


@contextlib.contextmanager
def atomic_target(path: str | Path) -> Iterator[Path]:
    """The empty temporary file to write instead of ``path``; it takes the name at the end.

    A symbolic link is followed, so that the link stays and its target is replaced.
    Whatever is raised inside, a cancel included, leaves nothing behind and an older
    ``path`` untouched.

    Raises:
        UsageError: the folder is missing or does not allow writing.
        WorldreelError: the disk is full or failed on the way.
    """
    target = Path(os.path.realpath(path))
    part = target.parent / f".worldreel-{secrets.token_hex(6)}.part"
    with disk_errors(path):
        os.close(os.open(part, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666))
    try:
        yield part
        with disk_errors(path):
            with open(part, "rb") as file:
                os.fsync(file.fileno())
            os.replace(part, target)
            _sync_folder(target.parent)
    finally:
        part.unlink(missing_ok=True)


@contextlib.contextmanager
def disk_errors(path: str | Path) -> Iterator[None]:
    """Turns what the system says of writing ``path`` into a WorldreelError."""
    try:
        yield
    except OSError as error:
        raise explain(error, path) from error


def explain(error: OSError, path: str | Path) -> WorldreelError:
    """What the system said about writing ``path``, as an error that a person can act on."""
    match error.errno:
        case errno.ENOSPC | errno.EDQUOT:
            return WorldreelError(
                f"the disk is full: {path} was not written",
                remedy="Free some space, or choose a file on another disk.",
            )
        case errno.EFBIG:
            return WorldreelError(
                f"{path} was not written: it is larger than a file may be here",
                remedy="Raise the limit (ulimit -f), or ask for something smaller.",
            )
        case errno.ENOENT:
            return UsageError(
                f"the folder of {path} does not exist",
                remedy=f"Make it (mkdir -p {Path(path).parent}), or choose another.",
            )
        case errno.EISDIR:
            return UsageError(
                f"{path} is a folder",
                remedy="Give the name of a file, for example clip.mp4 inside it.",
            )
        case errno.ENOTDIR:
            return UsageError(
                f"{path} cannot be: a part of its path is a file, not a folder",
                remedy="Choose a file in a folder.",
            )
        case errno.EACCES | errno.EPERM | errno.EROFS:
            return UsageError(
                f"{path} may not be written ({error.strerror})",
                remedy="Choose a folder that you may write to.",
            )
        case errno.ENAMETOOLONG:
            return UsageError(
                f"the file's name has {len(Path(path).name)} characters, more than this disk allows"
                f" (mostly 255 bytes): {Path(path).name[:40]}...",
                remedy="Choose a shorter name.",
            )
    return WorldreelError(
        f"{path} was not written: {error.strerror or error}",
        remedy="Try again, or choose another folder.",
    )


def _sync_folder(folder: Path) -> None:
    """Make the rename itself last; some file systems do not allow it, and then it is theirs."""
    with contextlib.suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
