"""From a plan to frames: stretch by stretch, each one integrated, then decoded."""

from collections.abc import Callable, Iterator
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from worldreel.core.progress import Progress, silent
from worldreel.core.randomness import torch_generator
from worldreel.diffusion.path import interpolate
from worldreel.diffusion.schedule import timesteps, wait_at
from worldreel.diffusion.solvers import integrate
from worldreel.generate.detail import Detail
from worldreel.generate.groups import is_grouped, make_grouped_window
from worldreel.generate.plan import Plan
from worldreel.generate.stretches import Stretch
from worldreel.generate.velocity import GuidedVelocity
from worldreel.generate.window import (
    Window,
    autocast,
    encode,
    given_pixels,
    is_uniform,
    make_window,
)
from worldreel.weights.load import LoadedModel

DECODE_GROUP = 8
"""Latent frames that are decoded at a time; memory grows with it, speed hardly does."""


Look = Callable[[int, Tensor], None]
"""``look(done, x_0)``: the steps that are done, and the latents that they point to."""


class Shelf(Protocol):
    """Where finished stretches are kept, so that work that was stopped can go on."""

    def load(self, number: int) -> Tensor | None:
        """Latents ``c t h w`` of a stretch's new frames, float32; None if it is not finished."""
        ...

    def save(self, number: int, latents: Tensor) -> None:
        """Keeps the latents of a stretch."""
        ...


class NoShelf:
    """Keeps nothing."""

    def load(self, number: int) -> Tensor | None:
        """Nothing was kept."""
        return None

    def save(self, number: int, latents: Tensor) -> None:
        """Keeps nothing."""


def generate(
    model: LoadedModel,
    plan: Plan,
    progress: Progress = silent,
    shelf: Shelf | None = None,
) -> Iterator[NDArray[np.uint8]]:
    """Fills a canvas in, frames as they are decoded.

    The same plan gives the same bits on the same machine. The noise is drawn on the CPU, so
    that other devices begin from the same and differ by rounding alone. What is given at noise
    0 comes back as it was given, pixel for pixel.

    Args:
        progress: stages ``denoise`` (steps of all stretches) and ``decode`` (frames); it may
            raise to cancel.
        shelf: where finished stretches are found and left.

    Returns:
        An iterator of chunks ``t h w c``, uint8 sRGB, together as many frames as asked for.
        Memory does not grow with the number of stretches.
    """
    shelf = shelf or NoShelf()
    made: dict[int, Tensor] = {}
    shown = 0
    last_use = _last_uses(plan)
    detail = _detail(model, plan)

    def show(stop: int) -> Iterator[NDArray[np.uint8]]:
        nonlocal shown
        if shown == 0 < stop:
            progress(0, plan.num_frames, "decode")
        for chunk in _frames(model, plan, made, shown, stop, detail):
            shown += len(chunk)
            progress(shown, plan.num_frames, "decode")
            yield chunk

    for number, stretch in enumerate(plan.stretches):
        latents = shelf.load(number)
        if latents is None:
            latents = make_stretch(model, plan, number, made, progress)
            shelf.save(number, latents)
        made.update(zip(stretch.made, latents.unbind(1), strict=True))
        is_last = number == len(plan.stretches) - 1
        yield from show(plan.num_frames if is_last else _ready(plan, shown, number))
        for frame in [f for f in made if last_use[f] <= number and f < shown * plan.keep_every]:
            del made[frame]
    if not plan.stretches:
        yield from show(plan.num_frames)


def make_all(model: LoadedModel, plan: Plan, shelf: Shelf, progress: Progress = silent) -> None:
    """Makes every stretch that is not on the shelf yet, and decodes nothing."""
    made: dict[int, Tensor] = {}
    for number, stretch in enumerate(plan.stretches):
        latents = shelf.load(number)
        if latents is None:
            latents = make_stretch(model, plan, number, made, progress)
            shelf.save(number, latents)
        made.update(zip(stretch.made, latents.unbind(1), strict=True))


def make_stretch(
    model: LoadedModel,
    plan: Plan,
    number: int,
    made: dict[int, Tensor],
    progress: Progress = silent,
    look: Look | None = None,
) -> Tensor:
    """The latents of the new frames of one stretch: ``c t h w``, float32 on the CPU.

    Args:
        number: of the stretch in the plan; it also tells its noise from that of others.
        made: finished latents ``c h w`` by frame of the axis, as far as the stretch sees them.
        look: shown after each step what the new frames are on their way to.
    """
    stretch = plan.stretches[number]
    first, stop = (stretch.num_shown + place for place in stretch.new)
    if is_grouped(model.description):
        window = make_grouped_window(model, plan, stretch)
    else:
        window = make_window(model, plan, stretch, made)
    steps = plan.options.num_inference_steps
    assert steps is not None

    def step(done: int, total: int, stage: str) -> None:
        progress(number * steps + done, len(plan.stretches) * steps, stage)

    def look_at_new(done: int, x_0: Tensor) -> None:
        if look is not None:
            look(done, x_0[0, :, first:stop])

    noise = _noise(plan, stretch, number)
    with model.with_loras(plan.options.loras):
        latents = sample(model, plan, window, noise, step, look_at_new)
    return latents[0, :, first:stop].float().cpu().contiguous()


