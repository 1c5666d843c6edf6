"""The job store: which videos were asked for, how they stand, and who may make them.

Whatever a worker writes carries its claim's fence. A claim that was taken over, cancelled or
deleted changes nothing any more, however late the worker wakes up.
"""

import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection
from sqlalchemy.exc import IntegrityError

from worldreel.app.jobs import audit, consents, hooks
from worldreel.app.jobs.database import Database
from worldreel.app.jobs.settings import HOUR_S, Settings
from worldreel.app.jobs.tables import idempotency, parents, videos
from worldreel.app.jobs.video import (
    COMPLETED,
    ENDED,
    FAILED,
    IN_PROGRESS,
    QUEUED,
    Claim,
    LostClaim,
    NewVideo,
    Video,
    Wish,
)

KEEP_KEYS_HOURS = 24
"""How long an idempotency key is remembered, as Stripe does."""


class QueueFull(Exception):
    """No more videos may wait; ``retry_s`` says when to ask again."""

    def __init__(self, message: str, retry_s: int) -> None:
        super().__init__(message)
        self.retry_s = retry_s


class QuotaReached(Exception):
    """The disk that videos may take is taken."""


class KeyReused(Exception):
    """An idempotency key came back with another body."""


@dataclass(frozen=True)
class Once:
    """An idempotency key, and the fingerprint of what was asked with it."""

    key: str
    fingerprint: str


IS_KEPT = sa.or_(
    videos.c.favourite.is_(True), videos.c.picked.is_(True), videos.c.folder.is_not(None)
)
"""As `Video.kept`."""


