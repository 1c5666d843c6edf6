"""The database of the job store: SQLite or Postgres, made and brought up to date by alembic."""

import contextlib
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import sqlalchemy as sa
from sqlalchemy import Connection, event
from sqlalchemy.exc import DBAPIError, OperationalError

from worldreel.core.errors import WorldreelError

MIGRATIONS = Path(__file__).parent / "migrations"
BUSY_MS = 30_000
IDLE_MS = 10_000
MIGRATION_LOCK = 0x776F726C
ADMISSION_LOCK = 0x7265656C
"""Numbers of Postgres' advisory locks: one at a time migrates, and one at a time is admitted."""

T = TypeVar("T")


class Database:
    """Connections for reading and for writing; a block is one transaction.

    SQLite runs in WAL mode with a sync at every commit, so that what was answered is on disk;
    a writing block takes the lock at its beginning, so that what it reads stays true.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        self.is_sqlite = url.startswith("sqlite")
        if self.is_sqlite:
            self._reading = sa.create_engine(url, pool_size=20, max_overflow=40)
            self._writing = sa.create_engine(url, pool_size=20, max_overflow=40)
            for engine in (self._reading, self._writing):
                event.listen(engine, "connect", _set_up_sqlite)
            event.listen(self._writing, "begin", _begin_immediate)
        else:
            # a process that freezes inside a transaction must not hold its rows for ever
            options = {"options": f"-c idle_in_transaction_session_timeout={IDLE_MS}"}
            engine = sa.create_engine(
                url, pool_size=20, max_overflow=40, pool_pre_ping=True, connect_args=options
            )
            self._reading = self._writing = engine

    @contextlib.contextmanager
    def read(self) -> Iterator[Connection]:
        """A connection to read with."""
        with self._reading.connect() as connection:
            yield connection

    @contextlib.contextmanager
    def write(self) -> Iterator[Connection]:
        """A transaction: committed at the end of the block, rolled back by an exception."""
        with self._writing.begin() as connection:
            yield connection

    def alone(self, connection: Connection) -> None:
        """Lets one transaction at a time pass here; SQLite's writers are alone anyway."""
        if not self.is_sqlite:
            lock = sa.func.pg_advisory_xact_lock(ADMISSION_LOCK)
            connection.execute(sa.select(lock))

    def upgrade(self) -> None:
        """Makes the tables, or brings older ones up to date; many may call it at once."""
        from alembic import command
        from alembic.config import Config

        with self._writing.begin() as connection:
            if not self.is_sqlite:
                lock = sa.func.pg_advisory_xact_lock(MIGRATION_LOCK)
                connection.execute(sa.select(lock))
            config = Config()
            config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
            config.attributes["connection"] = connection
            command.upgrade(config, "head")

    def check(self) -> None:
        """Raises WorldreelError where the database does not answer."""
        try:
            with self.read() as connection:
                connection.execute(sa.text("select 1"))
        except DBAPIError as error:
            raise WorldreelError(
                f"The database does not answer: {str(error.orig).strip().splitlines()[0]}.",
                remedy="Check --database, and that the database runs.",
            ) from error

    def close(self) -> None:
        """Closes every connection."""
        self._reading.dispose()
        self._writing.dispose()


def patiently(act: Callable[[], T], give_up: Callable[[], bool] = lambda: False) -> T:
    """Does something with the database until it works: a full disk or a restart may pass.

    Raises:
        OperationalError: the last one, once ``give_up`` says so.
    """
    pause_s = 0.05
    while True:
        try:
            return act()
        except OperationalError:
            if give_up():
                raise
            time.sleep(pause_s)
            pause_s = min(2 * pause_s, 2.0)


def _set_up_sqlite(connection: Any, record: Any) -> None:
    connection.isolation_level = None
    connection.execute(f"PRAGMA busy_timeout={BUSY_MS}")
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=FULL")


def _begin_immediate(connection: Connection) -> None:
    connection.exec_driver_sql("BEGIN IMMEDIATE")
