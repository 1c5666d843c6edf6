"""Law 16: is a model more surprised by what cannot be?

A model's surprise at a clip is its own denoising loss. On a minimal pair, the same up to a
moment, the impossible clip should cost more (Riochet et al. 1803.07616, IntPhys). The sharper
question gives the model the past as it was and asks only for what comes after the moment.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from worldreel.core.errors import UsageError
from worldreel.core.progress import Progress, silent
from worldreel.core.randomness import numpy_generator, torch_generator
from worldreel.diffusion.path import interpolate, velocity
from worldreel.evaluate.case import Group, Split, draw_cases
from worldreel.evaluate.laws.foresight import unforeseen
from worldreel.evaluate.observe import observe
from worldreel.evaluate.results import Cell, LawResult, MetricResult
from worldreel.evaluate.statistics import bootstrap_mean
from worldreel.generate.denoiser import Denoiser
from worldreel.weights.load import LoadedModel
from worldreel.world.counterfactual import KINDS, Kind, Pair, minimal_pairs

NUMBER = 16
NAME = "surprise"
QUESTION = "Does what cannot be cost the model more than what can?"
CHANCE = 0.5

LABELS: dict[str, str] = {
    "all": "the impossible clip costs more (share of pairs)",
    "teleport": "jumping sideways costs more (share of pairs)",
    "recolour": "changing colour costs more (share of pairs)",
    "pass_through": "passing through, or pushing without touch, costs more (share of pairs)",
    "no_gravity": "no gravity in a flight costs more (share of pairs)",
}

GROUPS: dict[Kind, tuple[Group, ...]] = {
    "teleport": ("roll", "fall", "throw"),
    "recolour": ("roll", "fall", "throw"),
    "pass_through": ("collide",),
    "no_gravity": ("fall", "throw"),
}
"""The events whose scenes the pairs of each kind are made of."""

Costs = Callable[[Pair], tuple[float, float]]
"""What the possible and the impossible clip of a pair cost."""


@dataclass(frozen=True, kw_only=True)
class SurpriseConfig:
    """How a model is asked.

    Args:
        levels: noise levels at which its loss is taken, in (0, 1].
        num_draws: of the noise; both clips of a pair meet the same.
        given: whether the frames before the moment are given clean, and only those after it
            cost; otherwise all frames share a level and cost.
        horizon: frames after the moment that cost, where the past is given.
        prompted: whether it reads the possible clip's caption; otherwise it is told nothing,
            which a model that was trained with captions left out can be.
        seed: of the noise.

    Raises:
        UsageError: a value outside its range.
    """

    levels: tuple[float, ...] = (0.3, 0.5, 0.7, 0.9)
    num_draws: int = 2
    given: bool = True
    horizon: int = 12
    prompted: bool = False
    seed: int = 0

    def __post_init__(self) -> None:
        if not self.levels or not all(0 < level <= 1 for level in self.levels):
            raise UsageError(f"levels is {self.levels}; it must be noise levels in (0, 1].")
        for name in ("num_draws", "horizon"):
            if getattr(self, name) < 1:
                raise UsageError(f"{name} is {getattr(self, name)}; it must be at least 1.")


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What the clips of one pair cost.

    Args:
        key, match, kind: of the pair. possible, impossible: what its clips cost.
    """

    key: str
    match: str
    kind: Kind
    possible: float
    impossible: float

    @property
    def is_right(self) -> float:
        """1 where the impossible clip is costlier, 0 where it is cheaper, 0.5 if they are equal."""
        return 0.5 + 0.5 * float(np.sign(self.impossible - self.possible))


def draw_pairs(
    kind: Kind, num_matches: int, *, split: Split = "within", seed: int = 0
) -> Iterator[Pair]:
    """The pairs of so many matches of one kind; the same arguments give the same pairs."""
    cases = [draw_cases(group, split, 2 * num_matches, seed) for group in GROUPS[kind]]
    made = 0
    for case in (case for row in zip(*cases, strict=True) for case in row):
        if made >= num_matches:
            return
        pairs = minimal_pairs(case.scene, kind, seed)
        made += bool(pairs)
        yield from pairs
    assert made >= num_matches, f"{kind}: only {made} of {num_matches} matches fit the picture"


def surprise(
    model: LoadedModel,
    pairs: Iterable[Pair],
    config: SurpriseConfig | None = None,
    progress: Progress = silent,
) -> list[Verdict]:
    """What the clips of each pair cost a model; see `DenoisingLoss`."""
    return compare(pairs, {NAME: DenoisingLoss(model, config or SurpriseConfig())}, progress)[NAME]


def compare(
    pairs: Iterable[Pair], costs: Mapping[str, Costs], progress: Progress = silent
) -> dict[str, list[Verdict]]:
    """The verdicts of several costs, each pair made once.

    Args:
        progress: counts pairs; the total is not known and follows what is done.
    """
    verdicts: dict[str, list[Verdict]] = {name: [] for name in costs}
    for done, pair in enumerate(pairs):
        progress(done, done + 1, "measuring surprise")
        for name, cost in costs.items():
            possible, impossible = cost(pair)
            verdicts[name].append(
                Verdict(
                    key=pair.key,
                    match=pair.match,
                    kind=pair.kind,
                    possible=possible,
                    impossible=impossible,
                )
            )
    return verdicts


