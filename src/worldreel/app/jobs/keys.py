"""Keys of the API: kept as hashes, each with an owner whose videos it opens."""

import hashlib
import re
import secrets
import time
from dataclasses import dataclass

import sqlalchemy as sa

from worldreel.app.jobs.database import Database
from worldreel.app.jobs.tables import keys
from worldreel.app.jobs.video import new_id
from worldreel.core.errors import UsageError

DEFAULT_OWNER = "default"
LEAST_LENGTH = 16
CACHED_S = 5.0
"""How long a key that was found is not looked up again: a revocation takes that long."""

_OWNER = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


@dataclass(frozen=True, kw_only=True)
class Key:
    """A key, without its secret."""

    id: str
    owner: str
    hint: str
    """Its first and last letters."""
    created_at: float
    revoked_at: float | None
    admin: bool = False
    """Whether it may make and revoke keys."""


@dataclass(frozen=True, kw_only=True)
class Caller:
    """Who sent a request, and with which key; None is the one-time token of the first start."""

    owner: str
    admin: bool
    key: str | None


class KeyStore:
    """Keys in the database. A secret has 256 bits of chance, so one round of SHA-256 hides it."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self._cache: dict[str, tuple[float, Caller]] = {}

    def add(self, owner: str, secret: str | None = None, *, admin: bool = False) -> str:
        """A new key of an owner; returns its secret, which is not kept.

        Args:
            secret: one that the operator chose; None makes one.
            admin: whether it may make and revoke keys.

        Raises:
            UsageError: an owner's name that cannot be, or a secret that can be guessed.
        """
        if not _OWNER.fullmatch(owner):
            raise UsageError(
                f"The owner {owner[:80]!r} cannot be a name.",
                remedy="Take up to 64 letters, digits and . _ -",
            )
        secret = f"wr-{secrets.token_urlsafe(32)}" if secret is None else secret
        if len(secret) < LEAST_LENGTH or not secret.isascii() or not secret.isprintable():
            raise UsageError(
                f"The key has {len(secret)} characters; it must have at least {LEAST_LENGTH} "
                "printable ASCII characters.",
                remedy="Let worldreel make one, or take the output of `openssl rand -hex 32`.",
            )
        values = {"id": new_id("key"), "owner": owner, "hash": hash_of(secret)}
        values |= {"hint": f"{secret[:5]}...{secret[-4:]}", "created_at": time.time()}
        values["admin"] = admin
        with self.database.write() as connection:
            known = sa.select(keys.c.id).where(keys.c.hash == values["hash"])
            if connection.execute(known).first() is None:
                connection.execute(keys.insert().values(values))
        return secret

    def remembered(self, secret: str) -> Caller | None:
        """Whose key it is, if it was looked up a moment ago."""
        until, caller = self._cache.get(hash_of(secret), (0.0, None))
        return caller if until > time.monotonic() else None

    def owner_of(self, secret: str) -> str | None:
        """Whose key it is; None for a key that is unknown or revoked."""
        caller = self.caller(secret)
        return caller.owner if caller else None

    def caller(self, secret: str) -> Caller | None:
        """Who sends this key; None for a key that is unknown or revoked."""
        hashed, now = hash_of(secret), time.monotonic()
        columns = (keys.c.owner, keys.c.admin, keys.c.id.label("key"))
        with self.database.read() as connection:
            where = (keys.c.hash == hashed, keys.c.revoked_at.is_(None))
            row = connection.execute(sa.select(*columns).where(*where)).first()
        self._cache.pop(hashed, None)
        if row is None:
            return None
        self._cache[hashed] = (now + CACHED_S, Caller(**row._mapping))
        return self._cache[hashed][1]

    def all(self) -> list[Key]:
        """Every key, the oldest first."""
        shown = (keys.c.id, keys.c.owner, keys.c.hint, keys.c.created_at, keys.c.revoked_at)
        query = sa.select(*shown, keys.c.admin)
        with self.database.read() as connection:
            rows = connection.execute(query.order_by(keys.c.created_at)).all()
        return [Key(**row._mapping) for row in rows]

    def any(self) -> bool:
        """Whether there is a key that opens something."""
        query = sa.select(keys.c.id).where(keys.c.revoked_at.is_(None)).limit(1)
        with self.database.read() as connection:
            return connection.execute(query).first() is not None

    def revoke(self, key: str) -> bool:
        """Ends a key, by its id or its hint; False where there is none."""
        with self.database.write() as connection:
            where = (sa.or_(keys.c.id == key, keys.c.hint == key), keys.c.revoked_at.is_(None))
            query = keys.update().where(*where)
            return connection.execute(query.values(revoked_at=time.time())).rowcount > 0


def hash_of(secret: str) -> str:
    """SHA-256 of a key, in hexadecimal."""
    return hashlib.sha256(secret.encode("utf-8", "surrogateescape")).hexdigest()
