"""Training of the diffusion transformer by flow matching on cached latents."""

import json
from pathlib import Path
from typing import cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from worldreel.core.errors import UsageError
from worldreel.core.randomness import derive_seed, torch_generator
from worldreel.data.cache import TextStates, read_inputs
from worldreel.data.sampler import batch_indices
from worldreel.diffusion.guidance import guidance_applies, guide
from worldreel.diffusion.levels import region_levels, training_levels
from worldreel.diffusion.path import interpolate, velocity, velocity_from_x_0
from worldreel.diffusion.schedule import timesteps
from worldreel.diffusion.solvers import Solver, integrate
from worldreel.generate.denoiser import Denoiser, Prediction, per_latent
from worldreel.media.sheet import contact_sheet, save_image
from worldreel.models.autoencoder import Autoencoder
from worldreel.models.transformer import Transformer, initialize
from worldreel.train.device import find_device, move
from worldreel.train.loop import FitResult, fit
from worldreel.train.recipe import Bucket, TransformerRecipe


def flow_matching_loss(
    denoiser: Denoiser,
    x_0: Tensor,
    eps: Tensor,
    level: Tensor,
    text: Tensor,
    min_level: float,
    emphasis: Tensor | None = None,
) -> Tensor:
    """Mean square error of the velocity over what is not given clean; a scalar.

    Args:
        denoiser: the network; its output becomes a velocity there.
        x_0: latents ``b c t h w``.
        eps: noise of the same shape.
        level: noise levels ``b t`` or ``b t h w`` in [0, 1]; what is at 0 is given and has
            no loss.
        text: states of the prompts ``b n d``.
        min_level: below it the loss is weighted by ``(level / min_level)^2``.
        emphasis: weight of each position ``b t h w``, brought to a mean of 1 over the batch.
    """
    t = per_latent(level, x_0)
    x_t = interpolate(x_0, eps, t)
    target = velocity(x_0, eps)
    if denoiser.prediction == "x_0":  # the same above t_min, and reachable below it
        target = velocity_from_x_0(x_t, x_0, t, denoiser.t_min)
    error = (denoiser(x_t, level, text).float() - target).square().mean(dim=1)  # b t h w
    if emphasis is not None:
        error = error * (emphasis / emphasis.mean())
    if level.ndim == 2:
        error = error.mean(dim=(2, 3))  # b t
    weight = (level / min_level).clamp(max=1).square()
    return (weight * error).sum() / (level > 0).sum().clamp(min=1)


