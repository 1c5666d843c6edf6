"""Webhooks: who is told when a video is done, and what is still to be told."""

import base64
import hashlib
import hmac
import json
import secrets
import time
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection

from worldreel.app.jobs.database import Database
from worldreel.app.jobs.settings import HOUR_S
from worldreel.app.jobs.tables import deliveries, endpoints, videos
from worldreel.app.jobs.video import new_id

EVENT_TYPES = ("video.completed", "video.failed")
PAUSES_S = (5, 30, 120, 600, 3600, 4 * 3600, 12 * 3600)
"""Waits between tries; after the last one a delivery is given up."""
KEEP_DELIVERIES_HOURS = 72
OLD_SECRET_HOURS = 24


@dataclass(frozen=True, kw_only=True)
class Endpoint:
    """An address that wants to be told."""

    seq: int
    id: str
    owner: str
    created_at: float
    updated_at: float
    name: str
    url: str
    event_types: str
    secret: str
    old_secret: str | None
    old_secret_until: float | None

    def secrets(self, now: float) -> list[str]:
        """The secrets that a message is signed with: two for a day after a rotation."""
        old = self.old_secret if (self.old_secret_until or 0) > now else None
        return [self.secret, *([old] if old else [])]


@dataclass(frozen=True, kw_only=True)
class Delivery:
    """One message on its way to one endpoint."""

    seq: int
    event: str
    body: str
    attempts: int
    endpoint: Endpoint


def announce(connection: Connection, video: str, kind: str) -> None:
    """Puts a message for every endpoint that wants to know, in the transaction of the event."""
    owner = connection.execute(sa.select(videos.c.owner).where(videos.c.id == video)).scalar()
    wanted = connection.execute(sa.select(endpoints).where(endpoints.c.owner == owner)).all()
    now = time.time()
    for endpoint in wanted:
        if kind in endpoint.event_types.split(","):
            event = new_id("evt")
            values = {"endpoint": endpoint.id, "event": event, "next_at": now, "created_at": now}
            values["body"] = event_body(event, kind, video, now)
            connection.execute(deliveries.insert().values(values))


def event_body(event: str, kind: str, video: str, now: float) -> str:
    """The JSON of an event, in the form that OpenAI's client unwraps."""
    content = {"id": event, "object": "event", "created_at": int(now), "type": kind}
    return json.dumps({**content, "data": {"id": video}})


def sign(secret: str, event: str, at: int, body: str) -> str:
    """The signature of Standard Webhooks: HMAC-SHA256 over id, time and body."""
    key = base64.b64decode(secret.removeprefix("whsec_"))
    digest = hmac.new(key, f"{event}.{at}.{body}".encode(), hashlib.sha256).digest()
    return "v1," + base64.b64encode(digest).decode()


def headers(endpoint: Endpoint, event: str, body: str) -> dict[str, str]:
    """The headers of a message, signed now."""
    now = int(time.time())
    signatures = [sign(secret, event, now, body) for secret in endpoint.secrets(now)]
    return {
        "content-type": "application/json",
        "user-agent": "worldreel-webhooks",
        "webhook-id": event,
        "webhook-timestamp": str(now),
        "webhook-signature": " ".join(signatures),
    }


def new_secret() -> str:
    """A secret of 256 bits, in the form of Standard Webhooks."""
    return "whsec_" + base64.b64encode(secrets.token_bytes(32)).decode()


