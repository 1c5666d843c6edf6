"""A workshop without a model: what is around the making of videos, as it really is."""

import tempfile
import time
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from worldreel.app.jobs.database import Database
from worldreel.app.jobs.folder import Folder
from worldreel.app.jobs.marking import KEYS
from worldreel.app.jobs.pictures import Showing
from worldreel.app.jobs.settings import Settings
from worldreel.app.jobs.store import VideoStore
from worldreel.app.jobs.video import NewVideo, Wish, new_id
from worldreel.app.jobs.workers import WorkerStore
from worldreel.app.jobs.workflow import Workshop
from worldreel.media.atomic import atomic_target
from worldreel.provenance.authority import local_signing

NUM_FRAMES = 4
OWNER = "alice"


class QuickMaker:
    """Makes grey frames instead of a model's; everything that it writes goes the usual way."""

    def __init__(self, num_stretches: int = 2) -> None:
        self.num_stretches = num_stretches
        self.made: list[int] = []
        self.decoded = 0

    def plan(self, wish: Wish, inputs: Path) -> dict[str, Any]:
        return {"num_stretches": self.num_stretches, "notes": ["grey"]}

    def stretch(self, wish, inputs, number, before, target, progress, previewed) -> None:
        assert all(path.is_file() for path in before)
        for step in range(3):
            progress(step, 2, "denoise")
            previewed(step)
        target.parent.mkdir(parents=True, exist_ok=True)
        with atomic_target(target) as part:
            part.write_bytes(bytes([number]) * 100)
        self.made.append(number)

    def decode(self, wish, inputs, stretches, folder, progress) -> dict[str, Any]:
        folder.mkdir(parents=True, exist_ok=True)
        how = {"size": (32, 32), "fps": 12, "num_frames": NUM_FRAMES, "settings": {}}
        with Showing(folder, **how) as showing:
            for frame in range(NUM_FRAMES):
                progress(frame, NUM_FRAMES, "decode")
                showing.add(np.full((32, 32, 3), 40 * frame, np.uint8))
        self.decoded += 1
        return {"num_frames": NUM_FRAMES, "watermarked": True}  # as far as so small ones can be


@lru_cache
def migrated() -> bytes:
    """An empty SQLite database with its tables: made once for all tests."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "empty.sqlite"
        database = Database(f"sqlite:///{path}")
        database.upgrade()
        with database.read() as connection:
            connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
        database.close()
        return path.read_bytes()


class Bench:
    """A job store in a folder, and workshops that share it.

    Args:
        settings: of `Settings`, beside the folder.
    """

    def __init__(self, folder: Path, url: str | None = None, **settings: Any) -> None:
        self.settings = Settings(data=folder, **settings)
        self.folder = Folder(folder)
        self.folder.make()
        local_signing(folder / KEYS, tell=lambda told: None)  # made once, as on a server
        own = folder / "worldreel.sqlite"
        is_new = self.settings.is_sqlite and url is None and not own.exists()
        if is_new:
            own.write_bytes(migrated())
        self.database = Database(url or self.settings.database_url)
        if not is_new:
            self.database.upgrade()
        self.store = VideoStore(self.database, self.settings)

    def workshop(self, worker: str, **fields: Any) -> Workshop:
        """A worker's place; its steps are remembered by nobody."""
        return Workshop(
            settings=self.settings,
            folder=self.folder,
            store=self.store,
            workers=WorkerStore(self.database),
            worker=worker,
            **{"maker": QuickMaker(), "remember": lambda name, act: act(), **fields},
        )

    def admit(self, owner: str = OWNER, once: Any = None, answer: str = "", **wish: Any) -> str:
        """Accepts a video; returns its id, or the answer that was given to the key before."""
        new = new_video(owner, **wish)
        return self.store.admit([new], once, answer or new.id)

    def published(self, video: str) -> list[Path]:
        """The published folders of a video."""
        return sorted(self.folder.videos.glob(f"{video}.*"))


def new_video(owner: str = OWNER, **wish: Any) -> NewVideo:
    """A video that the store can accept."""
    values: dict[str, Any] = {
        "kind": "create",
        "model": "toybox",
        "prompt": "a red ball falls",
        "seed": 1,
        "num_frames": NUM_FRAMES,
        "fps": 12.0,
        "width": 96,
        "height": 96,
        "shown_width": 96,
        "shown_height": 96,
        **wish,
    }
    return NewVideo(
        id=new_id("video"),
        owner=owner,
        wish=Wish(**values),
        model="toybox",
        size="96x96",
        seconds="1",
        cost_s=1.0,
    )


def soon(check, limit_s: float = 30.0) -> None:
    """Waits until a check holds."""
    end = time.monotonic() + limit_s
    while not check():
        assert time.monotonic() < end, "it never came to be"
        time.sleep(0.02)
