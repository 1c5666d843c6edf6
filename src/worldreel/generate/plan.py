"""What a canvas means for a model: latents, stretches, tokens, and what it will cost.

Nothing heavy is loaded until the cost is asked for, so that bad input is refused at once.
"""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from worldreel.core.errors import UsageError
from worldreel.generate.canvas import Canvas
from worldreel.generate.limits import check_duration, check_rate, check_size
from worldreel.generate.options import Options
from worldreel.generate.request import Request
from worldreel.generate.stretches import Axis, Stretch, plan_stretches
from worldreel.weights.description import ModelDescription

CONTEXT_SHARE = 1 / 3
"""How much of a model's window a stretch sees of what was made before."""
REFERENCES_MAX = 8
"""Pictures beside a video of one stretch; each takes the time of four frames."""


@dataclass(frozen=True, kw_only=True)
class Plan:
    """A canvas worked out for one model."""

    canvas: Canvas
    options: Options
    """Validated: nothing in them is None."""
    keep_every: int
    """The model makes frames at its own rate; every so manieth is kept."""
    num_made_frames: int
    """Frames of the model's axis, before the rest is dropped."""
    num_latent_frames: int
    """Latent frames of the axis."""
    latent_size: tuple[int, int, int]
    """Channels, rows and columns of a latent frame."""
    stretches: tuple[Stretch, ...]
    """The windows that are made, in this order; none where everything is given."""
    description: ModelDescription
    """Of the model that it is worked out for."""
    notes: tuple[str, ...]
    """What a person should know about how the canvas will be filled, each one sentence."""

    @property
    def num_frames(self) -> int:
        """Frames of the video."""
        return self.canvas.num_frames

    @property
    def num_evaluations(self) -> int:
        """Passes of one window through the transformer; a guided step takes two.

        With a step cache these are the most that there can be.
        """
        from worldreel.diffusion.guidance import guidance_applies
        from worldreel.diffusion.schedule import timesteps

        options, sampling = self.options, self.description.sampling
        assert options.num_inference_steps and options.guidance_scale is not None
        times = timesteps(options.num_inference_steps, sampling.shift, sampling.levels)
        return sum(
            2 if guidance_applies(t, options.guidance_scale, sampling.guidance_interval) else 1
            for t in times[:-1].tolist()
        )

    @property
    def flops(self) -> float:
        """Estimated floating-point operations of the transformer; a multiply-add is two."""
        size = self.latent_size[1:]
        return self.num_evaluations * sum(
            evaluation_flops(self.description, num_tokens(stretch, size, self.description))
            for stretch in self.stretches
        )

    def latent_shape(self, stretch: Stretch) -> tuple[int, int, int, int]:
        """c t h w of what is integrated for a stretch."""
        channels, height, width = self.latent_size
        return channels, stretch.length, height, width


def make_plan(canvas: Canvas, options: Options, description: ModelDescription) -> Plan:
    """Works a canvas out for a model; raises UsageError where the model cannot do it."""
    options = options.validate(description)
    _check_needs(canvas, description)
    check_size(canvas.width, canvas.height, description)
    if not canvas.retimed:
        check_rate(canvas.fps, description)
    check_duration(canvas.num_frames / canvas.fps, canvas.fps, description)
    keep_every = 1 if canvas.retimed else round(description.fps / canvas.fps)
    made = canvas.num_frames * keep_every
    if not canvas.is_loop:
        made -= keep_every - 1
    stride_t, stride_h, stride_w = description.stride
    alone = int(description.first_frame_alone)
    num_latent_frames = alone + math.ceil((made - alone) / stride_t)
    stretches = _stretches(canvas, description, keep_every, num_latent_frames)
    h, w = canvas.height // stride_h, canvas.width // stride_w
    return Plan(
        canvas=canvas,
        options=options,
        keep_every=keep_every,
        num_made_frames=made,
        num_latent_frames=num_latent_frames,
        latent_size=(description.transformer["out_channels"], h, w),
        stretches=stretches,
        description=description,
        notes=(
            *canvas.notes,
            *_notes(canvas, description, keep_every, len(stretches)),
            *_notes_on_cost(options),
        ),
    )


