"""The velocity that a canvas's window follows: its prompts, its guidance, what is given in it."""

import math
from collections.abc import Mapping

import torch
from torch import Tensor

from worldreel.diffusion.guidance import guidance_applies, guide
from worldreel.diffusion.path import interpolate
from worldreel.diffusion.schedule import timesteps, told_level
from worldreel.generate.denoiser import Denoiser
from worldreel.generate.plan import Plan
from worldreel.generate.step_cache import CERTAIN_SHARE, StepCache
from worldreel.generate.window import Window, is_uniform, log_words, text_of
from worldreel.models.experts import BothRead
from worldreel.models.transformer import Read
from worldreel.weights.load import LoadedModel

BATCHED_TOKENS = 4096
"""Up to so many tokens the prompt and its absence are one batch: more fill a device by themselves,
and two at a time would only take twice the memory."""
READ_TOKENS = 256
"""From so many text tokens on, a prompt is read once for all steps."""
GOLDEN = (math.sqrt(5) - 1) / 2
"""By this share of a ring it begins later at each evaluation: no two beginnings are near."""


class GuidedVelocity:
    """The velocity under a window's prompts, guided away from the negative prompt.

    A model takes what is given in the way that its description names: by a level for each
    token; by a mask and the given latents as further channels; or, where it knows a single
    level alone, by putting the given latents back, noised to the clock's level, before each
    evaluation (RePaint, Lugmayr et al. 2201.09865).

    A ring that is made in one window is cut open at another frame for each evaluation, so that
    its seam is nowhere: all frames are within it, and at the edge of a token, as often as others.

    With a step cache, branches of guidance are computed only where they cannot be foretold.
    """

    def __init__(self, model: LoadedModel, plan: Plan, window: Window, noise: Tensor) -> None:
        options, description = plan.options, model.description
        assert options.guidance_scale is not None
        self.denoiser = Denoiser(
            model.transformer,
            description.prediction,
            description.level_channel,
            description.position_channels,
        )
        sampling = description.sampling
        self.scale = self.scale_low = options.guidance_scale
        if sampling.guidance_scale_low is not None and self.scale == sampling.guidance_scale:
            self.scale_low = sampling.guidance_scale_low
        self.boundary, self.levels = sampling.boundary or 0.0, sampling.levels
        self.interval = sampling.guidance_interval
        self.patch_t = description.patch_size[0]
        negative = [options.negative_prompt] * len(window.prompts)
        if model.offload is not None:  # the encoder does not stay in memory: all at once
            model.text([*window.prompts, *negative])
        self.text = torch.cat((text_of(model, window.prompts), text_of(model, negative)))
        self.words, self.num_tokens = window.words, self.text.shape[1] // len(window.prompts)
        self._read: dict[tuple[int, int], Read | BothRead] = {}
        given = window.level < 1
        self.channels: Tensor | None = None
        self.image = None if window.image is None else window.image.to(model.device)
        if window.channels is not None:
            self.channels = window.channels.to(model.device)
        elif description.given == "channels":
            mask = given[:, None].to(window.given).expand(-1, description.stride[0], -1, -1, -1)
            self.channels = torch.cat((mask, window.given * mask[:, :1]), dim=1).to(model.device)
        spatial = not is_uniform(window.level)
        takes = self.channels is not None or description.takes_levels(spatial=spatial)
        self.puts_back = bool(given.any()) and not takes
        self.given, self.noise = window.given.to(model.device), noise.to(model.device)
        self.is_ring, self.num_calls = window.is_ring, 0
        # devices that share a batch have one of the two each
        self.batched_tokens = math.inf if model.splits_batch else BATCHED_TOKENS
        self.cache: StepCache | None = None
        if options.step_cache is not None:
            assert options.num_inference_steps is not None
            times = timesteps(options.num_inference_steps, sampling.shift, sampling.levels)
            start = float(times[math.ceil(CERTAIN_SHARE * options.num_inference_steps)])
            self.cache = StepCache(options.step_cache, start)
        self.phase: tuple[bool, int] | None = None

    def __call__(self, x: Tensor, t: Tensor) -> Tensor:
        """``v`` at ``x`` (``1 c t h w``); ``t`` broadcasts against it."""
        clock = t.max()
        told = float(clock) if self.levels is None else float(told_level(clock, self.levels))
        is_high = told >= self.boundary
        scale = self.scale if is_high else self.scale_low
        rows = (0, 1) if guidance_applies(float(clock), scale, self.interval) else (0,)
        v = self._branches(x, t, rows, is_high)
        return guide(v[0], v[1], scale) if len(rows) == 2 else v[0]

    def _branches(
        self, x: Tensor, t: Tensor, rows: tuple[int, ...], is_high: bool
    ) -> Mapping[int, Tensor]:
        """Velocities under the prompt (row 0) and its absence (row 1), computed or foretold."""
        if self.cache is None:
            return dict(zip(rows, self._computed(x, t, rows), strict=True))
        clock, moves = float(t.max()), t >= t.max()
        # another expert serves, or a latent has waited until now: the velocity takes a turn
        phase = (is_high, int(moves.sum()))
        if phase != self.phase:
            self.cache.forget()
        self.phase = phase
        if not self.cache.is_due(clock, rows):
            return self.cache.foretell(clock, rows)
        computed = dict(zip(rows, self._computed(x, t, rows), strict=True))
        self.cache.keep(clock, computed, moves)
        return computed

    def _computed(self, x: Tensor, t: Tensor, rows: tuple[int, ...]) -> list[Tensor]:
        """Velocities of some rows of the text, in the order of the window's frames."""
        count = x.shape[2]
        if not self.is_ring:
            return self._at(x, t, torch.arange(count), rows)
        begin = int(self.num_calls * GOLDEN * count) % count
        self.num_calls += 1
        # up to whole patches it goes on into its beginning
        order = (begin + torch.arange(math.ceil(count / self.patch_t) * self.patch_t)) % count
        turned_t = t[:, :, order] if t.shape[2] > 1 else t
        found = []
        for turned in self._at(x[:, :, order], turned_t, order, rows):
            v = torch.empty_like(x)
            v[:, :, order[:count]] = turned[:, :, :count]
            found.append(v)
        return found

    def _hear(self, first: int, stop: int) -> Tensor | Read | BothRead:
        """Rows of the text (the prompt, its absence), read once where that is worth it."""
        if len(self.words[0]) > 1 or self.num_tokens < READ_TOKENS:
            return self.text[first:stop]
        if (first, stop) not in self._read:
            self._read[first, stop] = self.denoiser.transformer.read(self.text[first:stop])
        return self._read[first, stop]

    def _at(self, x: Tensor, t: Tensor, order: Tensor, rows: tuple[int, ...]) -> list[Tensor]:
        """Velocities of the window's frames in an order."""
        clock = t.max()
        if self.puts_back:
            given, noise = self.given[:, :, order], self.noise[:, :, order]
            x = torch.where(t < clock, interpolate(given, noise, clock.to(x.dtype)), x)
        if self.puts_back or self.channels is not None:
            t = clock.expand(1, 1, 1, 1, 1)
        level = t[:, 0].to(x.dtype) if self.levels is None else told_level(t[:, 0], self.levels)
        if level.shape[2:] == (1, 1):
            level = level[..., 0, 0].expand(1, x.shape[2])
        else:
            level = level.expand(1, *x.shape[2:])
        bias = log_words(self.words[order], self.patch_t, self.num_tokens)
        bias = None if bias is None else bias.to(x.device)
        channels = None if self.channels is None else self.channels[:, :, order]
        num_tokens = x[0, 0].numel() // math.prod(self.denoiser.transformer.config.patch_size)
        if len(rows) == 1 or num_tokens > self.batched_tokens:
            return [
                self.denoiser(x, level, self._hear(n, n + 1), bias, channels, self.image)
                for n in rows
            ]
        v = self.denoiser(
            x.repeat(2, 1, 1, 1, 1),
            level.repeat(2, *[1] * (level.ndim - 1)),
            self._hear(0, 2),
            None if bias is None else bias.repeat(2, 1, 1),
            None if channels is None else channels.repeat(2, 1, 1, 1, 1),
            None if self.image is None else self.image.repeat(2, 1, 1),
        )
        return list(v.chunk(2))
