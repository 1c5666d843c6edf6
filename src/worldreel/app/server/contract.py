"""The OpenAPI document: bodies that are read by hand, errors, and the key, beside what FastAPI
knows by itself."""

import copy
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic.json_schema import models_json_schema

from worldreel import __version__
from worldreel.app.server import (
    canvas_shapes,
    collection,
    endpoint_shapes,
    plays,
    shapes,
    storyboards,
)
from worldreel.app.server.administration import CreateKey
from worldreel.app.server.consents import CreateConsent
from worldreel.app.server.file_shapes import CreateCharacter
from worldreel.app.server.files import CreateFile
from worldreel.app.server.problems import Problem
from worldreel.app.server.provenance_checks import CheckProvenance

BODIES = {
    model.__name__: model
    for model in (
        shapes.CreateVideo,
        shapes.EditVideo,
        shapes.ExtendVideo,
        shapes.RemixVideo,
        endpoint_shapes.CreateEndpoint,
        endpoint_shapes.ChangeEndpoint,
        endpoint_shapes.RotateSecret,
        endpoint_shapes.TestEndpoint,
        canvas_shapes.CreateCanvas,
        collection.MarkVideo,
        collection.MarkVideos,
        collection.DeleteVideos,
        collection.CancelVideos,
        collection.NameFolder,
        storyboards.CreateStoryboard,
        storyboards.ChangeStoryboard,
        plays.CreatePlay,
        plays.SayToPlay,
        CreateCharacter,
        CreateFile,
        CheckProvenance,
        CreateConsent,
        CreateKey,
    )
}
FILES = {
    "CreateVideo": ("input_reference", False),
    "EditVideo": ("video", False),
    "ExtendVideo": ("video", False),
    "CreateCharacter": ("video", True),
    "CreateFile": ("file", True),
    "CheckProvenance": ("file", False),
}
"""Bodies that may hold a file, under which name, and whether they must."""

ERRORS = {
    400: "Something in the request cannot be.",
    401: "There is no key, or it opens nothing.",
    403: "The key or the browser may not.",
    404: "There is no such thing here.",
    413: "The body is larger than it may be.",
    415: "The body is neither JSON nor a form.",
    429: "The queue is full, or a quota is used up: see Retry-After.",
    500: "The server failed.",
    503: "The disk is full, or the database or what judges requests does not answer.",
}
TEMPLATE = "#/components/schemas/{model}"


def install(app: FastAPI) -> None:
    """Makes the app's document the complete one."""

    def document() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = _document(app)
        return app.openapi_schema

    app.openapi = document


def _document(app: FastAPI) -> dict[str, Any]:
    made = get_openapi(title="worldreel", version=__version__, routes=app.routes)
    components = made.setdefault("components", {}).setdefault("schemas", {})
    wanted = [(model, "validation") for model in (*BODIES.values(), Problem)]
    _, schemas = models_json_schema(wanted, ref_template=TEMPLATE)  # pyright: ignore
    components.update(schemas["$defs"])
    components.pop("HTTPValidationError", None)
    components.pop("ValidationError", None)
    made["components"]["securitySchemes"] = {"bearer": {"type": "http", "scheme": "bearer"}}
    for path, operations in made["paths"].items():
        for method, operation in operations.items():
            _complete(operation, path, method, components)
    return made


def _complete(
    operation: dict[str, Any], path: str, method: str, components: dict[str, Any]
) -> None:
    responses = operation["responses"]
    responses.pop("422", None)
    body = operation.pop("x-body", None)
    statuses = {413, 500, 503}
    if path.startswith("/v1/"):
        operation["security"] = [{"bearer": []}]
        statuses |= {400, 401, 403, 404}
    else:
        operation["security"] = []
        statuses |= {400}
    if body is not None:
        statuses |= {415, 429}
        operation["requestBody"] = {"required": True, "content": _content(body, components)}
    for status in sorted(statuses):
        problem = {"$ref": TEMPLATE.format(model="Problem")}
        content = {"application/json": {"schema": problem}}
        answer = {"description": ERRORS[status], "content": content}
        responses.setdefault(str(status), answer)


def _content(body: str, components: dict[str, Any]) -> dict[str, Any]:
    reference = {"$ref": TEMPLATE.format(model=body)}
    name, required = FILES.get(body, (None, False))
    form = copy.deepcopy(components[body])
    if name is None:
        return {"application/json": {"schema": reference}}
    file = {"type": "string", "format": "binary"}
    form["title"] = f"{body}Form"
    if required:
        form["properties"][name] = file
        form["required"] = [*form.get("required", []), name]
        return {"multipart/form-data": {"schema": form}}
    form["properties"][name] = file
    return {
        "application/json": {"schema": reference},
        "multipart/form-data": {"schema": form},
    }
