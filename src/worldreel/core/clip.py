"""A clip: frames, words about them, and what really happened in them."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, kw_only=True, eq=False)
class Clip:
    """One video with its captions and, where the world is simulated, its ground truth.

    Args:
        key: name of the clip, unique in its data set; letters, digits, ``-`` and ``_``.
        seed: number from which the clip can be made again.
        fps: frames per second.
        frames: uint8 sRGB, ``t h w c``.
        captions: the same scene in several wordings, at least one.
        scene: the scene's description, JSON types only.
        truth: arrays by name, each beginning with ``t``. ``masks`` is uint8 ``t h w``,
            the number of the object that is seen at each pixel, 0 for the background.
    """

    key: str
    seed: int
    fps: float
    frames: NDArray[np.uint8]
    captions: list[str]
    scene: dict[str, Any] = field(default_factory=dict)
    truth: dict[str, NDArray[Any]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        assert self.key.isascii(), self.key
        assert self.key and all(c.isalnum() or c in "-_" for c in self.key), self.key
        assert self.fps > 0, self.fps
        assert self.frames.dtype == np.uint8 and self.frames.ndim == 4, self.frames.shape
        assert self.frames.shape[-1] == 3, self.frames.shape
        assert self.captions, "a clip has at least one caption"
        masks = self.truth.get("masks")
        if masks is not None:
            assert masks.dtype == np.uint8, masks.dtype
            assert masks.shape == self.frames.shape[:3], (masks.shape, self.frames.shape)

    @property
    def num_frames(self) -> int:
        """Number of frames."""
        return self.frames.shape[0]

    @property
    def duration_s(self) -> float:
        """Seconds from the beginning of the first frame to the end of the last."""
        return self.num_frames / self.fps
