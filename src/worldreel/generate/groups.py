"""What is given, where a latent frame stands for several frames of the video.

Such a latent is given only where all its frames are, and it also holds something of the frames
before it. A clip is therefore encoded from its first frame on; where nothing is given, the frame
before stands still.
"""

from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from worldreel.generate.fill import fill
from worldreel.generate.plan import Plan
from worldreel.generate.stretches import Stretch
from worldreel.generate.window import Window, autocast, given_pixels, words_of
from worldreel.weights.description import ModelDescription
from worldreel.weights.load import LoadedModel

Pixels = NDArray[np.uint8]
Levels = NDArray[np.float32]


def is_grouped(description: ModelDescription) -> bool:
    """Whether a latent frame stands for several frames."""
    return description.stride[0] != 1 or description.first_frame_alone


def make_grouped_window(model: LoadedModel, plan: Plan, stretch: Stretch) -> Window:
    """Lays out the only stretch of a plan."""
    description = model.description
    shape = plan.latent_shape(stretch)
    given, level = torch.zeros(1, *shape), torch.ones(1, *shape[1:])
    channels = image = None
    pixels, levels = _given_frames(plan)
    shown = stretch.num_shown  # latents before the video; they are made with it, and dropped
    if pixels:
        level[:, shown:] = _latent_levels(levels, description, level[:, shown:])
    if (level < 1).any():
        last = int((level < 1).flatten(2).any(dim=2).nonzero()[:, 1].max())
        clip = _held(pixels, levels, _num_frames(last + 1 - shown, description))
        given[:, :, shown : last + 1] = _encode(model, _in_range(clip))
    if description.given in ("channels", "control"):
        count = _num_frames(shape[1] - shown, description)
        # all of it is made: what is given at 0 is seen by channels, and put back at the end
        size = (plan.canvas.height, plan.canvas.width)
        if description.given == "channels":
            channels = _channels(model, pixels, levels, count, size)
        else:
            pictures = [picture for r in plan.canvas.references for picture in r.frames]
            channels = _control(model, pixels, levels, count, size, pictures)
        level = torch.where(level == 0, 1.0, level)
    if model.image is not None:
        ends = {"first_frame": 0, "last_frame": plan.num_frames - 1}
        shown = [given_pixels(plan.canvas, ends[end])[0] for end in description.needs]
        image = model.image(shown).flatten(0, 1)[None]
    prompts, words = words_of(plan, stretch)
    return Window(
        given=given,
        level=level,
        prompts=prompts,
        words=words,
        is_ring=stretch.is_ring,
        channels=channels,
        image=image,
    )


def _num_frames(num_latents: int, description: ModelDescription) -> int:
    """The frames that the first latents stand for."""
    alone = int(description.first_frame_alone)
    return alone + (num_latents - alone) * description.stride[0]


