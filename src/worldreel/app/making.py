"""One video from a request to its file, and what is told about it; loads all that is heavy."""

import dataclasses
import time
from pathlib import Path
from typing import Any

from worldreel import __version__
from worldreel.core.progress import Progress
from worldreel.generate.engine import generate
from worldreel.generate.plan import make_plan
from worldreel.generate.request import Request
from worldreel.generate.understanding import understand
from worldreel.media.write import VideoWriter
from worldreel.weights.load import LoadedModel, load_model

__all__ = ["load_model", "make_video", "settings_of"]


def make_video(
    model: LoadedModel, request: Request, path: Path, progress: Progress
) -> dict[str, Any]:
    """Generates one video into ``path``, whole or not at all, and tells about it in JSON types.

    Raises:
        UsageError: the model cannot do what is asked, or the path cannot be written.
        WorldreelError: the disk is full.
    """
    began = time.perf_counter()
    plan = make_plan(request, model.description)
    request = plan.request
    assert request.height and request.width and request.fps
    understanding = understand(request.prompt, model.text)
    path.parent.mkdir(parents=True, exist_ok=True)
    with VideoWriter(
        path,
        size=(request.height, request.width),
        fps=request.fps,
        settings=settings_of(model, request),
    ) as file:
        for frames in generate(model, request, progress):
            file.write(frames)
    return {
        "path": str(path),
        "seed": request.seed,
        "seconds_taken": round(time.perf_counter() - began, 2),
        "model": model.description.name,
        "width": request.width,
        "height": request.height,
        "fps": request.fps,
        "num_frames": plan.num_frames,
        "notes": list(plan.notes),
        "not_understood": list(understanding.unknown),
        "understood_as": dict(understanding.close),
        "not_read": understanding.unread,
        "message": understanding.message(model.description.name),
    }


def settings_of(model: LoadedModel, request: Request) -> dict[str, Any]:
    """What is embedded in the file: enough to make it again."""
    assert request.fps and request.seconds and request.guidance_scale is not None
    return {
        **dataclasses.asdict(request),
        "seconds": float(request.seconds),
        "fps": float(request.fps),
        "guidance_scale": float(request.guidance_scale),
        "model_version": model.description.version,
        "worldreel": __version__,
    }
