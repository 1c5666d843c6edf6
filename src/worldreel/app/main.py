"""``worldreel``: reads the command line, runs one command, and says what went wrong."""

import contextlib
import errno
import os
import sys
import traceback
from collections.abc import Sequence
from typing import Annotated

import tyro
from tyro.conf import subcommand

from worldreel import __version__
from worldreel.app.commands.audit import Audit
from worldreel.app.commands.doctor import Doctor
from worldreel.app.commands.estimate import Estimate
from worldreel.app.commands.evaluate import Evaluate
from worldreel.app.commands.generate import Generate, Image
from worldreel.app.commands.keys import Keys
from worldreel.app.commands.models import Models
from worldreel.app.commands.play import Play
from worldreel.app.commands.pull import Pull
from worldreel.app.commands.serve import Serve
from worldreel.app.commands.show import Show
from worldreel.app.commands.storyboard import Storyboard
from worldreel.app.commands.train import Train
from worldreel.app.commands.verbs import (
    Connect,
    Edit,
    Erase,
    Expand,
    Extend,
    Interpolate,
    Loop,
    Recut,
    Replace,
    Upscale,
)
from worldreel.app.commands.verify import Verify
from worldreel.app.commands.worker import Worker
from worldreel.app.commands.world import World
from worldreel.core.errors import WorldreelError

Command = (
    Annotated[Generate, subcommand("generate")]
    | Annotated[Image, subcommand("image")]
    | Annotated[Extend, subcommand("extend")]
    | Annotated[Connect, subcommand("connect")]
    | Annotated[Loop, subcommand("loop")]
    | Annotated[Edit, subcommand("edit")]
    | Annotated[Erase, subcommand("erase")]
    | Annotated[Replace, subcommand("replace")]
    | Annotated[Expand, subcommand("expand")]
    | Annotated[Interpolate, subcommand("interpolate")]
    | Annotated[Recut, subcommand("recut")]
    | Annotated[Upscale, subcommand("upscale")]
    | Annotated[Storyboard, subcommand("storyboard")]
    | Annotated[Play, subcommand("play")]
    | Annotated[Show, subcommand("show")]
    | Annotated[Verify, subcommand("verify")]
    | Annotated[Models, subcommand("models")]
    | Annotated[Pull, subcommand("pull")]
    | Annotated[Estimate, subcommand("estimate")]
    | Annotated[Doctor, subcommand("doctor")]
    | Annotated[Train, subcommand("train")]
    | Annotated[Evaluate, subcommand("evaluate")]
    | Annotated[World, subcommand("world")]
    | Annotated[Serve, subcommand("serve")]
    | Annotated[Worker, subcommand("worker")]
    | Annotated[Keys, subcommand("keys")]
    | Annotated[Audit, subcommand("audit")]
)

DESCRIPTION = (
    f"worldreel {__version__}: words become video, on your own machine. "
    "`worldreel COMMAND --help` tells what a command takes, `worldreel --version` the version."
)

EXIT_INTERRUPTED = 130
EXIT_BROKEN_PIPE = 141

DISK_ERRORS = {
    errno.ENOSPC: ("The disk is full", "Free some space, or choose a place on another disk."),
    errno.EDQUOT: ("The disk quota is used up", "Free some space, or choose another place."),
    errno.EFBIG: (
        "The file is larger than this machine allows",
        "Raise the limit (`ulimit -f`), or ask for a smaller or shorter video.",
    ),
    errno.EACCES: ("No permission", "Choose a place that you may read and write."),
    errno.EPERM: ("No permission", "Choose a place that you may read and write."),
    errno.EROFS: ("The disk can only be read", "Choose a place on another disk."),
    errno.ENOENT: ("There is no such file or folder", "Check the path."),
    errno.ENOTDIR: ("A part of the path is not a folder", "Check the path."),
    errno.EISDIR: ("It is a folder, not a file", "Name a file."),
    errno.EIO: ("The disk could not be read or written", "Check the disk, or choose another."),
    errno.ENOMEM: ("Not enough memory", "Close other programs, or ask for less."),
    errno.EMFILE: ("Too many open files", "Raise the limit (`ulimit -n`)."),
}


def parse(argv: Sequence[str]) -> Command:
    """The command that the words ask for.

    Raises:
        SystemExit: 2 when they cannot be read, 0 after ``--help``.
    """
    return tyro.cli(
        Command,  # pyright: ignore[reportArgumentType]  (a union of types is a form, not a class)
        prog="worldreel",
        description=DESCRIPTION,
        args=list(argv),
        config=(tyro.conf.OmitSubcommandPrefixes, tyro.conf.OmitArgPrefixes),
    )


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one command and returns its exit code.

    Returns:
        0 done, 1 failed, 2 the request cannot be, 130 interrupted, 141 nobody reads any more.
    """
    words = sys.argv[1:] if argv is None else list(argv)
    try:
        code = _run(words)
        sys.stdout.flush()
        return code
    except BrokenPipeError:  # whoever read our output has gone, as `| head` does
        _flush_or_abandon_stdout()
        return EXIT_BROKEN_PIPE
    except KeyboardInterrupt:
        _say("Stopped. Nothing unfinished was left behind.")
        return EXIT_INTERRUPTED
    except Exception as error:
        if os.environ.get("WORLDREEL_DEBUG") == "1":
            traceback.print_exc()
        _say(_explanation(error))
        _flush_or_abandon_stdout()
        return error.exit_code if isinstance(error, WorldreelError) else 1


def _run(words: Sequence[str]) -> int:
    if list(words) == ["--version"]:
        print(f"worldreel {__version__}")
        return 0
    try:
        command = parse(words)
    except SystemExit as exit_:  # tyro has printed the help, or what it did not understand
        return exit_.code if isinstance(exit_.code, int) else 2
    return command.run()


def _explanation(error: Exception) -> str:
    """What happened and what to do next, for people."""
    if isinstance(error, WorldreelError):
        return f"Error: {error}"
    if isinstance(error, OSError) and error.errno in DISK_ERRORS:
        what, remedy = DISK_ERRORS[error.errno]
        return f"Error: {what}{f': {error.filename}' if error.filename else ''}.\n{remedy}"
    is_full = isinstance(error, MemoryError) or "CUDA out of memory" in str(error)
    if is_full or "can't allocate memory" in str(error):
        return (
            "Error: Not enough memory.\nAsk for less at a time (`worldreel estimate` says what a "
            "size and duration take), or close other programs."
        )
    if isinstance(error, ModuleNotFoundError) and not (error.name or "").startswith("worldreel"):
        return (
            f"Error: The Python package {error.name!r} is missing.\n"
            "Install worldreel again, with its dependencies; `worldreel doctor` tells what is here."
        )
    first_line = (str(error).splitlines() or [""])[0][:200]
    return (
        f"Error: worldreel {__version__} failed with {type(error).__name__}: {first_line}\n"
        "This is a bug: please report this line. WORLDREEL_DEBUG=1 shows the traceback."
    )


def _say(text: str) -> None:
    with contextlib.suppress(OSError):
        print(text, file=sys.stderr, flush=True)


def _flush_or_abandon_stdout() -> None:
    """Where standard output takes no more, points it at nothing, as Python will flush it again."""
    try:
        sys.stdout.flush()
    except OSError:
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, sys.stdout.fileno())
        os.close(null)


if __name__ == "__main__":
    sys.exit(main())
