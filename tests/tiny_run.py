"""A whole training run of a few kilobytes; as a program, one that is killed on its way.

``python -m tests.tiny_run KIND DATA FOLDER KILL_AT`` trains until the loss of step KILL_AT
has been computed, and then kills itself with SIGKILL.
"""

import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from tests.tiny_model import StandInText
from torch import Tensor

from worldreel.core.clip import Clip
from worldreel.data.cache import cache_frames, cache_latents, cache_text
from worldreel.data.shards import read_manifest, write_shards
from worldreel.models.autoencoder import Autoencoder, AutoencoderConfig
from worldreel.train.autoencoder import AutoencoderTask
from worldreel.train.loop import Task, fit
from worldreel.train.recipe import AutoencoderRecipe, Recipe, TransformerRecipe, recipe_from
from worldreel.train.transformer import TransformerTask

SIZE = 32
NUM_FRAMES = 8
NUM_CLIPS = 10
AUTOENCODER = {
    "latent_channels": 4,
    "encoder_channels": [4, 4, 8],
    "encoder_blocks": [1, 1, 1],
    "decoder_channels": [4, 4, 8],
    "decoder_blocks": [1, 1, 1],
}
RUN = {"num_threads": 1, "log_every": 1, "checkpoint_minutes": 0.0, "sample_every": 0}


def make_clip(number: int) -> Clip:
    """A square of one colour that moves to the right over a floor of another."""
    rng = np.random.default_rng(number)
    frames = np.empty((NUM_FRAMES, SIZE, SIZE, 3), np.uint8)
    frames[:] = rng.integers(0, 256, 3)
    masks = np.zeros(frames.shape[:3], np.uint8)
    top, left = rng.integers(0, 16, 2)
    for t in range(NUM_FRAMES):
        masks[t, top : top + 8, left + t : left + t + 8] = 1
    frames[masks == 1] = rng.integers(0, 256, 3)
    return Clip(
        key=f"clip-{number}",
        seed=number,
        fps=12,
        frames=frames,
        captions=[f"square number {number}", "a square moves right"],
        truth={"masks": masks},
    )


def clips(num_clips: int = NUM_CLIPS) -> Iterator[Clip]:
    return map(make_clip, range(num_clips))


def make_data(folder: Path) -> None:
    """Shards, and the caches of both kinds of training."""
    shards = folder / "world"
    write_shards(clips(), shards, clips_per_shard=4)
    cache_frames(shards, folder / "frames", every=2)
    cache_latents(shards, tiny_autoencoder(), folder / "latents")
    captions = [caption for row in read_manifest(shards) for caption in row["captions"]]
    cache_text(captions, StandInText(), folder / "text")


def tiny_autoencoder() -> Autoencoder:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        autoencoder = Autoencoder(AutoencoderConfig(**AUTOENCODER))
    frames = np.concatenate([clip.frames for clip in clips()])
    autoencoder.calibrate(torch.from_numpy(frames).permute(0, 3, 1, 2).float() / 127.5 - 1)
    return autoencoder.eval()


def tiny_recipe(kind: str, **changes: Any) -> Recipe:
    """A recipe for tests; ``changes`` are keys of its tables."""
    values: dict = {"kind": kind, "name": "tiny", "run": RUN, "ema": {"decay": 0.9}}
    values["world"] = {"num_clips": NUM_CLIPS}
    values["schedule"] = {"total_steps": 8, "warmup_steps": 2, "cooldown_steps": 3}
    if kind == "autoencoder":
        values["model"] = AUTOENCODER
        values["data"] = {"every": 2, "crop": 16, "batch_size": 4, "num_held_out": 4}
    else:
        values["position_channels"] = True
        values["model"] = {
            "patch_size": [4, 2, 2],
            "num_heads": 2,
            "head_dim": 12,
            "in_channels": 8,
            "out_channels": 4,
            "text_dim": StandInText.dim,
            "freq_dim": 16,
            "ffn_dim": 48,
            "num_layers": 2,
        }
        short = {"num_frames": 4, "batch_size": 4}
        long = {"num_frames": 8, "batch_size": 2}
        values["stages"] = [{"steps": 3, "buckets": [short]}, {"buckets": [short, long]}]
        values["num_held_out"] = 2
        values["sample"] = {"num_clips": 1, "num_inference_steps": 2}
    for key, change in changes.items():
        values[key] = {**values.get(key, {}), **change} if isinstance(change, dict) else change
    return recipe_from(values)


def make_task(recipe: Recipe, data: Path) -> Task:
    if isinstance(recipe, AutoencoderRecipe):
        return AutoencoderTask(recipe, data / "frames")
    assert isinstance(recipe, TransformerRecipe)
    return TransformerTask(recipe, data / "latents", data / "text", tiny_autoencoder())


class Killed:
    """A task whose process dies in the middle of one step."""

    def __init__(self, task: Task, kill_at: int) -> None:
        self.task = task
        self.module, self.blocks = task.module, task.blocks
        self.kill_at = kill_at

    def loss(self, step: int, generator: torch.Generator) -> tuple[Tensor, int]:
        loss = self.task.loss(step, generator)
        if step == self.kill_at:
            os.kill(os.getpid(), signal.SIGKILL)
        return loss

    def sample(self, path: Path) -> dict[str, float]:
        return self.task.sample(path)


if __name__ == "__main__":
    kind, data, folder, kill_at = sys.argv[1:]
    recipe = tiny_recipe(kind)
    fit(Killed(make_task(recipe, Path(data)), int(kill_at)), recipe, Path(folder))
