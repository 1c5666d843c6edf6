"""From a request to frames: text, noise, integration, decoding."""

from collections.abc import Iterator

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from worldreel.core.progress import Progress, silent
from worldreel.core.randomness import torch_generator
from worldreel.diffusion.guidance import guidance_applies, guide
from worldreel.diffusion.path import interpolate
from worldreel.diffusion.schedule import timesteps, wait_at
from worldreel.diffusion.solvers import integrate
from worldreel.generate.denoiser import Denoiser
from worldreel.generate.plan import Plan, make_plan
from worldreel.generate.request import Request
from worldreel.weights.load import LoadedModel

DECODE_GROUP = 8
"""Latent frames that are decoded at a time; memory grows with it, speed hardly does."""


def generate(
    model: LoadedModel, request: Request, progress: Progress = silent
) -> Iterator[NDArray[np.uint8]]:
    """Makes one video, frames as they are decoded.

    The same request with the same seed gives the same bits on the same machine. The noise is
    drawn on the CPU, so that other devices begin from the same and differ by rounding alone.

    Args:
        progress: stages ``denoise`` (steps) and ``decode`` (frames); it may raise to cancel.

    Returns:
        An iterator of chunks ``t h w c``, uint8 sRGB, together as many frames as asked for.

    Raises:
        UsageError: at once, where the model cannot do what is asked.
    """
    plan = make_plan(request, model.description)
    return _frames(model, plan, progress)


def _frames(model: LoadedModel, plan: Plan, progress: Progress) -> Iterator[NDArray[np.uint8]]:
    latents = sample(model, plan, progress=progress)
    yield from decode(model, latents[:, :, : plan.num_latent_frames], plan, progress)


def sample(
    model: LoadedModel,
    plan: Plan,
    *,
    given: Tensor | None = None,
    given_level: Tensor | None = None,
    progress: Progress = silent,
) -> Tensor:
    """Integrates the flow from noise to latents, some frames of which may be given.

    Args:
        given: latents ``b c t h w`` with ``b`` = 1, of the plan's latent shape; only read
            where ``given_level`` is below 1.
        given_level: ``b t`` in [0, 1]: the level at which each latent frame is given; 0 stays
            as it is, bit for bit, and 1 is free.

    Returns:
        ``1 c t h w`` float32 on the model's device, t filled up to whole patches.
    """
    assert (given is None) == (given_level is None)
    request, sampling = plan.request, model.description.sampling
    assert request.seed is not None and request.num_inference_steps is not None
    x = torch.randn((1, *plan.latent_shape), generator=torch_generator(request.seed))
    level = torch.ones(1, plan.latent_shape[1])
    if given is not None and given_level is not None:
        assert given.shape == x.shape and given_level.shape == level.shape
        level = given_level.float().cpu()
        at = level[:, None, :, None, None]
        x = torch.where(at < 1, interpolate(given.float().cpu(), x, at), x)

    clock = timesteps(request.num_inference_steps, sampling.shift)
    times = wait_at(clock, level)[:, :, None, :, None, None]  # k b 1 t 1 1
    x, times = x.to(model.device), times.to(model.device)
    with torch.inference_mode(), _autocast(model):
        velocity = GuidedVelocity(model, plan)
        num_steps = request.num_inference_steps
        progress(0, num_steps, "denoise")
        return integrate(
            velocity,
            x,
            times,
            sampling.solver,
            lambda done, x, x_0: progress(done, num_steps, "denoise"),
        )


class GuidedVelocity:
    """The velocity under a plan's prompt, guided away from its negative prompt."""

    def __init__(self, model: LoadedModel, plan: Plan) -> None:
        request, description = plan.request, model.description
        assert request.guidance_scale is not None
        self.denoiser = Denoiser(
            model.transformer,
            description.prediction,
            description.level_channel,
            description.position_channels,
        )
        self.scale = request.guidance_scale
        self.interval = description.sampling.guidance_interval
        # inside the interval the prompt and its absence are evaluated as one batch
        states, _ = model.text([request.prompt, request.negative_prompt])
        self.text = states.to(model.device)

    def __call__(self, x: Tensor, t: Tensor) -> Tensor:
        """``v`` at ``x`` (``1 c t h w``); ``t`` is ``1 1 t 1 1``, a time per latent frame."""
        level = t.flatten(1).to(x.dtype)  # b t
        if not guidance_applies(t.max().item(), self.scale, self.interval):
            return self.denoiser(x, level, self.text[:1])
        v = self.denoiser(x.repeat(2, 1, 1, 1, 1), level.repeat(2, 1), self.text)
        v_cond, v_uncond = v.chunk(2)
        return guide(v_cond, v_uncond, self.scale)


def decode(
    model: LoadedModel, latents: Tensor, plan: Plan, progress: Progress = silent
) -> Iterator[NDArray[np.uint8]]:
    """Latents ``1 c t h w`` to the frames that were asked for: chunks ``t h w c``, uint8."""
    stream = model.autoencoder.decode_stream(latents.to(model.device), group=DECODE_GROUP)
    progress(0, plan.num_frames, "decode")
    made = kept = 0
    while kept < plan.num_frames:
        # not around a yield: the caller must not find itself in these modes
        with torch.inference_mode(), _autocast(model):
            chunk = next(stream)[0]  # c t h w
            first = -made % plan.keep_every
            made += chunk.shape[1]
            chunk = chunk[:, first :: plan.keep_every][:, : plan.num_frames - kept]
            frames = ((chunk.float() + 1) * 127.5).round().clamp(0, 255).to(torch.uint8)
        if frames.shape[1]:
            kept += frames.shape[1]
            progress(kept, plan.num_frames, "decode")
            yield frames.permute(1, 2, 3, 0).contiguous().cpu().numpy()


def _autocast(model: LoadedModel) -> torch.autocast:
    enabled = model.dtype is torch.bfloat16
    return torch.autocast(model.device.type, dtype=torch.bfloat16, enabled=enabled)
