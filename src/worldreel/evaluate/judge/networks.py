"""The judge's two small networks, and their weights, every byte checked."""

import hashlib
from functools import lru_cache
from pathlib import Path
from typing import TypeVar

import torch
from safetensors.torch import load
from torch import Tensor, nn
from torch.nn import functional as F

from worldreel.core.errors import WorldreelError
from worldreel.evaluate.judge.maps import NUM_CROP_CHANNELS, NUM_MAP_CHANNELS
from worldreel.world.vocabulary import EVENTS, SHAPES

FOLDER = Path(__file__).parent
SHA256 = {
    "event": "ea379158d9e79a7348c5450228bc0188c19398f92c79ec43248444b4e7082878",
    "shape": "7cf1be0243af43b44954fe36a2a80c72e231205d6e065a129a735a1b2ec28a08",
}
"""Of the weights' files beside this one; `worldreel.evaluate.judge.fit` says them."""

NO_EVENT = len(EVENTS)
"""The event network's last class: nothing that the simulated world can show."""


class EventNetwork(nn.Module):
    """Which event the maps show: four convolutions over space and time."""

    def __init__(self, width: int = 16) -> None:
        super().__init__()
        self.look = nn.Conv3d(NUM_MAP_CHANNELS + 1, width, (2, 3, 3), 2, (0, 1, 1))
        self.follow = nn.Conv3d(width, 2 * width, 3, (1, 2, 2), 1)
        self.join = nn.Conv3d(2 * width, 4 * width, 3, (2, 2, 2), 1)
        self.tell = nn.Conv3d(4 * width, 4 * width, 3, (2, 1, 1), 1)
        self.out = nn.Linear(8 * width, len(EVENTS) + 1)

    def forward(self, maps: Tensor) -> Tensor:
        """Shares in [0, 1], ``b c t h w``, to logits ``b 11``."""
        height = torch.linspace(0, 1, maps.shape[-2], device=maps.device)
        row = height[:, None].expand_as(maps[:, :1])
        x = torch.cat([maps, row], dim=1)
        for layer in (self.look, self.follow, self.join, self.tell):
            x = F.silu(layer(x))
        x = torch.cat([x.mean(dim=(2, 3, 4)), x.amax(dim=(2, 3, 4))], dim=1)
        return self.out(x)


class ShapeNetwork(nn.Module):
    """Which shape the close views show: each view alone, then all of them together."""

    def __init__(self, width: int = 16) -> None:
        super().__init__()
        self.near = nn.Conv2d(NUM_CROP_CHANNELS, width, 3, 1, 1)
        self.part = nn.Conv2d(width, 2 * width, 3, 2, 1)
        self.whole = nn.Conv2d(2 * width, 4 * width, 3, 2, 1)
        self.view = nn.Linear(4 * width * 9, 4 * width)
        self.out = nn.Linear(8 * width, len(SHAPES))

    def forward(self, crops: Tensor) -> Tensor:
        """Shares in [0, 1], ``b n c h w`` with n views, to logits ``b 5``."""
        x = crops.flatten(0, 1)
        for layer in (self.near, self.part, self.whole):
            x = F.silu(layer(x))
        x = F.adaptive_avg_pool2d(x, 3).flatten(1)
        x = F.silu(self.view(x)).unflatten(0, crops.shape[:2])
        return self.out(torch.cat([x.mean(dim=1), x.amax(dim=1)], dim=1))


Network = TypeVar("Network", bound=nn.Module)


@lru_cache(maxsize=1)
def event_network() -> EventNetwork:
    """The event network, ready to judge."""
    return _ready(EventNetwork(), "event")


@lru_cache(maxsize=1)
def shape_network() -> ShapeNetwork:
    """The shape network, ready to judge."""
    return _ready(ShapeNetwork(), "shape")


def _ready(network: Network, name: str) -> Network:
    """Fills ``network`` with its weights.

    Raises:
        WorldreelError: the file is missing or is not the one that belongs here.
    """
    path = FOLDER / f"{name}.safetensors"
    data = path.read_bytes() if path.exists() else b""
    if hashlib.sha256(data).hexdigest() != SHA256[name]:
        raise WorldreelError(
            f"{path} is missing or altered, so the judge cannot tell the {name}.",
            remedy="Install worldreel again; nothing of the file was used.",
        )
    network.load_state_dict({key: value.float() for key, value in load(data).items()})
    return network.eval()
