"""Clips that a model makes from given frames."""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from worldreel.core.errors import UsageError
from worldreel.core.progress import Progress, silent
from worldreel.generate.engine import decode, sample
from worldreel.generate.plan import make_plan
from worldreel.generate.request import Request
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
        For each seed uint8 ``t h w 3``. The given frames come back from the autoencoder.

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
    clips = []
    for seed in seeds:
        plan = make_plan(
            Request(
                prompt=prompt,
                seconds=num_frames / description.fps,
                fps=description.fps,
                width=width,
                height=height,
                seed=seed,
            ),
            description,
        )
        given = torch.zeros(1, *plan.latent_shape)
        known = _encode(model, frames[:num_given])
        given[:, :, : known.shape[2]] = known
        given_level = torch.ones(1, plan.latent_shape[1])
        given_level[:, : known.shape[2]] = 0.0
        latents = sample(model, plan, given=given, given_level=given_level, progress=progress)
        latents = latents[:, :, : plan.num_latent_frames]
        clips.append(np.concatenate(list(decode(model, latents, plan))))
    return clips


def _encode(model: LoadedModel, frames: NDArray[np.uint8]) -> torch.Tensor:
    """Frames ``t h w 3`` to latents ``1 c t h w``, float32 on the CPU."""
    video = torch.from_numpy(frames.astype(np.float32)).permute(3, 0, 1, 2)[None] / 127.5 - 1
    enabled = model.dtype is torch.bfloat16
    with (
        torch.inference_mode(),
        torch.autocast(model.device.type, dtype=torch.bfloat16, enabled=enabled),
    ):
        return model.autoencoder.encode(video.to(model.device)).float().cpu()