class TransformerTask:
    """Clips' latents with one of their captions, stage by stage."""

    def __init__(
        self,
        recipe: TransformerRecipe,
        latents: Path,
        text: Path,
        autoencoder: Autoencoder,
        objects: Path | None = None,
    ) -> None:
        self.recipe = recipe
        self.objects: NDArray[np.float16] | None = None
        if recipe.object_weight:
            assert objects is not None, "object_weight needs the objects' places"
            self.objects = np.load(Path(objects) / "objects.npy", mmap_mode="r")
        self.latents: NDArray[np.float16] = np.load(Path(latents) / "latents.npy", mmap_mode="r")
        captions = (Path(latents) / "captions.json").read_text(encoding="utf-8")
        self.captions: list[list[str]] = json.loads(captions)
        self.text = TextStates(text)
        self.device = find_device(recipe.run.device)
        self.autoencoder = autoencoder.to(self.device)
        self.num_views = 2 if read_inputs(latents).get("mirror", False) else 1
        self.num_clips = len(self.latents) // self.num_views
        self.num_held_out = min(recipe.num_held_out, self.num_clips // 2)
        self.num_train = self.num_clips - self.num_held_out
        self._check()
        self.transformer = Transformer(recipe.model)
        initialize(self.transformer, torch_generator(recipe.seed, "weights"))
        self.transformer.to(self.device)
        self.module: nn.Module = self.transformer
        self.blocks = list(self.transformer.blocks)
        self.denoiser = Denoiser(
            self.transformer,
            cast(Prediction, recipe.prediction),
            recipe.level_channel,
            recipe.position_channels,
        )

    def loss(self, step: int, generator: torch.Generator) -> tuple[Tensor, int]:
        """The flow-matching loss of one batch."""
        bucket, stream, place = self.bucket_at(step)
        seed = derive_seed(self.recipe.seed, "bucket", stream)
        drawn = batch_indices(seed, place, bucket.batch_size, self.num_views * self.num_train)
        indices = self.training_places(drawn)
        x_0 = self._clips(indices, bucket.num_frames)
        text = self._text(self._captions(indices, generator))
        emphasis = self._emphasis(indices, bucket.num_frames)
        return self._loss(x_0, text, generator, emphasis), bucket.batch_size

    def training_places(self, drawn: NDArray[np.int64]) -> NDArray[np.int64]:
        """Places in the cache of training items: the clips, then their mirror images.

        The last ``num_held_out`` clips and their mirror images are not among them.
        """
        view, clip = np.divmod(drawn, self.num_train)
        return view * self.num_clips + clip

    def bucket_at(self, step: int) -> tuple[Bucket, str, int]:
        """The bucket of a step, the name of its stream of clips, and the place in the stream."""
        number, first = 0, 0
        for stage in self.recipe.stages[:-1]:
            if step < first + stage.steps:
                break
            number, first = number + 1, first + stage.steps
        buckets = self.recipe.stages[number].buckets
        weights = np.array([bucket.weight for bucket in buckets])
        draw = derive_seed(self.recipe.seed, "bucket of step", step) / 2**63
        choice = int(np.searchsorted(np.cumsum(weights / weights.sum()), draw, side="right"))
        choice = min(choice, len(buckets) - 1)
        return buckets[choice], f"{number}.{choice}", step - first

    @torch.no_grad()
    def held_out_loss(self) -> float:
        """The loss on clips that are never trained on, always with the same noise."""
        num_frames = max(bucket.num_frames for bucket in self.recipe.stages[-1].buckets)
        losses: list[float] = []
        for start in range(self.num_train, self.num_clips, 16):
            indices = np.arange(start, min(start + 16, self.num_clips))
            text = self._text([self.captions[i][0] for i in indices])
            generator = torch_generator(self.recipe.seed, "held out", start)
            loss = self._loss(self._clips(indices, num_frames), text, generator)
            losses += [float(loss)] * len(indices)
        return sum(losses) / len(losses)

    def sample(self, path: Path) -> dict[str, float]:
        """Clips made from held-out captions, and the loss on held-out clips."""
        config = self.recipe.sample
        count = min(config.num_clips, self.num_held_out)
        indices = np.linspace(self.num_train, self.num_clips - 1, count).astype(int)
        prompts = [self.captions[i][0] for i in indices]
        latents = self.generate(prompts, torch_generator(self.recipe.seed, "sample"))
        clips = []
        for clip in latents.split(1):
            video = (self.autoencoder.decode(clip)[0].cpu() + 1) * 127.5  # 3 t h w
            clips.append(video.round().to(torch.uint8).permute(1, 2, 3, 0).numpy())
        save_image(path, contact_sheet(clips, prompts, columns=2, num_frames=8))
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.recipe.run.autocast):
            return {"held_out_loss": self.held_out_loss()}

    @torch.no_grad()
    def generate(self, prompts: list[str], generator: torch.Generator) -> Tensor:
        """Latents ``b c t h w`` for prompts that are in the text cache; nothing is given."""
        config = self.recipe.sample
        num_frames = max(bucket.num_frames for bucket in self.recipe.stages[-1].buckets)
        channels, _, height, width = self.latents.shape[1:]
        shape = (len(prompts), channels, num_frames, height, width)
        x = move(torch.randn(shape, generator=generator), self.device)
        text, empty = self._text(prompts), self._text([""] * len(prompts))

        def v(x: Tensor, t: Tensor) -> Tensor:
            level = t.float().expand(len(prompts), num_frames)
            with torch.autocast(self.device.type, torch.bfloat16, enabled=self.recipe.run.autocast):
                cond = self.denoiser(x, level, text)
                if not guidance_applies(float(t), config.guidance_scale, config.guidance_interval):
                    return cond
                return guide(cond, self.denoiser(x, level, empty), config.guidance_scale)

        times = timesteps(config.num_inference_steps, config.shift).to(self.device)
        return integrate(v, x, times, cast(Solver, config.solver))

    def _loss(
        self,
        x_0: Tensor,
        text: Tensor,
        generator: torch.Generator,
        emphasis: Tensor | None = None,
    ) -> Tensor:
        eps = torch.randn(x_0.shape, generator=generator)
        level = self._levels(x_0, generator)
        eps, level = move(eps, self.device), move(level, self.device)
        return flow_matching_loss(
            self.denoiser, x_0, eps, level, text, self.recipe.min_level, emphasis
        )

    def _levels(self, x_0: Tensor, generator: torch.Generator) -> Tensor:
        """``b t``, or ``b t h w`` for a batch of regions, which costs more a token."""
        config = self.recipe.levels
        batch, _, *shape = x_0.shape
        if config.region and float(torch.rand((), generator=generator)) < config.region:
            t, h, w = shape
            return region_levels(batch, (t, h, w), generator, config=config)
        return training_levels(batch, shape[0], generator, config=config)

    def _emphasis(self, indices: NDArray[np.int64], num_frames: int) -> Tensor | None:
        if self.objects is None:
            return None
        share = torch.from_numpy(self.objects[indices, :num_frames].astype(np.float32))
        emphasis = 1 + self.recipe.object_weight * (4 * share).clamp(max=1)
        return move(emphasis, self.device)

    def _clips(self, indices: NDArray[np.int64], num_frames: int) -> Tensor:
        latents = torch.from_numpy(self.latents[indices, :, :num_frames].astype(np.float32))
        return move(latents, self.device)

    def _text(self, captions: list[str]) -> Tensor:
        return move(self.text(captions), self.device)

    def _captions(self, indices: NDArray[np.int64], generator: torch.Generator) -> list[str]:
        draws = torch.rand(len(indices), 2, generator=generator).tolist()
        wordings = [self.captions[i] for i in indices]
        return [
            "" if drop < self.recipe.caption_dropout else words[int(which * len(words))]
            for words, (drop, which) in zip(wordings, draws, strict=True)
        ]

    def _check(self) -> None:
        recipe, model = self.recipe, self.recipe.model
        _, channels, longest, height, width = self.latents.shape
        expected = {
            "in_channels": channels + recipe.level_channel + 3 * recipe.position_channels,
            "out_channels": channels,
            "text_dim": self.text.dim,
        }
        for name, value in expected.items():
            if getattr(model, name) != value:
                raise UsageError(
                    f"model.{name} is {getattr(model, name)}; with these latents and this text "
                    f"encoder it must be {value}."
                )
        if recipe.data.mirror != (self.num_views == 2):
            raise UsageError(
                f"data.mirror is {str(recipe.data.mirror).lower()}, but the latents were cached "
                f"{'with' if self.num_views == 2 else 'without'} mirror images.",
                remedy="Cache them as the recipe says, or change data.mirror.",
            )
        patch = model.patch_size
        if height % patch[1] or width % patch[2]:
            raise UsageError(
                f"model.patch_size is {list(patch)}; latents of {height}x{width} do not divide."
            )
        for stage in recipe.stages:
            for bucket in stage.buckets:
                if bucket.num_frames % patch[0] or bucket.num_frames > longest:
                    raise UsageError(
                        f"a bucket has num_frames {bucket.num_frames}; it is a multiple of "
                        f"{patch[0]} up to {longest}."
                    )


def train_transformer(
    recipe: TransformerRecipe,
    latents: Path,
    text: Path,
    autoencoder: Autoencoder,
    folder: Path,
    objects: Path | None = None,
) -> FitResult:
    """Trains in ``folder`` on what ``cache_latents``, ``cache_text`` and, where the recipe has an
    ``object_weight``, ``cache_objects`` made."""
    return fit(TransformerTask(recipe, latents, text, autoencoder, objects), recipe, folder)