class VideoStore:
    """Videos in the database."""

    def __init__(self, database: Database, settings: Settings) -> None:
        self.database = database
        self.settings = settings

    # what clients do

    def answered(self, owner: str, once: Once) -> str | None:
        """The answer that was given to this key before, or None.

        Raises:
            KeyReused: the key was used for something else.
        """
        with self.database.read() as connection:
            return _answered(connection, owner, once)

    def check_room(self, owner: str, count: int = 1) -> None:
        """Raises QueueFull or QuotaReached without waiting for anyone's lock."""
        with self.database.read() as connection:
            self._check_room(connection, owner, count)

    def admit(self, news: Sequence[NewVideo], once: Once | None, answer: str) -> str:
        """Accepts videos of one owner, all of them or none: from here on they are not lost.

        Returns:
            ``answer``, or the answer that was given to the same key before.

        Raises:
            QueueFull: as many wait as may.
            QuotaReached: the disk that videos may take is taken.
            KeyReused: the idempotency key was used for something else.
        """
        now = time.time()
        owner = news[0].owner
        try:
            with self.database.write() as connection:
                self.database.alone(connection)
                if once and (before := _answered(connection, owner, once)) is not None:
                    return before
                self._check_room(connection, owner, len(news))
                for new in news:
                    insert(connection, new, now)
                if once:
                    kept = {"owner": owner, "key": once.key, "fingerprint": once.fingerprint}
                    kept |= {"answer": answer, "created_at": now}
                    connection.execute(idempotency.insert().values(kept))
        except IntegrityError:
            assert once is not None
            before = self.answered(owner, once)
            assert before is not None
            return before
        return answer

    def get(self, owner: str, video: str) -> Video | None:
        """An owner's video; None is also the answer for somebody else's."""
        with self.database.read() as connection:
            where = (videos.c.id == video, videos.c.owner == owner)
            return _one(connection, sa.select(videos).where(*where))

    def delete(self, owner: str, video: str) -> bool:
        """Forgets a video, whatever it is doing; its maker notices at its next step."""
        with self.database.write() as connection:
            query = videos.delete().where(videos.c.id == video, videos.c.owner == owner)
            return connection.execute(query).rowcount == 1

    def cancel(self, owner: str, video: str) -> bool:
        """Stops a video that has not ended; it is failed with the code ``cancelled``."""
        with self.database.write() as connection:
            where = (videos.c.id == video, videos.c.owner == owner, videos.c.status.notin_(ENDED))
            return self._end(connection, where, "cancelled", "The video was cancelled.")

    def waiting(self) -> tuple[int, float]:
        """How many videos wait or are being made, and the seconds of work that is left in them."""
        left = videos.c.cost_s * (100 - videos.c.progress) / 100.0
        query = sa.select(sa.func.count(), sa.func.coalesce(sa.func.sum(left), 0.0))
        with self.database.read() as connection:
            row = connection.execute(query.where(videos.c.status.in_((QUEUED, IN_PROGRESS)))).one()
        return int(row[0]), float(row[1])

    def counts(self) -> dict[str, int]:
        """How many videos there are of each status."""
        query = sa.select(videos.c.status, sa.func.count()).group_by(videos.c.status)
        with self.database.read() as connection:
            return {status: count for status, count in connection.execute(query)}

    def used_bytes(self, owner: str | None = None) -> int:
        """Bytes of all published files, or of one owner's."""
        with self.database.read() as connection:
            return _used_bytes(connection, owner)

    # what workers do

    def undispatched(self, limit: int = 50) -> list[Video]:
        """Accepted videos that no workflow has been started for."""
        where = (videos.c.status == QUEUED, videos.c.workflow == 0)
        query = sa.select(videos).where(*where).order_by(videos.c.seq).limit(limit)
        with self.database.read() as connection:
            return [Video(**row._mapping) for row in connection.execute(query)]

    def unfinished(self, older_than: float) -> list[Video]:
        """Dispatched videos from before a moment that have not ended."""
        where = (
            videos.c.status.in_((QUEUED, IN_PROGRESS)),
            videos.c.workflow > 0,
            videos.c.created_at < older_than,
        )
        with self.database.read() as connection:
            return [
                Video(**row._mapping) for row in connection.execute(sa.select(videos).where(*where))
            ]

    def dispatched(self, video: Video, number: int, *, forgive: bool = False) -> None:
        """Remembers that a workflow was started for a video.

        Args:
            forgive: whether the one before it ended through no fault of the video's.
        """
        values: dict[str, Any] = {"workflow": number}
        if forgive:
            began = videos.c.beginnings
            values["beginnings"] = sa.case((began > 0, began - 1), else_=0)
        with self.database.write() as connection:
            query = videos.update().where(
                videos.c.id == video.id, videos.c.workflow == video.workflow
            )
            connection.execute(query.values(values))

    def claim(self, video: str, worker: str) -> Claim | None:
        """Takes a video to make it; None where there is nothing to make any more.

        A video at whose present stage workers died too often is failed here.
        """
        with self.database.write() as connection:
            where = (videos.c.id == video, videos.c.status.notin_(ENDED))
            row = _one(connection, sa.select(videos).where(*where))
            if row is None:
                return None
            if (why := consents.refusal(connection, video, time.time())) is not None:
                self._end(connection, where, "consent_gone", why)
                return None
            if row.beginnings >= self.settings.deaths_max:
                message = (
                    f"The worker died {row.beginnings} times while it made this video"
                    f"{f' (stage {row.stage})' if row.stage else ''}. It may need more memory "
                    "than there is: ask for fewer seconds or a smaller size."
                )
                self._end(connection, where, "worker_died", message)
                return None
            fence = row.fence + 1
            connection.execute(
                videos.update()
                .where(*where)
                .values(
                    status=IN_PROGRESS,
                    worker=worker,
                    fence=fence,
                    beginnings=row.beginnings + 1,
                    started_at=row.started_at or time.time(),
                )
            )
            wish = Wish.from_json(row.wish)
            return Claim(
                id=video, fence=fence, worker=worker, wish=wish, facts=json.loads(row.facts)
            )

    def report(self, claim: Claim, **values: Any) -> None:
        """Writes how a video stands (``progress``, ``stage``, ``facts``, ...).

        Raises:
            LostClaim: it is no longer this claim's to make.
            ConsentGone: a stage would begin that may not.
        """
        with self.database.write() as connection:
            if "stage" in values:
                consents.require(connection, claim.id, time.time())
            if connection.execute(_held(claim).values(**values)).rowcount != 1:
                raise LostClaim(claim.id)

    def check(self, claim: Claim) -> None:
        """Raises LostClaim unless the claim still holds; only reads."""
        with self.database.read() as connection:
            query = sa.select(videos.c.fence).where(*_holds(claim))
            if connection.execute(query).first() is None:
                raise LostClaim(claim.id)

    def owner(self, claim: Claim) -> str:
        """Whose video it is. Raises LostClaim."""
        with self.database.read() as connection:
            found = connection.execute(_owner_of(claim.id)).scalar()
        if found is None:
            raise LostClaim(claim.id)
        return found

    def stage_done(self, claim: Claim, **values: Any) -> None:
        """A stage was finished: deaths are counted anew. Raises LostClaim."""
        self.report(claim, beginnings=1, **values)

    def release(self, claim: Claim) -> None:
        """Lets go of a video that is to be made later: this was no death."""
        with self.database.write() as connection:
            connection.execute(_held(claim).values(beginnings=videos.c.beginnings - 1))

    def publish(self, claim: Claim, *, size_bytes: int, sha256: str, facts: dict[str, Any]) -> None:
        """Makes the claim's files the published ones: the moment that a video is completed.

        Raises:
            LostClaim: it is no longer this claim's to publish; nothing was changed.
            ConsentGone: it shows somebody who may not be shown any more; nothing was changed.
        """
        now = time.time()
        with self.database.write() as connection:
            self.database.alone(connection)  # the audit log has one end
            consents.require(connection, claim.id, now)
            done = connection.execute(
                _held(claim).values(
                    status=COMPLETED,
                    progress=100,
                    stage="",
                    completed_at=now,
                    expires_at=now + self.settings.keep_hours * HOUR_S,
                    published_fence=claim.fence,
                    published_bytes=size_bytes,
                    sha256=sha256,
                    facts=json.dumps(facts),
                )
            )
            if done.rowcount != 1:
                raise LostClaim(claim.id)
            hooks.announce(connection, claim.id, "video.completed")
            told = {"sha256": sha256, "worker": claim.worker}
            owner = connection.execute(_owner_of(claim.id)).scalar() or ""
            audit.append(self.database, connection, "video.published", owner, claim.id, **told)

    def fail(self, claim: Claim, code: str, message: str) -> None:
        """Ends a video that cannot be made. Raises LostClaim."""
        with self.database.write() as connection:
            if not self._end(connection, _holds(claim), code, message):
                raise LostClaim(claim.id)

    # what the sweeper does

    def expired(self, now: float) -> list[Video]:
        """Videos whose files are to go."""
        where = (videos.c.expires_at < now, videos.c.files_gone.is_(False), ~IS_KEPT)
        with self.database.read() as connection:
            return [
                Video(**row._mapping) for row in connection.execute(sa.select(videos).where(*where))
            ]

    def files_gone(self, ids: Sequence[str]) -> None:
        """Remembers that the files of videos were removed."""
        with self.database.write() as connection:
            query = videos.update().where(videos.c.id.in_(ids))
            connection.execute(query.values(files_gone=True, published_bytes=0))

    def forget(self, before: float) -> int:
        """Drops videos that ended and lost their files before a moment, and old keys."""
        with self.database.write() as connection:
            where = (
                videos.c.status.in_(ENDED),
                ~IS_KEPT,
                sa.or_(videos.c.files_gone.is_(True), videos.c.status == FAILED),
                sa.func.coalesce(videos.c.expires_at, videos.c.completed_at) < before,
            )
            gone = connection.execute(videos.delete().where(*where)).rowcount
            named = sa.select(parents.c.parent)
            child, there = parents.c.child, sa.select(videos.c.id)
            connection.execute(parents.delete().where(child.notin_(there), child.notin_(named)))
            old = idempotency.c.created_at < time.time() - KEEP_KEYS_HOURS * HOUR_S
            connection.execute(idempotency.delete().where(old))
        return gone

    def standing(self, ids: Sequence[str]) -> dict[str, Video]:
        """The videos of these names that exist."""
        with self.database.read() as connection:
            query = sa.select(videos).where(videos.c.id.in_(ids))
            return {row.id: Video(**row._mapping) for row in connection.execute(query)}

    def _check_room(self, connection: Connection, owner: str, count: int) -> None:
        counted = sa.select(sa.func.count()).select_from(videos).where(videos.c.status == QUEUED)
        most, own_most = self.settings.queue_max, self.settings.owner_queue_max
        waiting = connection.execute(counted).scalar() or 0
        if waiting + count > most:
            what = f"{waiting} videos wait, of at most {most}"
            raise QueueFull(f"The queue is full: {what}.", self._retry_s(connection))
        own = counted.where(videos.c.owner == owner)
        waiting = connection.execute(own).scalar() or 0
        if own_most is not None and waiting + count > own_most:
            what = f"{waiting} videos of yours wait, of at most {own_most}."
            raise QueueFull(what, self._retry_s(connection))
        quota = self.settings.disk_quota_bytes
        if quota is not None and _used_bytes(connection, None) >= quota:
            raise QuotaReached(f"Videos take the {quota:,} bytes that they may take here.")

    def _retry_s(self, connection: Connection) -> int:
        """About when the next of those that are waiting will begin."""
        query = sa.select(sa.func.avg(videos.c.cost_s)).where(videos.c.status == QUEUED)
        return max(1, min(300, round(connection.execute(query).scalar() or 1)))

    def _end(self, connection: Connection, where: Any, code: str, message: str) -> bool:
        now = time.time()
        query = sa.select(videos.c.id).where(*where)
        ids = list(connection.execute(query).scalars())
        values = {"status": FAILED, "completed_at": now, "stage": ""}
        values |= {"error_code": code, "error_message": message}
        ended = connection.execute(videos.update().where(*where).values(values)).rowcount
        if ended == 1:
            hooks.announce(connection, ids[0], "video.failed")
        return ended == 1


