"""The route of all verbs: a body that says what is wanted becomes one video for each take.

One route for all and not one for each: what they have in common (takes, seeds, estimates,
idempotency, lineage) is here once, and a new verb is a new body and nothing else.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, ValidationError

from worldreel.app.jobs.video import NewVideo
from worldreel.app.server.admission import Act, Key, accept, estimate, new_object
from worldreel.app.server.asking import Asking
from worldreel.app.server.bodies import Body, open_body
from worldreel.app.server.callers import Owner
from worldreel.app.server.canvas_shapes import AnyVerb, CreateCanvas
from worldreel.app.server.laying import lay
from worldreel.app.server.problems import first_error, invalid, not_found
from worldreel.app.server.service import Served, in_thread
from worldreel.app.server.shapes import EstimateObject, VideoObject

router = APIRouter(prefix="/v1/canvases", tags=["canvases"])


class Takes(BaseModel):
    """The videos of one request."""

    object: Literal["list"] = "list"
    batch_id: str
    data: list[VideoObject]


@router.post("", response_model=Takes, openapi_extra={"x-body": "CreateCanvas"})
async def create_canvas(
    request: Request, response: Response, owner: Owner, service: Served, key: Key = None
) -> Any:
    """Accepts the takes of a verb, all of them or none."""
    async with open_body(request) as body:
        asked = _read(body)
        return await accept(
            request,
            response,
            Asking(service, owner),
            key,
            body,
            _act(asked),
            _tell,
            Takes,
            count=asked.takes,
        )


@router.post("/estimates", response_model=EstimateObject, openapi_extra={"x-body": "CreateCanvas"})
async def estimate_canvas(request: Request, owner: Owner, service: Served) -> Any:
    """What the takes of a verb would cost, and when they would be done: nothing runs."""
    async with open_body(request) as body:
        asked = _read(body)
        return await in_thread(estimate, Asking(service, owner), _act(asked))


def _read(body: Body) -> AnyVerb:
    if body.is_form:
        message = "Send JSON: files are uploaded to /v1/files and named by their ids."
        raise invalid(message, code="invalid_form")
    try:
        return CreateCanvas.model_validate(body.fields, strict=True).root
    except ValidationError as error:
        found = error.errors()
        for one in found:  # the verb that was told is no part of a field's name
            one["loc"] = one["loc"][1:] or ("verb",)
        raise first_error(found) from None


def _act(asked: AnyVerb) -> Act:
    def act(asking: Asking, file: Path | None) -> Sequence[NewVideo]:
        folder = asked.folder_id
        if folder is not None and asking.service.gallery.folder(asking.owner, folder) is None:
            raise not_found("folder", folder, "folder_id")
        return asking.takes(lay(asking, asked), asked.takes)

    return act


def _tell(news: Sequence[NewVideo]) -> Takes:
    assert news[0].batch is not None
    return Takes(batch_id=news[0].batch, data=[new_object(new) for new in news])
