"""The audit log: what was decided, consented to and published, chained so that tampering shows.

Each entry holds the hash of the one before it, and its own over everything in it. An entry that
is changed, put in or taken out breaks the chain behind it. Only the newest entries can be taken
away unseen: an earlier export, or its last hash, shows that too.
"""

import hashlib
import json
import time
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection

from worldreel.app.jobs.database import Database
from worldreel.app.jobs.tables import audit

FIRST = "0" * 64
"""What the first entry names as the hash before it."""
PAGE = 1000


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One thing that happened.

    Args:
        seq: its number, without gaps from 1. at: Unix seconds.
        kind: such as ``consent.revoked``. owner: whose. subject: the id of what it is about.
        content: more about it, as JSON with sorted keys.
        previous: the hash of the entry before. hash: of all of the above.
    """

    seq: int
    at: float
    kind: str
    owner: str
    subject: str
    content: str
    previous: str
    hash: str

    def computed(self) -> str:
        """The hash that the entry must have."""
        values = {name: value for name, value in asdict(self).items() if name != "hash"}
        text = json.dumps(values, sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()


def append(
    database: Database, connection: Connection, kind: str, owner: str, subject: str, **content: Any
) -> None:
    """Adds an entry in the transaction of what it tells about."""
    database.alone(connection)
    last = connection.execute(sa.select(audit).order_by(audit.c.seq.desc()).limit(1)).first()
    entry = Entry(
        seq=1 if last is None else last.seq + 1,
        at=time.time(),
        kind=kind,
        owner=owner,
        subject=subject,
        content=json.dumps(content, sort_keys=True, separators=(",", ":")),
        previous=FIRST if last is None else last.hash,
        hash="",
    )
    values = {**asdict(entry), "hash": entry.computed()}
    connection.execute(audit.insert().values(values))


def record(database: Database, kind: str, owner: str, subject: str, **content: Any) -> None:
    """Adds an entry in a transaction of its own."""
    with database.write() as connection:
        append(database, connection, kind, owner, subject, **content)


def entries(database: Database) -> Iterator[Entry]:
    """All entries, the oldest first; memory holds a page of them."""
    after = 0
    while True:
        query = sa.select(audit).where(audit.c.seq > after).order_by(audit.c.seq).limit(PAGE)
        with database.read() as connection:
            rows = connection.execute(query).all()
        for row in rows:
            yield Entry(**row._mapping)
            after = row.seq
        if len(rows) < PAGE:
            return


def find_break(found: Iterable[Entry], head: str | None = None) -> str | None:
    """What is wrong with a chain, in words; None if it is whole.

    Args:
        head: the last hash of an earlier export, which must still be in it.
    """
    previous, seen = FIRST, head in (None, FIRST)
    for seq, entry in enumerate(found, start=1):
        if entry.seq != seq:
            return f"Entry {seq} is missing: the next one is {entry.seq}."
        if entry.previous != previous:
            return f"Entry {seq} does not follow the one before it."
        if entry.hash != entry.computed():
            return f"Entry {seq} was changed: its hash is another."
        previous, seen = entry.hash, seen or entry.hash == head
    if not seen:
        return f"The entry with the hash {head} is gone: the log was cut off or made anew."
    return None
