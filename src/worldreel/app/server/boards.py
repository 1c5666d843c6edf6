"""Canvases that come in: their files are ids of what is here, never paths."""

import copy
import json
import re
import tomllib
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from worldreel.app.jobs.folder import VIDEO, link_or_copy
from worldreel.app.jobs.layout import BOARD_FILE
from worldreel.app.server.problems import invalid, not_found

if TYPE_CHECKING:
    from worldreel.app.server.asking import Asking

FILES = {
    "shot": ("image", "last_image", "clip", "reference"),
    "place": ("file", "mask"),
    "refer": ("file",),
}
"""Where a canvas names files; see `worldreel.generate.board`."""
FILES_MAX = 64


def bring_canvas(asking: "Asking", values: dict[str, Any], param: str) -> dict[str, Any]:
    """A canvas's values, with the files that it names beside it under worldreel's own names.

    Raises:
        ApiError: it names too many files, or one that is not the owner's.
    """
    brought: dict[str, str] = {}
    for entry, name in _files(values):
        if not _is_here(asking, entry[name]):
            entry[name] = _bring(asking, entry[name], brought, param)
    return values


def read_values(canvas: str | dict[str, Any], param: str) -> dict[str, Any]:
    """A canvas's values, which may have come as TOML or JSON; raises ApiError for neither."""
    if not isinstance(canvas, str):
        return copy.deepcopy(canvas)
    try:
        is_json = canvas.lstrip().startswith("{")
        values = json.loads(canvas) if is_json else tomllib.loads(canvas)
    except (ValueError, RecursionError) as error:
        message = f"{param}: it is neither TOML nor JSON: {str(error)[:200]}."
        raise invalid(message, param) from None
    assert isinstance(values, dict)
    return values


def parents_of(values: dict[str, Any]) -> list[str]:
    """The ids of videos that a canvas names, each once."""
    named = [entry[name] for entry, name in _files(values)]
    return [*dict.fromkeys(n for n in named if isinstance(n, str) and n.startswith("video_"))]


def _files(values: dict[str, Any]) -> Iterator[tuple[dict[str, Any], str]]:
    """Every entry of a canvas and the name under which it names a file."""
    for part, names in FILES.items():
        entries = values.get(part, [])
        for entry in entries if isinstance(entries, list) else []:
            for name in names:
                if isinstance(entry, dict) and entry.get(name) is not None:
                    yield entry, name


def _is_here(asking: "Asking", name: Any) -> bool:
    """Whether it is the name of a file that this request has put beside the canvas already."""
    is_own = isinstance(name, str) and BOARD_FILE.fullmatch(name) is not None
    return is_own and (asking.inputs / name).is_file()


def _bring(asking: "Asking", name: Any, brought: dict[str, str], param: str) -> str:
    if not isinstance(name, str) or "\0" in name:
        what = "a file is named by the id of a file, video or character"
        raise invalid(f"{param}: {what}.", param)
    if name in brought:
        return brought[name]
    if len(brought) == FILES_MAX:
        raise invalid(f"{param}: it names more than {FILES_MAX} files.", param)
    service, owner = asking.service, asking.owner
    if name.startswith("video_"):
        video = asking.source(name, param)
        assert video.published_fence is not None
        path = service.folder.published(video.id, video.published_fence) / VIDEO
    elif found := service.uploads.get(owner, name):
        path = found.path(service.folder)
    elif found := service.uploads.character(owner, name):
        asking.characters.append(found.id)
        path = found.path(service.folder)
    else:
        raise not_found("file", name, param)
    brought[name] = f"canvas-{len(brought)}.bin"
    try:
        link_or_copy(path, asking.inputs / brought[name])
    except FileNotFoundError:
        raise not_found("file", name, param) from None
    return brought[name]


def to_toml(values: dict[str, Any]) -> str:
    """The text of a canvas file with these values; what is null is left out.

    >>> print(to_toml({"size": [64, 32], "shot": [{"prompt": "a \\n b", "seconds": 2}]}))
    size = [64, 32]
    <BLANKLINE>
    [[shot]]
    prompt = "a \\n b"
    seconds = 2
    <BLANKLINE>

    Raises:
        ValueError: there is something in them that TOML has no word for here.
    """
    lines, tables = [], []
    for key, value in values.items():
        is_table = isinstance(value, list) and value and isinstance(value[0], dict)
        if is_table:
            tables.append((key, value))
        elif value is not None:
            lines.append(f"{_toml_key(key)} = {_toml(value)}")
    for key, entries in tables:
        for entry in entries:
            if not isinstance(entry, dict):
                raise ValueError(f"{key} has entries of different kinds")
            lines += ["", f"[[{_toml_key(key)}]]"]
            lines += [f"{_toml_key(k)} = {_toml(v)}" for k, v in entry.items() if v is not None]
    return "\n".join(lines) + "\n"


def _toml_key(key: str) -> str:
    return key if re.fullmatch(r"[A-Za-z0-9_-]+", key) else _toml(key)


def _toml(value: Any) -> str:
    match value:
        case bool():
            return str(value).lower()
        case int():
            if not -(2**63) <= value < 2**63:
                raise ValueError(f"{value} is too large a number")
            return str(value)
        case float():
            return repr(value)
        case str():
            # JSON writes texts as TOML does, but for one character that TOML wants escaped too
            return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
        case list():
            return "[" + ", ".join(_toml(item) for item in value) + "]"
        case dict():
            inside = (f"{_toml_key(k)} = {_toml(v)}" for k, v in value.items() if v is not None)
            return "{" + ", ".join(inside) + "}"
    raise ValueError(f"{type(value).__name__} is no value of a canvas file")
