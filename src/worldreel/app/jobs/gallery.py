"""An owner's videos as a collection: found, marked, put into folders, and traced back."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from worldreel.app.jobs.database import Database
from worldreel.app.jobs.settings import HOUR_S
from worldreel.app.jobs.store import IS_KEPT
from worldreel.app.jobs.tables import folders, parents, videos
from worldreel.app.jobs.video import ENDED, IN_PROGRESS, QUEUED, Video, new_id

GRACE_HOURS = 24
"""What was kept and is no longer does not go at once, however old it is."""
WORDS_MAX = 32
LINEAGE_MAX = 200


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """Which videos are looked for; None is any."""

    words: str | None = None
    """Each of them is in the prompt, in any case of letters."""
    model: str | None = None
    size: str | None = None
    status: str | None = None
    verb: str | None = None
    favourite: bool | None = None
    picked: bool | None = None
    folder: str | None = None
    """The id of a folder; empty for those in none."""
    batch: str | None = None

    def where(self, owner: str) -> list[sa.ColumnElement[bool]]:
        """The conditions on the table of videos."""
        found = [videos.c.owner == owner]
        for word in (self.words or "").lower().split()[:WORDS_MAX]:
            found.append(sa.func.lower(videos.c.prompt).contains(word, autoescape=True))
        for name in ("model", "size", "status", "verb", "batch"):
            if (value := getattr(self, name)) is not None:
                found.append(videos.c[name] == value)
        for name in ("favourite", "picked"):
            if (value := getattr(self, name)) is not None:
                found.append(videos.c[name].is_(value))
        if self.folder is not None:
            is_in = videos.c.folder == self.folder
            found.append(is_in if self.folder else videos.c.folder.is_(None))
        return found


@dataclass(frozen=True, kw_only=True)
class VideoFolder:
    """A folder of an owner's."""

    id: str
    owner: str
    created_at: float
    name: str
    num_videos: int


@dataclass(frozen=True)
class Tie:
    """That one video was made from another."""

    child: str
    parent: str
    role: str


class FolderExists(Exception):
    """The owner has a folder of that name."""