def plan_request(request: Request, description: ModelDescription) -> Plan:
    """Works a request in words out for a model; raises UsageError where it cannot do it."""
    request = request.validate(description)
    return make_plan(request.canvas, request.options, description)


def num_tokens(stretch: Stretch, size: tuple[int, int], description: ModelDescription) -> int:
    """Tokens of a stretch; ``size`` is rows and columns of its latents."""
    patch_t, patch_h, patch_w = description.patch_size
    return math.ceil(stretch.length / patch_t) * (size[0] // patch_h) * (size[1] // patch_w)


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
    return float(num_layers(config) * layer + ends + text)


def num_layers(transformer: Mapping[str, Any]) -> int:
    """Blocks of a transformer, those beside the others (VACE) with them."""
    return transformer["num_layers"] + len(transformer.get("vace_layers", ()))


def _stretches(
    canvas: Canvas, description: ModelDescription, keep_every: int, num_latent_frames: int
) -> tuple[Stretch, ...]:
    patch = description.patch_size[0]
    window = round(description.seconds.default * description.fps)
    alone = int(description.first_frame_alone)
    window = alone + math.ceil((window - alone) / description.stride[0])
    window = math.ceil(window / patch) * patch
    needed = _needed(canvas, keep_every, num_latent_frames, description)
    slides = description.stride[0] == 1 and not alone
    if not slides:
        shown = _num_references(canvas, description)
        if canvas.is_loop or canvas.cuts or num_latent_frames > window:
            raise UsageError(
                f"{description.name} makes one stretch of up to "
                f"{description.seconds.default:g} s; loops, cuts and longer videos take several.",
                remedy="Choose a model whose latents go frame by frame, or ask for less.",
            )
        frames = tuple(range(num_latent_frames)) + (-1,) * (-(num_latent_frames + shown) % patch)
        stretch = Stretch(frames=frames, new=(0, num_latent_frames), num_shown=shown)
        return (stretch,) if needed.any() else ()
    context = round(window * CONTEXT_SHARE / patch) * patch
    shown = np.zeros(num_latent_frames, np.int64)
    for reference in canvas.references:
        length = math.ceil(min(len(reference.frames), context) / patch) * patch
        shown[reference.first * keep_every : reference.stop * keep_every] = length
    axis = Axis(
        needed=needed,
        cuts=tuple(cut * keep_every for cut in canvas.cuts),
        is_ring=canvas.is_loop,
        shown=shown,
    )
    return plan_stretches(
        axis,
        window=window,
        context=min(context, window // 2 - 1),
        patch=patch,
        context_level=description.sampling.context_level,
    )


def _num_references(canvas: Canvas, description: ModelDescription) -> int:
    """Pictures that a model which makes one stretch is to refer to; UsageError if it cannot."""
    count = sum(len(reference.frames) for reference in canvas.references)
    if count and description.given != "control":
        raise UsageError(
            f"{description.name} refers to no pictures or clips.",
            remedy="Choose the default model or one of VACE's, or place the picture in the video.",
        )
    if any((r.first, r.stop) != (0, canvas.num_frames) for r in canvas.references):
        raise UsageError(
            f"{description.name} makes one stretch, and sees what it refers to in all of it.",
            remedy="Let the reference be in sight from the beginning to the end.",
        )
    if count > REFERENCES_MAX:
        raise UsageError(
            f"{description.name} is to refer to {count} pictures; it takes up to {REFERENCES_MAX}.",
            remedy="Choose the pictures that say most.",
        )
    return count


def _check_needs(canvas: Canvas, description: ModelDescription) -> None:
    """Raises UsageError where an end that the model must be given is not given whole."""
    ends = {"first_frame": (0, "--image"), "last_frame": (canvas.num_frames - 1, "--last-image")}
    for end in description.needs:
        frame, option = ends[end]
        if _given_area(canvas, frame) != canvas.width * canvas.height:
            words = end.replace("_", " ")
            raise UsageError(
                f"{description.name} makes a video from its {words}, and none is given.",
                remedy=f"Give a picture as the {words} ({option} FILE), or choose a model that "
                "makes videos from words alone.",
            )


def _given_area(canvas: Canvas, frame: int) -> int:
    """Pixels of a frame that are given at noise 0."""
    area = 0
    for placement in canvas.placements:
        index = placement.index_at(frame)
        if index is not None and placement.noise == 0:
            area += int(placement.given_at(index).sum())
    return area


def _needed(
    canvas: Canvas, keep_every: int, num_latent_frames: int, description: ModelDescription
) -> NDArray[np.bool_]:
    """Which latent frames hold anything that is free or given loosely."""
    stride, alone = description.stride[0], int(description.first_frame_alone)
    kept = np.zeros(num_latent_frames * stride + alone, bool)  # by model frame
    whole = canvas.width * canvas.height
    for frame in range(canvas.num_frames):
        kept[frame * keep_every] = _given_area(canvas, frame) == whole
    needed = np.ones(num_latent_frames, bool)
    for latent in range(num_latent_frames):
        start = 0 if alone and latent == 0 else alone + (latent - alone) * stride
        stop = start + (1 if alone and latent == 0 else stride)
        needed[latent] = not kept[start:stop].all()
    return needed


def _notes(
    canvas: Canvas, description: ModelDescription, keep_every: int, num_stretches: int
) -> Iterator[str]:
    if keep_every > 1:
        yield (
            f"{description.name} makes {description.fps} frames per second; "
            f"every {_ordinal(keep_every)} is kept."
        )
    if canvas.retimed and canvas.fps != description.fps:
        yield (
            f"{description.name} was trained at {description.fps} frames per second; at "
            f"{canvas.fps:g}, motion looks {canvas.fps / description.fps:.3g} times as fast as it "
            "takes it for."
        )
    size = (canvas.width, canvas.height)
    if description.size.trained and size not in description.size.trained:
        trained = ", ".join(f"{w}x{h}" for w, h in description.size.trained)
        yield (
            f"{description.name} was trained at {trained}; "
            f"{canvas.width}x{canvas.height} may come out worse."
        )
    if unseen := _num_unseen(canvas, description, keep_every):
        frames = "frame that is given stands" if unseen == 1 else "frames that are given stand"
        yield (
            f"{description.name} sees {description.stride[0]} frames at a time, and only where all "
            f"of them are given: {unseen} {frames} in the video, unseen by it."
        )
    if num_stretches > 1:
        yield (
            f"{description.name} sees {description.seconds.default:g} s at a time; this is made "
            f"in {num_stretches} stretches."
        )


def _notes_on_cost(options: Options) -> Iterator[str]:
    if options.step_cache is not None:
        yield (
            "With a step cache some evaluations are foretold instead of computed, how many shows "
            "while it is made: the cost that is told is the most that it can be."
        )


def _num_unseen(canvas: Canvas, description: ModelDescription, keep_every: int) -> int:
    """Frames of which something is given to no use: others of the same latent frame are free."""
    stride, alone = description.stride[0], int(description.first_frame_alone)
    if stride == 1 or description.given in ("channels", "control"):
        return 0
    given = {
        frame
        for frame in range(canvas.num_frames)
        if any(placement.index_at(frame) is not None for placement in canvas.placements)
    }
    unseen = 0
    last = (canvas.num_frames - 1) * keep_every
    for first in range(alone, last + 1, stride):
        # frames past the end show what the video ends with
        group = [min(frame, last) for frame in range(first, first + stride)]
        here = {frame // keep_every for frame in group if not frame % keep_every} & given
        is_whole = all(not frame % keep_every and frame // keep_every in given for frame in group)
        unseen += 0 if is_whole else len(here)
    return unseen


def _ordinal(n: int) -> str:
    return {2: "2nd", 3: "3rd"}.get(n, f"{n}th")
