"""What a model says about itself in its ``model.json``; no tensors, no torch."""

import dataclasses
import json
import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from worldreel.core.errors import UsageError, WorldreelError
from worldreel.core.parse import parse

FILE_NAME = "model.json"
TAKES = ("text", "first_frame", "last_frame", "clip", "mask")
"""What a model can be given: words, a picture at an end, a stretch of video, a free region."""


@dataclass(frozen=True, kw_only=True)
class TextEncoding:
    """Which encoder reads the prompt, and how many tokens of it the model sees."""

    encoder: Literal["minilm", "umt5"]
    num_tokens: int

    def __post_init__(self) -> None:
        _check("text.num_tokens", self.num_tokens, 1, 4096)


@dataclass(frozen=True, kw_only=True)
class Sizes:
    """Sizes in pixels; pairs are width, height."""

    default: tuple[int, int]
    min: int
    """The least that a side may have."""
    max: int
    trained: tuple[tuple[int, int], ...] = ()

    def __post_init__(self) -> None:
        _check("size.min", self.min, 1, 16384)
        _check("size.max", self.max, self.min, 16384)
        for side in self.default:
            _check("size.default", side, self.min, self.max)


@dataclass(frozen=True, kw_only=True)
class Durations:
    """Durations in seconds."""

    default: float
    """What the model was trained on, and sees at once."""
    max: float
    """What it makes, in as many stretches as that takes."""

    def __post_init__(self) -> None:
        _check("seconds.default", self.default, 1e-3, 86400)
        _check("seconds.max", self.max, self.default, 86400)


@dataclass(frozen=True, kw_only=True)
class Sampling:
    """How the model is best sampled where the request does not say otherwise."""

    num_inference_steps: int
    guidance_scale: float
    guidance_interval: tuple[float, float] = (0.0, 1.0)
    """The times between which guidance is applied, 0 data and 1 noise, both included."""
    shift: float = 1.0
    solver: Literal["euler", "unipc"] = "unipc"
    context_level: float = 0.0
    """The noise level at which a stretch sees what was made before it: a little noise, where it
    was trained with that, keeps a mistake from being taken for the truth by the next stretch."""
    levels: int | None = None
    """How many noise levels it was trained at, where these are counted: it is then asked at whole
    ones (see `worldreel.diffusion.schedule.timesteps`)."""
    boundary: float | None = None
    """The noise level from which the first of two transformers serves; below it the second."""
    guidance_scale_low: float | None = None
    """The guidance below the boundary, where a request leaves guidance to the model."""

    def __post_init__(self) -> None:
        if self.levels is not None:
            _check("sampling.levels", self.levels, 1, 100_000)
        if self.boundary is not None:
            _check("sampling.boundary", self.boundary, 0, 1)
        if self.guidance_scale_low is not None:
            _check("sampling.guidance_scale_low", self.guidance_scale_low, 0, 20)
        _check("sampling.context_level", self.context_level, 0, 1)
        _check("sampling.num_inference_steps", self.num_inference_steps, 1, 200)
        _check("sampling.guidance_scale", self.guidance_scale, 0, 20)
        _check("sampling.guidance_interval", self.guidance_interval[1], 0, 1)
        _check("sampling.guidance_interval", self.guidance_interval[0], 0, 1)
        _check("sampling.shift", self.shift, 1e-3, 100)


@dataclass(frozen=True, kw_only=True)
class WeightsFile:
    """A file as it was written: anything else is not loaded."""

    sha256: str
    size_bytes: int

    def __post_init__(self) -> None:
        if len(self.sha256) != 64 or not set(self.sha256) <= set("0123456789abcdef"):
            raise _wrong("sha256", self.sha256, "64 hexadecimal digits, lower case")
        _check("size_bytes", self.size_bytes, 1, 2**50)


