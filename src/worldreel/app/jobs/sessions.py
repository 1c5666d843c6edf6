"""Sessions of browsers: a random secret in a cookie, kept as a hash, that ends with its key."""

import hmac
import secrets
import time
from dataclasses import dataclass

import sqlalchemy as sa

from worldreel.app.jobs.database import Database
from worldreel.app.jobs.keys import CACHED_S, DEFAULT_OWNER, Caller, hash_of
from worldreel.app.jobs.tables import keys, sessions

LASTS_S = 30 * 24 * 3600
TOKEN_START = "once-"


@dataclass(frozen=True, kw_only=True)
class Session:
    """A browser that is signed in."""

    caller: Caller
    expires_at: float


class SessionStore:
    """Sessions in the database, and the one-time tokens of this process."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self._tokens: set[str] = set()
        self._cache: dict[str, tuple[float, Session]] = {}

    def begin(self, caller: Caller) -> tuple[str, Session]:
        """A new session; returns its secret, which is not kept."""
        secret, now = secrets.token_urlsafe(32), time.time()
        values = {"hash": hash_of(secret), "owner": caller.owner, "admin": caller.admin}
        values |= {"key": caller.key, "created_at": now, "expires_at": now + LASTS_S}
        with self.database.write() as connection:
            connection.execute(sessions.delete().where(sessions.c.expires_at < now))
            connection.execute(sessions.insert().values(values))
        return secret, Session(caller=caller, expires_at=now + LASTS_S)

    def remembered(self, secret: str) -> Session | None:
        """The session of a secret, if it was looked up a moment ago."""
        until, session = self._cache.get(hash_of(secret), (0.0, None))
        return session if until > time.monotonic() else None

    def find(self, secret: str) -> Session | None:
        """The session of a secret; None where it ended, or its key was revoked."""
        hashed = hash_of(secret)
        query = sa.select(sessions, keys.c.id.label("found"), keys.c.revoked_at).select_from(
            sessions.outerjoin(keys, sessions.c.key == keys.c.id)
        )
        with self.database.read() as connection:
            row = connection.execute(query.where(sessions.c.hash == hashed)).first()
        self._cache.pop(hashed, None)
        if row is None or row.expires_at < time.time():
            return None
        if row.key is not None and (row.found is None or row.revoked_at is not None):
            return None
        caller = Caller(owner=row.owner, admin=row.admin, key=row.key)
        session = Session(caller=caller, expires_at=row.expires_at)
        self._cache[hashed] = (time.monotonic() + CACHED_S, session)
        return session

    def end(self, secret: str) -> None:
        """Signs a browser out."""
        self._cache.pop(hash_of(secret), None)
        with self.database.write() as connection:
            connection.execute(sessions.delete().where(sessions.c.hash == hash_of(secret)))

    def make_token(self) -> str:
        """A token that begins one session of the operator's; it is gone with this process."""
        token = TOKEN_START + secrets.token_urlsafe(32)
        self._tokens.add(hash_of(token))
        return token

    def take_token(self, token: str) -> Caller | None:
        """Who comes with a one-time token; the second time None."""
        try:
            self._tokens.remove(hash_of(token))
        except KeyError:
            return None
        return Caller(owner=DEFAULT_OWNER, admin=True, key=None)


def csrf_token(secret: str) -> str:
    """What a page of this server knows of its session and no other page can read."""
    return hash_of(f"csrf {secret}")[:40]


def is_csrf_token(secret: str, token: str) -> bool:
    """Whether it is that of the session; compared in constant time."""
    return hmac.compare_digest(csrf_token(secret).encode(), token.encode("utf-8", "replace"))