class Gallery:
    """Videos in the database, as their owner sees them."""

    def __init__(self, database: Database) -> None:
        self.database = database

    def page(
        self,
        owner: str,
        wanted: Wanted | None = None,
        *,
        limit: int,
        ascending: bool,
        after: Video | None,
    ) -> list[Video]:
        """At most ``limit`` videos of an owner in order of creation, after another one."""
        query = sa.select(videos).where(*(wanted or Wanted()).where(owner))
        if after is not None:
            query = query.where(videos.c.seq > after.seq if ascending else videos.c.seq < after.seq)
        query = query.order_by(videos.c.seq if ascending else videos.c.seq.desc()).limit(limit)
        with self.database.read() as connection:
            return [Video(**row._mapping) for row in connection.execute(query)]

    def count(self, owner: str, wanted: Wanted) -> int:
        """How many videos of an owner are wanted."""
        query = sa.select(sa.func.count()).select_from(videos).where(*wanted.where(owner))
        with self.database.read() as connection:
            return int(connection.execute(query).scalar() or 0)

    def some(self, owner: str, ids: Sequence[str]) -> list[Video]:
        """The owner's videos of these names, in their order; those that are not there are not."""
        query = sa.select(videos).where(videos.c.owner == owner, videos.c.id.in_(ids))
        with self.database.read() as connection:
            found = {row.id: Video(**row._mapping) for row in connection.execute(query)}
        return [found[name] for name in dict.fromkeys(ids) if name in found]

    def unended(self, owner: str, batch: str | None = None) -> list[str]:
        """The owner's videos that wait or are being made, or those of one batch."""
        query = sa.select(videos.c.id).where(videos.c.owner == owner, videos.c.status.notin_(ENDED))
        if batch is not None:
            query = query.where(videos.c.batch == batch)
        with self.database.read() as connection:
            return list(connection.execute(query.order_by(videos.c.seq)).scalars())

    def lively(self, owners: Sequence[str], known: Sequence[str], since: int) -> list[Video]:
        """Videos of owners that have not ended, that are known already, or that are newer than
        ``since``, the highest ``seq`` that was seen."""
        # three parts, each by an index of its own: together they would read all that there is
        parts = (
            videos.c.status.in_((QUEUED, IN_PROGRESS)),
            videos.c.id.in_(known),
            videos.c.seq > since,
        )
        wanted = sa.union_all(*(sa.select(videos.c.seq).where(part) for part in parts))
        query = sa.select(videos).where(videos.c.seq.in_(wanted), videos.c.owner.in_(owners))
        query = query.order_by(videos.c.seq)
        with self.database.read() as connection:
            return [Video(**row._mapping) for row in connection.execute(query)]

    def newest(self) -> int:
        """The highest ``seq`` of all videos; 0 where there is none."""
        with self.database.read() as connection:
            return int(connection.execute(sa.select(sa.func.max(videos.c.seq))).scalar() or 0)

    # marks

    def mark(self, owner: str, ids: Sequence[str], values: dict[str, Any]) -> None:
        """Changes ``favourite``, ``picked`` and ``folder`` of an owner's videos.

        What is no longer kept after that stays for another day at least.
        """
        mine = (videos.c.owner == owner, videos.c.id.in_(ids))
        with self.database.write() as connection:
            kept = sa.select(videos.c.id).where(*mine, IS_KEPT)
            were = list(connection.execute(kept).scalars())
            connection.execute(videos.update().where(*mine).values(**values))
            at_least = time.time() + GRACE_HOURS * HOUR_S
            let_go = (videos.c.id.in_(were), ~IS_KEPT, videos.c.expires_at < at_least)
            connection.execute(videos.update().where(*let_go).values(expires_at=at_least))

    # folders

    def folders(self, owner: str) -> list[VideoFolder]:
        """An owner's folders by name, each with the number of its videos."""
        return self._folders(folders.c.owner == owner)

    def folder(self, owner: str, folder: str) -> VideoFolder | None:
        """One of them."""
        found = self._folders(sa.and_(folders.c.owner == owner, folders.c.id == folder))
        return found[0] if found else None

    def add_folder(self, owner: str, name: str) -> str:
        """A new folder; returns its id. Raises FolderExists."""
        values = {"id": new_id("folder"), "owner": owner, "name": name, "created_at": time.time()}
        try:
            with self.database.write() as connection:
                connection.execute(folders.insert().values(values))
        except IntegrityError:
            raise FolderExists(name) from None
        return values["id"]

    def rename_folder(self, owner: str, folder: str, name: str) -> bool:
        """Gives a folder another name; False where there is none. Raises FolderExists."""
        where = (folders.c.owner == owner, folders.c.id == folder)
        try:
            with self.database.write() as connection:
                query = folders.update().where(*where).values(name=name)
                return connection.execute(query).rowcount == 1
        except IntegrityError:
            raise FolderExists(name) from None

    def remove_folder(self, owner: str, folder: str) -> bool:
        """Forgets a folder; its videos are in none then."""
        inside = sa.select(videos.c.id).where(videos.c.owner == owner, videos.c.folder == folder)
        with self.database.read() as connection:
            ids = list(connection.execute(inside).scalars())
        self.mark(owner, ids, {"folder": None})
        with self.database.write() as connection:
            where = (folders.c.owner == owner, folders.c.id == folder)
            return connection.execute(folders.delete().where(*where)).rowcount == 1

    def _folders(self, where: sa.ColumnElement[bool]) -> list[VideoFolder]:
        number = sa.func.count(videos.c.id).label("num_videos")
        query = sa.select(folders, number).select_from(
            folders.outerjoin(videos, videos.c.folder == folders.c.id)
        )
        query = query.where(where).group_by(*folders.c).order_by(sa.func.lower(folders.c.name))
        with self.database.read() as connection:
            return [VideoFolder(**row._mapping) for row in connection.execute(query)]

    # lineage

    def lineage(self, owner: str, video: str) -> tuple[list[str], list[Tie]]:
        """A video's ancestors and descendants, itself first, and how they are tied.

        At most `LINEAGE_MAX` of them, the nearest.
        """
        found, ties = [video], set[Tie]()
        with self.database.read() as connection:
            child, parent = parents.c.child, parents.c.parent
            for one, other in ((child, parent), (parent, child)):
                edge = [video]
                while edge and len(found) < LINEAGE_MAX:
                    query = sa.select(parents).where(parents.c.owner == owner, one.in_(edge))
                    rows = connection.execute(query).all()
                    edge = []
                    for row in rows:
                        far = row._mapping[other]
                        if far not in found:
                            if len(found) == LINEAGE_MAX:
                                continue
                            found.append(far)
                            edge.append(far)
                        ties.add(Tie(row.child, row.parent, row.role))
        return found, sorted(ties, key=lambda tie: (tie.child, tie.parent, tie.role))
