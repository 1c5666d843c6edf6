"""The routes of videos as a collection: marks, folders, lineage, settings, many at once."""

import json
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Request
from pydantic import BaseModel, Field, model_validator

from worldreel.app.jobs.gallery import FolderExists, VideoFolder
from worldreel.app.jobs.video import QUEUED, Verb
from worldreel.app.server.bodies import open_body
from worldreel.app.server.callers import Owner
from worldreel.app.server.problems import ApiError, invalid, not_found
from worldreel.app.server.remaking import SettingsObject, body_of
from worldreel.app.server.service import Served, Service, in_thread
from worldreel.app.server.shapes import Id, In, Storable, VideoDeleted, VideoObject
from worldreel.app.server.videos import find_video, show

router = APIRouter(prefix="/v1")

MANY = 500
FOLDERS_MAX = 1000


class Marks(In):
    """What an owner says about videos; what is left out stays as it is."""

    favourite: bool | None = None
    picked: bool | None = None
    folder_id: Id | None = None
    """Null takes it out of its folder."""

    def values(self) -> dict[str, Any]:
        """The columns that change."""
        found = self.model_dump(exclude_unset=True, include={"favourite", "picked", "folder_id"})
        for name in ("favourite", "picked"):
            if name in found and found[name] is None:
                raise invalid(f"{name}: it is true or false.", name)
        if "folder_id" in found:
            found["folder"] = found.pop("folder_id")
        return found


class MarkVideo(Marks):
    """The body of ``POST /v1/videos/{id}``."""


class MarkVideos(Marks):
    """The body of ``POST /v1/marks``."""

    video_ids: Annotated[list[Id], Field(min_length=1, max_length=MANY)]


class DeleteVideos(In):
    """The body of ``POST /v1/deletions``."""

    video_ids: Annotated[list[Id], Field(min_length=1, max_length=MANY)]


class CancelVideos(In):
    """The body of ``POST /v1/cancellations``: exactly one of the three."""

    video_ids: Annotated[list[Id], Field(min_length=1, max_length=MANY)] | None = None
    batch_id: Id | None = None
    all: Literal[True] | None = None

    @model_validator(mode="after")
    def _one(self) -> "CancelVideos":
        if sum(value is not None for value in (self.video_ids, self.batch_id, self.all)) != 1:
            raise ValueError("give exactly one of video_ids, batch_id and all")
        return self


class NameFolder(In):
    """The body of ``POST /v1/folders`` and ``POST /v1/folders/{id}``."""

    name: Annotated[Storable, Field(min_length=1, max_length=80)]


class Videos(BaseModel):
    """Some videos."""

    object: Literal["list"] = "list"
    data: list[VideoObject]


class VideosDeleted(BaseModel):
    """Videos that are gone."""

    object: Literal["list"] = "list"
    data: list[VideoDeleted]


class FolderObject(BaseModel):
    """A folder of videos."""

    id: str
    object: Literal["folder"] = "folder"
    name: str
    created_at: int
    num_videos: int

    @classmethod
    def of(cls, folder: VideoFolder) -> "FolderObject":
        """A row as clients see it."""
        at = int(folder.created_at)
        return cls(id=folder.id, name=folder.name, created_at=at, num_videos=folder.num_videos)


class FolderList(BaseModel):
    """All folders of an owner."""

    object: Literal["list"] = "list"
    data: list[FolderObject]


class FolderDeleted(BaseModel):
    """A folder that is gone; its videos are not."""

    id: str
    object: Literal["folder.deleted"] = "folder.deleted"
    deleted: bool = True


class LineageNode(BaseModel):
    """A video in a family; of one that is gone only the id is known."""

    id: str
    status: Literal["queued", "in_progress", "completed", "failed", "deleted"]
    verb: Verb | None = None
    prompt: str | None = None
    created_at: int | None = None
    take: int | None = None
    batch_id: str | None = None
    picked: bool = False


class LineageEdge(BaseModel):
    """That one video was made from another."""

    parent: str
    child: str
    role: str


class Lineage(BaseModel):
    """A video's ancestors and descendants."""

    object: Literal["lineage"] = "lineage"
    id: str
    nodes: list[LineageNode]
    edges: list[LineageEdge]


@router.post(
    "/videos/{video_id}",
    response_model=VideoObject,
    tags=["collection"],
    openapi_extra={"x-body": "MarkVideo"},
)
async def mark_video(video_id: str, request: Request, owner: Owner, service: Served) -> Any:
    """Makes a video a favourite, picks it, or puts it into a folder."""
    async with open_body(request) as body:
        values = body.read_as(MarkVideo).values()

        def mark() -> VideoObject:
            find_video(service, owner, video_id)
            return _mark(service, owner, [video_id], values)[0]

        return await in_thread(mark)


@router.post(
    "/marks",
    response_model=Videos,
    tags=["collection"],
    openapi_extra={"x-body": "MarkVideos"},
)
async def mark_videos(request: Request, owner: Owner, service: Served) -> Any:
    """The same for many; those that are not there are left out."""
    async with open_body(request) as body:
        asked = body.read_as(MarkVideos)
        data = await in_thread(_mark, service, owner, asked.video_ids, asked.values())
        return Videos(data=data)


