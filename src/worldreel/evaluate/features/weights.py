"""The trained networks of features: saved and loaded with every byte checked."""

import hashlib
import json
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import load, save
from torch import Tensor

from worldreel.core.errors import UsageError, WorldreelError
from worldreel.evaluate.features.arrow import ArrowNetwork
from worldreel.evaluate.features.network import FRAMES_PER_STEP, StateNetwork, shrink
from worldreel.media.atomic import atomic_target

FOLDER = Path(__file__).parent
WEIGHTS_FILE = "features.safetensors"
DESCRIPTION_FILE = "features.json"

REMEDY = "Install worldreel again, or make them: python -m worldreel.evaluate.features.fit SHARDS."


@dataclass(frozen=True, eq=False)
class Networks:
    """The two networks, in evaluation mode and float32; ``sha256`` is that of their file."""

    state: StateNetwork
    arrow: ArrowNetwork
    sha256: str


@lru_cache(maxsize=1)
def load_networks(folder: Path = FOLDER) -> Networks:
    """The networks that are shipped, or those of another folder.

    Raises:
        WorldreelError: a file is missing, or not the one that was described.
    """
    path = folder / WEIGHTS_FILE
    try:
        description = json.loads((folder / DESCRIPTION_FILE).read_text("utf-8"))
        data = path.read_bytes()
    except (OSError, ValueError) as error:
        raise WorldreelError(
            f"the networks of features in {folder} cannot be read: {error}", remedy=REMEDY
        ) from error
    sha256 = hashlib.sha256(data).hexdigest()
    if sha256 != description["sha256"]:
        raise WorldreelError(
            f"{path} was altered: its sha256 is {sha256[:12]}…, "
            f"expected {description['sha256'][:12]}….",
            remedy=REMEDY,
        )
    tensors = load(data)
    state, arrow = StateNetwork(), ArrowNetwork()
    for name, network in (("state", state), ("arrow", arrow)):
        own = {key.partition(".")[2]: t for key, t in tensors.items() if key.startswith(name + ".")}
        network.load_state_dict(own)  # copies into float32
        network.eval().requires_grad_(False)
    return Networks(state, arrow, sha256)


def save_networks(
    state: StateNetwork, arrow: ArrowNetwork, about: dict[str, Any], folder: Path = FOLDER
) -> None:
    """Writes both networks in float16 and ``about``, with their sha256, beside them."""
    tensors = {
        f"{name}.{key}": _stored(value)
        for name, network in (("state", state), ("arrow", arrow))
        for key, value in network.state_dict().items()
    }
    data = save(tensors)
    description = {**about, "sha256": hashlib.sha256(data).hexdigest(), "size_bytes": len(data)}
    with atomic_target(folder / WEIGHTS_FILE) as part:
        part.write_bytes(data)
        part.chmod(0o644)
    with atomic_target(folder / DESCRIPTION_FILE) as part:
        part.write_text(json.dumps(description, indent=1) + "\n", encoding="utf-8")
        part.chmod(0o644)


def _stored(value: Tensor) -> Tensor:
    value = value.detach().half() if value.is_floating_point() else value.detach()
    assert value.isfinite().all(), "a weight does not fit into float16"
    return value.contiguous().clone()


def as_input(clip: NDArray[np.uint8]) -> Tensor:
    """A clip, uint8 ``t h w 3``, as the network takes it: ``1 t 64 64 3``, in [0, 1].

    An odd last frame is left out: the network looks at pairs.

    Raises:
        UsageError: fewer than four frames.
    """
    num_frames = len(clip) // FRAMES_PER_STEP * FRAMES_PER_STEP
    if num_frames < 2 * FRAMES_PER_STEP:
        raise UsageError(f"a clip has {len(clip)} frames; its features need at least 4.")
    return torch.from_numpy(shrink(clip[:num_frames])).float()[None] / 255
