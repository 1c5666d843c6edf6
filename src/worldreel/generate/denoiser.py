"""The one place where a network's output becomes a velocity."""

from dataclasses import dataclass
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from worldreel.diffusion.path import velocity_from_x_0, x_0_from_velocity
from worldreel.models.experts import BothRead, Experts
from worldreel.models.transformer import Read, Transformer

Prediction = Literal["x_0", "v"]
POSITION_FRAMES = 48
"""Latent frames after which the channel of time stands still, so that a longer clip than any
in training shows the network no number that it never saw."""


@dataclass(frozen=True, eq=False)
class Denoiser:
    """A transformer, and how its output is to be read; training and sampling share it.

    Args:
        transformer: ``(x, level, text) -> b c t h w``, with ``config.patch_size``.
        prediction: ``x_0`` if the network says the data, ``v`` if the velocity.
        level_channel: whether the noise level of each latent is one more channel of the
            network's input. A patch of several latents has one level as a token;
            the channel tells those inside it apart.
        position_channels: whether three more channels say where in the picture and when
            in the clip a latent is (see `positions`). Rotary embedding knows only how far
            apart two tokens are, not which of them is on the left.
        t_min: below this level a prediction of data is divided by ``t_min`` instead
            (see `worldreel.diffusion.path.velocity_from_x_0`).
    """

    transformer: Transformer | Experts
    prediction: Prediction
    level_channel: bool
    position_channels: bool = False
    t_min: float = 0.02

    def __call__(
        self,
        x: Tensor,
        level: Tensor,
        text: Tensor | Read | BothRead,
        text_bias: Tensor | None = None,
        given: Tensor | None = None,
        image: Tensor | None = None,
    ) -> Tensor:
        """The velocity ``v = eps - x_0`` at ``x``.

        Args:
            x: noisy latents ``b c t h w``; t, h and w are multiples of the patch.
            level: noise level per latent frame ``b t``, or per latent ``b t h w``, in [0, 1].
            text: states of the prompt ``b n d``, or what the transformer's ``read`` made of them.
            text_bias: as the transformer takes it.
            given: further channels ``b g t h w`` of the input, for a model that is told what
                is given in this way.
            image: states of pictures ``b m d``, for a model that is shown them.

        Returns:
            ``b c t h w`` in the dtype of ``x``.
        """
        output = self._output(x, level, text, text_bias, given, image)
        if self.prediction == "v":
            return output
        return velocity_from_x_0(x, output, per_latent(level, x), self.t_min)

    def x_0(self, x: Tensor, level: Tensor, text: Tensor) -> Tensor:
        """The data predicted at ``x``; arguments and result as for the velocity."""
        output = self._output(x, level, text)
        if self.prediction == "x_0":
            return output
        return x_0_from_velocity(x, output, per_latent(level, x))

    def _output(
        self,
        x: Tensor,
        level: Tensor,
        text: Tensor | Read | BothRead,
        text_bias: Tensor | None = None,
        given: Tensor | None = None,
        image: Tensor | None = None,
    ) -> Tensor:
        shape = (x.shape[0], *x.shape[2:])
        assert level.shape in (shape[:2], shape), (level.shape, x.shape)
        patch_t, patch_h, patch_w = self.transformer.config.patch_size
        # a token's level is the mean of its latents'
        if level.ndim == 2:
            token_level = level.unflatten(1, (-1, patch_t)).mean(dim=2)  # b t/pt
        else:
            token_level = F.avg_pool3d(level[:, None], (patch_t, patch_h, patch_w)).flatten(1)
        inputs = [x]
        if self.level_channel:
            inputs.append(per_latent(level, x).expand(-1, 1, *x.shape[2:]))
        if self.position_channels:
            inputs.append(positions(x).expand(len(x), -1, -1, -1, -1))
        if given is not None:
            inputs.append(given)
        more = {} if text_bias is None else {"text_bias": text_bias}
        if image is not None:
            more["image"] = image
        return self.transformer(torch.cat(inputs, dim=1), token_level, text, **more).to(x.dtype)


def positions(x: Tensor) -> Tensor:
    """Time, row and column of each latent of ``x`` ``b c t h w``, as ``1 3 t h w``.

    Rows and columns go from -1 to 1 across the picture, measured at the cells' centres.
    Time is in units of `POSITION_FRAMES` latent frames since the first of ``x``, at most 1.
    """

    def centres(count: int) -> Tensor:
        return (2 * torch.arange(count) + 1).to(x) / count - 1

    _, _, num_frames, height, width = x.shape
    time = (torch.arange(num_frames).to(x) / POSITION_FRAMES).clamp(max=1)
    axes = torch.meshgrid(time, centres(height), centres(width), indexing="ij")
    return torch.stack(axes)[None]


def per_latent(level: Tensor, x: Tensor) -> Tensor:
    """Levels ``b t`` or ``b t h w`` to broadcast against ``x``: ``b 1 t 1 1`` or ``b 1 t h w``."""
    level = level.to(x)[:, None]
    return level if level.ndim == 5 else level[..., None, None]
