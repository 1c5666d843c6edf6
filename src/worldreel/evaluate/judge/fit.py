"""Trains the judge's networks: ``python -m worldreel.evaluate.judge.fit SHARDS``.

Every clip is seen as it is and as a rough generation might show it. Besides the ten events
the network learns what is none: a moment held still, frames out of order, objects that are
gone.
"""

import argparse
import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import save
from torch import Tensor, nn
from torch.nn import functional as F

from worldreel.core.clip import Clip
from worldreel.core.randomness import numpy_generator
from worldreel.data.shards import read_shards
from worldreel.evaluate.judge.degrade import degrade
from worldreel.evaluate.judge.maps import NUM_SLOTS, event_maps, shape_crops
from worldreel.evaluate.judge.networks import (
    FOLDER,
    NO_EVENT,
    EventNetwork,
    Network,
    ShapeNetwork,
)
from worldreel.evaluate.judge.objects import tidy
from worldreel.evaluate.observe import observe
from worldreel.world.vocabulary import EVENTS, SHAPES

BATCH = 48
SHARE_NONSENSE = 0.15
MOVING = tuple(EVENTS.index(event) for event in EVENTS if event != "rest")
IN_VIEW = tuple(EVENTS.index(event) for event in ("fall", "swing", "topple"))
"""Events whose objects nothing hides and which they do not leave soon."""

QUIET_START = tuple(EVENTS.index(event) for event in ("roll", "slide", "collide", "rest"))
"""Events whose first frame, held, shows objects at rest and nothing wrong."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Examples:
    """What the networks learn from.

    Args:
        maps: uint8 ``n c t h w``, see `worldreel.evaluate.judge.maps.event_maps`.
        events: number of each one's event, ``(n,)``.
        crops: uint8 ``m k c h w``, see `worldreel.evaluate.judge.maps.shape_crops`.
        shapes: number of each one's shape, ``(m,)``.
    """

    maps: NDArray[np.uint8]
    events: NDArray[np.int64]
    crops: NDArray[np.uint8]
    shapes: NDArray[np.int64]


def gather(clips: Iterator[Clip], seed: int) -> Examples:
    """What the judge sees of each clip of one shot, and of a rough copy of it."""
    maps, events, crops, shapes = [], [], [], []
    for clip in clips:
        if len(clip.scene["shots"]) > 1:
            continue
        rough = degrade(clip.frames, numpy_generator(seed, "rough", clip.key))
        for frames in (clip.frames, rough):
            seen = tidy(observe(frames, clip.fps))
            maps.append(event_maps(seen))
            events.append(EVENTS.index(clip.scene["event"]))
            for thing in clip.scene["things"]:
                views = shape_crops(seen, thing["color"])
                if views is not None:
                    crops.append(views)
                    shapes.append(SHAPES.index(thing["shape"]))
    return Examples(
        maps=np.stack(maps),
        events=np.array(events),
        crops=np.stack(crops),
        shapes=np.array(shapes),
    )


def fit_event(examples: Examples, *, seed: int, epochs: int = 16) -> EventNetwork:
    """Trains the event network from nothing."""
    rng = numpy_generator(seed, "event")
    network = _new(EventNetwork, seed)

    def batch(rows: NDArray[np.int64]) -> tuple[Tensor, Tensor]:
        seen = [_vary(examples.maps[row], int(examples.events[row]), rng) for row in rows]
        maps = torch.from_numpy(np.stack([maps for maps, _ in seen])).float() / 255
        return maps, torch.tensor([event for _, event in seen])

    _fit(network, batch, len(examples.events), epochs, rng)
    return network


def fit_shape(examples: Examples, *, seed: int, epochs: int = 20) -> ShapeNetwork:
    """Trains the shape network from nothing."""
    rng = numpy_generator(seed, "shape")
    network = _new(ShapeNetwork, seed)

    def batch(rows: NDArray[np.int64]) -> tuple[Tensor, Tensor]:
        crops = examples.crops[rows]
        if rng.random() < 0.5:
            crops = crops[..., ::-1].copy()
        light = rng.uniform(0.85, 1.15, (len(rows), 1, 1, 1, 1))
        views = torch.from_numpy(crops).float() / 255
        views[:, :, 1:2] = (views[:, :, 1:2] * torch.from_numpy(light).float()).clamp(0, 1)
        return views, torch.from_numpy(examples.shapes[rows])

    _fit(network, batch, len(examples.shapes), epochs, rng)
    return network


def _vary(
    maps: NDArray[np.uint8], event: int, rng: np.random.Generator
) -> tuple[NDArray[np.uint8], int]:
    """Another version of one example, and what it now shows."""
    maps = maps.copy()
    maps[:NUM_SLOTS] = maps[rng.permutation(NUM_SLOTS)]
    if rng.random() < 0.5:
        maps = maps[..., ::-1].copy()
    if rng.random() >= SHARE_NONSENSE:
        return maps, event
    length = maps.shape[1]
    match int(rng.integers(4)):
        case 0:  # one moment, held
            at = 0 if event in QUIET_START else int(rng.integers(length))
            maps = np.repeat(maps[:, at : at + 1], length, axis=1)
            event = EVENTS.index("rest") if event in QUIET_START else NO_EVENT
        case 1 if event in MOVING:  # out of order
            maps = maps[:, rng.permutation(length)]
            event = NO_EVENT
        case 2:  # nothing there
            maps[: NUM_SLOTS + 1] = 0
            event = NO_EVENT
        case 3 if event in IN_VIEW:  # objects that go and come back
            start = int(rng.integers(length // 8, length // 3))
            maps[: NUM_SLOTS + 1, start : start + int(rng.integers(length // 4, length // 2))] = 0
            event = NO_EVENT
        case _:
            pass
    return maps, event


def _new(kind: type[Network], seed: int) -> Network:
    """A network with weights drawn from ``seed``; torch's own generator is left as it was."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return kind()


