"""The queue as those who wait see it: their place in it, and when they will be done."""

import time
from dataclasses import dataclass

import sqlalchemy as sa

from worldreel.app.jobs.database import Database
from worldreel.app.jobs.tables import videos
from worldreel.app.jobs.video import IN_PROGRESS, QUEUED

TRUSTED_PERCENT = 15
"""From here on the time that was taken tells more of what is left than the reckoning does."""


@dataclass(frozen=True)
class Place:
    """Where a video stands.

    Args:
        position: 1 for the next one; None while it is being made.
        seconds_left: until it is done, with what is before it.
    """

    position: int | None
    seconds_left: float


@dataclass(frozen=True)
class Queue:
    """Every video that waits or is being made, by id, and the seconds until all are done."""

    places: dict[str, Place]
    work_s: float

    @property
    def num_waiting(self) -> int:
        """How many are not being made yet."""
        return sum(place.position is not None for place in self.places.values())


def read_queue(database: Database, workers: int) -> Queue:
    """The queue now.

    Args:
        workers: how many make videos; at least one is reckoned with.
    """
    columns = (videos.c.id, videos.c.status, videos.c.cost_s, videos.c.progress)
    query = sa.select(*columns, videos.c.started_at).order_by(videos.c.seq)
    with database.read() as connection:
        rows = connection.execute(query.where(videos.c.status.in_((QUEUED, IN_PROGRESS)))).all()
    now, work_s, position = time.time(), 0.0, 0
    places: dict[str, Place] = {}
    for row in sorted(rows, key=lambda row: row.status == QUEUED):
        left = row.cost_s * (100 - row.progress) / 100
        if row.status == QUEUED:
            position += 1
            work_s += left
            places[row.id] = Place(position, round(work_s / max(1, workers), 1))
            continue
        if row.progress >= TRUSTED_PERCENT and row.started_at is not None:
            left = max(0.0, now - row.started_at) * (100 - row.progress) / row.progress
        work_s += left
        places[row.id] = Place(None, round(left, 1))
    return Queue(places, work_s)
