"""The routes of storyboards: drafts that are saved, loaded, and written as canvas files."""

import json
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response
from pydantic import BaseModel, Field, model_validator

from worldreel.app.jobs.storyboards import Storyboard
from worldreel.app.server.boards import read_values, to_toml
from worldreel.app.server.bodies import open_body
from worldreel.app.server.callers import Owner
from worldreel.app.server.problems import invalid, not_found
from worldreel.app.server.service import Served, Service, in_thread
from worldreel.app.server.shapes import CANVAS_MAX, In, Storable

router = APIRouter(prefix="/v1/storyboards", tags=["storyboards"])

STORYBOARDS_MAX = 1000

Name = Annotated[Storable, Field(min_length=1, max_length=80)]
Toml = Annotated[Storable, Field(min_length=1, max_length=CANVAS_MAX)]


class CreateStoryboard(In):
    """The body of ``POST /v1/storyboards``: the values of a canvas file, or its text."""

    name: Name
    board: dict[str, Any] | None = None
    toml: Toml | None = None

    @model_validator(mode="after")
    def _one(self) -> "CreateStoryboard":
        if (self.board is None) == (self.toml is None):
            raise ValueError("give exactly one of board and toml")
        return self


class ChangeStoryboard(In):
    """The body of ``POST /v1/storyboards/{id}``; what is left out stays as it is."""

    name: Name | None = None
    board: dict[str, Any] | None = None
    toml: Toml | None = None

    @model_validator(mode="after")
    def _one(self) -> "ChangeStoryboard":
        if self.board is not None and self.toml is not None:
            raise ValueError("give one of board and toml, not both")
        return self


class StoryboardObject(BaseModel):
    """A storyboard; it may be unfinished."""

    id: str
    object: Literal["storyboard"] = "storyboard"
    name: str
    board: dict[str, Any]
    created_at: int
    updated_at: int

    @classmethod
    def of(cls, storyboard: Storyboard) -> "StoryboardObject":
        """A row as clients see it."""
        return cls(
            id=storyboard.id,
            name=storyboard.name,
            board=json.loads(storyboard.board),
            created_at=int(storyboard.created_at),
            updated_at=int(storyboard.updated_at),
        )


class StoryboardList(BaseModel):
    """A page of storyboards."""

    object: Literal["list"] = "list"
    data: list[StoryboardObject]
    first_id: str | None
    last_id: str | None
    has_more: bool


class StoryboardDeleted(BaseModel):
    """A storyboard that is gone."""

    id: str
    object: Literal["storyboard.deleted"] = "storyboard.deleted"
    deleted: bool = True


@router.post("", response_model=StoryboardObject, openapi_extra={"x-body": "CreateStoryboard"})
async def create_storyboard(request: Request, owner: Owner, service: Served) -> Any:
    """Keeps a storyboard, as it is; it is looked at when it is rendered."""
    async with open_body(request) as body:
        asked = body.read_as(CreateStoryboard)
        board = _text(asked.board, asked.toml)

        def add() -> Storyboard:
            if service.storyboards.count(owner) >= STORYBOARDS_MAX:
                raise invalid(f"There are {STORYBOARDS_MAX} storyboards, as many as may be.")
            return service.storyboards.add(owner, asked.name, board)

        return StoryboardObject.of(await in_thread(add))


@router.get("", response_model=StoryboardList)
def list_storyboards(
    owner: Owner,
    service: Served,
    limit: Annotated[int, Query(ge=1, le=100)] = 20,
    after: Annotated[str | None, Query(max_length=128)] = None,
) -> Any:
    """The owner's storyboards, the last changed first."""
    last = None if after is None else _find(service, owner, after, "after")
    found = service.storyboards.page(owner, limit=limit + 1, after=last)
    data = [StoryboardObject.of(one) for one in found[:limit]]
    return StoryboardList(
        data=data,
        first_id=data[0].id if data else None,
        last_id=data[-1].id if data else None,
        has_more=len(found) > limit,
    )


@router.get("/{storyboard_id}", response_model=StoryboardObject)
def retrieve_storyboard(storyboard_id: str, owner: Owner, service: Served) -> Any:
    """A storyboard as it was kept."""
    return StoryboardObject.of(_find(service, owner, storyboard_id))


@router.post(
    "/{storyboard_id}",
    response_model=StoryboardObject,
    openapi_extra={"x-body": "ChangeStoryboard"},
)
async def change_storyboard(
    storyboard_id: str, request: Request, owner: Owner, service: Served
) -> Any:
    """Changes what is given of a storyboard."""
    async with open_body(request) as body:
        asked = body.read_as(ChangeStoryboard)
        values: dict[str, Any] = {} if asked.name is None else {"name": asked.name}
        if asked.board is not None or asked.toml is not None:
            values["board"] = _text(asked.board, asked.toml)

        def change() -> Storyboard:
            _find(service, owner, storyboard_id)
            if values:
                service.storyboards.change(owner, storyboard_id, values)
            return _find(service, owner, storyboard_id)

        return StoryboardObject.of(await in_thread(change))


@router.delete("/{storyboard_id}", response_model=StoryboardDeleted)
def delete_storyboard(storyboard_id: str, owner: Owner, service: Served) -> Any:
    """Forgets a storyboard; what was rendered from it stays."""
    _find(service, owner, storyboard_id)
    service.storyboards.remove(owner, storyboard_id)
    return StoryboardDeleted(id=storyboard_id)


@router.get(
    "/{storyboard_id}/file",
    response_class=Response,
    responses={
        200: {
            "description": "The canvas file.",
            "content": {"application/toml": {"schema": {"type": "string"}}},
        }
    },
)
def download_storyboard(storyboard_id: str, owner: Owner, service: Served) -> Any:
    """A storyboard as a canvas file; what it names are ids of files and videos here."""
    found = _find(service, owner, storyboard_id)
    name = f"{found.id}.toml"
    headers = {"content-disposition": f'attachment; filename="{name}"'}
    text = to_toml(json.loads(found.board))
    return Response(text, media_type="application/toml", headers=headers)


def _text(board: dict[str, Any] | None, toml: str | None) -> str:
    """The board as JSON; raises ApiError where it is none, too long, or cannot be a file."""
    values = board if toml is None else read_values(toml, "toml")
    param = "board" if toml is None else "toml"
    assert values is not None
    try:
        text = json.dumps(values, ensure_ascii=False, allow_nan=False)
        text.encode("utf-8")
        to_toml(values)
    except (TypeError, ValueError, RecursionError) as error:
        raise invalid(f"{param}: it holds what a canvas file cannot ({error}).", param) from None
    if len(text) > CANVAS_MAX:
        raise invalid(f"{param}: it has more than {CANVAS_MAX:,} characters.", param)
    return text


def _find(
    service: Service, owner: str, storyboard: str, param: str = "storyboard_id"
) -> Storyboard:
    found = service.storyboards.get(owner, storyboard) if "\0" not in storyboard else None
    if found is None:
        raise not_found("storyboard", storyboard, param)
    return found
