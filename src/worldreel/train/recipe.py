"""A recipe is one whole run: everything that the trained weights depend on."""

import math
import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from worldreel.core.errors import UsageError
from worldreel.core.parse import parse, plain
from worldreel.diffusion.levels import LevelsConfig
from worldreel.diffusion.solvers import SOLVERS
from worldreel.models.autoencoder import AutoencoderConfig
from worldreel.models.transformer import TransformerConfig
from worldreel.train.override import override


@dataclass(frozen=True, kw_only=True)
class OptimConfig:
    """Muon on the hidden matrices, AdamW on the rest."""

    learning_rate: float = 2e-3
    """AdamW's."""
    muon_learning_rate: float = 0.02
    """0 leaves every parameter to AdamW."""
    muon_modules: str = "blocks."
    """A matrix is hidden, and Muon's, if its name holds this."""
    muon_momentum: float = 0.95
    betas: tuple[float, float] = (0.9, 0.95)
    weight_decay: float = 0.01
    """Applied to matrices, not to biases, norms and tables."""
    grad_clip: float = 1.0
    """Largest norm of the whole gradient."""

    def __post_init__(self) -> None:
        _within(self, "learning_rate", 0.0, 1.0)
        _within(self, "muon_learning_rate", 0.0, 1.0)
        _within(self, "muon_momentum", 0.0, 0.9999)
        _within(self, "weight_decay", 0.0, 10.0)
        _within(self, "grad_clip", 1e-9, math.inf)
        for beta in self.betas:
            if not 0 <= beta < 1:
                raise UsageError(f"betas is {list(self.betas)}; each is in [0, 1).")


@dataclass(frozen=True, kw_only=True)
class ScheduleConfig:
    """Warm-up, stable, cool-down (WSD): the factor on all learning rates."""

    total_steps: int
    warmup_steps: int = 100
    cooldown_steps: int = 0
    """The last so many steps go down linearly to ``final_factor``."""
    final_factor: float = 0.0

    def __post_init__(self) -> None:
        _within(self, "total_steps", 1, 10**9)
        _within(self, "warmup_steps", 0, 10**9)
        _within(self, "cooldown_steps", 0, self.total_steps)
        _within(self, "final_factor", 0.0, 1.0)


@dataclass(frozen=True, kw_only=True)
class EmaConfig:
    """The average of the weights that is shown and shipped."""

    decay: float = 0.999

    def __post_init__(self) -> None:
        _within(self, "decay", 0.0, 0.999999)


@dataclass(frozen=True, kw_only=True)
class RunConfig:
    """How a run is carried out. Only ``device``, ``autocast``, ``num_threads`` and ``compile``
    touch the numbers, and those by rounding alone."""

    device: str = "cpu"
    """Or cuda. A run may go on on the other: what is random is drawn on the CPU."""
    autocast: bool = True
    """bf16 autocast over fp32 masters."""
    num_threads: int = 0
    """Threads of torch; 0 leaves them as they are."""
    compile: bool = False
    """torch.compile the blocks: about a minute for each batch shape, then 5 to 12% faster.
    Needs g++."""
    checkpoint_minutes: float = 5.0
    max_minutes: float = 0.0
    """Wall-clock budget over all resumes; the cool-down is begun in time to end in it.
    0 is none."""
    max_bad_steps: int = 20
    """So many steps in a row with a non-finite loss or gradient end the run."""
    log_every: int = 10
    sample_every: int = 1000
    """Steps between contact sheets; 0 is none."""
    tracker: bool = False
    """Also log to trackio, offline."""

    def __post_init__(self) -> None:
        if self.device not in ("cpu", "cuda"):
            raise UsageError(f"device is {self.device!r}; it is 'cpu' or 'cuda'.")
        _within(self, "num_threads", 0, 4096)
        _within(self, "checkpoint_minutes", 0.0, math.inf)
        _within(self, "max_minutes", 0.0, math.inf)
        _within(self, "max_bad_steps", 1, 10**6)
        _within(self, "log_every", 1, 10**6)
        _within(self, "sample_every", 0, 10**9)


@dataclass(frozen=True, kw_only=True)
class WorldConfig:
    """The simulated clips that are rendered where no shards are given."""

    num_clips: int = 8000
    seed: int = 0
    num_workers: int = 2

    def __post_init__(self) -> None:
        _within(self, "num_clips", 1, 10**8)
        _within(self, "seed", 0, 2**63 - 1)
        _within(self, "num_workers", 1, 4096)


@dataclass(frozen=True, kw_only=True)
class CropConfig:
    """What an autoencoder's step sees: crops of single frames."""

    every: int = 4
    """Each so manieth frame of a clip is cached."""
    crop: int = 64
    """Side of the square crops, pixels."""
    batch_size: int = 64
    object_centred: float = 0.5
    """Share of crops with a pixel of an object in the middle."""
    num_held_out: int = 64
    """Frames at the cache's end that are only looked at."""

    def __post_init__(self) -> None:
        _within(self, "every", 1, 10**6)
        _within(self, "crop", 8, 4096)
        _within(self, "batch_size", 1, 10**6)
        _within(self, "object_centred", 0.0, 1.0)
        _within(self, "num_held_out", 1, 10**6)


