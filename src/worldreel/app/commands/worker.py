"""``worldreel worker``: makes the videos that a server accepted."""

import logging
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from tyro.conf import arg

from worldreel.app.commands.serve import DATABASE_VARIABLE
from worldreel.app.options import Flag, OptionalInt, OptionalText


@dataclass(frozen=True, kw_only=True)
class Worker:
    """Makes videos that a server accepted; run as many as there are machines or GPUs."""

    data: Annotated[Path, arg(metavar="FOLDER")] = Path("worldreel-data")
    """The server's data folder; on another machine, the same folder shared over the network."""
    database: Annotated[OptionalText, arg(metavar="URL", help_behavior_hint="")] = None
    """The server's Postgres database, postgresql://user:password@host/name; or in
    WORLDREEL_DATABASE, where the list of processes does not show it. (default: SQLite)"""
    name: Annotated[OptionalText, arg(metavar="NAME", help_behavior_hint="")] = None
    """A name that no other worker has; after a restart it goes on with its own work at once.
    (default: the machine's name and a number)"""
    sora_2: Annotated[str, arg(metavar="MODEL")] = "toybox"
    """The model that serves sora-2: loaded first."""
    sora_2_pro: Annotated[str, arg(metavar="MODEL")] = "toybox"
    """The model that serves sora-2-pro."""
    threads: Annotated[OptionalInt, arg(help_behavior_hint="(default: the machine's)")] = None
    """Threads that compute."""
    lease_seconds: float = 20.0
    """A worker that is silent for so long is taken over."""
    keep_hours: float = 168.0
    """How long a finished video's files are kept."""
    drain_seconds: float = 30.0
    """When asked to stop: how long it goes on with the video in its hands."""
    deaths_max: int = 3
    """A video at which workers died so often is failed."""
    provenance: Annotated[OptionalText, arg(metavar="FILE", help_behavior_hint="")] = None
    """The server's file of how videos are marked."""
    policy: Annotated[OptionalText, arg(metavar="FILE", help_behavior_hint="")] = None
    """The server's file of what may be asked for."""
    leashed: Flag = False
    """End when standard input ends."""

    def run(self) -> int:
        from worldreel.app.jobs.settings import Settings
        from worldreel.app.jobs.worker import Worker as Work
        from worldreel.app.jobs.workers import worker_name

        logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(name)s: %(message)s")
        settings = Settings(
            data=self.data,
            database=self.database or os.environ.get(DATABASE_VARIABLE),
            aliases=(("sora-2", self.sora_2), ("sora-2-pro", self.sora_2_pro)),
            threads=self.threads,
            lease_s=self.lease_seconds,
            keep_hours=self.keep_hours,
            drain_s=self.drain_seconds,
            deaths_max=self.deaths_max,
            provenance=None if self.provenance is None else Path(self.provenance),
            policy=None if self.policy is None else Path(self.policy),
        )
        name = self.name or worker_name(0)
        return Work(settings, name, leashed=self.leashed).run()