def insert(connection: Connection, new: NewVideo, now: float, **values: Any) -> None:
    """Writes the rows of a video that was accepted."""
    values = {
        "id": new.id,
        "owner": new.owner,
        "created_at": now,
        "wish": new.wish.to_json(),
        "model": new.model,
        "prompt": new.wish.prompt,
        "size": new.size,
        "seconds": new.seconds,
        "cost_s": new.cost_s,
        "remixed_from_video_id": new.remixed_from_video_id,
        "verb": new.wish.verb or new.wish.kind,
        "batch": new.batch,
        "take": new.take,
        "folder": new.folder,
        "status": QUEUED,
        **values,
    }
    connection.execute(videos.insert().values(values))
    for video, role in dict.fromkeys((one.video, one.role) for one in new.wish.parents):
        row = {"child": new.id, "parent": video, "role": role, "owner": new.owner}
        connection.execute(parents.insert().values(row))
    consents.bind(connection, new)


def _owner_of(video: str) -> sa.Select[Any]:
    return sa.select(videos.c.owner).where(videos.c.id == video)


def _holds(claim: Claim) -> tuple[sa.ColumnElement[bool], ...]:
    return (
        videos.c.id == claim.id,
        videos.c.fence == claim.fence,
        videos.c.status == IN_PROGRESS,
    )


def _held(claim: Claim) -> sa.Update:
    return videos.update().where(*_holds(claim))


def _one(connection: Connection, query: sa.Select[Any]) -> Video | None:
    row = connection.execute(query).first()
    return None if row is None else Video(**row._mapping)


def _answered(connection: Connection, owner: str, once: Once) -> str | None:
    where = (idempotency.c.owner == owner, idempotency.c.key == once.key)
    row = connection.execute(sa.select(idempotency).where(*where)).first()
    if row is None:
        return None
    if row.fingerprint != once.fingerprint:
        raise KeyReused(once.key)
    return row.answer


def _used_bytes(connection: Connection, owner: str | None) -> int:
    query = sa.select(sa.func.coalesce(sa.func.sum(videos.c.published_bytes), 0))
    if owner is not None:
        query = query.where(videos.c.owner == owner)
    return int(connection.execute(query).scalar() or 0)
