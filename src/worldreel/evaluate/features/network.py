"""The network of features: from a clip's pixels to the simulator's state, step by step.

Frames are looked at in pairs, 64 by 64 pixels. Convolutions over space and convolutions
over time take turns (Tran et al. 1711.11248, "R(2+1)D"). Each of the ten colours then looks
for its object with a map of attention, whose centre of mass is the object's place
(Finn et al. 1509.06113, "spatial softmax"), and follows it through time.
"""

from dataclasses import dataclass

import numpy as np
import torch
from einops import rearrange
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from worldreel.world.vocabulary import BACKGROUNDS, COLORS, FLOORS

SIDE = 64
FRAMES_PER_STEP = 2
TOKEN = 64
OBJECT_FEATURES = 40
SCENE_FEATURES = 24
NUM_FEATURES = OBJECT_FEATURES + SCENE_FEATURES


@dataclass(frozen=True, eq=False)
class State:
    """What the network says of clips; ``b`` clips, ``s`` steps, 10 colours.

    Args:
        present: logits, ``b s 10``.
        place, motion: as in `worldreel.evaluate.features.targets.Examples`.
        contact: logits, ``b s 10 2``.
        camera: ``b s 8``. floor: logits, ``b s 6``. sky: logits, ``b s 3``.
        tokens: what it knows of each object, ``b s 10 40``, not negative.
        setting: what it knows of floor, sky and camera, ``b s 24``, not negative.
    """

    present: Tensor
    place: Tensor
    motion: Tensor
    contact: Tensor
    camera: Tensor
    floor: Tensor
    sky: Tensor
    tokens: Tensor
    setting: Tensor

    def pooled(self) -> Tensor:
        """The features of a whole clip, ``b 64``: its objects, added up, and its setting,
        both averaged over time. The space of `worldreel.evaluate.features.distances`."""
        objects = (self.tokens * self.present.sigmoid()[..., None]).sum(dim=2)
        return torch.cat([objects, self.setting], dim=-1).mean(dim=1)


class Spatial(nn.Module):
    """Convolution 3 by 3 in each frame, batch norm, ReLU; ``n c h w``."""

    def __init__(self, channels: int, out_channels: int, stride: int = 1) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, out_channels, 3, stride, 1, bias=False)
        self.norm = nn.BatchNorm2d(out_channels)
        self.residual = stride == 1 and channels == out_channels

    def forward(self, x: Tensor) -> Tensor:
        out = F.relu(self.norm(self.conv(x)))
        return x + out if self.residual else out