class HookStore:
    """Endpoints and deliveries in the database."""

    def __init__(self, database: Database) -> None:
        self.database = database

    def add(self, owner: str, *, name: str, url: str, event_types: list[str]) -> Endpoint:
        """A new endpoint with a secret of its own."""
        now = time.time()
        values = {
            "id": new_id("whe"),
            "owner": owner,
            "created_at": now,
            "updated_at": now,
            "name": name,
            "url": url,
            "event_types": ",".join(sorted(set(event_types))),
            "secret": new_secret(),
        }
        with self.database.write() as connection:
            connection.execute(endpoints.insert().values(values))
        added = self.get(owner, values["id"])
        assert added is not None
        return added

    def get(self, owner: str, endpoint: str) -> Endpoint | None:
        """An owner's endpoint, or None."""
        where = (endpoints.c.id == endpoint, endpoints.c.owner == owner)
        with self.database.read() as connection:
            row = connection.execute(sa.select(endpoints).where(*where)).first()
        return None if row is None else Endpoint(**row._mapping)

    def page(self, owner: str, limit: int, after: Endpoint | None) -> list[Endpoint]:
        """An owner's endpoints, the oldest first."""
        query = sa.select(endpoints).where(endpoints.c.owner == owner).order_by(endpoints.c.seq)
        if after is not None:
            query = query.where(endpoints.c.seq > after.seq)
        with self.database.read() as connection:
            rows = connection.execute(query.limit(limit)).all()
        return [Endpoint(**row._mapping) for row in rows]

    def count(self, owner: str) -> int:
        """How many endpoints an owner has."""
        query = sa.select(sa.func.count()).where(endpoints.c.owner == owner)
        with self.database.read() as connection:
            return connection.execute(query).scalar() or 0

    def change(self, owner: str, endpoint: str, values: dict[str, Any]) -> None:
        """Changes what is given of an endpoint."""
        where = (endpoints.c.id == endpoint, endpoints.c.owner == owner)
        with self.database.write() as connection:
            query = endpoints.update().where(*where)
            connection.execute(query.values(**values, updated_at=time.time()))

    def rotate(self, endpoint: Endpoint, *, keep_old: bool) -> str:
        """A new secret; the old one signs for another day where that is wanted."""
        secret = new_secret()
        until = time.time() + OLD_SECRET_HOURS * HOUR_S
        old = (endpoint.secret, until) if keep_old else (None, None)
        values = {"secret": secret, "old_secret": old[0], "old_secret_until": old[1]}
        self.change(endpoint.owner, endpoint.id, values)
        return secret

    def remove(self, owner: str, endpoint: str) -> bool:
        """Forgets an endpoint and what was on its way to it."""
        where = (endpoints.c.id == endpoint, endpoints.c.owner == owner)
        with self.database.write() as connection:
            removed = connection.execute(endpoints.delete().where(*where)).rowcount == 1
            if removed:
                connection.execute(deliveries.delete().where(deliveries.c.endpoint == endpoint))
        return removed

    def due(self, limit: int = 20, hold_s: float = 60.0) -> list[Delivery]:
        """Messages to send now; they are held back from other senders for a while."""
        now = time.time()
        with self.database.read() as connection:
            due = (deliveries.c.next_at <= now, deliveries.c.delivered_at.is_(None))
            if connection.execute(sa.select(deliveries.c.seq).where(*due).limit(1)).first() is None:
                return []
        with self.database.write() as connection:
            self.database.alone(connection)
            query = sa.select(deliveries).where(*due).order_by(deliveries.c.next_at).limit(limit)
            rows = connection.execute(query).all()
            taken = deliveries.c.seq.in_([row.seq for row in rows])
            connection.execute(deliveries.update().where(taken).values(next_at=now + hold_s))
            found = connection.execute(
                sa.select(endpoints).where(endpoints.c.id.in_({row.endpoint for row in rows}))
            )
            by_id = {row.id: Endpoint(**row._mapping) for row in found}
        return [
            Delivery(
                seq=row.seq,
                event=row.event,
                body=row.body,
                attempts=row.attempts,
                endpoint=by_id[row.endpoint],
            )
            for row in rows
            if row.endpoint in by_id
        ]

    def sent(self, delivery: Delivery, answer: str, *, delivered: bool) -> None:
        """Notes how a try went, and when the next one is."""
        now = time.time()
        tries = delivery.attempts + 1
        pause_s = PAUSES_S[tries - 1] if tries <= len(PAUSES_S) else None
        again = None if delivered or pause_s is None else now + pause_s * (0.9 + 0.2 * _chance())
        values = {"attempts": tries, "next_at": again, "last_answer": answer[:500]}
        if delivered:
            values["delivered_at"] = now
        with self.database.write() as connection:
            query = deliveries.update().where(deliveries.c.seq == delivery.seq)
            connection.execute(query.values(**values))

    def forget_old(self) -> None:
        """Drops messages that were delivered or given up long ago."""
        before = time.time() - KEEP_DELIVERIES_HOURS * HOUR_S
        where = (deliveries.c.created_at < before, deliveries.c.next_at.is_(None))
        with self.database.write() as connection:
            connection.execute(deliveries.delete().where(*where))


def _chance() -> float:
    return secrets.randbelow(1000) / 1000
