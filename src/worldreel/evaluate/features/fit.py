"""Trains the networks of features on clips of the simulated world.

``python -m worldreel.evaluate.features.fit SHARDS`` writes the weights that are shipped. The
same shards and seed give the same weights on the same machine.
"""

import argparse
import platform
import time
from collections.abc import Iterator
from dataclasses import dataclass, fields
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional as F

from worldreel.core.randomness import derive_seed, torch_generator
from worldreel.data.shards import hash_manifest, read_shards
from worldreel.evaluate.features.arrow import ArrowNetwork, arrow_logit, look_for_clues
from worldreel.evaluate.features.network import FRAMES_PER_STEP, State, StateNetwork
from worldreel.evaluate.features.targets import Examples, make_examples
from worldreel.evaluate.features.weights import FOLDER, save_networks
from worldreel.weights.load import fastest_dtype

HELD_OUT = 128
"""The last clips of the shards are not trained on: they give the figures of the description."""

BY_STEP = ("present", "place", "motion", "contact", "camera")

Batch = dict[str, Tensor]


@dataclass(frozen=True, kw_only=True)
class FitConfig:
    """How the networks are trained; defaults are those of the shipped weights.

    Args:
        epochs: times that every clip is shown, each time ``steps`` steps of it.
    """

    seed: int = 0
    epochs: int = 16
    batch: int = 24
    steps: int = 8
    learning_rate: float = 3e-3
    weight_decay: float = 0.02
    arrow_epochs: int = 30
    arrow_batch: int = 64
    arrow_learning_rate: float = 2e-3
    log_seconds: float = 30.0


def as_batch(
    examples: Examples, chosen: Tensor, first: int = 0, num_steps: int | None = None
) -> Batch:
    """Some of the examples as tensors by name, frames in [0, 1]: all steps, or a part of them."""
    last = examples.present.shape[1] if num_steps is None else first + num_steps
    batch: Batch = {}
    for field in fields(examples):
        values = getattr(examples, field.name)
        if field.name == "frames":
            values = values[:, first * FRAMES_PER_STEP : last * FRAMES_PER_STEP]
        elif field.name in BY_STEP:
            values = values[:, first:last]
        batch[field.name] = torch.from_numpy(values[chosen.numpy()])
    return {**batch, "frames": batch["frames"].float() / 255}


def reverse(batch: Batch) -> Batch:
    """The batch with time running backward."""
    turned = {name: batch[name].flip(1) for name in ("frames", *BY_STEP)}
    camera = torch.cat([-turned["camera"][..., :6], turned["camera"][..., 6:]], dim=-1)
    return {**batch, **turned, "motion": -turned["motion"], "camera": camera}


def mirror(batch: Batch) -> Batch:
    """The batch seen in a mirror: left for right."""
    left = torch.tensor([-1.0])
    one = torch.ones(1)
    turn = torch.tensor([1.0, -1, -1, -1, 1, 1, 1, 1])
    return {
        **batch,
        "frames": batch["frames"].flip(3),
        "place": batch["place"] * torch.cat([left, one, one]),
        "motion": batch["motion"] * torch.cat([left, one]),
        "camera": batch["camera"] * turn,
    }


def wear(frames: Tensor, generator: torch.Generator) -> Tensor:
    """Frames ``b t h w 3`` a little worse: darker or lighter, softer, noisier, each by chance,
    so that the network also reads clips that a model made."""
    out = []
    for clip in frames:
        chance, amount = torch.rand(2, 3, generator=generator)
        if chance[0] < 0.3:
            clip = clip * (0.85 + 0.3 * amount[0])
        if chance[1] < 0.3:
            soft = F.avg_pool2d(F.pad(clip.permute(0, 3, 1, 2), (1, 1, 1, 1), "replicate"), 3, 1)
            clip = torch.lerp(clip, soft.permute(0, 2, 3, 1), amount[1])
        if chance[2] < 0.3:
            noise = torch.randn(clip.shape, generator=generator)
            clip = clip + 0.06 * amount[2] * noise
        out.append(clip.clamp(0, 1))
    return torch.stack(out)