class Temporal(nn.Module):
    """Residual convolution over ``kernel`` steps at each place, batch norm, ReLU."""

    def __init__(self, channels: int, kernel: int = 3) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, (kernel, 1), padding=(kernel // 2, 0), bias=False)
        self.norm = nn.BatchNorm2d(channels)

    def forward(self, x: Tensor, num_steps: int) -> Tensor:
        """``(b s) c h w`` to the same."""
        height = x.shape[-2]
        # channels last: neither rearrangement moves a number
        line = rearrange(x, "(b s) c h w -> b c s (h w)", s=num_steps)
        line = line + F.relu(self.norm(self.conv(line)))
        return rearrange(line, "b c s (h w) -> (b s) c h w", h=height)


class StateNetwork(nn.Module):
    """Regresses the state of the simulated world from pixels; 0.2 million parameters."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = Spatial(3 * FRAMES_PER_STEP, 24, stride=2)  # 32 by 32
        self.down = Spatial(24, 32, stride=2)  # 16 by 16
        self.fine_space, self.fine_time = Spatial(32, 32), Temporal(32)
        self.down_again = Spatial(32, 64, stride=2)  # 8 by 8
        self.coarse_space, self.coarse_time = Spatial(64, 64), Temporal(64)
        self.back = nn.Conv2d(64, TOKEN, 1)
        self.lateral = nn.Conv2d(32, TOKEN, 1)
        self.seek = nn.Conv2d(TOKEN, len(COLORS), 1)
        self.token_in = nn.Linear(TOKEN + 4, TOKEN)
        self.names = nn.Parameter(torch.zeros(len(COLORS), TOKEN))
        self.follow = nn.ModuleList(Temporal(TOKEN, 5) for _ in range(2))
        self.token_out = nn.Linear(TOKEN, OBJECT_FEATURES)
        self.object_head = nn.Linear(OBJECT_FEATURES, 1 + 3 + 2 + 2)
        self.setting_squeeze = nn.Conv2d(64, 16, 1)
        self.setting_in = nn.Linear(16 * 16, TOKEN)
        self.setting_time = Temporal(TOKEN, 5)
        self.setting_out = nn.Linear(TOKEN, SCENE_FEATURES)
        self.setting_head = nn.Linear(SCENE_FEATURES, 8 + len(FLOORS) + len(BACKGROUNDS))
        line = (torch.arange(16) + 0.5) / 8 - 1
        places = torch.stack(torch.meshgrid(line, line, indexing="xy"), dim=-1)
        self.register_buffer("places", rearrange(places, "h w k -> (h w) k"), persistent=False)
        self.register_buffer("feature_scale", torch.ones(NUM_FEATURES))

    def forward(self, frames: Tensor) -> State:
        """Frames ``b t 64 64 3`` in [0, 1], ``t`` even."""
        batch = len(frames)
        x = rearrange(frames, "b (s p) h w c -> (b s) (p c) h w", p=FRAMES_PER_STEP)
        steps = frames.shape[1] // FRAMES_PER_STEP
        x = (2 * x - 1).contiguous(memory_format=torch.channels_last)
        fine = self.down(self.stem(x))  # (b s) 32 16 16
        fine = self.fine_time(self.fine_space(fine), steps)
        coarse = self.down_again(fine)  # (b s) 64 8 8
        coarse = self.coarse_time(self.coarse_space(coarse), steps)
        return State(**self._objects(fine, coarse, batch), **self._setting(coarse, batch))

    def features(self, frames: Tensor) -> Tensor:
        """The features of whole clips, ``b 64``, from frames ``b t 64 64 3`` in [0, 1].

        `State.pooled`, each divided by its standard deviation over clips of the simulator,
        as ``log(1 + x)``: without the logarithm a few clips decide a distance.
        """
        return (self(frames).pooled() / self.get_buffer("feature_scale")).log1p()

    def _objects(self, fine: Tensor, coarse: Tensor, batch: int) -> dict[str, Tensor]:
        seen = F.relu(F.interpolate(self.back(coarse), scale_factor=2.0) + self.lateral(fine))
        logits = self.seek(seen).flatten(2)  # (b s) 10 256
        attention = logits.softmax(dim=-1)
        places: Tensor = self.get_buffer("places")
        # a sum of products, not a matrix product: mixed precision would blur the place
        place = (attention[..., None] * places).sum(dim=2)
        spread = (attention * places.square().sum(-1)).sum(-1, keepdim=True)
        spread = spread - place.square().sum(-1, keepdim=True)
        strength = logits.logsumexp(dim=-1, keepdim=True) / 8
        what = attention @ seen.flatten(2).mT  # (b s) 10 64
        token = self.token_in(torch.cat([what, place, spread, strength], dim=-1)) + self.names
        token = rearrange(token, "n k c -> n c k 1").contiguous(memory_format=torch.channels_last)
        steps = len(token) // batch
        for follow in self.follow:
            token = follow(token, steps)
        token = F.relu(self.token_out(rearrange(token, "(b s) c k 1 -> b s k c", b=batch)))
        parts = self.object_head(token).split([1, 3, 2, 2], dim=-1)
        centre = rearrange(place, "(b s) k i -> b s k i", b=batch)
        return {
            "present": parts[0].squeeze(-1),
            "place": parts[1] + F.pad(centre, (0, 1)),
            "motion": parts[2],
            "contact": parts[3],
            "tokens": token,
        }

    def _setting(self, coarse: Tensor, batch: int) -> dict[str, Tensor]:
        small = F.avg_pool2d(F.relu(self.setting_squeeze(coarse)), 2)  # (b s) 16 4 4
        x = F.relu(self.setting_in(small.flatten(1)))[..., None, None]
        x = self.setting_time(x, len(x) // batch)
        setting = F.relu(self.setting_out(rearrange(x, "(b s) c 1 1 -> b s c", b=batch)))
        camera, floor, sky = self.setting_head(setting).split(
            [8, len(FLOORS), len(BACKGROUNDS)], dim=-1
        )
        return {"camera": camera, "floor": floor, "sky": sky, "setting": setting}


def shrink(frames: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Frames ``t h w 3`` of any size as the network sees them: ``t 64 64 3``, by area."""
    if frames.shape[1:3] == (SIDE, SIDE):
        return frames
    x = torch.from_numpy(np.ascontiguousarray(frames)).permute(0, 3, 1, 2).float()
    x = F.adaptive_avg_pool2d(x, SIDE).round().to(torch.uint8)
    return x.permute(0, 2, 3, 1).contiguous().numpy()
