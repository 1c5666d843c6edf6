"""The routes of those who run the server: what it is and has, and who may use it."""

import shutil
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Request
from pydantic import BaseModel, Field

from worldreel import __version__
from worldreel.app import machine
from worldreel.app.jobs import audit
from worldreel.app.jobs.keys import Key
from worldreel.app.jobs.offered import default_model
from worldreel.app.server.bodies import open_body
from worldreel.app.server.callers import Admin, Asker
from worldreel.app.server.canvas_shapes import TAKES_MAX
from worldreel.app.server.operations import readiness
from worldreel.app.server.problems import invalid, not_found
from worldreel.app.server.service import Served, in_thread
from worldreel.app.server.shapes import In, Storable, whole
from worldreel.core.errors import UsageError

router = APIRouter(prefix="/v1")


class QueueFacts(BaseModel):
    """What waits."""

    waiting: int
    work_seconds: float
    """Until all is done, as reckoned."""
    max: int


class DiskFacts(BaseModel):
    """Bytes of the disk that videos are on."""

    free_bytes: int
    total_bytes: int
    videos_bytes: int
    """All published files, of all owners."""
    own_videos_bytes: int
    own_uploads_bytes: int
    quota_bytes: int | None


class MemoryFacts(BaseModel):
    """Bytes of memory of the server's machine."""

    free_bytes: int
    total_bytes: int


class LimitFacts(BaseModel):
    """What is not taken beyond."""

    upload_max_bytes: int
    keep_hours: float
    takes_max: int
    plays_max: int
    queue_max: int


class ServerObject(BaseModel):
    """A server, as the caller sees it."""

    object: Literal["server"] = "server"
    version: str
    owner: str
    admin: bool
    ready: bool
    reasons: list[str]
    """Why not, in words."""
    workers: int
    queue: QueueFacts
    disk: DiskFacts
    memory: MemoryFacts
    limits: LimitFacts
    default_model: str


class KeyObject(BaseModel):
    """A key, without its secret."""

    id: str
    object: Literal["key"] = "key"
    owner: str
    hint: str
    """Its first and last letters."""
    admin: bool
    created_at: int
    revoked_at: int | None

    @classmethod
    def fields_of(cls, key: Key) -> dict[str, Any]:
        """A row as clients see it."""
        return {
            "id": key.id,
            "owner": key.owner,
            "hint": key.hint,
            "admin": key.admin,
            "created_at": int(key.created_at),
            "revoked_at": whole(key.revoked_at),
        }


class KeyWithSecret(KeyObject):
    """The same with its secret: at its making only."""

    secret: str


class KeyList(BaseModel):
    """All keys."""

    object: Literal["list"] = "list"
    data: list[KeyObject]


class KeyRevoked(BaseModel):
    """A key that opens nothing any more."""

    id: str
    object: Literal["key.deleted"] = "key.deleted"
    deleted: bool = True


class CreateKey(In):
    """The body of ``POST /v1/keys``."""

    owner: Annotated[Storable, Field(min_length=1, max_length=64)]
    admin: bool = False


@router.get("/server", response_model=ServerObject, tags=["operations"])
def retrieve_server(caller: Asker, service: Served) -> Any:
    """What the server is, has, and has to do."""
    settings = service.settings
    ready = readiness(service)
    queue = service.queue()
    disk = shutil.disk_usage(settings.data)
    return ServerObject(
        version=__version__,
        owner=caller.owner,
        admin=caller.admin,
        ready=ready.ready,
        reasons=ready.reasons,
        workers=ready.workers,
        queue=QueueFacts(
            waiting=queue.num_waiting, work_seconds=round(queue.work_s, 1), max=settings.queue_max
        ),
        disk=DiskFacts(
            free_bytes=disk.free,
            total_bytes=disk.total,
            videos_bytes=service.videos.used_bytes(),
            own_videos_bytes=service.videos.used_bytes(caller.owner),
            own_uploads_bytes=service.uploads.used_bytes(caller.owner),
            quota_bytes=settings.disk_quota_bytes,
        ),
        memory=MemoryFacts(
            free_bytes=machine.memory_free_bytes(), total_bytes=machine.memory_size_bytes()
        ),
        limits=LimitFacts(
            upload_max_bytes=settings.upload_max_bytes,
            keep_hours=settings.keep_hours,
            takes_max=TAKES_MAX,
            plays_max=settings.plays_max,
            queue_max=settings.queue_max,
        ),
        default_model=default_model(settings),
    )


@router.get("/keys", response_model=KeyList, tags=["keys"])
def list_keys(admin: Admin, service: Served) -> Any:
    """Every key, the oldest first."""
    return KeyList(data=[KeyObject(**KeyObject.fields_of(key)) for key in service.keys.all()])


@router.post(
    "/keys", response_model=KeyWithSecret, tags=["keys"], openapi_extra={"x-body": "CreateKey"}
)
async def create_key(request: Request, admin: Admin, service: Served) -> Any:
    """A new key of an owner; its secret is shown here only."""
    async with open_body(request) as body:
        asked = body.read_as(CreateKey)

        def add() -> KeyWithSecret:
            try:
                secret = service.keys.add(asked.owner, admin=asked.admin)
            except UsageError as error:
                raise invalid(str(error).replace("\n", " "), "owner") from None
            caller = service.keys.caller(secret)
            (key,) = [one for one in service.keys.all() if caller and one.id == caller.key]
            told = {"of": key.owner, "admin": key.admin}
            audit.record(service.database, "key.made", admin.owner, key.id, **told)
            return KeyWithSecret(**KeyObject.fields_of(key), secret=secret)

        return await in_thread(add)


@router.delete("/keys/{key_id}", response_model=KeyRevoked, tags=["keys"])
def revoke_key(key_id: str, admin: Admin, service: Served) -> Any:
    """Ends a key within seconds; its owner's videos stay. The caller's own key is not ended."""
    if key_id == admin.key:
        message = "This is the key that you came with: sign in with another one to end it."
        raise invalid(message, "key_id", "own_key")
    known = {key.id for key in service.keys.all() if key.revoked_at is None}
    if key_id not in known or not service.keys.revoke(key_id):
        raise not_found("key", key_id, "key_id")
    audit.record(service.database, "key.revoked", admin.owner, key_id)
    return KeyRevoked(id=key_id)
