"""Lets go of what nobody needs any more: expired files, half-written ones, forgotten rows."""

import logging
import shutil
import time
from pathlib import Path

from worldreel.app.jobs.database import Database
from worldreel.app.jobs.folder import Folder
from worldreel.app.jobs.hooks import HookStore
from worldreel.app.jobs.settings import HOUR_S, Settings
from worldreel.app.jobs.store import VideoStore
from worldreel.app.jobs.uploads import UploadStore

GRACE_S = 900.0
"""How old a file must be that belongs to nothing: an upload may still be on its way."""
KEEP_ROWS_HOURS = 30 * 24
"""How long a video is known after its files are gone."""

log = logging.getLogger("worldreel.jobs")


class Sweeper:
    """Sweeps the data folder and the tables; several may do it at once."""

    def __init__(self, database: Database, settings: Settings, folder: Folder) -> None:
        self._folder = folder
        self._videos = VideoStore(database, settings)
        self._uploads = UploadStore(database)
        self._hooks = HookStore(database)

    def sweep(self, grace_s: float = GRACE_S) -> None:
        """One round."""
        now = time.time()
        if expired := self._videos.expired(now):
            for video in expired:
                self._folder.remove(video.id)
            self._videos.files_gone([video.id for video in expired])
            log.info("%d videos expired", len(expired))
        self._videos.forget(now - KEEP_ROWS_HOURS * HOUR_S)
        for upload in self._uploads.take_expired(now):
            upload.path(self._folder).unlink(missing_ok=True)
        self._hooks.forget_old()
        self._sweep_folders(grace_s)

    def _sweep_folders(self, grace_s: float) -> None:
        """Removes files that no row names: their writer died, or their video was deleted."""
        folder = self._folder
        for place in (folder.videos, folder.aside, folder.work_root):
            found = list(folder.contents(place, grace_s))
            standing = self._videos.standing(sorted({name for name, _ in found}))
            for name, path in found:
                video = standing.get(name)
                fence = path.name.partition(".")[2]
                needed = video is not None and (
                    not video.ended
                    if place != folder.videos
                    else not video.ended or fence == str(video.published_fence)
                )
                if not needed:
                    shutil.rmtree(path, ignore_errors=True)
        found = list(folder.contents(folder.uploads, grace_s))
        known = self._uploads.known(sorted({name for name, _ in found}))
        for name, path in found:
            if name not in known:
                _remove(path)


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)
