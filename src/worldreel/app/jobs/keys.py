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


class KeyStore:
    """Keys in the database. A secret has 256 bits of chance, so one round of SHA-256 hides it."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self._cache: dict[str, tuple[float, str]] = {}

    def add(self, owner: str, secret: str | None = None) -> str:
        """A new key of an owner; returns its secret, which is not kept.

        Args:
            secret: one that the operator chose; None makes one.

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
        with self.database.write() as connection:
            known = sa.select(keys.c.id).where(keys.c.hash == values["hash"])
            if connection.execute(known).first() is None:
                connection.execute(keys.insert().values(values))
        return secret

    def remembered(self, secret: str) -> str | None:
        """Whose key it is, if it was looked up a moment ago."""
        until, owner = self._cache.get(hash_of(secret), (0.0, None))
        return owner if until > time.monotonic() else None

    def owner_of(self, secret: str) -> str | None:
        """Whose key it is; None for a key that is unknown or revoked."""
        hashed, now = hash_of(secret), time.monotonic()
        with self.database.read() as connection:
            where = (keys.c.hash == hashed, keys.c.revoked_at.is_(None))
            owner = connection.execute(sa.select(keys.c.owner).where(*where)).scalar()
        self._cache.pop(hashed, None)
        if owner is not None:
            self._cache[hashed] = (now + CACHED_S, owner)
        return owner

    def all(self) -> list[Key]:
        """Every key, the oldest first."""
        query = sa.select(
            keys.c.id, keys.c.owner, keys.c.hint, keys.c.created_at, keys.c.revoked_at
        )
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
