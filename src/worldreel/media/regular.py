"""Opening a file that is one: not a folder, a pipe or a device; and its name in messages."""

import errno
import os
import stat
from pathlib import Path

from worldreel.core.errors import WorldreelError


def open_regular(path: str | Path) -> int:
    """A file's descriptor for reading; a pipe, device or folder is refused without being read.

    Raises:
        WorldreelError: no such file, not allowed, empty, or not a regular file.
    """
    name = shown_name(path)
    try:
        if "\0" in str(path):
            raise FileNotFoundError(errno.ENOENT, "no such file")
        # without waiting for whoever would write into a pipe, or taking over a terminal
        handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    except FileNotFoundError as error:
        raise WorldreelError(
            f"there is no file {name}", remedy="Check the name and the folder."
        ) from error
    except PermissionError as error:
        raise WorldreelError(
            f"{name} may not be read", remedy="Change its permissions, or copy it."
        ) from error
    except OSError as error:
        raise WorldreelError(
            f"{name} cannot be opened: {error.strerror}", remedy="Give a file on this disk."
        ) from error
    status = os.fstat(handle)
    problem = None
    if stat.S_ISDIR(status.st_mode):
        problem = WorldreelError(f"{name} is a folder", remedy="Give one file.")
    elif not stat.S_ISREG(status.st_mode):
        problem = WorldreelError(
            f"{name} is a pipe or a device, not a file", remedy="Write it to a file first."
        )
    elif status.st_size == 0:
        problem = WorldreelError(f"{name} is empty", remedy="Fetch or export the file again.")
    if problem is not None:
        os.close(handle)
        raise problem
    return handle


def shown_name(path: str | Path) -> str:
    """A path for one line of a message: line breaks and other control characters escaped."""
    text = os.fsdecode(path)
    return "".join(
        letter if letter.isprintable() else letter.encode("unicode_escape", "replace").decode()
        for letter in text
    )