def _fit(
    network: nn.Module,
    batch: Callable[[NDArray[np.int64]], tuple[Tensor, Tensor]],
    count: int,
    epochs: int,
    rng: np.random.Generator,
) -> None:
    """Adam with a one-cycle rate over ``epochs`` of shuffled batches."""
    steps = epochs * (count // BATCH)
    optimizer = torch.optim.AdamW(network.parameters(), lr=3e-3, weight_decay=0.02)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 3e-3, total_steps=steps)
    network.train()
    for _ in range(epochs):
        order = rng.permutation(count)
        total = 0.0
        for first in range(0, count - BATCH + 1, BATCH):
            inputs, wanted = batch(order[first : first + BATCH])
            loss = F.cross_entropy(network(inputs), wanted, label_smoothing=0.02)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
            total += loss.item()
        print(f"  loss {total / (count // BATCH):.4f}", flush=True)
    network.eval()


def write(network: nn.Module, name: str, folder: Path = FOLDER) -> str:
    """Writes a network's weights in float16 and returns their SHA-256."""
    data = save({key: value.half().contiguous() for key, value in network.state_dict().items()})
    (folder / f"{name}.safetensors").write_bytes(data)
    return hashlib.sha256(data).hexdigest()


def main() -> None:
    """Trains both networks on the clips of a folder of shards and says their SHA-256."""
    parser = argparse.ArgumentParser(description="Train the judge's networks.")
    parser.add_argument("shards", type=Path, help="a folder of shards of the simulated world")
    parser.add_argument("--clips", type=int, default=1600, help="how many of them, from the first")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out-dir", type=Path, default=FOLDER)
    told = parser.parse_args()
    torch.set_num_threads(1)  # sums in the same order wherever it runs
    examples = gather(islice(read_shards(told.shards), told.clips), told.seed)
    for name, fit in (("event", fit_event), ("shape", fit_shape)):
        print(name, flush=True)
        print(name, write(fit(examples, seed=told.seed), name, told.out_dir), flush=True)


if __name__ == "__main__":
    main()
