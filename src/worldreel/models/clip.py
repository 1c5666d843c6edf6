"""Pictures to states with CLIP's vision transformer, in the format of ``transformers``."""

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from worldreel.core.errors import WorldreelError

Tensors = Callable[[], Iterable[tuple[str, Tensor]]]


@dataclass(frozen=True, kw_only=True)
class Preparation:
    """How a picture is made into what the network sees: its shorter side, and the square cut out.

    Args:
        shorter: pixels of the shorter side after resizing.
        side: pixels of the square out of its middle.
        mean, std: of each colour, in [0, 1].
    """

    shorter: int
    side: int
    mean: tuple[float, float, float]
    std: tuple[float, float, float]

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> "Preparation":
        """Out of a ``preprocessor_config.json``."""
        size, crop = values["size"], values["crop_size"]
        return cls(
            shorter=size["shortest_edge"] if isinstance(size, dict) else size,
            side=crop["height"] if isinstance(crop, dict) else crop,
            mean=tuple(values["image_mean"]),
            std=tuple(values["image_std"]),
        )

    def __call__(self, picture: NDArray[np.uint8]) -> Tensor:
        """A picture ``h w 3`` as ``3 side side``, float32."""
        from PIL import Image

        height, width = picture.shape[:2]
        scale = self.shorter / min(height, width)
        # the longer side is cut, not rounded, as CLIP's own preparation does
        size = (self.shorter, int(height * scale)) if width <= height else None
        size = size or (int(width * scale), self.shorter)
        resized = Image.fromarray(picture).resize(size, Image.Resampling.BICUBIC)
        left, top = (size[0] - self.side) // 2, (size[1] - self.side) // 2
        square = np.asarray(resized.crop((left, top, left + self.side, top + self.side)))
        x = torch.from_numpy(square.astype(np.float32)) / 255
        return ((x - torch.tensor(self.mean)) / torch.tensor(self.std)).permute(2, 0, 1)


class ImageEncoder:
    """Turns pictures into states ``n m dim``: those before the network's last layer, as Wan does.

    Args:
        forward: pixels ``n 3 side side`` to states ``n m dim``.
        prepare: what is done with a picture first.
    """

    def __init__(self, forward: Callable[[Tensor], Tensor], prepare: Preparation) -> None:
        self._forward, self._prepare = forward, prepare

    def __call__(self, pictures: list[NDArray[np.uint8]]) -> Tensor:
        """Pictures ``h w 3`` to states ``n m dim``, float32 on the CPU."""
        pixels = torch.stack([self._prepare(picture) for picture in pictures])
        with torch.no_grad(), torch.autocast("cpu", enabled=False):
            return self._forward(pixels)


def load_clip(
    config: Path, preparation: Path, tensors: Tensors, dtype: torch.dtype
) -> ImageEncoder:
    """An image encoder whose weights are read when the first picture comes.

    Args:
        config: the ``config.json``.
        preparation: the ``preprocessor_config.json``.
        tensors: gives every weight by its name.
        dtype: of the whole network.

    Raises:
        WorldreelError: a file is missing or cannot be read.
    """
    try:
        shape = json.loads(config.read_text(encoding="utf-8"))
        prepare = Preparation.from_json(json.loads(preparation.read_text(encoding="utf-8")))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise WorldreelError(
            f"The image encoder's {config} or {preparation} cannot be read: {error}.",
            remedy="Get the model's folder again.",
        ) from error
    loaded: list[nn.Module] = []

    def forward(pixels: Tensor) -> Tensor:
        if not loaded:
            loaded.append(_network(shape, tensors, dtype))
        output = loaded[0](pixel_values=pixels.to(dtype), output_hidden_states=True)
        return output.hidden_states[-2].float()

    return ImageEncoder(forward, prepare)


def _network(shape: dict[str, Any], tensors: Tensors, dtype: torch.dtype) -> nn.Module:
    from transformers.models.clip.configuration_clip import CLIPVisionConfig
    from transformers.models.clip.modeling_clip import CLIPVisionModel

    network: nn.Module = CLIPVisionModel(CLIPVisionConfig(**shape))
    wanted = network.state_dict()
    given = {name.removeprefix("vision_model."): tensor for name, tensor in tensors()}
    found = {name: given.get(name.removeprefix("vision_model.")) for name in wanted}
    for name, tensor in wanted.items():
        other = found[name]
        if "position_ids" in name and other is None:
            found[name] = tensor
        elif other is None or other.shape != tensor.shape:
            what = "lacks" if other is None else f"has the shape {tuple(other.shape)} for"
            raise WorldreelError(
                f"The image encoder {what} {name}, shape {tuple(tensor.shape)}.",
                remedy="Get the model's folder again.",
            )
    network.load_state_dict({name: tensor for name, tensor in found.items() if tensor is not None})
    network.to(dtype)  # pyright: ignore[reportArgumentType]  (its stub hides torch's)
    return network.eval().requires_grad_(False)
