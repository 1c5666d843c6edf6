"""What a request means for a model: frames, latents, tokens, and what it will cost."""

import math
from collections.abc import Iterator
from dataclasses import dataclass

from worldreel.diffusion.guidance import guidance_applies
from worldreel.diffusion.schedule import timesteps
from worldreel.generate.request import Request
from worldreel.weights.description import ModelDescription


@dataclass(frozen=True, kw_only=True)
class Plan:
    """A request worked out for one model."""

    request: Request
    """Validated: nothing in it is None."""
    num_frames: int
    """Frames of the video that was asked for."""
    keep_every: int
    """The model makes frames at its own rate; every so manieth is kept."""
    num_made_frames: int
    """Frames that are decoded before the rest is dropped."""
    latent_shape: tuple[int, int, int, int]
    """c t h w of what is integrated; t is filled up to whole patches."""
    num_latent_frames: int
    """Latent frames out of these that are decoded."""
    num_tokens: int
    num_evaluations: int
    """Passes of one video through the transformer; a guided step takes two."""
    flops: float
    """Estimated floating-point operations of the transformer; a multiply-add is two."""
    notes: tuple[str, ...]
    """What a person should know about how the request will be met, each one sentence."""


def make_plan(request: Request, description: ModelDescription) -> Plan:
    """Works a request out for a model; raises UsageError where the model cannot do it."""
    request = request.validate(description)
    assert request.fps and request.height and request.width
    keep_every = round(description.fps / request.fps)
    num_made_frames = (request.num_frames - 1) * keep_every + 1
    stride_t, stride_h, stride_w = description.stride
    alone = int(description.first_frame_alone)
    num_latent_frames = alone + math.ceil((num_made_frames - alone) / stride_t)

    patch_t, patch_h, patch_w = description.patch_size
    grid_t = math.ceil(num_latent_frames / patch_t)
    h, w = request.height // stride_h, request.width // stride_w
    num_tokens = grid_t * (h // patch_h) * (w // patch_w)
    num_evaluations = _num_evaluations(request, description)
    return Plan(
        request=request,
        num_frames=request.num_frames,
        keep_every=keep_every,
        num_made_frames=num_made_frames,
        latent_shape=(description.transformer["out_channels"], grid_t * patch_t, h, w),
        num_latent_frames=num_latent_frames,
        num_tokens=num_tokens,
        num_evaluations=num_evaluations,
        flops=num_evaluations * evaluation_flops(description, num_tokens),
        notes=tuple(_notes(request, description, keep_every)),
    )


def evaluation_flops(description: ModelDescription, num_tokens: int) -> float:
    """Floating-point operations of one pass of ``num_tokens`` through the transformer.

    Matrix products only, a multiply-add as two: per token and layer ``8 d^2`` for
    self-attention, ``4 d^2`` for the queries and output of cross-attention, ``4 d f`` for
    the MLP, ``4 n d`` and ``4 m d`` for the products of the attentions; per text token
    ``4 d^2`` for its keys and values.
    """
    config = description.transformer
    d, f = config["num_heads"] * config["head_dim"], config["ffn_dim"]
    n, m = num_tokens, description.text.num_tokens
    layer = n * (12 * d**2 + 4 * d * f + 4 * (n + m) * d) + m * 4 * d**2
    patch = math.prod(description.patch_size)
    ends = 2 * n * d * patch * (config["in_channels"] + config["out_channels"])
    text = 2 * m * d * (config["text_dim"] + d)
    return float(config["num_layers"] * layer + ends + text)


def _num_evaluations(request: Request, description: ModelDescription) -> int:
    assert request.num_inference_steps and request.guidance_scale is not None
    sampling = description.sampling
    times = timesteps(request.num_inference_steps, sampling.shift)[:-1].tolist()
    return sum(
        2 if guidance_applies(t, request.guidance_scale, sampling.guidance_interval) else 1
        for t in times
    )


def _notes(request: Request, description: ModelDescription, keep_every: int) -> Iterator[str]:
    assert request.seconds
    if keep_every > 1:
        yield (
            f"{description.name} makes {description.fps} frames per second; "
            f"every {_ordinal(keep_every)} is kept."
        )
    size = (request.width, request.height)
    if description.size.trained and size not in description.size.trained:
        trained = ", ".join(f"{w}x{h}" for w, h in description.size.trained)
        yield (
            f"{description.name} was trained at {trained}; "
            f"{request.width}x{request.height} may come out worse."
        )

    trained_seconds = description.seconds.default
    if request.seconds > trained_seconds:
        yield (
            f"{description.name} was trained on {trained_seconds:g} s; "
            f"{request.seconds:g} s may come out worse."
        )


def _ordinal(n: int) -> str:
    return {2: "2nd", 3: "3rd"}.get(n, f"{n}th")
