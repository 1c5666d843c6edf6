"""One stretch of a canvas as a model takes it: given latents, a level for each, words in time."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from worldreel.generate.canvas import Canvas, Reference
from worldreel.generate.fill import fill
from worldreel.generate.plan import Plan
from worldreel.generate.stretches import FILLER, Stretch
from worldreel.weights.load import LoadedModel

CROSSING_FRAMES = 4
"""Frames of the model on either side of where one prompt ends and the next begins."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Window:
    """What is given in a stretch, and what is said.

    Args:
        given: latents ``1 c t h w`` float32; only read where ``level`` is below 1.
        level: ``1 t h w`` in [0, 1]: the level at which each latent is given, 1 where free.
        prompts: what is said, each once.
        words: ``t p``: how much each frame hears of each prompt; a row adds up to 1.
        is_ring: whether the last frame is followed by the first.
        channels: ``1 g t h w``: what is given as further channels of the input, for a model that
            is told so; if None they are made from ``given`` and ``level``.
        image: states ``1 m d`` of the pictures that are given, for a model that is shown them.
    """

    given: Tensor
    level: Tensor
    prompts: tuple[str, ...]
    words: Tensor
    is_ring: bool = False
    channels: Tensor | None = None
    image: Tensor | None = None


def make_window(
    model: LoadedModel, plan: Plan, stretch: Stretch, made: Mapping[int, Tensor]
) -> Window:
    """Lays out a stretch.

    Args:
        made: finished latents ``c h w`` by frame of the axis.
    """
    shape = plan.latent_shape(stretch)
    given = torch.zeros(1, *shape)
    level = torch.ones(1, *shape[1:])
    shown = stretch.num_shown
    if shown:
        reference = _reference_of(plan, stretch)
        picked = _show(reference.frames, shown)
        given[0, :, :shown] = encode(model, picked)
        level[:, :shown] = 0
    positions: list[int] = []
    pictures: list[NDArray[np.uint8]] = []
    levels: list[NDArray[np.float32]] = []
    for position, frame in enumerate(stretch.frames, start=shown):
        if frame in made:
            given[0, :, position] = made[frame]
            level[:, position] = stretch.made_level
        elif (found := _given_at(plan, model, frame)) is not None:
            positions.append(position)
            pictures.append(found[0])
            levels.append(found[1])
    if positions:
        given[0, :, positions] = encode(model, np.stack(pictures))
        per_pixel = torch.from_numpy(np.stack(levels))
        _, stride_h, stride_w = model.description.stride
        # a latent is free, or as loose as the loosest of the pixels that it stands for
        level[0, positions] = F.max_pool2d(per_pixel[None], (stride_h, stride_w))[0]
    prompts, words = words_of(plan, stretch)
    return Window(given=given, level=level, prompts=prompts, words=words, is_ring=stretch.is_ring)


def encode(model: LoadedModel, frames: NDArray[np.uint8]) -> Tensor:
    """Frames ``t h w 3`` to latents ``c t h w``, float32 on the CPU."""
    video = torch.from_numpy(frames.astype(np.float32)).permute(3, 0, 1, 2)[None] / 127.5 - 1
    with torch.inference_mode(), autocast(model):
        return model.autoencoder.encode(video.to(model.device))[0].float().cpu()


def autocast(model: LoadedModel) -> torch.autocast:
    """The precision that a model was loaded in."""
    enabled = model.dtype is torch.bfloat16
    return torch.autocast(model.device.type, dtype=torch.bfloat16, enabled=enabled)


def given_pixels(canvas: Canvas, frame: int) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """What is given of a canvas frame: pixels ``h w 3`` and the level of each, 1 where free."""
    pixels = np.zeros((canvas.height, canvas.width, 3), np.uint8)
    level = np.ones((canvas.height, canvas.width), np.float32)
    for placement in canvas.placements:
        index = placement.index_at(frame)
        if index is not None:
            given = placement.given_at(index)
            pixels[placement.region][given] = placement.frames[index][given]
            level[placement.region][given] = placement.noise
    return pixels, level