@dataclass(frozen=True, kw_only=True)
class ReconstructionConfig:
    """The autoencoder's loss, on pixels in [-1, 1]."""

    l1: float = 1.0
    l2: float = 1.0
    gradient: float = 1.0
    """L1 of finite differences along height and width."""
    object_weight: float = 4.0
    """Weight of a pixel on an object; 1 elsewhere. Weights are normalised to a mean of 1."""
    dilate: int = 2
    """Pixels by which objects are widened."""
    kl: float = 1e-4
    """On the mean square of the raw latents: the KL to a unit Gaussian at fixed variance."""
    noise_std: float = 0.1
    """Noise added to the raw latents before they are decoded."""

    def __post_init__(self) -> None:
        for name in ("l1", "l2", "gradient", "kl", "noise_std"):
            _within(self, name, 0.0, 1e6)
        _within(self, "object_weight", 1.0, 1e6)
        _within(self, "dilate", 0, 64)


@dataclass(frozen=True, kw_only=True)
class GateConfig:
    """What an autoencoder must reach on held-out frames before a transformer is trained."""

    psnr: float = 31.0
    """dB, over all pixels."""
    psnr_objects: float = 26.0
    """dB, over the pixels of objects."""
    num_clips: int = 32
    """Newly simulated clips on which colours and motion are measured afterwards."""

    def __post_init__(self) -> None:
        _within(self, "num_clips", 1, 10**4)
        _within(self, "psnr", 0.0, 100.0)
        _within(self, "psnr_objects", 0.0, 100.0)


@dataclass(frozen=True, kw_only=True)
class ReleaseConfig:
    """What the finished model's description says that training does not know."""

    version: str = "0.1.0"
    license: str = "Apache-2.0"
    summary: str = ""
    takes: tuple[str, ...] = ("text",)
    size_min: int = 96
    """Least and largest side, pixels."""
    size_max: int = 256
    seconds_max: float = 60.0
    dtype: str = "fp16"
    """How the weights are stored: fp32, bf16 or fp16."""

    def __post_init__(self) -> None:
        _within(self, "size_min", 1, 16384)
        _within(self, "size_max", self.size_min, 16384)
        _within(self, "seconds_max", 1e-3, 86400)
        if self.dtype not in ("fp32", "bf16", "fp16"):
            raise UsageError(f"dtype is {self.dtype!r}; it is 'fp32', 'bf16' or 'fp16'.")


@dataclass(frozen=True, kw_only=True)
class LatentsConfig:
    """What a transformer's steps draw from."""

    mirror: bool = False
    """Each clip also flipped left-right, left and right swapped in its captions."""


@dataclass(frozen=True, kw_only=True)
class Bucket:
    """Clips of one length that make a batch."""

    num_frames: int
    """Latent frames, from the clip's start."""
    batch_size: int
    weight: float = 1.0
    """How often, beside the other buckets of the stage."""

    def __post_init__(self) -> None:
        _within(self, "num_frames", 1, 10**6)
        _within(self, "batch_size", 1, 10**6)
        _within(self, "weight", 0.0, math.inf)


@dataclass(frozen=True, kw_only=True)
class Stage:
    """A stretch of the training with its own buckets: short clips first."""

    buckets: tuple[Bucket, ...]
    steps: int = 0
    """0 for the last stage: it goes on to the schedule's end."""

    def __post_init__(self) -> None:
        _within(self, "steps", 0, 10**9)
        if not self.buckets or sum(bucket.weight for bucket in self.buckets) <= 0:
            raise UsageError("a stage has at least one bucket with a weight above 0.")


@dataclass(frozen=True, kw_only=True)
class SampleConfig:
    """The contact sheets on the way, and what the model's description will say."""

    num_clips: int = 8
    num_inference_steps: int = 24
    guidance_scale: float = 2.0
    guidance_interval: tuple[float, float] = (0.0, 1.0)
    shift: float = 1.0
    solver: str = "euler"
    context_level: float = 0.0
    """The noise on what a stretch of a long video sees of the one before."""

    def __post_init__(self) -> None:
        _within(self, "context_level", 0.0, 1.0)
        _within(self, "num_clips", 1, 64)
        _within(self, "num_inference_steps", 1, 1000)
        _within(self, "guidance_scale", 0.0, 100.0)
        _within(self, "shift", 1e-3, 1e3)
        low, high = self.guidance_interval
        if not 0 <= low <= high <= 1:
            raise UsageError(
                f"guidance_interval is [{low}, {high}]; both are from 0 to 1, the lower first."
            )
        if self.solver not in SOLVERS:
            raise UsageError(f"solver is {self.solver!r}; it is one of {', '.join(SOLVERS)}.")