@dataclass(frozen=True, kw_only=True)
class ModelDescription:
    """Everything that the rest of the program knows about a model before loading it.

    What differs between models is data here, never an ``if`` on a name.

    Raises:
        WorldreelError: a value outside its range, with the range.
    """

    name: str
    version: str
    license: str
    """An SPDX identifier."""
    summary: str
    prediction: Literal["x_0", "v"]
    """What the network's output is: the data, or the velocity ``eps - x_0``."""
    level_channel: bool
    """Whether the noise level of each latent frame is one more channel of the input."""
    takes: tuple[str, ...]
    """Out of `TAKES`."""
    fps: int
    """Frames per second that the model was trained on."""
    size: Sizes
    seconds: Durations
    sampling: Sampling
    text: TextEncoding
    transformer: dict[str, Any]
    """Arguments of ``TransformerConfig``."""
    autoencoder: dict[str, Any]
    """Arguments of ``AutoencoderConfig`` or ``CausalAutoencoderConfig``."""
    autoencoder_kind: Literal["light", "causal"] = "light"
    layout: Literal["worldreel", "diffusers"] = "worldreel"
    """How its files lie in its folder: ours, or the folders of a ``diffusers`` pipeline."""
    needs: tuple[str, ...] = ()
    """What it must be given, out of `TAKES`."""
    vocabulary: Literal["world", "open"] = "world"
    """Which words it knows: those of the simulated world, or any."""
    given: Literal["level", "channels", "control", "replacement"] = "level"
    """How it is told what is given: by a noise level for each token; by further channels of its
    input, a mask and the given latents; by those of blocks beside its own (VACE: the latents of
    what is kept and of what is changed, and a mask of pixels); or not at all, and they are put
    back at every step."""
    position_channels: bool = False
    """Whether where and when a latent is are three more channels of the input."""
    stride: tuple[int, int, int] = (1, 16, 16)
    """Frames, rows and columns of pixels per latent; the autoencoder must have the same."""
    first_frame_alone: bool = False
    """Whether the first frame has a latent frame to itself, whatever the temporal stride."""
    files: dict[str, WeightsFile] = field(default_factory=dict)
    unlisted_bytes: int = 0
    """The bytes of its files of weights, where `files` does not list them."""

    def __post_init__(self) -> None:
        if not self.name or not all(c.isascii() and (c.isalnum() or c in "-_.") for c in self.name):
            raise _wrong("name", self.name, "letters, digits and - _ .")
        _check("fps", self.fps, 1, 240)
        for unit in self.stride:
            _check("stride", unit, 1, 256)
        unknown = [what for what in self.takes if what not in TAKES]
        if unknown or "text" not in self.takes:
            raise _wrong("takes", list(self.takes), f"text, and others of {', '.join(TAKES)}")
        if unknown := [what for what in self.needs if what not in self.takes]:
            raise _wrong("needs", unknown, f"part of what it takes: {', '.join(self.takes)}")
        for name in self.files:
            if Path(name).name != name or not name.endswith(".safetensors"):
                raise _wrong("files", name, "the plain name of a .safetensors file")

    def takes_levels(self, *, spatial: bool) -> bool:
        """Whether it was trained with a level for each token; ``spatial``: within a frame too."""
        return self.given == "level" and (not spatial or "mask" in self.takes)

    def check_offload(self, num_devices: int = 1) -> None:
        """Raises UsageError where the blocks of its transformer cannot be brought one by one."""
        if self.layout != "diffusers":
            raise UsageError(
                f"{self.name} is not in diffusers' layout; only such models are offloaded.",
                remedy="Leave --offload out: models in our own layout are small.",
            )
        if num_devices != 1:
            raise UsageError(
                f"{num_devices} devices are asked for, and offload, which is for one.",
                remedy="Leave either out.",
            )

    @property
    def patch_size(self) -> tuple[int, int, int]:
        """Latent frames, rows and columns per token."""
        t, h, w = self.transformer.get("patch_size", (1, 2, 2))
        return t, h, w

    @property
    def size_multiple(self) -> tuple[int, int]:
        """What width and height in pixels must be multiples of, to be cut into patches."""
        _, stride_h, stride_w = self.stride
        _, patch_h, patch_w = self.patch_size
        return stride_w * patch_w, stride_h * patch_h

    @property
    def size_bytes(self) -> int:
        """The bytes of all its files of weights."""
        return self.unlisted_bytes + sum(file.size_bytes for file in self.files.values())

    def to_json(self) -> str:
        """The text of a ``model.json``."""
        return json.dumps(dataclasses.asdict(self), indent=2, ensure_ascii=False) + "\n"

    @classmethod
    def from_json(cls, text: str, source: str = FILE_NAME) -> "ModelDescription":
        """Reads what `to_json` wrote.

        Raises:
            WorldreelError: not JSON, a missing or unknown key, a value of another type or
                outside its range; ``source`` is named.
        """
        try:
            return parse(cls, json.loads(text))
        except json.JSONDecodeError as error:
            raise WorldreelError(
                f"{source} is not JSON: {error}.", remedy="Get the model's folder again."
            ) from error
        except WorldreelError as error:
            raise WorldreelError(
                f"{source}: {error.message}",
                remedy=f"{error.remedy} Get the model's folder again; a newer version of "
                "worldreel may be needed to read it.".lstrip(),
            ) from error

    @classmethod
    def read(cls, folder: Path) -> "ModelDescription":
        """The description in a model's folder; raises WorldreelError if there is none."""
        path = folder / FILE_NAME
        try:
            text = path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise WorldreelError(
                f"{path} cannot be read: {getattr(error, 'strerror', None) or error}.",
                remedy="A model is a folder with a model.json and its safetensors files.",
            ) from error
        return cls.from_json(text, str(path))


def _check(name: str, value: float, low: float, high: float) -> None:
    if not (math.isfinite(value) and low <= value <= high):
        raise _wrong(name, value, f"from {low:g} to {high:g}")


def _wrong(name: str, value: Any, expected: str) -> WorldreelError:
    return WorldreelError(f"{name} is {value!r}; it must be {expected}.")
