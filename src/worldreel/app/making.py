"""One video from a plan to its marked file, and what is told about it; loads all that is heavy."""

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from worldreel.core.progress import Progress
from worldreel.generate.engine import Shelf, generate
from worldreel.generate.plan import Plan
from worldreel.generate.understanding import understand
from worldreel.generate.video import settings_of
from worldreel.provenance.credentials import Ingredient
from worldreel.provenance.mark import Marker
from worldreel.weights.load import LoadedModel, load_model

__all__ = ["load_model", "make_video"]


def make_video(
    model: LoadedModel,
    plan: Plan,
    path: Path,
    progress: Progress,
    shelf: Shelf | None = None,
    *,
    marker: Marker,
    sources: Sequence[Ingredient] = (),
    verb: str = "generate",
) -> dict[str, Any]:
    """Fills a canvas into ``path``, whole and marked or not at all, and tells about it in JSON
    types.

    Args:
        sources: the files that were given. verb: what is done with them.

    Raises:
        UsageError: the path cannot be written.
        WorldreelError: the disk is full, or the file could not be marked.
    """
    began = time.perf_counter()
    canvas = plan.canvas
    understanding = understand(canvas.prompt, model.text, model.description.vocabulary)
    path.parent.mkdir(parents=True, exist_ok=True)
    with marker.writer(
        path,
        size=(canvas.height, canvas.width),
        fps=canvas.fps,
        settings=settings_of(model, plan),
        sources=sources,
        verb=verb,
    ) as file:
        for frames in generate(model, plan, progress, shelf):
            file.write(frames)
    return {
        "path": str(path),
        "seed": plan.options.seed,
        "seconds_taken": round(time.perf_counter() - began, 2),
        "model": model.description.name,
        "width": canvas.width,
        "height": canvas.height,
        "fps": canvas.fps,
        "num_frames": plan.num_frames,
        "notes": list(plan.notes),
        "not_understood": list(understanding.unknown),
        "understood_as": dict(understanding.close),
        "not_read": understanding.unread,
        "message": understanding.message(model.description.name),
    }
