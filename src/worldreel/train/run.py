"""A recipe's whole run: world, autoencoder, gate, latents and text, transformer, model."""

import json
import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from worldreel.core.errors import UsageError, WorldreelError
from worldreel.core.progress import Progress, silent
from worldreel.data.cache import cache_latents, cache_objects, cache_text
from worldreel.data.files import write_json
from worldreel.data.shards import read_manifest
from worldreel.data.simulate import render_shards
from worldreel.models.autoencoder import Autoencoder
from worldreel.train.autoencoder import describe_autoencoder, load_autoencoder, train_autoencoder
from worldreel.train.device import find_device
from worldreel.train.export import export_model
from worldreel.train.lock import locked
from worldreel.train.recipe import (
    AutoencoderRecipe,
    TransformerRecipe,
    WorldConfig,
    load_recipe,
)
from worldreel.train.transformer import train_transformer

NUM_TOKENS = 64
"""Tokens of a prompt that a model of ours sees."""


@dataclass(frozen=True, kw_only=True)
class GateResult:
    """What a gate measured."""

    figures: dict[str, float]
    missed: list[str]
    """The figures that are not good enough, each in words with its limit; empty is a pass."""


Gate = Callable[[Autoencoder, int], GateResult]
"""A further check of a trained autoencoder, on so many clips."""


def train(
    recipe_path: Path | str,
    overrides: list[str] | None = None,
    out_dir: Path | str | None = None,
    *,
    gate: Gate | None = None,
    progress: Progress = silent,
) -> Path:
    """Carries a recipe out and returns what it made.

    Every stage whose result is there is skipped, and an interrupted one goes on, so the same
    command finishes a run however often it was killed.

    Args:
        recipe_path: a TOML file of kind ``autoencoder`` or ``transformer``.
        overrides: ``a.b=value``; in a transformer's recipe ``autoencoder.a.b=value`` is for
            its autoencoder's recipe.
        out_dir: the run's folder; by default ``runs/<name>``. It gets ``world``,
            ``autoencoder-world``, ``autoencoder``, ``latents``, ``text``, ``transformer`` and
            ``model``; for an autoencoder's recipe ``world`` and ``autoencoder`` alone.
        gate: a check after the recipe's own gate, on ``gate.num_clips`` clips. What it said
            is kept as ``autoencoder/gate.json``; weights that passed are not measured again.
        progress: of rendering and caching; training reports for itself.

    Returns:
        The model's folder, or the autoencoder's file.

    Raises:
        UsageError: the recipe or an override is wrong.
        WorldreelError: the gate was missed, the run was stopped, or the disk failed.
    """
    mine, inner = _split(overrides or [])
    recipe = load_recipe(recipe_path, mine)
    out = Path(out_dir) if out_dir is not None else Path("runs") / recipe.name
    if isinstance(recipe, AutoencoderRecipe):
        if inner:
            raise UsageError(f"{inner[0]!r} is for a transformer's recipe.")
        with locked(out):
            ensure_autoencoder(recipe, out / "world", out / "autoencoder", gate, progress)
        return out / "autoencoder" / "autoencoder.safetensors"
    autoencoder_recipe = _autoencoder_recipe(recipe, recipe_path, inner)
    with locked(out):
        return _train_model(recipe, autoencoder_recipe, out, gate, progress)


def _train_model(
    recipe: TransformerRecipe,
    autoencoder_recipe: AutoencoderRecipe,
    out: Path,
    gate: Gate | None,
    progress: Progress,
) -> Path:
    from worldreel.models.text import load_minilm

    worlds = out / "autoencoder-world", out / "world"
    autoencoder = ensure_autoencoder(
        autoencoder_recipe, worlds[0], out / "autoencoder", gate, progress
    )
    shards = ensure_world(recipe.world, worlds[1], progress)
    autoencoder = autoencoder.to(find_device(recipe.run.device))
    mirror = recipe.data.mirror
    latents = cache_latents(shards, autoencoder, out / "latents", mirror, progress=progress)
    wordings = json.loads((latents / "captions.json").read_text(encoding="utf-8"))
    captions = [caption for clip in wordings for caption in clip]
    text = cache_text(captions, load_minilm(NUM_TOKENS), out / "text", progress=progress)
    objects = None
    if recipe.object_weight:
        cell = autoencoder.stride[1:]
        objects = cache_objects(shards, out / "objects", cell, mirror, progress=progress)
    result = train_transformer(recipe, latents, text, autoencoder, out / "transformer", objects)
    if not result.finished:
        raise _stopped("transformer", result.step)
    runs = out / "transformer", out / "autoencoder"
    export_model(*runs, shards, NUM_TOKENS, out / "model", recipe=recipe)
    return out / "model"


