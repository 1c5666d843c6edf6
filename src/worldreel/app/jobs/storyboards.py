"""Storyboards that are being worked on: drafts, finished or not, until they are rendered."""

import time
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from worldreel.app.jobs.database import Database
from worldreel.app.jobs.tables import storyboards
from worldreel.app.jobs.video import new_id


@dataclass(frozen=True, kw_only=True)
class Storyboard:
    """A draft; ``board`` is JSON of what a canvas file may hold."""

    id: str
    owner: str
    created_at: float
    updated_at: float
    name: str
    board: str


class StoryboardStore:
    """Storyboards in the database."""

    def __init__(self, database: Database) -> None:
        self.database = database

    def add(self, owner: str, name: str, board: str) -> Storyboard:
        """Keeps a new one."""
        now = time.time()
        made = Storyboard(
            id=new_id("board"), owner=owner, created_at=now, updated_at=now, name=name, board=board
        )
        with self.database.write() as connection:
            connection.execute(storyboards.insert().values(vars(made)))
        return made

    def get(self, owner: str, storyboard: str) -> Storyboard | None:
        """An owner's storyboard, or None."""
        where = (storyboards.c.id == storyboard, storyboards.c.owner == owner)
        with self.database.read() as connection:
            row = connection.execute(sa.select(storyboards).where(*where)).first()
        return None if row is None else Storyboard(**row._mapping)

    def change(self, owner: str, storyboard: str, values: dict[str, Any]) -> None:
        """Changes ``name`` or ``board``."""
        where = (storyboards.c.id == storyboard, storyboards.c.owner == owner)
        with self.database.write() as connection:
            query = storyboards.update().where(*where)
            connection.execute(query.values(**values, updated_at=time.time()))

    def remove(self, owner: str, storyboard: str) -> bool:
        """Forgets one; False where there is none."""
        where = (storyboards.c.id == storyboard, storyboards.c.owner == owner)
        with self.database.write() as connection:
            return connection.execute(storyboards.delete().where(*where)).rowcount == 1

    def count(self, owner: str) -> int:
        """How many an owner has."""
        query = sa.select(sa.func.count()).select_from(storyboards)
        with self.database.read() as connection:
            return connection.execute(query.where(storyboards.c.owner == owner)).scalar() or 0

    def page(self, owner: str, *, limit: int, after: Storyboard | None) -> list[Storyboard]:
        """At most ``limit`` of an owner's, the last changed first, after another one."""
        query = sa.select(storyboards).where(storyboards.c.owner == owner)
        if after is not None:
            at, name = storyboards.c.updated_at, storyboards.c.id
            later = sa.and_(at == after.updated_at, name < after.id)
            query = query.where(sa.or_(at < after.updated_at, later))
        order = (storyboards.c.updated_at.desc(), storyboards.c.id.desc())
        with self.database.read() as connection:
            rows = connection.execute(query.order_by(*order).limit(limit)).all()
        return [Storyboard(**row._mapping) for row in rows]