def _given_frames(plan: Plan) -> tuple[dict[int, Pixels], dict[int, Levels]]:
    """Pixels and levels of the model's frames in which anything is given, by frame."""
    pixels: dict[int, Pixels] = {}
    levels: dict[int, Levels] = {}
    if not plan.canvas.placements:
        return pixels, levels
    count = _num_frames(plan.num_latent_frames, plan.description)
    for frame in range(count):
        # frames that only fill the last latent up show what the video ends with
        shown = frame if frame < plan.num_made_frames else plan.num_made_frames - 1
        if shown % plan.keep_every:
            continue
        found, level = given_pixels(plan.canvas, shown // plan.keep_every)
        if (level < 1).any():
            pixels[frame], levels[frame] = found, level
    return pixels, levels


def _latent_levels(
    levels: dict[int, Levels], description: ModelDescription, free: Tensor
) -> Tensor:
    """``1 t h w``: a latent is as loose as the loosest of the pixels that it stands for."""
    level = free.clone()
    stride_t, *sides = description.stride
    alone = int(description.first_frame_alone)
    for latent in range(level.shape[1]):
        first = _num_frames(latent, description) if latent else 0
        frames = range(first, first + (1 if alone and latent == 0 else stride_t))
        if all(frame in levels for frame in frames):
            stack = torch.from_numpy(np.stack([levels[frame] for frame in frames]))
            level[0, latent] = F.max_pool2d(stack[:, None], sides).amax(dim=(0, 1))
    return level


def _held(pixels: dict[int, Pixels], levels: dict[int, Levels], count: int) -> Pixels:
    """``t h w 3``: given frames with free pixels filled in, each standing until the next."""
    frames = [frame for frame in sorted(pixels) if frame < count]
    clip = []
    for frame in range(count):
        near = max((other for other in frames if other <= frame), default=frames[0])
        clip.append(fill(pixels[near], levels[near] < 1))
    return np.stack(clip)


def _in_range(clip: Pixels) -> Tensor:
    """``t h w 3`` uint8 as ``1 3 t h w`` in [-1, 1]."""
    return torch.from_numpy(clip.astype(np.float32)).permute(3, 0, 1, 2)[None] / 127.5 - 1


def _channels(
    model: LoadedModel,
    pixels: dict[int, Pixels],
    levels: dict[int, Levels],
    count: int,
    size: tuple[int, int],
) -> Tensor:
    """``1 g t h w``: for each frame of a latent whether it is given, then the clip's latents.

    The clip is grey where it is free (Wan 2.1, section 5.1).
    """
    stride_t, stride_h, stride_w = model.description.stride
    clip, is_given = _kept(pixels, levels, count, size)
    # a latent counts as given where all its pixels are
    mask = -F.max_pool2d(-is_given, (stride_h, stride_w))
    if model.description.first_frame_alone:
        mask = torch.cat((mask[:1].expand(stride_t - 1, -1, -1), mask))
    mask = mask.unflatten(0, (-1, stride_t)).transpose(0, 1)[None]  # 1 stride_t t h w
    return torch.cat((mask, _encode(model, clip)), dim=1)


def _control(
    model: LoadedModel,
    pixels: dict[int, Pixels],
    levels: dict[int, Levels],
    count: int,
    size: tuple[int, int],
    pictures: Sequence[Pixels],
) -> Tensor:
    """``1 g t h w``: latents of what is kept, then of what is changed, then the mask's pixels.

    What is to be made is grey in both, and 1 in the mask. Pictures to refer to come first, the
    last one before the others, each as a latent frame of its own that is kept (VACE, section 3.2).
    """
    _, stride_h, stride_w = model.description.stride
    clip, is_given = _kept(pixels, levels, count, size)
    kept, changed = _encode(model, clip), _encode(model, torch.zeros_like(clip))
    mask = (1 - is_given).unflatten(2, (-1, stride_w)).unflatten(1, (-1, stride_h))
    mask = mask.permute(2, 4, 0, 1, 3).flatten(0, 1)[None]  # 1 g frames h w
    mask = F.interpolate(mask, (kept.shape[2], *mask.shape[3:]), mode="nearest-exact")
    control = torch.cat((kept, changed, mask), dim=1)
    for picture in pictures:
        shown = _encode(model, _in_range(picture[None]))
        nothing = torch.zeros(1, control.shape[1] - shown.shape[1], *shown.shape[2:])
        control = torch.cat((torch.cat((shown, nothing), dim=1), control), dim=2)
    return control


def _kept(
    pixels: dict[int, Pixels], levels: dict[int, Levels], count: int, size: tuple[int, int]
) -> tuple[Tensor, Tensor]:
    """The clip ``1 3 t h w``, grey where it is not given at level 0, and where it is ``t h w``."""
    clip, is_given = torch.zeros(1, 3, count, *size), torch.zeros(count, *size)
    for frame, found in pixels.items():
        is_given[frame] = torch.from_numpy(levels[frame] == 0)
        clip[0, :, frame] = _in_range(found[None])[0, :, 0] * is_given[frame]
    return clip, is_given


def _encode(model: LoadedModel, video: Tensor) -> Tensor:
    """``1 3 t h w`` to normalised latents, float32 on the CPU."""
    with torch.inference_mode(), autocast(model):
        return model.autoencoder.encode(video.to(model.device)).float().cpu()
