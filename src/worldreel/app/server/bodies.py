"""Request bodies, multipart or JSON, as one nested dict and the files beside it."""

import contextlib
import json
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any, TypeVar

from fastapi import Request
from pydantic import BaseModel, ValidationError
from starlette.datastructures import UploadFile
from starlette.formparsers import MultiPartException

from worldreel.app.server.problems import ApiError, first_error, invalid

MAX_FILES, MAX_FIELDS, MAX_FIELD_BYTES = 4, 64, 24 * 2**20
MAX_DEPTH = 4

_PART = re.compile(r"\[([^\[\]]{0,64})\]")

Model = TypeVar("Model", bound=BaseModel)


@dataclass
class Body:
    """What a request brought.

    Args:
        fields: values by name, nested as the client nested them.
        files: uploads by name; they are spooled to disk where they are large.
        is_form: whether numbers came as text.
    """

    fields: dict[str, Any]
    files: dict[str, UploadFile]
    is_form: bool

    def read_as(self, model: type[Model]) -> Model:
        """The fields, checked; raises ApiError for what the model does not allow."""
        try:
            return model.model_validate(self.fields, strict=not self.is_form)
        except ValidationError as error:
            raise first_error(error.errors()) from None


@contextlib.asynccontextmanager
async def open_body(request: Request, *, files: tuple[str, ...] = ()) -> AsyncIterator[Body]:
    """Reads a body; its files are there until the end of the block.

    Args:
        files: names under which a file may come; any other file is refused.

    Raises:
        ApiError: neither JSON nor a form, or not well formed.
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind == "application/json" or (kind.startswith("application/") and kind.endswith("+json")):
        yield Body(_json(await request.body()), {}, is_form=False)
        return
    if kind not in ("multipart/form-data", "application/x-www-form-urlencoded"):
        message = f"The content type {kind[:80]!r} is not read."
        message += " Send multipart/form-data or application/json."
        raise ApiError(415, message, code="unsupported_content_type")
    try:
        limits = {"max_files": MAX_FILES, "max_fields": MAX_FIELDS}
        form = await request.form(**limits, max_part_size=MAX_FIELD_BYTES)
    except MultiPartException as error:
        raise invalid(f"The form cannot be read: {error.message}.", code="invalid_form") from None
    except Exception as error:
        if type(error).__module__.startswith(("starlette", "python_multipart", "multipart")):
            raise invalid("The form cannot be read.", code="invalid_form") from None
        if isinstance(error, (UnicodeError, LookupError, ValueError)):
            raise invalid("The form cannot be read as text.", code="invalid_form") from None
        raise
    try:
        body = Body({}, {}, is_form=True)
        for name, value in form.multi_items():
            if isinstance(value, UploadFile):
                if name not in files or name in body.files:
                    raise invalid(f"{name[:80]}: no file is taken here.", name[:80])
                body.files[name] = value
            else:
                _nest(body.fields, name, value)
        yield body
    finally:
        await form.close()


def _json(data: bytes) -> dict[str, Any]:
    try:
        value = json.loads(data, parse_constant=_no_constant)
    except (ValueError, RecursionError):
        raise invalid("The body is not JSON.", code="invalid_json") from None
    if not isinstance(value, dict):
        raise invalid("The body is not a JSON object.", code="invalid_json")
    return value


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def _nest(fields: dict[str, Any], name: str, value: str) -> None:
    """Puts ``a[b][][c]`` where it belongs, as OpenAI's client writes nested values in forms."""
    base, bracket, rest = name.partition("[")
    parts = _PART.findall(bracket + rest)
    if "".join(f"[{part}]" for part in parts) != bracket + rest or len(parts) > MAX_DEPTH:
        raise invalid(f"The field {name[:80]!r} is not well formed.", code="invalid_form")
    if not parts:
        if name in fields:
            raise invalid(f"{name[:80]}: it was given twice.", name[:80])
        fields[name] = value
        return
    place: Any = fields
    keys = [base, *parts]
    for key, following in zip(keys, [*keys[1:], None], strict=True):
        is_list = isinstance(place, list)
        if is_list and key and not key.isdigit():
            raise invalid(f"The field {name[:80]!r} is not well formed.", code="invalid_form")
        fresh: Any = value
        if following is not None:
            fresh = [] if following == "" or following.isdigit() else {}
        if is_list:
            last = place[-1] if place else None
            joins = (
                isinstance(last, dict)
                and following
                and following not in last
                and (key == "" or int(key) == len(place) - 1)
            )
            if joins:
                place = last
                continue
            place.append(fresh)
            place = fresh
        elif following is None:
            place[key] = value
        else:
            held = place.setdefault(key, fresh)
            if type(held) is not type(fresh):
                raise invalid(f"The field {name[:80]!r} is not well formed.", code="invalid_form")
            place = held
