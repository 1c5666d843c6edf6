"""A video that was made: its frames when they are asked for, a file, a picture in a notebook."""

import base64
import importlib
import tempfile
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from worldreel import __version__
from worldreel.generate.engine import Shelf, generate
from worldreel.generate.given import sources_of
from worldreel.generate.plan import Plan
from worldreel.provenance.mark import Marker
from worldreel.weights.load import LoadedModel


class MemoryShelf:
    """Keeps the latents of finished stretches in memory: 64 kB for each of the default model's."""

    def __init__(self) -> None:
        self._kept: dict[int, Tensor] = {}

    def load(self, number: int) -> Tensor | None:
        """The latents of a stretch that was finished."""
        return self._kept.get(number)

    def save(self, number: int, latents: Tensor) -> None:
        """Keeps them."""
        self._kept[number] = latents


class Video:
    """A video whose latents are made, and whose frames are decoded when they are asked for.

    Args:
        model: that made it.
        plan: what was asked for.
        shelf: the latents of all its stretches.
    """

    def __init__(self, model: LoadedModel, plan: Plan, shelf: Shelf) -> None:
        self.plan = plan
        self._model, self._shelf = model, shelf

    @property
    def fps(self) -> float:
        """Frames per second."""
        return self.plan.canvas.fps

    @property
    def num_frames(self) -> int:
        """Number of frames."""
        return self.plan.num_frames

    @property
    def settings(self) -> dict[str, Any]:
        """What made it, in JSON types; embedded in files that are saved."""
        return settings_of(self._model, self.plan)

    @property
    def notes(self) -> tuple[str, ...]:
        """What a person should know about how the canvas was filled, each one sentence."""
        return self.plan.notes

    @cached_property
    def frames(self) -> NDArray[np.uint8]:
        """All frames, uint8 sRGB ``t h w 3``; decoded at the first look and then kept."""
        return np.concatenate(list(self.chunks()))

    def chunks(self) -> Iterator[NDArray[np.uint8]]:
        """The frames a few at a time, ``t h w 3``, decoded anew with little memory."""
        return generate(self._model, self.plan, shelf=self._shelf)

    def save(self, path: str | Path) -> Path:
        """Writes an .mp4, .webp, .gif or, of one frame, .png; whole and marked, or not at all.

        Raises:
            UsageError: an ending or a folder that cannot be.
            WorldreelError: the disk is full, or the file could not be marked.
        """
        canvas = self.plan.canvas
        with Marker.open().writer(
            path,
            size=(canvas.height, canvas.width),
            fps=canvas.fps,
            settings=self.settings,
            sources=sources_of(canvas),
        ) as file:
            for chunk in self.chunks():
                file.write(chunk)
        return Path(path)

    def show(self) -> Any:
        """The video as an object that a notebook displays.

        Raises:
            ModuleNotFoundError: outside of notebooks, where IPython is missing.
        """
        display = importlib.import_module("IPython.display")  # of the notebook, not of ours
        return display.HTML(self._repr_html_())

    def _repr_html_(self) -> str:
        with tempfile.TemporaryDirectory() as folder:
            if self.num_frames == 1:
                data, kind = _read(self.save(Path(folder) / "shown.png")), "image/png"
                return f'<img src="data:{kind};base64,{data}">'
            data = _read(self.save(Path(folder) / "shown.mp4"))
        return (
            '<video controls autoplay loop muted playsinline src="data:video/mp4;base64,'
            f'{data}"></video>'
        )

    def __repr__(self) -> str:
        canvas = self.plan.canvas
        return (
            f"Video({self.num_frames} frames of {canvas.width}x{canvas.height} at "
            f"{canvas.fps:g} per second, seed {self.plan.options.seed})"
        )


def settings_of(model: LoadedModel, plan: Plan) -> dict[str, Any]:
    """What is embedded in a file: enough to make it again, where nothing but words was given."""
    canvas, options = plan.canvas, plan.options
    assert options.guidance_scale is not None
    settings: dict[str, Any] = {
        "prompt": canvas.prompt,
        "negative_prompt": options.negative_prompt,
        "model": options.model,
        "seconds": float(canvas.seconds),
        "fps": float(canvas.fps),
        "width": canvas.width,
        "height": canvas.height,
        "seed": options.seed,
        "num_inference_steps": options.num_inference_steps,
        "guidance_scale": float(options.guidance_scale),
        "model_version": model.description.version,
        "worldreel": __version__,
    }
    if options.step_cache is not None:
        settings["step_cache"] = float(options.step_cache)
    if model.is_int8:
        settings["int8"] = True
    if options.loras:
        settings["loras"] = list(options.loras)
    is_plain = len(canvas.spans) == 1 and not canvas.spans[0].cut
    if canvas.placements or canvas.references or canvas.is_loop or not is_plain:
        settings["canvas"] = str(canvas)
    return settings


def _read(path: Path) -> str:
    return base64.b64encode(path.read_bytes()).decode()
