"""A recipe's whole run: world, autoencoder, gate, latents and text, transformer, model."""

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path

from worldreel.core.errors import UsageError, WorldreelError
from worldreel.core.progress import Progress, silent
from worldreel.data.cache import cache_latents, cache_text
from worldreel.data.files import write_json
from worldreel.data.shards import read_manifest
from worldreel.data.simulate import render_shards
from worldreel.models.autoencoder import Autoencoder
from worldreel.train.autoencoder import describe_autoencoder, load_autoencoder, train_autoencoder
from worldreel.train.export import export_model
from worldreel.train.recipe import (
    AutoencoderRecipe,
    TransformerRecipe,
    WorldConfig,
    load_recipe,
)
from worldreel.train.transformer import train_transformer

NUM_TOKENS = 64
"""Tokens of a prompt that a model of ours sees."""

Gate = Callable[[Autoencoder, Path], None]
"""A further check of a trained autoencoder on the shards; it raises where it fails."""


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
            ``autoencoder``, ``latents``, ``text``, ``transformer`` and ``model``.
        gate: a check after the recipe's own gate.
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
        ensure_world(recipe.world, out / "world", progress)
        ensure_autoencoder(recipe, out / "world", out / "autoencoder", gate)
        return out / "autoencoder" / "autoencoder.safetensors"
    return _train_model(
        recipe, _autoencoder_recipe(recipe, recipe_path, inner), out, gate, progress
    )


def _train_model(
    recipe: TransformerRecipe,
    autoencoder_recipe: AutoencoderRecipe,
    out: Path,
    gate: Gate | None,
    progress: Progress,
) -> Path:
    from worldreel.models.text import load_minilm

    shards = ensure_world(recipe.world, out / "world", progress)
    autoencoder = ensure_autoencoder(autoencoder_recipe, shards, out / "autoencoder", gate)
    latents = cache_latents(shards, autoencoder, out / "latents", progress=progress)
    captions = [caption for row in read_manifest(shards) for caption in row["captions"]]
    text = cache_text(captions, load_minilm(NUM_TOKENS), out / "text", progress=progress)
    result = train_transformer(recipe, latents, text, autoencoder, out / "transformer")
    if not result.finished:
        raise _stopped("transformer", result.step)
    export_model(out / "transformer", autoencoder, shards, NUM_TOKENS, out / "model")
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
    recipe: AutoencoderRecipe, shards: Path, folder: Path, gate: Gate | None = None
) -> Autoencoder:
    """Trains the autoencoder unless ``folder`` holds a finished one, and holds it to its gate.

    Raises:
        WorldreelError: stopped before the end, or the gate was missed.
    """
    about = describe_autoencoder(folder)
    if about is None or not about["finished"]:
        result = train_autoencoder(recipe, shards, folder)
        if not result.finished:
            raise _stopped("autoencoder", result.step)
        about = describe_autoencoder(folder)
        assert about is not None
    limits = dataclasses.asdict(recipe.gate)
    missed = [name for name, limit in limits.items() if about["figures"].get(name, 99.0) < limit]
    if missed:
        figures = ", ".join(
            f"{name} is {about['figures'][name]:.2f} dB of at least {limits[name]:g}"
            for name in missed
        )
        raise WorldreelError(
            f"the autoencoder missed its gate: {figures}.",
            remedy="Train it longer (delete its autoencoder.json and raise "
            "autoencoder.schedule.total_steps), or lower autoencoder.gate.",
        )
    autoencoder = load_autoencoder(folder)
    if gate is not None:
        gate(autoencoder, shards)
    return autoencoder


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