@dataclass(frozen=True, kw_only=True)
class AutoencoderRecipe:
    """How the light autoencoder is trained."""

    kind: str
    name: str
    schedule: ScheduleConfig
    seed: int = 0
    model: AutoencoderConfig = field(default_factory=AutoencoderConfig)
    world: WorldConfig = field(default_factory=WorldConfig)
    data: CropConfig = field(default_factory=CropConfig)
    loss: ReconstructionConfig = field(default_factory=ReconstructionConfig)
    gate: GateConfig = field(default_factory=GateConfig)
    optim: OptimConfig = field(default_factory=lambda: OptimConfig(muon_learning_rate=0.0))
    ema: EmaConfig = field(default_factory=EmaConfig)
    run: RunConfig = field(default_factory=RunConfig)

    def __post_init__(self) -> None:
        _check_head(self, "autoencoder")


@dataclass(frozen=True, kw_only=True)
class TransformerRecipe:
    """How the diffusion transformer is trained, and with which autoencoder."""

    kind: str
    name: str
    schedule: ScheduleConfig
    stages: tuple[Stage, ...]
    model: TransformerConfig
    seed: int = 0
    autoencoder: str = ""
    """The autoencoder's recipe, a path beside this recipe."""
    prediction: str = "x_0"
    level_channel: bool = True
    position_channels: bool = False
    """Three more input channels: the time, row and column of each latent."""
    caption_dropout: float = 0.1
    """Share of clips that are trained with the empty prompt."""
    min_level: float = 0.2
    """Below this level a frame's loss is weighted down by ``(level / min_level)^2``. The
    velocity of an ``x_0`` prediction is divided by the level: without this, given frames
    that carry a little noise (levels.noisy_given) would outweigh all that is dreamt."""
    object_weight: float = 0.0
    """How much more the loss weighs where an object or the set is: cells of the latent grid that
    it covers by a quarter or more count ``1 + object_weight`` times."""
    num_held_out: int = 64
    """Clips at the data's end that are never trained on, nor their mirror images."""
    data: LatentsConfig = field(default_factory=LatentsConfig)
    sample: SampleConfig = field(default_factory=SampleConfig)
    release: ReleaseConfig = field(default_factory=ReleaseConfig)
    world: WorldConfig = field(default_factory=WorldConfig)
    levels: LevelsConfig = field(default_factory=LevelsConfig)
    optim: OptimConfig = field(default_factory=OptimConfig)
    ema: EmaConfig = field(default_factory=EmaConfig)
    run: RunConfig = field(default_factory=RunConfig)

    def __post_init__(self) -> None:
        _check_head(self, "transformer")
        _within(self, "caption_dropout", 0.0, 1.0)
        _within(self, "min_level", 1e-6, 1.0)
        _within(self, "object_weight", 0.0, 1e3)
        _within(self, "num_held_out", 1, 10**6)
        if self.prediction not in ("x_0", "v"):
            raise UsageError(f"prediction is {self.prediction!r}; it is 'x_0' or 'v'.")
        if not self.stages:
            raise UsageError("stages is empty; a run has at least one stage.")
        for i, stage in enumerate(self.stages[:-1]):
            if stage.steps == 0:
                raise UsageError(f"stages.{i}.steps is 0; only the last stage has no end.")


Recipe = AutoencoderRecipe | TransformerRecipe


def load_recipe(path: Path | str, overrides: list[str] | None = None) -> Recipe:
    """Reads a TOML recipe and applies dotted overrides such as ``optim.grad_clip=0.5``.

    Raises:
        UsageError: no such file, no TOML, an unknown key (the closest is named), or a
            value of the wrong type or out of range.
    """
    path = Path(path)
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise UsageError(f"there is no recipe {path}.", remedy="Look in recipes/.") from error
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise UsageError(f"cannot read the recipe {path}: {error}") from error
    for assignment in overrides or []:
        override(values, assignment)
    return recipe_from(values)


def recipe_from(values: dict[str, Any]) -> Recipe:
    """A recipe from plain values, as they stand in a checkpoint."""
    kinds = {"autoencoder": AutoencoderRecipe, "transformer": TransformerRecipe}
    kind = values.get("kind")
    if kind not in kinds:
        raise UsageError(f"kind is {kind!r}; it is one of {', '.join(map(repr, kinds))}.")
    return parse(kinds[kind], values)


def recipe_values(recipe: Recipe) -> dict[str, Any]:
    """The whole recipe as plain values, every default resolved."""
    return plain(recipe)


def _check_head(recipe: Any, kind: str) -> None:
    if recipe.kind != kind:
        raise UsageError(f"kind is {recipe.kind!r}; it is {kind!r} here.")
    if not recipe.name or not all(c.isalnum() or c in "-_." for c in recipe.name):
        raise UsageError(f"name is {recipe.name!r}; it is letters, digits, '-', '_' and '.'.")
    _within(recipe, "seed", 0, 2**63 - 1)


def _within(config: Any, name: str, low: float, high: float) -> None:
    value = getattr(config, name)
    if not low <= value <= high:
        raise UsageError(
            f"{name} is {value}; it is from {low:g} to {high:g}.",
            remedy="Correct it in the recipe.",
        )
