"""Training of the light autoencoder: what it shall give back, and on what."""

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from worldreel.core.errors import UsageError, WorldreelError
from worldreel.core.parse import parse, plain
from worldreel.core.randomness import derive_seed
from worldreel.data.cache import cache_frames
from worldreel.data.files import write_atomically, write_json
from worldreel.data.sampler import batch_indices
from worldreel.media.sheet import contact_sheet, save_image
from worldreel.models.autoencoder import Autoencoder, AutoencoderConfig
from worldreel.train.checkpoint import load_latest
from worldreel.train.device import find_device, move
from worldreel.train.loop import FitResult, fit
from worldreel.train.recipe import AutoencoderRecipe, ReconstructionConfig


def reconstruction_loss(
    output: Tensor, target: Tensor, masks: Tensor, latents: Tensor, config: ReconstructionConfig
) -> Tensor:
    """How far ``output`` is from ``target``, with objects counting more; a scalar, float32.

    Args:
        output: ``n 3 h w``, any range.
        target: ``n 3 h w`` in [-1, 1].
        masks: bool ``n h w``, True on objects.
        latents: raw latents ``n c h w`` before the noise.
    """
    weight = object_weights(masks, config)[:, None]  # n 1 h w, mean 1
    error = output.float() - target
    loss = config.l1 * (weight * error.abs()).mean() + config.l2 * (weight * error.square()).mean()
    if config.gradient:
        down = error.diff(dim=-2).abs() * weight[..., 1:, :]
        right = error.diff(dim=-1).abs() * weight[..., 1:]
        loss = loss + config.gradient * (down.mean() + right.mean())
    return loss + config.kl * 0.5 * latents.float().square().mean()


def object_weights(masks: Tensor, config: ReconstructionConfig) -> Tensor:
    """Weights ``n h w`` with a mean of 1: more on objects, widened by ``dilate`` pixels."""
    objects = masks.float()[:, None]
    if config.dilate:
        side = 2 * config.dilate + 1
        objects = F.max_pool2d(objects, side, stride=1, padding=config.dilate)
    weight = 1 + (config.object_weight - 1) * objects[:, 0]
    return weight / weight.mean()


