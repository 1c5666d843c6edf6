"""Clips that a model makes from given frames."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from worldreel.core.errors import UsageError
from worldreel.core.progress import Progress, silent
from worldreel.generate.canvas import Canvas
from worldreel.generate.engine import generate
from worldreel.generate.options import Options
from worldreel.generate.plan import make_plan
from worldreel.weights.load import LoadedModel


def predict(
    model: LoadedModel,
    frames: NDArray[np.uint8],
    prompt: str,
    num_given: int,
    seeds: Sequence[int],
    progress: Progress = silent,
) -> list[NDArray[np.uint8]]:
    """Clips of a model that begin with the first frames of another.

    Args:
        frames: uint8 ``t h w 3`` at the model's rate; what is made is as long and as large.
        num_given: how many of them are given, at noise level 0.
        seeds: of the noise, one for each clip.

    Returns:
        For each seed uint8 ``t h w 3``; the given frames as they are.

    Raises:
        UsageError: the model cannot be given frames, or cannot make such a clip.
    """
    description = model.description
    takes = "first_frame" if num_given == 1 else "clip"
    if takes not in description.takes:
        raise UsageError(
            f"{description.name} cannot be given {num_given} frames; "
            f"it takes {', '.join(description.takes)}.",
            remedy="Choose a model that can be given frames.",
        )
    if not 1 <= num_given < len(frames):
        raise UsageError(
            f"{num_given} frames of {len(frames)} are to be given; it must be from 1 to "
            f"{len(frames) - 1}.",
            remedy="Give at least one frame, and leave at least one to be made.",
        )
    num_frames, height, width, _ = frames.shape
    canvas = Canvas.of_frames(num_frames, width=width, height=height, fps=description.fps)
    canvas = canvas.say(prompt).place(frames[:num_given])
    clips = []
    for seed in seeds:
        plan = make_plan(canvas, Options(seed=seed), description)
        clips.append(np.concatenate(list(generate(model, plan, progress))))
    return clips