@router.post(
    "/deletions",
    response_model=VideosDeleted,
    tags=["collection"],
    openapi_extra={"x-body": "DeleteVideos"},
)
async def delete_videos(request: Request, owner: Owner, service: Served) -> Any:
    """Forgets many videos and their files; those that are not there are left out."""
    async with open_body(request) as body:
        asked = body.read_as(DeleteVideos)

        def delete() -> list[VideoDeleted]:
            gone = []
            for video in dict.fromkeys(asked.video_ids):
                if service.videos.delete(owner, video):
                    service.folder.remove(video)
                    gone.append(VideoDeleted(id=video))
            return gone

        return VideosDeleted(data=await in_thread(delete))


@router.post(
    "/cancellations",
    response_model=Videos,
    tags=["collection"],
    openapi_extra={"x-body": "CancelVideos"},
)
async def cancel_videos(request: Request, owner: Owner, service: Served) -> Any:
    """Stops many videos; answers those that were stopped."""
    async with open_body(request) as body:
        asked = body.read_as(CancelVideos)

        def cancel() -> list[VideoObject]:
            ids = asked.video_ids or service.gallery.unended(owner, asked.batch_id)
            before = {one.id: one for one in service.gallery.some(owner, ids)}
            stopped = [video for video in before if service.videos.cancel(owner, video)]
            for video in stopped:
                if before[video].status == QUEUED:
                    service.folder.remove_work(video)
            return [VideoObject.of(video) for video in service.gallery.some(owner, stopped)]

        return Videos(data=await in_thread(cancel))


@router.get("/videos/{video_id}/lineage", response_model=Lineage, tags=["collection"])
def retrieve_lineage(video_id: str, owner: Owner, service: Served) -> Any:
    """What a video was made from, and what was made from it: up to 200, the nearest."""
    find_video(service, owner, video_id)
    ids, ties = service.gallery.lineage(owner, video_id)
    there = {video.id: video for video in service.gallery.some(owner, ids)}
    nodes = []
    for name in ids:
        video = there.get(name)
        if video is None:
            nodes.append(LineageNode(id=name, status="deleted"))
            continue
        nodes.append(
            LineageNode(
                id=name,
                status=video.status,  # pyright: ignore[reportArgumentType]
                verb=video.verb,  # pyright: ignore[reportArgumentType]
                prompt=video.prompt,
                created_at=int(video.created_at),
                take=video.take,
                batch_id=video.batch,
                picked=video.picked,
            )
        )
    edges = [LineageEdge(parent=tie.parent, child=tie.child, role=tie.role) for tie in ties]
    return Lineage(id=video_id, nodes=nodes, edges=edges)


@router.get("/videos/{video_id}/settings", response_model=SettingsObject, tags=["collection"])
def retrieve_settings(video_id: str, owner: Owner, service: Served) -> Any:
    """What makes a video again: the body of a request, with the seed."""
    video = find_video(service, owner, video_id)
    facts = json.loads(video.facts)
    return SettingsObject(
        body=body_of(video), model_version=facts.get("model_version"), worldreel=None
    )


@router.get("/folders", response_model=FolderList, tags=["folders"])
def list_folders(owner: Owner, service: Served) -> Any:
    """The owner's folders, by name."""
    return FolderList(data=[FolderObject.of(one) for one in service.gallery.folders(owner)])


@router.post(
    "/folders",
    response_model=FolderObject,
    tags=["folders"],
    openapi_extra={"x-body": "NameFolder"},
)
async def create_folder(request: Request, owner: Owner, service: Served) -> Any:
    """A new folder; no two have the same name."""
    async with open_body(request) as body:
        asked = body.read_as(NameFolder)

        def add() -> FolderObject:
            if len(service.gallery.folders(owner)) >= FOLDERS_MAX:
                raise invalid(f"There are {FOLDERS_MAX} folders, as many as there may be.")
            try:
                name = service.gallery.add_folder(owner, asked.name)
            except FolderExists:
                raise _folder_exists(asked.name) from None
            return FolderObject.of(_folder(service, owner, name))

        return await in_thread(add)


@router.post(
    "/folders/{folder_id}",
    response_model=FolderObject,
    tags=["folders"],
    openapi_extra={"x-body": "NameFolder"},
)
async def rename_folder(folder_id: str, request: Request, owner: Owner, service: Served) -> Any:
    """Gives a folder another name."""
    async with open_body(request) as body:
        asked = body.read_as(NameFolder)

        def rename() -> FolderObject:
            _folder(service, owner, folder_id)
            try:
                service.gallery.rename_folder(owner, folder_id, asked.name)
            except FolderExists:
                raise _folder_exists(asked.name) from None
            return FolderObject.of(_folder(service, owner, folder_id))

        return await in_thread(rename)


@router.delete("/folders/{folder_id}", response_model=FolderDeleted, tags=["folders"])
def delete_folder(folder_id: str, owner: Owner, service: Served) -> Any:
    """Forgets a folder; its videos stay, in none."""
    _folder(service, owner, folder_id)
    service.gallery.remove_folder(owner, folder_id)
    return FolderDeleted(id=folder_id)


def _mark(
    service: Service, owner: str, ids: list[str], values: dict[str, Any]
) -> list[VideoObject]:
    if (folder := values.get("folder")) is not None:
        _folder(service, owner, folder)
    if values:
        service.gallery.mark(owner, ids, values)
    return show(service, service.gallery.some(owner, ids))


def _folder(service: Service, owner: str, folder: str) -> VideoFolder:
    found = service.gallery.folder(owner, folder) if "\0" not in folder else None
    if found is None:
        raise not_found("folder", folder, "folder_id")
    return found


def _folder_exists(name: str) -> ApiError:
    return invalid(f"There is a folder {name!r} already.", "name", "folder_exists")
