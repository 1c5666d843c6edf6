"""A hole in a clip is filled, and then a larger picture around it.

python examples/erase_and_expand.py wide.mp4
"""

import sys
from pathlib import Path

import numpy as np

import worldreel
from worldreel.generate import verbs


def main(path: Path) -> None:
    """Takes the middle out of a clip, then puts the clip into a wider frame."""
    model = worldreel.load("toybox")
    clip = model.generate("a red ball rests on snow", seconds=0.5, seed=1).frames
    mask = np.zeros(clip.shape[1:3], bool)
    mask[32:96, 32:96] = True  # True is free
    erased = model.generate(verbs.erase(clip, mask, "snow", fps=12), seed=2).frames
    assert np.array_equal(erased[:, ~mask], clip[:, ~mask]), "outside nothing changed"

    canvas = verbs.expand(erased, "snow", width=192, height=128, fps=12)
    print(canvas)
    video = model.generate(canvas, seed=3)
    video.save(path)
    assert np.array_equal(video.frames[:, :, 32:160], erased), "nor inside"


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "wide.mp4"))
