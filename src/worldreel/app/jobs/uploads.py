"""Files and characters that clients have left here for later."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import sqlalchemy as sa

from worldreel.app.jobs.database import Database
from worldreel.app.jobs.folder import Folder
from worldreel.app.jobs.tables import characters, uploads


@dataclass(frozen=True, kw_only=True)
class Upload:
    """A file that was left here; its bytes are the client's, unread."""

    seq: int = 0
    id: str
    owner: str
    created_at: float
    expires_at: float | None = None
    filename: str
    """What the client calls it: shown, and used for nothing else."""
    purpose: str
    size_bytes: int
    ending: str

    def path(self, folder: Folder) -> Path:
        """Where its bytes are."""
        return folder.upload(self.id, self.ending)


@dataclass(frozen=True, kw_only=True)
class Character:
    """Somebody or something that videos may show again."""

    id: str
    owner: str
    created_at: float
    name: str
    ending: str
    size_bytes: int
    num_frames: int

    def path(self, folder: Folder) -> Path:
        """Where its clip is; worldreel wrote it."""
        return folder.upload(self.id, self.ending)


class UploadStore:
    """Files and characters in the database."""

    def __init__(self, database: Database) -> None:
        self.database = database

    def add(self, upload: Upload) -> None:
        """Remembers a file whose bytes are in their place."""
        values = {name: value for name, value in vars(upload).items() if name != "seq"}
        with self.database.write() as connection:
            connection.execute(uploads.insert().values(values))

    def get(self, owner: str, upload: str) -> Upload | None:
        """An owner's file, or None."""
        where = (uploads.c.id == upload, uploads.c.owner == owner)
        with self.database.read() as connection:
            row = connection.execute(sa.select(uploads).where(*where)).first()
        if row is None or (row.expires_at is not None and row.expires_at < time.time()):
            return None
        return Upload(**row._mapping)

    def page(
        self, owner: str, *, limit: int, ascending: bool, after: Upload | None, purpose: str | None
    ) -> list[Upload]:
        """At most ``limit`` files of an owner in order of creation."""
        query = sa.select(uploads).where(uploads.c.owner == owner)
        if purpose is not None:
            query = query.where(uploads.c.purpose == purpose)
        if after is not None:
            query = query.where(
                uploads.c.seq > after.seq if ascending else uploads.c.seq < after.seq
            )
        query = query.order_by(uploads.c.seq if ascending else uploads.c.seq.desc()).limit(limit)
        with self.database.read() as connection:
            return [Upload(**row._mapping) for row in connection.execute(query)]

    def remove(self, owner: str, upload: str) -> bool:
        """Forgets a file; its bytes are the caller's to remove."""
        where = (uploads.c.id == upload, uploads.c.owner == owner)
        with self.database.write() as connection:
            return connection.execute(uploads.delete().where(*where)).rowcount == 1

    def used_bytes(self, owner: str) -> int:
        """Bytes of all files and characters of an owner."""
        total = 0
        with self.database.read() as connection:
            for table in (uploads, characters):
                query = sa.select(sa.func.coalesce(sa.func.sum(table.c.size_bytes), 0))
                total += connection.execute(query.where(table.c.owner == owner)).scalar() or 0
        return int(total)

    def add_character(self, character: Character) -> None:
        """Remembers a character whose clip is in its place."""
        with self.database.write() as connection:
            connection.execute(characters.insert().values(vars(character)))

    def character(self, owner: str, character: str) -> Character | None:
        """An owner's character, or None."""
        where = (characters.c.id == character, characters.c.owner == owner)
        with self.database.read() as connection:
            row = connection.execute(sa.select(characters).where(*where)).first()
        return None if row is None else Character(**row._mapping)

    def take_expired(self, now: float) -> list[Upload]:
        """Forgets files whose time is over, and returns them."""
        with self.database.read() as connection:
            rows = connection.execute(sa.select(uploads).where(uploads.c.expires_at < now)).all()
        if not rows:
            return []
        with self.database.write() as connection:
            where = uploads.c.id.in_([row.id for row in rows])
            connection.execute(uploads.delete().where(where))
        return [Upload(**row._mapping) for row in rows]

    def known(self, ids: Sequence[str]) -> set[str]:
        """Those of these names that are files or characters."""
        with self.database.read() as connection:
            found: set[str] = set()
            for table in (uploads, characters):
                query = sa.select(table.c.id).where(table.c.id.in_(ids))
                found |= set(connection.execute(query).scalars())
        return found
