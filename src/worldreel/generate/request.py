"""A video that is asked for in words alone; no torch, so that bad input is refused at once."""

import dataclasses
from dataclasses import dataclass

from worldreel.core.errors import UsageError
from worldreel.core.words import check_text
from worldreel.generate.canvas import Canvas
from worldreel.generate.limits import check_duration, check_rate, check_size
from worldreel.generate.options import Options
from worldreel.weights.description import ModelDescription


@dataclass(frozen=True, kw_only=True)
class Request(Options):
    """One video that is asked for in words. What is None is the model's to choose."""

    prompt: str
    seconds: float | None = None
    fps: float | None = None
    """Frames per second; a divisor of the model's own. Every n-th frame is kept."""
    width: int | None = None
    """Pixels."""
    height: int | None = None

    def validate(self, description: ModelDescription) -> "Request":
        """The same request with nothing left open, if the model can do it.

        Raises:
            UsageError: a value that cannot be, with the range or the nearest that can.
        """
        check_text("prompt", self.prompt)
        if not self.prompt.strip():
            raise UsageError(
                "The prompt is empty.",
                remedy='Say what should be seen, for example "a red ball rolls on grass".',
            )
        width, height = description.size.default
        complete = dataclasses.replace(
            self,
            width=width if self.width is None else self.width,
            height=height if self.height is None else self.height,
            fps=description.fps if self.fps is None else self.fps,
            seconds=description.seconds.default if self.seconds is None else self.seconds,
        )
        assert complete.width is not None and complete.height is not None
        assert complete.fps is not None and complete.seconds is not None
        check_size(complete.width, complete.height, description)
        check_rate(complete.fps, description)
        check_duration(complete.seconds, complete.fps, description)
        options = complete.options.validate(description)
        return dataclasses.replace(complete, **dataclasses.asdict(options))

    @property
    def options(self) -> Options:
        """What is not about the canvas."""
        names = [field.name for field in dataclasses.fields(Options)]
        return Options(**{name: getattr(self, name) for name in names})

    @property
    def canvas(self) -> Canvas:
        """The empty canvas of a request that was validated, with its prompt."""
        assert self.width and self.height and self.seconds and self.fps
        canvas = Canvas(width=self.width, height=self.height, seconds=self.seconds, fps=self.fps)
        return canvas.say(self.prompt)

    @property
    def num_frames(self) -> int:
        """Frames of a request that was validated."""
        return self.canvas.num_frames
