"""What an operator decides about a server and its workers."""

import os
from dataclasses import dataclass, field
from pathlib import Path

from worldreel.core.errors import UsageError
from worldreel.weights.catalogue import DEFAULT_MODEL

HOUR_S = 3600
MIB = 2**20


@dataclass(frozen=True, kw_only=True)
class Settings:
    """How jobs are kept, made and let go; the server and every worker are given the same.

    Raises:
        UsageError: a value outside its range.
    """

    data: Path
    """The folder that holds videos, uploads and, with SQLite, the databases."""
    database: str | None = None
    """A URL such as ``postgresql://user@host/name``; None keeps SQLite in the folder."""
    aliases: tuple[tuple[str, str], ...] = (
        ("sora-2", DEFAULT_MODEL),
        ("sora-2-pro", DEFAULT_MODEL),
    )
    """Names that clients ask for, and the models that serve them."""
    queue_max: int = 100
    """Videos that may wait; past it, 429."""
    owner_queue_max: int | None = None
    """Videos of one owner that may wait."""
    keep_hours: float = 7 * 24
    """How long a finished video's files are kept."""
    disk_quota_bytes: int | None = None
    """Past it no video is accepted; None is as much as the disk has."""
    lease_s: float = 20.0
    """How long a worker may be silent before its job is taken over."""
    deaths_max: int = 3
    """Deaths of a worker at the same stage of a job after which the job is failed."""
    drain_s: float = 30.0
    """How long a worker that is asked to stop goes on with the job in its hands."""
    upload_max_bytes: int = 256 * MIB
    poll_s: float = 0.2
    """How often a worker looks for work."""
    private_addresses: bool = False
    """Whether webhooks and pictures may be at addresses inside the own network."""
    provenance: Path | None = None
    """The operator's file of how videos are marked; None is the one in the data folder."""
    policy: Path | None = None
    """The operator's file of what may be asked for; None allows everything."""
    shared: bool = False
    """Whether others than this machine reach the server."""
    plays_max: int = 1
    """Worlds that run at the same time for those who play; each has a process of its own."""
    threads: int | None = field(default_factory=lambda: None)
    """Threads of a worker; None leaves it to the machine."""

    def __post_init__(self) -> None:
        _check("queue of at most", self.queue_max, 1, 1_000_000)
        _check("hours to keep a video", self.keep_hours, 0.001, 1e6)
        _check("lease in seconds", self.lease_s, 1, 3600)
        _check("seconds to drain", self.drain_s, 0, 3600)
        _check("largest upload in bytes", self.upload_max_bytes, 1024, 2**40)
        _check("number of worlds that are played", self.plays_max, 0, 1000)
        _check("deaths that a job may cause", self.deaths_max, 1, 100)
        for name, value in (
            ("owner's queue of at most", self.owner_queue_max),
            ("disk quota in bytes", self.disk_quota_bytes),
            ("number of threads", self.threads),
        ):
            if value is not None:
                _check(name, value, 1, 2**60)

    @property
    def database_url(self) -> str:
        """SQLAlchemy's URL of the job store."""
        if self.database is None:
            return f"sqlite:///{self.data.absolute() / 'worldreel.sqlite'}"
        return _with_driver(self.database)

    @property
    def workflow_url(self) -> str:
        """SQLAlchemy's URL of what DBOS remembers; with Postgres the same database."""
        if self.database is None:
            return f"sqlite:///{self.data.absolute() / 'workflows.sqlite'}"
        return _with_driver(self.database)

    @property
    def is_sqlite(self) -> bool:
        """Whether everything is in the folder."""
        return self.database is None


def check_folder(data: Path) -> None:
    """Makes the data folder, for nobody else to read; raises UsageError where it cannot be."""
    try:
        data.mkdir(parents=True, exist_ok=True, mode=0o700)
        probe = data / f".probe-{os.getpid()}"
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise UsageError(
            f"The data folder {data} cannot be written ({error.strerror}).",
            remedy="Choose a folder that you may write to with --data.",
        ) from error


def _with_driver(url: str) -> str:
    scheme, separator, rest = url.partition("://")
    if not separator or scheme not in ("postgresql", "postgres", "postgresql+psycopg"):
        raise UsageError(
            f"The database {scheme!r} is none that worldreel can use.",
            remedy="Give a URL such as postgresql://user:password@host:5432/name, or leave "
            "--database out for SQLite.",
        )
    return f"postgresql+psycopg://{rest}"


def _check(name: str, value: float, low: float, high: float) -> None:
    if not low <= value <= high:
        raise UsageError(
            f"The {name} is {value:g}; it must be from {low:g} to {high:g}.",
            remedy="Choose a value in that range.",
        )
