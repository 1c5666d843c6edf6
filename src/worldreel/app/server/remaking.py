"""From what was made back to the request that makes it: of a video, or of a file that came in."""

import math
from typing import Any, Literal

from pydantic import BaseModel, ValidationError

from worldreel.app.jobs.video import Video, Wish
from worldreel.app.server.canvas_shapes import CreateCanvas


class SettingsObject(BaseModel):
    """What makes a video again."""

    object: Literal["settings"] = "settings"
    body: dict[str, Any]
    """Of ``POST /v1/canvases``, with the seed; what it names may be gone by now."""
    model_version: str | None
    worldreel: str | None
    """The version that wrote a file; None for a video of this server."""


def body_of(video: Video) -> dict[str, Any]:
    """The body that makes a video of this server again."""
    wish = Wish.from_json(video.wish)
    if wish.asked is not None:
        return wish.asked
    body: dict[str, Any] = {"verb": "create", "prompt": wish.prompt, "seed": wish.seed}
    body["model"] = video.model
    source = next((one.video for one in wish.parents if one.role == "source"), wish.source)
    if wish.kind == "edit" and source:
        body |= {"verb": "edit", "source": {"video_id": source}}
        if wish.strength is not None:
            body["strength"] = wish.strength
    elif wish.kind == "extend" and source:
        body |= {"verb": "extend", "source": {"video_id": source}}
        body["seconds"] = wish.num_frames / wish.fps
    else:
        # made by its own size and under its own name: the official sizes are for old code
        body |= {"model": wish.model_name, "size": f"{wish.width}x{wish.height}"}
        body["seconds"] = wish.num_frames / wish.fps
    return body | _how(wish.negative_prompt, wish.num_inference_steps, wish.guidance_scale)


def body_in(settings: dict[str, Any] | None) -> dict[str, Any] | None:
    """The body that makes a file of worldreel's again, as far as its settings say; they are
    the file's word, so only what the server would take from anybody comes back."""
    prompt = (settings or {}).get("prompt")
    if settings is None or not isinstance(prompt, str):
        return None
    body: dict[str, Any] = {"verb": "create", "prompt": prompt}
    if settings.get("num_frames") == 1:
        body["verb"] = "image"
    for name in ("seed", "model"):
        if settings.get(name) is not None:
            body[name] = settings[name]
    seconds = settings.get("seconds")
    if body["verb"] == "create" and isinstance(seconds, int | float) and math.isfinite(seconds):
        body["seconds"] = float(seconds)
    width, height = settings.get("width"), settings.get("height")
    if isinstance(width, int) and isinstance(height, int):
        body["size"] = f"{width}x{height}"
    body |= _how(
        settings.get("negative_prompt") or "",
        settings.get("num_inference_steps"),
        settings.get("guidance_scale"),
    )
    try:
        CreateCanvas.model_validate(body, strict=True)
    except ValidationError:
        return None
    return body


def _how(negative_prompt: Any, steps: Any, scale: Any) -> dict[str, Any]:
    found: dict[str, Any] = {}
    if negative_prompt:
        found["negative_prompt"] = negative_prompt
    if steps is not None:
        found["num_inference_steps"] = steps
    if scale is not None:
        found["guidance_scale"] = scale
    return found
