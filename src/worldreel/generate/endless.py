"""A canvas without an end: it slides, and what is said next comes while it runs."""

import dataclasses
import math
from collections import deque
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from worldreel import __version__
from worldreel.core.errors import UsageError
from worldreel.core.progress import Progress, silent
from worldreel.core.randomness import derive_seed
from worldreel.core.words import check_text
from worldreel.generate.canvas import Canvas
from worldreel.generate.engine import decode, make_stretch
from worldreel.generate.limits import check_size
from worldreel.generate.options import Options
from worldreel.generate.plan import Plan
from worldreel.generate.stretches import Stretch
from worldreel.generate.window import encode
from worldreel.weights.description import ModelDescription
from worldreel.weights.load import LoadedModel

CONTEXT = 24
"""Latent frames that a step sees of what was made before."""
NUM_STEPS = 4
"""Inference steps of each token: real time on one CPU core with the default model, and to the eye
no worse there than 6 or 8 (docs/play.md)."""


class Endless:
    """Makes one token in time after another, and remembers the last few alone.

    Each step is one stretch of a small canvas: what is remembered is given, what comes next
    is free. The same seed, the same beginning and the same prompts at the same steps give the
    same bits.

    Args:
        model: one whose latents go frame by frame.
        options: as for any canvas; 4 inference steps where they leave them open.
        size: width and height in pixels; the model's own by default.
        context: latent frames that a step sees of what was made before.
        begin: what it begins with, uint8 ``t h w 3`` of that size at the model's rate: its
            last frames are what the first step sees.

    Raises:
        UsageError: a model that makes its frames in groups, a size that it cannot make, or a
            context that leaves no room in its window.
    """

    def __init__(
        self,
        model: LoadedModel,
        options: Options,
        *,
        size: tuple[int, int] | None = None,
        context: int = CONTEXT,
        begin: NDArray[np.uint8] | None = None,
    ) -> None:
        description = model.description
        if options.num_inference_steps is None:
            options = dataclasses.replace(options, num_inference_steps=NUM_STEPS)
        self.model = model
        self.options = options.validate(description)
        self.size = size or description.size.default
        self.fps = description.fps
        self.patch = description.patch_size[0]
        self.context = context
        check_playable(description, self.size, context)
        self.num_steps = 0
        self._made: deque[tuple[Tensor, str | None]] = deque(maxlen=2 * context + self.patch)
        if begin is not None:
            assert begin.shape[1:] == (*reversed(self.size), 3), begin.shape
            latents = encode(model, begin[-context:])
            self._made.extend((latent, None) for latent in latents.unbind(1))

    @property
    def num_remembered(self) -> int:
        """Latent frames that it holds: what a step sees, and what may be taken back before it."""
        return len(self._made)

    @property
    def next_length(self) -> int:
        """Frames that the next step makes."""
        return self.patch + max(0, self.context - len(self._made))

    @property
    def settings(self) -> dict[str, Any]:
        """What all its frames depend on besides the prompts, in JSON types."""
        options = self.options
        return {
            "negative_prompt": options.negative_prompt,
            "model": options.model,
            "seed": options.seed,
            "num_inference_steps": options.num_inference_steps,
            "guidance_scale": options.guidance_scale,
            "context": self.context,
            "model_version": self.model.description.version,
            "worldreel": __version__,
        }

    def step(self, prompt: str, progress: Progress = silent) -> NDArray[np.uint8]:
        """The next frames, uint8 sRGB ``t h w 3``: as many as the model has in a token.

        The first step fills the whole window, so that there is something to go on from; more
        than a token is also made after frames were taken back.

        Args:
            progress: stage ``denoise``; where it raises, it is as if the step had not begun.

        Raises:
            UsageError: a prompt that is too long.
        """
        check_text("prompt", prompt)
        plan = self.plan(prompt)
        made = {frame: latent for frame, (latent, _) in enumerate(self._seen())}
        latents = make_stretch(self.model, plan, 0, made, progress)
        self._made.extend((latent.clone(), prompt) for latent in latents.unbind(1))
        self.num_steps += 1
        return np.concatenate(list(decode(self.model, latents[None])))

    def take_back(self, num_frames: int) -> None:
        """Forgets the last frames that were made, as when another prompt comes before they are
        seen: up to ``context + patch`` of them, which is what one step makes at most.
        """
        assert 0 <= num_frames <= min(len(self._made), self.context + self.patch), num_frames
        for _ in range(num_frames):
            self._made.pop()

    def cut(self) -> None:
        """Forgets all that was made: the next step begins anew."""
        self._made.clear()

    def plan(self, prompt: str) -> Plan:
        """The canvas of the next step: what is remembered, and what is free and hears ``prompt``.

        What is remembered keeps the prompt that it was made with.
        """
        description = self.model.description
        seen = self._seen()
        known, length = len(seen), len(seen) + self.next_length
        width, height = self.size
        canvas = Canvas.of_frames(length, width=width, height=height, fps=self.fps)
        said = [prompt if heard is None else heard for _, heard in seen]
        said += [prompt] * (length - known)
        first = 0
        for stop in range(1, length + 1):
            if stop == length or said[stop] != said[first]:
                # a cut parts the words alone: the latents before it stay in sight
                canvas = canvas.say(
                    said[first], from_s=first / self.fps, to_s=stop / self.fps, cut=first > 0
                )
                first = stop
        # what it began with is right; what was made may not be
        level = description.sampling.context_level if self.num_steps else 0.0
        seed = self.options.seed
        assert seed is not None
        _, stride_h, stride_w = description.stride
        channels = description.transformer["out_channels"]
        return Plan(
            canvas=canvas,
            options=dataclasses.replace(
                self.options, seed=derive_seed(seed, "endless", self.num_steps)
            ),
            keep_every=1,
            num_made_frames=length,
            num_latent_frames=length,
            latent_size=(channels, height // stride_h, width // stride_w),
            stretches=(
                Stretch(frames=tuple(range(length)), new=(known, length), made_level=level),
            ),
            description=description,
            notes=(),
        )

    def _seen(self) -> "list[tuple[Tensor, str | None]]":
        """What the next step sees, with the prompt of each."""
        return list(self._made)[-self.context :]


def check_playable(description: ModelDescription, size: tuple[int, int], context: int) -> None:
    """Raises UsageError where a model cannot go on without an end, or not with this context."""
    if description.stride[0] != 1 or description.first_frame_alone:
        raise UsageError(
            f"{description.name} makes its frames in groups, and cannot go on from the last one.",
            remedy="Choose a model whose latents go frame by frame, such as toybox.",
        )
    check_size(*size, description)
    patch = description.patch_size[0]
    window = math.ceil(description.seconds.default * description.fps / patch) * patch
    if context % patch or not patch <= context <= window - patch:
        raise UsageError(
            f"The context is {context} frames; {description.name} takes a multiple of {patch} "
            f"from {patch} to {window - patch}.",
            remedy=f"{min(CONTEXT, window - patch)} is what it is played with otherwise.",
        )
