"""The data folder: work in progress, uploads, and how a video's files are published.

``aside/ID.FENCE`` is written and synced, then renamed to ``videos/ID.FENCE``; only then does the
job store name that fence as the published one. Every claim has a fence of its own, so no two
makers ever write the same name, and files that the store does not name are nobody's.
"""

import contextlib
import hashlib
import os
import re
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

from worldreel.media.atomic import disk_errors

VIDEO, THUMBNAIL, SPRITESHEET = "video.mp4", "thumbnail.webp", "spritesheet.jpg"
SMALL, IMAGE = "small.webp", "image.png"
PUBLISHED = (VIDEO, THUMBNAIL, SPRITESHEET)
"""What every video has."""
SOMETIMES = (SMALL, IMAGE)
"""What only those have that were made by a version that knows it, or that are a picture."""
PREVIEW = "preview.webp"

_ID = re.compile(r"[a-z]{1,9}_[0-9a-f]{32}")
_ENDING = re.compile(r"\.[a-z0-9]{1,5}")


class Folder:
    """The places inside the data folder; names come from worldreel alone, never from clients."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.videos = root / "videos"
        self.work_root = root / "work"
        self.aside = root / "aside"
        self.uploads = root / "uploads"

    def make(self) -> None:
        """Makes the folders that are missing; nobody else may read them."""
        for folder in (self.root, self.videos, self.work_root, self.aside, self.uploads):
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)

    def work(self, video: str) -> Path:
        """Where a video's inputs and latents are, until it ends."""
        return self.work_root / checked(video)

    def published(self, video: str, fence: int) -> Path:
        """The folder of a video's published files."""
        return self.videos / f"{checked(video)}.{fence:d}"

    def upload(self, upload: str, ending: str) -> Path:
        """The file of an upload."""
        assert _ENDING.fullmatch(ending), ending
        return self.uploads / (checked(upload) + ending)

    def publish(self, video: str, fence: int, files: Path) -> Path:
        """Gives finished files their published name, whole; returns their folder.

        Args:
            files: the folder that the files were made in; it stays as it is.

        Raises:
            WorldreelError: the disk is full or failed; nothing has the name then.
        """
        aside, target = self.aside / f"{checked(video)}.{fence:d}", self.published(video, fence)
        with disk_errors(target):
            if target.exists():  # this very claim was here before, and died before it said so
                return target
            shutil.rmtree(aside, ignore_errors=True)
            aside.mkdir(mode=0o700)
            try:
                for name in published_names(files):
                    link_or_copy(files / name, aside / name)
                    sync(aside / name)
                sync(aside)
                os.rename(aside, target)
                sync(self.videos)
            except BaseException:
                shutil.rmtree(aside, ignore_errors=True)
                raise
        return target

    def remove(self, video: str) -> None:
        """Removes everything of a video, published or not."""
        shutil.rmtree(self.work(video), ignore_errors=True)
        for folder in (self.videos, self.aside):
            for path in folder.glob(f"{checked(video)}.*"):
                shutil.rmtree(path, ignore_errors=True)

    def remove_work(self, video: str) -> None:
        """Removes what a video no longer needs once it has ended."""
        shutil.rmtree(self.work(video), ignore_errors=True)

    def contents(self, folder: Path, older_than_s: float) -> Iterator[tuple[str, Path]]:
        """The id in the name of everything in a folder that was not touched for a while."""
        before = time.time() - older_than_s
        for path in list(folder.iterdir()):
            with contextlib.suppress(FileNotFoundError):
                name = path.name.partition(".")[0]
                if _ID.fullmatch(name) and path.stat().st_mtime < before:
                    yield name, path


def published_names(folder: Path) -> list[str]:
    """The files in a folder that are published."""
    return [*PUBLISHED, *(name for name in SOMETIMES if (folder / name).is_file())]


def checked(name: str) -> str:
    """The name itself; asserts that it is one that worldreel made."""
    assert _ID.fullmatch(name), name
    return name


def link_or_copy(source: Path, target: Path) -> None:
    """The same file under another name; a copy where the disk knows no links."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)


def sync(path: Path) -> None:
    """Waits until a file or the names in a folder are on the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def sha256_of(path: Path) -> str:
    """The hash of a file's bytes, in hexadecimal."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