def sample(
    model: LoadedModel,
    plan: Plan,
    window: Window,
    noise: Tensor,
    progress: Progress = silent,
    look: Look | None = None,
) -> Tensor:
    """Integrates the flow of one window from noise to latents.

    Each latent waits at the level at which it is given until the clock reaches it; what is
    given at 0 stays as it is, bit for bit.

    Args:
        noise: ``1 c t h w`` standard normal, float32.
        look: shown after each step the latents ``1 c t h w`` that it is on its way to.

    Returns:
        ``1 c t h w`` float32 on the model's device.
    """
    steps, sampling = plan.options.num_inference_steps, model.description.sampling
    assert steps is not None and noise.shape == window.given.shape
    level = window.level[:, :1, :1, :1] if is_everywhere(window.level, 1.0) else window.level
    at = level[:, None]  # 1 1 t h w
    x = torch.where(at < 1, interpolate(window.given, noise, at), noise)
    clock = timesteps(steps, sampling.shift, sampling.levels)
    # nothing moves before the clock has come down to the highest level
    late = int((clock[1:] >= level.max()).sum())
    if is_uniform(level):
        at = at[..., :1, :1]
    times = wait_at(clock[late:], at)
    x, times = x.to(model.device), times.to(model.device)
    with torch.inference_mode(), autocast(model):
        velocity = GuidedVelocity(model, plan, window, noise)
        progress(late, steps, "denoise")

        def on_step(done: int, x: Tensor, x_0: Tensor) -> None:
            progress(late + done, steps, "denoise")
            if look is not None:
                look(late + done, x_0)

        return integrate(
            velocity,
            x,
            times,
            sampling.solver,
            on_step,
        )


def is_everywhere(level: Tensor, value: float) -> bool:
    """Whether all of a window has one level."""
    return bool((level == value).all())


def decode(model: LoadedModel, latents: Tensor) -> Iterator[NDArray[np.uint8]]:
    """Latents ``1 c t h w`` to frames: chunks ``t h w c``, uint8 sRGB."""
    stream = model.autoencoder.decode_stream(latents.to(model.device), group=DECODE_GROUP)
    while True:
        # not around a yield: the caller must not find itself in these modes
        with torch.inference_mode(), autocast(model):
            chunk = next(stream, None)
            if chunk is None:
                return
            frames = ((chunk[0].float() + 1) * 127.5).round().clamp(0, 255).to(torch.uint8)
        yield frames.permute(1, 2, 3, 0).contiguous().cpu().numpy()


def _noise(plan: Plan, stretch: Stretch, number: int) -> Tensor:
    seed = plan.options.seed
    assert seed is not None
    generator = torch_generator(seed, "stretch", number) if number else torch_generator(seed)
    return torch.randn((1, *plan.latent_shape(stretch)), generator=generator)


def _frames(
    model: LoadedModel,
    plan: Plan,
    made: dict[int, Tensor],
    first: int,
    stop: int,
    detail: Detail,
) -> Iterator[NDArray[np.uint8]]:
    """Frames ``first`` to before ``stop`` of the video, decoded or as given."""
    if is_grouped(model.description):
        yield from _frames_of_groups(model, plan, made, detail)
        return
    for start in range(first, stop, DECODE_GROUP):
        frames = range(start, min(start + DECODE_GROUP, stop))
        latents = [made[f * plan.keep_every] for f in frames if f * plan.keep_every in made]
        decoded = (
            iter(np.concatenate(list(decode(model, torch.stack(latents, 1)[None]))))
            if (latents)
            else iter(())
        )
        chunk = []
        for frame in frames:
            pixels = next(decoded) if frame * plan.keep_every in made else None
            chunk.append(_with_given(plan, frame, pixels, detail))
        yield np.stack(chunk)


def _frames_of_groups(
    model: LoadedModel, plan: Plan, made: dict[int, Tensor], detail: Detail
) -> Iterator[NDArray[np.uint8]]:
    """All frames of a plan of one stretch, where a latent frame stands for several."""
    if not made:
        yield np.stack([_with_given(plan, frame, None, detail) for frame in range(plan.num_frames)])
        return
    latents = torch.stack([made[frame] for frame in range(plan.num_latent_frames)], 1)[None]
    done = 0
    for chunk in decode(model, latents):
        kept = []
        for pixels in chunk:
            frame, between = divmod(done, plan.keep_every)
            if not between and frame < plan.num_frames:
                kept.append(_with_given(plan, frame, pixels, detail))
            done += 1
        if kept:
            yield np.stack(kept)


def _with_given(
    plan: Plan, frame: int, pixels: NDArray[np.uint8] | None, detail: Detail
) -> NDArray[np.uint8]:
    """A decoded frame with the given pixels put back as they were given."""
    if not plan.canvas.placements:
        assert pixels is not None
        return pixels
    given, level = given_pixels(plan.canvas, frame)
    if pixels is None:
        assert (level == 0).all(), frame
        return given
    if (level == 0).all():
        return given
    return np.where((level == 0)[..., None], given, detail.add(frame, pixels))


def _detail(model: LoadedModel, plan: Plan) -> Detail:
    def round_trip(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
        return next(decode(model, encode(model, picture[None])[None]))[0]

    return Detail(plan, lambda frame: given_pixels(plan.canvas, frame)[0], round_trip)


def _ready(plan: Plan, shown: int, number: int) -> int:
    """The frame before which everything is given or made, after stretch ``number``."""
    missing = {frame for later in plan.stretches[number + 1 :] for frame in later.made}
    frame = shown
    while frame < plan.num_frames and frame * plan.keep_every not in missing:
        frame += 1
    return frame


def _last_uses(plan: Plan) -> dict[int, int]:
    """The last stretch in which each frame of the axis is seen."""
    uses: dict[int, int] = {}
    for number, stretch in enumerate(plan.stretches):
        uses.update(dict.fromkeys(stretch.frames, number))
    return uses