def state_loss(state: State, batch: Batch) -> dict[str, Tensor]:
    """The parts of the loss, weighted; what is not seen has no place, motion or contact."""
    present = batch["present"]
    seen = present / present.sum().clamp(min=1)

    def over_seen(error: Tensor) -> Tensor:  # b s 10
        return (error * seen).sum()

    place = F.smooth_l1_loss(state.place, batch["place"], beta=0.05, reduction="none")
    motion = F.smooth_l1_loss(state.motion, batch["motion"], beta=0.05, reduction="none")
    contact = F.binary_cross_entropy_with_logits(state.contact, batch["contact"], reduction="none")
    steps = state.floor.shape[1]
    floor, sky = (batch[name][:, None].expand(-1, steps) for name in ("floor", "sky"))
    return {
        "present": 4 * F.binary_cross_entropy_with_logits(state.present, present),
        "place": 8 * over_seen(place.mean(-1)),
        "motion": 4 * over_seen(motion.mean(-1)),
        "contact": 0.5 * over_seen(contact.mean(-1)),
        "camera": 2 * F.smooth_l1_loss(state.camera, batch["camera"], beta=0.05),
        "floor": 0.2 * F.cross_entropy(state.floor.movedim(-1, 1), floor),
        "sky": 0.2 * F.cross_entropy(state.sky.movedim(-1, 1), sky),
    }


def batches(num: int, size: int, generator: torch.Generator) -> Iterator[Tensor]:
    """One epoch of numbers below ``num`` in random order; the last few that fill no batch rest."""
    order = torch.randperm(num, generator=generator)
    for i in range(0, num - size + 1, size):
        yield order[i : i + size]


def fit_state(examples: Examples, config: FitConfig) -> StateNetwork:
    """Trains the network of features."""
    with torch.random.fork_rng():
        torch.manual_seed(derive_seed(config.seed, "state") % 2**31)
        network = StateNetwork().train()
    generator = torch_generator(config.seed, "state batches")
    optimizer = torch.optim.AdamW(
        network.parameters(), config.learning_rate, weight_decay=config.weight_decay
    )
    total = config.epochs * (len(examples) // config.batch)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, config.learning_rate, total, pct_start=0.15, cycle_momentum=False
    )
    rest = examples.present.shape[1] - config.steps
    bf16 = fastest_dtype() is torch.bfloat16
    begin = logged = time.monotonic()
    for epoch in range(config.epochs):
        for chosen in batches(len(examples), config.batch, generator):
            # a part of each clip: the rest of it would teach little more
            first = int(torch.randint(0, rest + 1, (), generator=generator))
            batch = as_batch(examples, chosen, first, config.steps)
            turn, flip = torch.rand(2, generator=generator)
            batch = reverse(batch) if turn < 0.5 else batch
            batch = mirror(batch) if flip < 0.5 else batch
            frames = wear(batch["frames"], generator)
            with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
                state = network(frames)
            state = State(**{f.name: getattr(state, f.name).float() for f in fields(state)})
            losses = state_loss(state, batch)
            optimizer.zero_grad()
            torch.stack(list(losses.values())).sum().backward()
            torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
            optimizer.step()
            schedule.step()
            if time.monotonic() - logged > config.log_seconds:
                logged = time.monotonic()
                parts = "  ".join(f"{k} {v.item():.3f}" for k, v in losses.items())
                print(f"{logged - begin:5.0f} s  epoch {epoch}  {parts}", flush=True)
    network.eval().requires_grad_(False)
    set_scale(network, examples[:512])
    return network


def set_scale(network: StateNetwork, examples: Examples) -> None:
    """Measures how much each feature varies from clip to clip."""
    with torch.inference_mode():
        rows = [
            network(as_batch(examples, numbers)["frames"]).pooled()
            for numbers in torch.arange(len(examples)).split(16)
        ]
        spread = torch.cat(rows).std(dim=0)
        # one that hardly varies must not be blown up
        network.get_buffer("feature_scale").copy_(spread.clamp(min=0.1 * float(spread.median())))


def clues_both_ways(network: StateNetwork, examples: Examples, size: int = 16) -> Tensor:
    """Clues of every clip forward and reversed, ``n 2 s 10 48``."""
    found = []
    with torch.inference_mode():
        for numbers in torch.arange(len(examples)).split(size):
            batch = as_batch(examples, numbers)
            ways = [look_for_clues(network(x["frames"])) for x in (batch, reverse(batch))]
            found.append(torch.stack(ways, dim=1))
    return torch.cat(found).clone()