class DenoisingLoss:
    """A model's denoising loss on both clips of a pair, under the same noise.

    Args:
        model: any whose clips are of the pairs' size.
        config: levels, draws, and what is given.
    """

    def __init__(self, model: LoadedModel, config: SurpriseConfig) -> None:
        description = model.description
        self.model, self.config = model, config
        self.denoiser = Denoiser(
            model.transformer,
            description.prediction,
            description.level_channel,
            description.position_channels,
        )
        self._nothing_said = model.text([""])[0]

    @torch.inference_mode()
    def __call__(self, pair: Pair) -> tuple[float, float]:
        """The mean square error of the velocity: on the possible clip, on the impossible one."""
        config, device = self.config, self.model.device
        clips = np.stack([pair.possible.frames, pair.impossible.frames])
        video = torch.from_numpy(clips).to(device).permute(0, 4, 1, 2, 3) / 127.5 - 1
        with self._autocast():
            x_0 = self.model.autoencoder.encode(video).float()  # 2 c t h w
        self._check(x_0)
        first = self._first_after(pair.moment) if config.given else 0
        last = first + config.horizon if config.given else x_0.shape[2]
        levels = torch.tensor(config.levels, device=device)
        level = levels[:, None].repeat(1, x_0.shape[2])  # k t
        level[:, :first] = 0
        level = level.repeat_interleave(2, dim=0)  # (k 2) t
        said = [pair.possible.captions[0]]
        text = self.model.text(said)[0] if config.prompted else self._nothing_said
        x_0 = x_0.repeat(len(levels), 1, 1, 1, 1)
        text = text.to(device).expand(len(x_0), -1, -1)
        costs = torch.zeros(2, dtype=torch.float64)
        for draw in range(config.num_draws):
            generator = torch_generator(config.seed, pair.match, draw)
            eps = torch.randn((1, *x_0.shape[1:]), generator=generator).to(device)
            with self._autocast():
                v = self.denoiser(interpolate(x_0, eps, _per_frame(level)), level, text)
            error = (v.float() - velocity(x_0, eps)).square()[:, :, first:last]
            costs += error.double().mean(dim=(1, 2, 3, 4)).view(-1, 2).mean(dim=0).cpu()
        possible, impossible = (costs / config.num_draws).tolist()
        return possible, impossible

    def _first_after(self, moment: int) -> int:
        """The first latent frame that shows a frame from ``moment`` on."""
        stride = self.model.autoencoder.stride[0]
        if self.model.autoencoder.first_frame_alone:
            return 1 + (moment - 1) // stride
        return moment // stride

    def _check(self, x_0: Tensor) -> None:
        patch = self.model.description.patch_size
        if any(n % p for n, p in zip(x_0.shape[2:], patch, strict=True)):
            raise UsageError(
                f"{self.model.description.name} cuts latents into patches of {patch}; the clips "
                f"give {tuple(x_0.shape[2:])}, which do not divide.",
                remedy="Surprise is measured on clips of 48 frames of 128x128.",
            )

    def _autocast(self) -> torch.autocast:
        enabled = self.model.dtype is torch.bfloat16
        return torch.autocast(self.model.device.type, dtype=torch.bfloat16, enabled=enabled)


def foresight(pair: Pair) -> tuple[float, float]:
    """The ceiling: what a tracker that knows physics did not foresee in either clip."""
    possible, impossible = (
        unforeseen(pair.scene, observe(clip.frames, clip.fps))
        for clip in (pair.possible, pair.impossible)
    )
    return possible, impossible


def guess(pair: Pair) -> tuple[float, float]:
    """The floor: costs that do not depend on what the clips show."""
    possible, impossible = numpy_generator(0, "guess", pair.key).random(2).tolist()
    return possible, impossible


def shares(verdicts: Sequence[Verdict], seed: int = 0) -> dict[str, Cell]:
    """The share of pairs whose impossible clip is costlier, of ``all`` and of each kind.

    Each match counts once, as the mean of its pairs, and the intervals resample matches:
    their halves are no two independent pairs.
    """
    kinds = {"all": verdicts} | {kind: [v for v in verdicts if v.kind == kind] for kind in KINDS}
    return {kind: _share(chosen, seed) for kind, chosen in kinds.items() if chosen}


def law_result(
    model: Sequence[Verdict] | None,
    ceiling: Sequence[Verdict],
    *,
    split: Split = "within",
    seed: int = 0,
) -> LawResult:
    """The law's rows for the report: the ceiling by `foresight`, the floor is chance.

    Args:
        model: a model's verdicts; None where it cannot be asked.
        ceiling: those of `foresight` on the same pairs.
    """
    columns = {"simulator": shares(ceiling, seed), "generated": shares(model or [], seed)}
    floor = Cell(mean=CHANCE, low=CHANCE, high=CHANCE, num_clips=0)
    return LawResult(
        number=NUMBER,
        name=NAME,
        question=QUESTION,
        metrics=tuple(
            MetricResult.compare(
                name=f"{name}_share",
                label=LABELS[name],
                perfect=1.0,
                worst=0.0,
                floor_name="chance",
                split=split,
                columns={c: cells.get(name) for c, cells in columns.items()} | {"floor": floor},
            )
            for name in columns["simulator"]
        ),
    )


def _share(verdicts: Sequence[Verdict], seed: int) -> Cell:
    matches: dict[str, list[float]] = {}
    for verdict in verdicts:
        matches.setdefault(verdict.match, []).append(verdict.is_right)
    mean, low, high = bootstrap_mean([float(np.mean(m)) for m in matches.values()], seed)
    return Cell(mean=mean, low=low, high=high, num_clips=len(verdicts))


def _per_frame(level: Tensor) -> Tensor:
    return level[:, None, :, None, None]  # b 1 t 1 1
