"""Consents: who may be shown, by whose word, for what, until when; and whether that still holds.

A video that shows somebody is bound to the consents that it rests on when it is accepted, and so
is what is made from it later. Whether they hold is asked again in the transaction of every claim,
stage and publication: after a revocation was answered, nothing that rests on it begins or is
published.
"""

import time
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection

from worldreel.app.jobs import audit
from worldreel.app.jobs.database import Database
from worldreel.app.jobs.tables import character_consents, consents, video_consents
from worldreel.app.jobs.video import NewVideo, new_id
from worldreel.core.errors import WorldreelError


class ConsentGone(WorldreelError):
    """A consent that something rests on was revoked, has expired, or is none."""

    code = "consent_gone"


@dataclass(frozen=True, kw_only=True)
class Consent:
    """Somebody's word that they may be shown.

    Args:
        person: whose likeness it is. purpose: what for.
        evidence: where the word itself is kept, such as a contract's number.
        given_at: when it was given, Unix seconds. expires_at: until when it holds, if that ends.
    """

    id: str
    owner: str
    created_at: float
    person: str
    purpose: str
    evidence: str
    given_at: float
    expires_at: float | None
    revoked_at: float | None

    def holds(self, now: float) -> bool:
        """Whether it may be used."""
        return _why_not(self, now) is None


class ConsentStore:
    """Consents in the database."""

    def __init__(self, database: Database) -> None:
        self.database = database

    def add(
        self,
        owner: str,
        *,
        person: str,
        purpose: str,
        evidence: str = "",
        given_at: float | None = None,
        expires_at: float | None = None,
    ) -> Consent:
        """Records a consent."""
        now = time.time()
        consent = Consent(
            id=new_id("consent"),
            owner=owner,
            created_at=now,
            person=person,
            purpose=purpose,
            evidence=evidence,
            given_at=now if given_at is None else given_at,
            expires_at=expires_at,
            revoked_at=None,
        )
        with self.database.write() as connection:
            connection.execute(consents.insert().values(vars(consent)))
            told = {"purpose": purpose, "expires_at": expires_at, "evidence": evidence}
            audit.append(self.database, connection, "consent.recorded", owner, consent.id, **told)
        return consent

    def get(self, owner: str, consent: str) -> Consent | None:
        """An owner's consent, or None."""
        where = (consents.c.id == consent, consents.c.owner == owner)
        with self.database.read() as connection:
            row = connection.execute(sa.select(consents).where(*where)).first()
        return None if row is None else Consent(**row._mapping)

    def page(self, owner: str, limit: int, after: Consent | None) -> list[Consent]:
        """At most ``limit`` consents of an owner, the newest first."""
        query = sa.select(consents).where(consents.c.owner == owner)
        if after is not None:
            is_later = sa.tuple_(consents.c.created_at, consents.c.id) < sa.tuple_(
                sa.literal(after.created_at), sa.literal(after.id)
            )
            query = query.where(is_later)
        order = (consents.c.created_at.desc(), consents.c.id.desc())
        with self.database.read() as connection:
            rows = connection.execute(query.order_by(*order).limit(limit)).all()
        return [Consent(**row._mapping) for row in rows]

    def revoke(self, owner: str, consent: str) -> bool:
        """Ends a consent: once this returns, nothing that rests on it begins or is published."""
        now = time.time()
        with self.database.write() as connection:
            self.database.alone(connection)  # before any row's lock: everybody in one order
            where = (consents.c.id == consent, consents.c.owner == owner)
            open_ = (*where, consents.c.revoked_at.is_(None))
            ended = connection.execute(consents.update().where(*open_).values(revoked_at=now))
            if ended.rowcount == 1:
                audit.append(self.database, connection, "consent.revoked", owner, consent)
            return connection.execute(sa.select(consents.c.id).where(*where)).first() is not None

    def bind_character(self, owner: str, character: str, consent: str) -> None:
        """Lets a character rest on a consent.

        Raises:
            ConsentGone: it is not the owner's, was revoked or has expired.
        """
        with self.database.write() as connection:
            self.database.alone(connection)
            _require(connection, owner, consent)
            connection.execute(
                character_consents.insert().values(character=character, consent=consent)
            )
            audit.append(
                self.database, connection, "consent.used", owner, consent, character=character
            )


def bind(connection: Connection, new: NewVideo) -> None:
    """Binds a video that is being accepted to what it rests on, its parents' consents included.

    Raises:
        ConsentGone: one of them does not hold.
    """
    wish = new.wish
    parents = [parent.video for parent in wish.parents]
    queries: list[sa.Select[Any]] = [
        sa.select(character_consents.c.consent).where(
            character_consents.c.character.in_(wish.characters)
        ),
        sa.select(video_consents.c.consent).where(video_consents.c.video.in_(parents)),
    ]
    found = {row.consent for query in queries for row in connection.execute(query)}
    if wish.consent is not None:
        found.add(wish.consent)
    for consent in sorted(found):
        _require(connection, new.owner, consent)
        connection.execute(video_consents.insert().values(video=new.id, consent=consent))


def refusal(connection: Connection, video: str, now: float) -> str | None:
    """Why a video may not be made or published any more, in words; None if it may.

    The rows stay as they are until the end of the transaction.
    """
    query = (
        sa.select(consents)
        .join(video_consents, video_consents.c.consent == consents.c.id)
        .where(video_consents.c.video == video)
        .with_for_update(read=True, of=consents)
    )
    for row in connection.execute(query).all():
        if (why := _why_not(Consent(**row._mapping), now)) is not None:
            return f"The video shows somebody whose consent {why}."
    return None


def require(connection: Connection, video: str, now: float) -> None:
    """Raises ConsentGone where a video may not be made or published any more."""
    if (why := refusal(connection, video, now)) is not None:
        raise ConsentGone(why)


def _require(connection: Connection, owner: str, consent: str) -> None:
    where = (consents.c.id == consent, consents.c.owner == owner)
    query = sa.select(consents).where(*where).with_for_update(read=True)
    row = connection.execute(query).first()
    if row is None:
        raise ConsentGone(f"There is no consent {consent[:60]!r}.")
    if (why := _why_not(Consent(**row._mapping), time.time())) is not None:
        raise ConsentGone(f"The consent {consent} {why}.")


def _why_not(consent: Consent, now: float) -> str | None:
    if consent.revoked_at is not None:
        return "was revoked"
    if consent.expires_at is not None and consent.expires_at <= now:
        return "has expired"
    return None
