"""Canvases that come in: their files are ids of what is here, never paths."""

import json
import tomllib
from typing import TYPE_CHECKING, Any

from worldreel.app.jobs.folder import VIDEO, link_or_copy
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


def bring_canvas(asking: "Asking", canvas: str | dict[str, Any]) -> dict[str, Any]:
    """A canvas's values, with the files that it names beside it under worldreel's own names.

    Raises:
        ApiError: it is no TOML, names too many files, or one that is not the owner's.
    """
    values = _read(canvas) if isinstance(canvas, str) else canvas
    brought: dict[str, str] = {}
    for part, names in FILES.items():
        entries = values.get(part, [])
        for entry in entries if isinstance(entries, list) else []:
            for name in names:
                if isinstance(entry, dict) and entry.get(name) is not None:
                    entry[name] = _bring(asking, entry[name], brought)
    return values


def _read(text: str) -> dict[str, Any]:
    try:
        values = json.loads(text) if text.lstrip().startswith("{") else tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        message = f"canvas: it is neither TOML nor JSON: {str(error)[:200]}."
        raise invalid(message, "canvas") from None
    assert isinstance(values, dict)
    return values


def _bring(asking: "Asking", name: Any, brought: dict[str, str]) -> str:
    if not isinstance(name, str) or "\0" in name:
        raise invalid("canvas: a file is named by the id of a file, video or character.", "canvas")
    if name in brought:
        return brought[name]
    if len(brought) == FILES_MAX:
        raise invalid(f"canvas: it names more than {FILES_MAX} files.", "canvas")
    service, owner = asking.service, asking.owner
    if name.startswith("video_"):
        video = asking.source(name, "canvas")
        assert video.published_fence is not None
        path = service.folder.published(video.id, video.published_fence) / VIDEO
    elif found := service.uploads.get(owner, name) or service.uploads.character(owner, name):
        path = found.path(service.folder)
    else:
        raise not_found("file", name, "canvas")
    brought[name] = f"canvas-{len(brought)}.bin"
    try:
        link_or_copy(path, asking.inputs / brought[name])
    except FileNotFoundError:
        raise not_found("file", name, "canvas") from None
    return brought[name]