def _given_at(
    plan: Plan, model: LoadedModel, latent: int
) -> tuple[NDArray[np.uint8], NDArray[np.float32]] | None:
    """Pixels and levels of what a latent frame stands for; None if nothing in it is given."""
    if latent == FILLER or latent % plan.keep_every:
        return None
    frame = latent // plan.keep_every
    if frame >= plan.num_frames:
        return None
    pixels, level = given_pixels(plan.canvas, frame)
    if (level == 1).all():
        return None
    return fill(pixels, level < 1), level


def _show(frames: NDArray[np.uint8], count: int) -> NDArray[np.uint8]:
    """``count`` frames of a reference: its first ones, the last repeated where it has fewer."""
    return frames[np.minimum(np.arange(count), len(frames) - 1)]


def _reference_of(plan: Plan, stretch: Stretch) -> Reference:
    frame = stretch.made[0] // plan.keep_every
    return next(r for r in plan.canvas.references if r.first <= frame < r.stop)


def words_of(plan: Plan, stretch: Stretch) -> tuple[tuple[str, ...], Tensor]:
    """The prompts of a stretch, and how much each of its frames hears of each: ``t p``."""
    first_made = stretch.made[0]
    heard: list[Mapping[str, float]] = []
    last: Mapping[str, float] = {}
    for frame in [first_made] * stretch.num_shown + list(stretch.frames):
        last = last if frame == FILLER else _heard_at(plan, frame)
        heard.append(last)
    prompts = tuple(dict.fromkeys(prompt for weights in heard for prompt in weights))
    return prompts, torch.tensor([[weights.get(p, 0.0) for p in prompts] for weights in heard])


def _heard_at(plan: Plan, latent: int) -> Mapping[str, float]:
    """The prompts that a frame of the axis hears: one, or two where one passes into the next."""
    spans, scale = plan.canvas.spans, plan.keep_every
    weights: dict[str, float] = {}
    stride, alone = plan.description.stride[0], int(plan.description.first_frame_alone)
    at = latent + 0.5
    if stride > 1:  # the middle of the frames that it stands for, as far as they are in the video
        at = max(alone + (latent - alone + 0.5) * stride, 0.5)
        at = min(at, plan.num_made_frames - 0.5)
    for number, span in enumerate(spans):
        first, stop = span.first * scale, span.stop * scale
        before = number > 0 and not span.cut and spans[number - 1].stop == span.first
        after = (
            number + 1 < len(spans)
            and not spans[number + 1].cut
            and spans[number + 1].first == span.stop
        )
        weight = min(
            _ramp(at - first) if before else float(at > first),
            _ramp(stop - at) if after else float(at < stop),
        )
        if weight > 0:
            weights[span.prompt] = weights.get(span.prompt, 0.0) + weight
    said = sum(weights.values())
    if said == 0:
        return {"": 1.0}
    return {prompt: weight / said for prompt, weight in weights.items()}


def _ramp(inside: float) -> float:
    """From 0 to 1 across the crossing, by how far a frame is inside its span."""
    return min(1.0, max(0.0, 0.5 + inside / (2 * CROSSING_FRAMES)))


def text_of(model: LoadedModel, prompts: Iterable[str]) -> Tensor:
    """States of several prompts in a row: ``1 (p n) d`` on the model's device."""
    states, _ = model.text(list(prompts))
    return states.flatten(0, 1)[None].to(model.device)


def log_words(words: Tensor, patch_t: int, num_tokens: int) -> Tensor | None:
    """What cross-attention adds to its scores, so that each token hears its own prompts.

    Args:
        words: ``t p``, each row adds up to 1.
        patch_t: frames per token; a token hears the mean of its frames.
        num_tokens: text tokens of a prompt.

    Returns:
        ``1 t/patch_t (p num_tokens)``, the logarithm of the share, -inf where nothing is heard;
        None where there is one prompt.
    """
    if words.shape[1] == 1:
        return None
    heard = words.unflatten(0, (-1, patch_t)).mean(dim=1)
    return heard.log().repeat_interleave(num_tokens, dim=1)[None]


def is_uniform(level: Tensor) -> bool:
    """Whether every latent of a frame has one level (``1 t h w``)."""
    return bool((level == level[..., :1, :1]).all())
