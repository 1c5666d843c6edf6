"""The way in from Python: a model that fills canvases in."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from worldreel.core.progress import Progress, silent
from worldreel.generate.board import read_board
from worldreel.generate.canvas import Canvas
from worldreel.generate.engine import generate, make_all
from worldreel.generate.options import Options
from worldreel.generate.plan import Plan, make_plan, plan_request
from worldreel.generate.request import Request
from worldreel.generate.video import MemoryShelf, Video
from worldreel.weights.description import ModelDescription
from worldreel.weights.load import LoadedModel, load_model


class Model:
    """A loaded model.

    >>> model = load("toybox")
    >>> video = model.generate("a red ball rolls on grass", seconds=1, num_inference_steps=2)
    >>> video.frames.shape
    (12, 128, 128, 3)
    """

    def __init__(self, loaded: LoadedModel) -> None:
        self.loaded = loaded

    def close(self) -> None:
        """Ends the processes on other devices, where it was loaded for several."""
        self.loaded.close()

    @property
    def description(self) -> ModelDescription:
        """Everything that is known about it: sizes, rate, licence, what it can be given."""
        return self.loaded.description

    def canvas(
        self, seconds: float | None = None, *, size: tuple[int, int] | None = None
    ) -> Canvas:
        """An empty canvas as the model makes them; ``size`` is width and height in pixels."""
        description = self.description
        width, height = size or description.size.default
        seconds = description.seconds.default if seconds is None else seconds
        return Canvas(width=width, height=height, seconds=seconds, fps=description.fps)

    def read_canvas(self, path: str | Path) -> Canvas:
        """The canvas in a TOML file: a storyboard, or what `Canvas.save` wrote.

        Raises:
            UsageError: no canvas, or one that cannot be; the place in the file is named.
            WorldreelError: a file that it names cannot be read.
        """
        return read_board(path, self.description)

    def plan(self, canvas: Canvas | str, **options: Any) -> Plan:
        """What a canvas, or a sentence, will take to make; nothing is made yet.

        Args:
            options: of `Options` (``seed``, ``num_inference_steps``, ``guidance_scale``,
                ``negative_prompt``); for a sentence those of `Request` as well (``seconds``,
                ``fps``, ``width``, ``height``).

        Raises:
            UsageError: the model cannot do what is asked.
        """
        options.setdefault("model", self.description.name)
        if isinstance(canvas, str):
            return plan_request(Request(prompt=canvas, **options), self.description)
        return make_plan(canvas, Options(**options), self.description)

    def generate(
        self, canvas: Canvas | str, *, progress: Progress = silent, **options: Any
    ) -> Video:
        """Fills a canvas, or a sentence's empty one, in; options and errors as for `plan`."""
        plan = self.plan(canvas, **options)
        shelf = MemoryShelf()
        make_all(self.loaded, plan, shelf, progress)
        return Video(self.loaded, plan, shelf)

    def stream(
        self, canvas: Canvas | str, *, progress: Progress = silent, **options: Any
    ) -> Iterator[NDArray[np.uint8]]:
        """The frames ``h w 3``, uint8 sRGB, as they are made; options and errors as for `plan`.

        Memory does not grow with the duration.
        """
        plan = self.plan(canvas, **options)
        return (frame for chunk in generate(self.loaded, plan, progress) for frame in chunk)


def load(name: str = "toybox", **how: Any) -> Model:
    """Loads a model by its name in the catalogue, or from its folder.

    Args:
        how: as `worldreel.weights.load.load_model` takes it.

    Raises:
        WorldreelError: no such model, or files that are not as they were published.
    """
    return Model(load_model(name, **how))