def fit_arrow(clues: Tensor, config: FitConfig) -> ArrowNetwork:
    """Trains the judge of the arrow of time on ``n 2 s 10 48``, forward and reversed."""
    with torch.random.fork_rng():
        torch.manual_seed(derive_seed(config.seed, "arrow") % 2**31)
        network = ArrowNetwork().train()
        generator = torch_generator(config.seed, "arrow batches")
        optimizer = torch.optim.AdamW(
            network.parameters(), config.arrow_learning_rate, weight_decay=0.05
        )
        total = config.arrow_epochs * (len(clues) // config.arrow_batch)
        schedule = torch.optim.lr_scheduler.OneCycleLR(
            optimizer, config.arrow_learning_rate, total, pct_start=0.1, cycle_momentum=False
        )
        steps = clues.shape[2]
        for _ in range(config.arrow_epochs):
            for chosen in batches(len(clues), config.arrow_batch, generator):
                # parts of clips too: where an object starts and ends is no proof
                length = int(torch.randint(steps // 2, steps + 1, (), generator=generator))
                start = int(torch.randint(0, steps - length + 1, (), generator=generator))
                forward = clues[chosen, 0, start : start + length]
                backward = clues[chosen, 1, steps - start - length : steps - start]
                loss = F.softplus(-arrow_logit(network, forward, backward)).mean()
                optimizer.zero_grad()
                loss.backward()
                torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
                optimizer.step()
                schedule.step()
    return network.eval().requires_grad_(False)


def figures(network: StateNetwork, arrow: ArrowNetwork, examples: Examples) -> dict[str, float]:
    """How well both networks do on clips that they have not seen."""
    found: dict[str, list[Tensor]] = {}
    with torch.inference_mode():
        for numbers in torch.arange(len(examples)).split(16):
            batch = as_batch(examples, numbers)
            state = network(batch["frames"])
            seen = batch["present"] > 0.5
            away = (state.place - batch["place"])[seen]
            speed = (state.motion - batch["motion"])[seen]
            parts = {
                "present_accuracy": ((state.present > 0) == seen).float().flatten(),
                "place_error": away[:, :2].norm(dim=-1) / 2,
                "depth_error": away[:, 2].abs(),
                "motion_error": speed.norm(dim=-1) / 16,
                "contact_accuracy": ((state.contact > 0) == (batch["contact"] > 0.5))[seen]
                .float()
                .flatten(),
                "camera_error": (state.camera - batch["camera"]).abs().flatten(),
                "floor_accuracy": (state.floor.argmax(-1) == batch["floor"][:, None])
                .float()
                .flatten(),
                "sky_accuracy": (state.sky.argmax(-1) == batch["sky"][:, None]).float().flatten(),
            }
            for name, values in parts.items():
                found.setdefault(name, []).append(values)
        clues = clues_both_ways(network, examples[examples.one_way])
        found["arrow_accuracy"] = [(arrow_logit(arrow, clues[:, 0], clues[:, 1]) > 0).float()]
    return {name: round(float(torch.cat(parts).mean()), 5) for name, parts in found.items()}


def fit(examples: Examples, config: FitConfig) -> tuple[StateNetwork, ArrowNetwork]:
    """Trains both networks, the second on events that run one way only: of what rolls or lies
    still it could but learn where the simulator lets it start."""
    network = fit_state(examples, config).half().float()  # as it will be stored
    return network, fit_arrow(clues_both_ways(network, examples[examples.one_way]), config)


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("shards", type=Path, help="a folder of clips, from worldreel world render")
    parser.add_argument("--out", type=Path, default=FOLDER, help="where the weights go")
    parser.add_argument("--seed", type=int, default=FitConfig.seed)
    parser.add_argument("--epochs", type=int, default=FitConfig.epochs)
    options = parser.parse_args()
    config = FitConfig(seed=options.seed, epochs=options.epochs)
    begin = time.monotonic()
    examples = make_examples(read_shards(options.shards))
    print(f"{len(examples)} clips read in {time.monotonic() - begin:.0f} s", flush=True)
    network, arrow = fit(examples[: len(examples) - HELD_OUT], config)
    measured = figures(network, arrow, examples[len(examples) - HELD_OUT :])
    threads = torch.get_num_threads()
    about = {
        "clips": len(examples) - HELD_OUT,
        "held_out_clips": HELD_OUT,
        "data": hash_manifest(options.shards),
        "seed": config.seed,
        "epochs": config.epochs,
        "minutes": round((time.monotonic() - begin) / 60, 1),
        "machine": f"{platform.machine()}, torch {torch.__version__}, {threads} thread(s)",
        "held_out": measured,
    }
    options.out.mkdir(parents=True, exist_ok=True)
    save_networks(network, arrow, about, options.out)
    print(about)


if __name__ == "__main__":
    main()
