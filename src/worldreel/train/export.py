"""From a run's last checkpoint to a model's folder."""

import dataclasses
from functools import partial
from pathlib import Path
from typing import cast

from worldreel.core.errors import WorldreelError
from worldreel.core.parse import plain
from worldreel.data.shards import read_manifest
from worldreel.train.autoencoder import load_autoencoder
from worldreel.train.card import CardSources, model_card
from worldreel.train.checkpoint import load_latest
from worldreel.train.recipe import TransformerRecipe, recipe_from
from worldreel.weights.description import (
    Durations,
    ModelDescription,
    Sampling,
    Sizes,
    TextEncoding,
)
from worldreel.weights.save import StorageDtype, save_model


def export_model(
    run: Path,
    autoencoder_run: Path,
    shards: Path,
    num_tokens: int,
    out: Path,
    *,
    recipe: TransformerRecipe | None = None,
) -> ModelDescription:
    """Writes the averaged weights of ``run``'s last checkpoint as a folder for ``load_model``.

    The folder gets a README.md, the model's card, made of what the runs say of themselves.

    Args:
        run: a transformer's run folder; the recipe is the one in the checkpoint.
        autoencoder_run: the run folder of the autoencoder that made the latents.
        shards: the clips that it was trained on; their rate, size and length are noted.
        num_tokens: tokens of a prompt that the model sees.
        out: the model's folder.
        recipe: where the defaults of sampling and the release's facts come from, if not
            from the checkpoint: they can be chosen after the training.

    Raises:
        WorldreelError: a run has no weights, or a weight is not finite as stored.
    """
    run, autoencoder_run = Path(run), Path(autoencoder_run)
    checkpoint = load_latest(run / "checkpoints")
    if checkpoint is None:
        raise WorldreelError(f"{run} has no checkpoint.", remedy="Train first.")
    trained = recipe_from(checkpoint.recipe)
    if not isinstance(trained, TransformerRecipe):
        raise WorldreelError(f"{run} is a run of kind {trained.kind!r}, not 'transformer'.")
    if recipe is not None:
        trained = dataclasses.replace(trained, sample=recipe.sample, release=recipe.release)
    recipe = trained
    autoencoder = load_autoencoder(autoencoder_run)
    clip = read_manifest(shards)[0]
    release, sample = recipe.release, recipe.sample
    size = (clip["width"], clip["height"])
    frames = max(bucket.num_frames for bucket in recipe.stages[-1].buckets)
    frames *= autoencoder.stride[0]
    description = ModelDescription(
        name=recipe.name,
        version=release.version,
        license=release.license,
        summary=release.summary,
        prediction="x_0" if recipe.prediction == "x_0" else "v",
        level_channel=recipe.level_channel,
        position_channels=recipe.position_channels,
        takes=release.takes,
        fps=round(clip["fps"]),
        size=Sizes(default=size, min=release.size_min, max=release.size_max, trained=(size,)),
        seconds=Durations(default=frames / clip["fps"], max=release.seconds_max),
        sampling=Sampling(
            num_inference_steps=sample.num_inference_steps,
            guidance_scale=sample.guidance_scale,
            guidance_interval=sample.guidance_interval,
            shift=sample.shift,
            solver="euler" if sample.solver == "euler" else "unipc",
            context_level=sample.context_level,
        ),
        text=TextEncoding(encoder="minilm", num_tokens=num_tokens),
        transformer=plain(recipe.model),
        autoencoder=plain(autoencoder.config),
        stride=autoencoder.stride,
        first_frame_alone=autoencoder.first_frame_alone,
    )
    states = {
        "transformer": checkpoint.part("model") | checkpoint.part("ema"),
        "autoencoder": autoencoder.state_dict(),
    }
    sources = CardSources(
        run=run,
        autoencoder=autoencoder_run,
        shards=Path(shards),
        recipe=recipe,
        num_parameters={
            "transformer": sum(tensor.numel() for tensor in checkpoint.part("ema").values()),
            "autoencoder": sum(p.numel() for p in autoencoder.parameters()),
        },
    )
    dtype = cast(StorageDtype, release.dtype)
    dtypes: dict[str, StorageDtype] = {name: dtype for name in states}
    card = partial(model_card, sources=sources)
    return save_model(Path(out), description, states, dtypes, card)
