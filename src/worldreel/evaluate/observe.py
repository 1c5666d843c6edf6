"""Everything that the laws read of a clip, found in its pixels once."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from worldreel.evaluate.lens import Lens, guess_lens
from worldreel.evaluate.tracker import classify, guess_floor
from worldreel.evaluate.tracks import Track, track
from worldreel.world.vocabulary import COLORS


@dataclass(frozen=True, kw_only=True, eq=False)
class Observation:
    """What the tracker sees in a clip.

    Args:
        frames: uint8 sRGB ``t h w 3``. fps: frames per second.
        floor: the floor that explains the lower half best.
        classes: the class of every pixel ``t h w``: 0 is no object, 1 the first colour of
            `worldreel.world.vocabulary.COLORS`, and so on.
        tracks: one for each colour, by its name, of all colours and not only of those asked for.
        lens: the camera, found from the horizon (see `worldreel.evaluate.lens`).
    """

    frames: NDArray[np.uint8]
    fps: float
    floor: str
    classes: NDArray[np.uint8]
    tracks: dict[str, Track]
    lens: Lens

    @property
    def num_frames(self) -> int:
        """Number of frames."""
        return len(self.frames)

    @property
    def time_s(self) -> NDArray[np.float64]:
        """Time of each frame in seconds, ``(t,)``."""
        return np.arange(self.num_frames) / self.fps


def observe(frames: NDArray[np.uint8], fps: float) -> Observation:
    """Looks at a clip, uint8 ``t h w 3``."""
    floor = guess_floor(frames)
    classes = classify(frames, floor)
    return Observation(
        frames=frames,
        fps=fps,
        floor=floor,
        classes=classes,
        tracks={color: track(classes, color) for color in COLORS},
        lens=guess_lens(frames, floor),
    )