def ensure_world(config: WorldConfig, folder: Path, progress: Progress = silent) -> Path:
    """Renders the simulated clips that ``folder`` does not hold yet.

    Raises:
        WorldreelError: the folder holds other clips than the recipe says, or more.
    """
    about, found = folder / "world.json", 0
    if about.exists():
        seed = json.loads(about.read_text(encoding="utf-8"))["seed"]
        if seed != config.seed:
            raise WorldreelError(
                f"{folder} holds the world of seed {seed}, the recipe says {config.seed}.",
                remedy=f"Set world.seed={seed}, or train into another folder.",
            )
    if (folder / "manifest.parquet").exists():
        found = len(read_manifest(folder))
    if found < config.num_clips:
        folder.mkdir(parents=True, exist_ok=True)
        write_json(about, {"seed": config.seed})
        render_shards(folder, config.num_clips, config.seed, config.num_workers, progress)
        found = len(read_manifest(folder))
    if found != config.num_clips:
        raise WorldreelError(
            f"{folder} holds {found} clips, the recipe says {config.num_clips}.",
            remedy=f"Set world.num_clips={found}, or train into another folder.",
        )
    return folder


def ensure_autoencoder(
    recipe: AutoencoderRecipe,
    world: Path,
    folder: Path,
    gate: Gate | None = None,
    progress: Progress = silent,
) -> Autoencoder:
    """Trains the autoencoder unless ``folder`` holds a finished one, and holds it to its gates.

    Args:
        world: the folder of its clips; rendered by its recipe where it must be trained.
        folder: its run.
        gate: the check after the recipe's own.
        progress: of rendering.

    Raises:
        WorldreelError: stopped before the end, or a gate was missed.
    """
    about = describe_autoencoder(folder)
    if about is None or not about["finished"]:
        shards = ensure_world(recipe.world, world, progress)
        result = train_autoencoder(recipe, shards, folder)
        if not result.finished:
            raise _stopped("autoencoder", result.step)
        about = describe_autoencoder(folder)
        assert about is not None
    limits = {"psnr": recipe.gate.psnr, "psnr_objects": recipe.gate.psnr_objects}
    missed = [
        f"{name} is {about['figures'][name]:.2f} dB of at least {limit:g}"
        for name, limit in limits.items()
        if about["figures"].get(name, math.inf) < limit
    ]
    if missed:
        raise _missed(missed, "or lower autoencoder.gate")
    autoencoder = load_autoencoder(folder)
    if gate is not None:
        _pass(gate, autoencoder, recipe.gate.num_clips, folder / "gate.json", about["sha256"])
    return autoencoder


def _pass(gate: Gate, autoencoder: Autoencoder, num_clips: int, path: Path, sha256: str) -> None:
    """Raises WorldreelError unless these weights passed the gate, now or before."""
    asked = {"sha256": sha256, "num_clips": num_clips}
    if path.exists():
        noted = json.loads(path.read_text(encoding="utf-8"))
        if not noted["missed"] and {name: noted[name] for name in asked} == asked:
            return
    result = gate(autoencoder, num_clips)
    write_json(path, {**asked, "figures": result.figures, "missed": result.missed})
    if result.missed:
        raise _missed(result.missed, "or give it more weights")


def _missed(rows: list[str], otherwise: str) -> WorldreelError:
    return WorldreelError(
        f"the autoencoder missed its gate: {'; '.join(rows)}.",
        remedy="Train it longer (delete its autoencoder.json and raise "
        f"autoencoder.schedule.total_steps), {otherwise}.",
    )


def _autoencoder_recipe(
    recipe: TransformerRecipe, path: Path | str, overrides: list[str]
) -> AutoencoderRecipe:
    if not recipe.autoencoder:
        raise UsageError(f"{path}: autoencoder is missing; it names the autoencoder's recipe.")
    inner = load_recipe(Path(path).parent / recipe.autoencoder, overrides)
    if not isinstance(inner, AutoencoderRecipe):
        raise UsageError(f"{recipe.autoencoder} is of kind {inner.kind!r}, not 'autoencoder'.")
    return inner


def _split(overrides: list[str]) -> tuple[list[str], list[str]]:
    prefix = "autoencoder."
    inner = [text.removeprefix(prefix) for text in overrides if text.startswith(prefix)]
    return [text for text in overrides if not text.startswith(prefix)], inner


def _stopped(what: str, step: int) -> WorldreelError:
    return WorldreelError(
        f"the training of the {what} was stopped after step {step}; a checkpoint was written.",
        remedy="Run the same command: it goes on from there.",
    )