class AutoencoderTask:
    """Random crops of cached frames through the autoencoder and back."""

    def __init__(self, recipe: AutoencoderRecipe, frames: Path) -> None:
        self.recipe = recipe
        self.frames: NDArray[np.uint8] = np.load(Path(frames) / "frames.npy", mmap_mode="r")
        self.masks: NDArray[np.uint8] = np.load(Path(frames) / "masks.npy", mmap_mode="r")
        n, height, width = self.masks.shape
        config = recipe.data
        if config.crop % 16 or config.crop > min(height, width):
            raise UsageError(
                f"data.crop is {config.crop}; it is a multiple of 16 up to {min(height, width)}."
            )
        self.num_held_out = min(config.num_held_out, n // 2)
        self.num_train = n - self.num_held_out
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(derive_seed(recipe.seed, "weights"))
            self.autoencoder = Autoencoder(recipe.model)
        self.device = find_device(recipe.run.device)
        self.autoencoder.to(self.device)
        self.module: nn.Module = self.autoencoder
        self.blocks: list[nn.Module] = [self.autoencoder.encoder, self.autoencoder.decoder]

    def loss(self, step: int, generator: torch.Generator) -> tuple[Tensor, int]:
        """The reconstruction loss on one batch of crops."""
        config = self.recipe.data
        indices = batch_indices(self.recipe.seed, step, config.batch_size, self.num_train)
        target, masks = self._crops(indices, generator)
        latents = self.autoencoder.encode_raw(target)
        noise = move(torch.randn(latents.shape, generator=generator), self.device)
        output = self.autoencoder.decode_raw(latents + self.recipe.loss.noise_std * noise)
        loss = reconstruction_loss(output, target, masks, latents, self.recipe.loss)
        return loss, config.batch_size

    def sample(self, path: Path) -> dict[str, float]:
        """Held-out frames above their round trips, with the figures of ``figures``."""
        figures, frames, output = self.figures()
        few = torch.linspace(0, len(frames) - 1, 8).long()
        strips = [to_uint8(frames[few]), to_uint8(output[few])]
        label = ", ".join(f"{name} {value:.2f} dB" for name, value in figures.items())
        save_image(path, contact_sheet(strips, ["held-out frames", label], num_frames=8))
        return figures

    def figures(self) -> tuple[dict[str, float], Tensor, Tensor]:
        """PSNR in dB of held-out frames, over all and over objects' pixels; frames, outputs."""
        frames = self.held_out()
        output = self.round_trip(frames)
        objects = torch.from_numpy(self.masks[self.num_train :][: len(frames)] > 0)
        square = (output - frames).div(2).square().mean(dim=1)  # n h w, range 1
        figures = {"psnr": float(-10 * square.mean().log10())}
        if objects.any():
            figures["psnr_objects"] = float(-10 * square[objects].mean().log10())
        return figures, frames, output

    def held_out(self, limit: int = 256) -> Tensor:
        """Frames that are never trained on, float ``n 3 h w`` in [-1, 1]."""
        return to_float(self.frames[self.num_train :][:limit])

    def round_trip(self, frames: Tensor) -> Tensor:
        """Frames through the autoencoder as they are used later: no noise, fp32; on the CPU."""
        parts = []
        for part in frames.split(16):
            latents = self.autoencoder.encode_raw(move(part, self.device))
            parts.append(self.autoencoder.decode_raw(latents).float().clamp(-1, 1).cpu())
        return torch.cat(parts)

    def _crops(
        self, indices: NDArray[np.int64], generator: torch.Generator
    ) -> tuple[Tensor, Tensor]:
        side = self.recipe.data.crop
        height, width = self.masks.shape[1:]
        draws = torch.rand(len(indices), 4, generator=generator).tolist()
        frames = np.empty((len(indices), side, side, 3), np.uint8)
        masks = np.empty((len(indices), side, side), np.uint8)
        for i, (index, (centred, u, v, flip)) in enumerate(zip(indices, draws, strict=True)):
            top, left = int(u * (height - side + 1)), int(v * (width - side + 1))
            if side < min(height, width) and centred < self.recipe.data.object_centred:
                on_objects = np.flatnonzero(self.masks[index])
                if len(on_objects):
                    y, x = divmod(int(on_objects[int(u * len(on_objects))]), width)
                    top = min(max(y - side // 2, 0), height - side)
                    left = min(max(x - side // 2, 0), width - side)
            crop = (index, slice(top, top + side), slice(left, left + side))
            step = -1 if flip < 0.5 else 1
            frames[i], masks[i] = self.frames[crop][:, ::step], self.masks[crop][:, ::step]
        objects = torch.from_numpy(masks > 0)
        return move(to_float(frames), self.device), move(objects, self.device)


def to_float(frames: NDArray[np.uint8]) -> Tensor:
    """uint8 ``n h w 3`` to float32 ``n 3 h w`` in [-1, 1]."""
    return torch.from_numpy(np.array(frames)).permute(0, 3, 1, 2).float() / 127.5 - 1


def to_uint8(frames: Tensor) -> NDArray[np.uint8]:
    """Float ``n 3 h w`` in [-1, 1] to uint8 ``n h w 3``, rounded; values outside are clamped."""
    scaled = (frames.clamp(-1, 1) + 1) * 127.5
    return scaled.round().to(torch.uint8).permute(0, 2, 3, 1).numpy()


def train_autoencoder(recipe: AutoencoderRecipe, shards: Path, folder: Path) -> FitResult:
    """Trains in ``folder`` and writes the averaged, calibrated weights beside the checkpoints.

    ``folder/autoencoder.safetensors`` and ``autoencoder.json`` (its configuration, recipe
    and figures) are written whenever the run ends, early or not.
    """
    frames = cache_frames(shards, Path(folder) / "frames", recipe.data.every)
    task = AutoencoderTask(recipe, frames)
    result = fit(task, recipe, folder)
    save_autoencoder(task, folder, result)
    return result


def save_autoencoder(task: AutoencoderTask, folder: Path, result: FitResult) -> Path:
    """The averaged weights of the last checkpoint, calibrated on frames over the whole cache."""
    from safetensors.torch import save

    checkpoint = load_latest(Path(folder) / "checkpoints")
    assert checkpoint is not None, folder
    autoencoder = task.autoencoder
    autoencoder.load_state_dict(checkpoint.part("model") | checkpoint.part("ema"))
    autoencoder.eval()
    some = np.linspace(0, task.num_train - 1, num=min(512, task.num_train)).astype(np.int64)
    autoencoder.calibrate(move(to_float(task.frames[some]), task.device))
    with torch.no_grad():
        figures = task.figures()[0]
    path = Path(folder) / "autoencoder.safetensors"
    state = autoencoder.state_dict()
    tensors = {name: tensor.cpu().contiguous() for name, tensor in state.items()}
    write_atomically(path, save(tensors))
    about = {
        "config": plain(task.recipe.model),
        "recipe": checkpoint.recipe,
        "step": result.step,
        "finished": result.finished,
        "seconds": result.seconds,
        "figures": figures,
        "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
    }
    write_json(path.with_suffix(".json"), about)
    return path


def load_autoencoder(folder: Path) -> Autoencoder:
    """What ``train_autoencoder`` wrote, in eval mode.

    Raises:
        WorldreelError: the weights are missing or do not belong to their description.
    """
    from safetensors.torch import load

    path = Path(folder) / "autoencoder.safetensors"
    about = describe_autoencoder(folder)
    content = path.read_bytes() if path.exists() else b""
    if about is None or hashlib.sha256(content).hexdigest() != about["sha256"]:
        raise WorldreelError(
            f"{path} is missing or is not what its autoencoder.json describes.",
            remedy="Run the autoencoder's recipe again: it goes on from its last checkpoint.",
        )
    autoencoder = Autoencoder(parse(AutoencoderConfig, about["config"]))
    autoencoder.load_state_dict(load(content))
    return autoencoder.eval()


def describe_autoencoder(folder: Path) -> dict[str, Any] | None:
    """What ``autoencoder.json`` says: config, recipe, step, finished, figures; None without."""
    path = Path(folder) / "autoencoder.json"
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else None
