"""Who is making videos: every worker says that it lives, and the silent are taken over."""

import socket
import time
from collections.abc import Sequence

import sqlalchemy as sa
from sqlalchemy import Connection

from worldreel.app.jobs.database import Database
from worldreel.app.jobs.tables import workers

FORGET_S = 7 * 24 * 3600


def worker_name(number: int) -> str:
    """The name of a machine's ``number``-th worker; it takes up its own work after a restart."""
    return f"{socket.gethostname()}-{number}"


class WorkerStore:
    """Workers in the database; ages are by the database's clock."""

    def __init__(self, database: Database) -> None:
        self.database = database

    def beat(self, worker: str, process: str, *, first: bool = False) -> bool:
        """Says that a worker lives.

        Args:
            process: which process says so; the newest of a name is the worker.
            first: whether it has just begun.

        Returns:
            False where another process has taken the name: this one must stop.
        """
        with self.database.write() as connection:
            now = self._now(connection)
            mine = workers.update().where(workers.c.id == worker)
            if first:
                values = {"process": process, "started_at": now, "heartbeat_at": now}
                values["retired"] = False
                if connection.execute(mine.values(values)).rowcount == 0:
                    connection.execute(workers.insert().values(id=worker, **values))
                return True
            mine = mine.where(workers.c.process == process)
            beaten = connection.execute(mine.values(heartbeat_at=now, retired=False))
            return beaten.rowcount == 1

    def silent(self, lease_s: float) -> list[str]:
        """Workers that did not say for a while that they live, and were not taken over yet."""
        with self.database.read() as connection:
            before = self._now(connection) - lease_s
            query = sa.select(workers.c.id).where(
                workers.c.heartbeat_at < before, workers.c.retired.is_(False)
            )
            return list(connection.execute(query).scalars())

    def retire(self, worker: str, lease_s: float) -> bool:
        """Marks a worker as taken over, unless it has spoken since."""
        with self.database.write() as connection:
            before = self._now(connection) - lease_s
            query = workers.update().where(workers.c.id == worker, workers.c.heartbeat_at < before)
            return connection.execute(query.values(retired=True)).rowcount == 1

    def living(self, lease_s: float) -> dict[str, float]:
        """Workers and the seconds since each of them last spoke."""
        with self.database.read() as connection:
            now = self._now(connection)
            query = sa.select(workers.c.id, workers.c.heartbeat_at)
            rows = connection.execute(query.where(workers.c.heartbeat_at >= now - lease_s)).all()
        return {row.id: now - row.heartbeat_at for row in rows}

    def learn(self, worker: str, ratio: float) -> None:
        """Notes how much longer a video took than it was reckoned to, averaged over the last."""
        with self.database.write() as connection:
            query = sa.select(workers.c.slowness).where(workers.c.id == worker)
            known = connection.execute(query).scalar()
            slowness = ratio if known is None else 0.7 * known + 0.3 * ratio
            mine = workers.update().where(workers.c.id == worker)
            connection.execute(mine.values(slowness=slowness))

    def slowness(self) -> float | None:
        """The mean over all workers that have made something."""
        with self.database.read() as connection:
            return connection.execute(sa.select(sa.func.avg(workers.c.slowness))).scalar()

    def forget_old(self, keep: Sequence[str] = ()) -> None:
        """Drops workers that were silent for a week."""
        with self.database.write() as connection:
            before = self._now(connection) - FORGET_S
            gone = (workers.c.heartbeat_at < before, workers.c.id.notin_(keep))
            connection.execute(workers.delete().where(*gone))

    def _now(self, connection: Connection) -> float:
        if self.database.is_sqlite:
            return time.time()
        query = sa.select(sa.func.extract("epoch", sa.func.clock_timestamp()))
        return float(connection.execute(query).scalar_one())
