"""A picture begins to move: it is given as the first frame of an empty canvas.

python examples/animate_a_picture.py moving.mp4
"""

import sys
from pathlib import Path

import numpy as np

import worldreel


def main(path: Path) -> None:
    """Makes a picture, then a second of video that begins with it."""
    model = worldreel.load("toybox")
    canvas = model.canvas(1 / 12).say("a blue cube rests on snow")
    picture = model.generate(canvas, seed=3).frames[0]

    canvas = model.canvas(1).say("a blue cube slides to the right on snow").place(picture)
    print(canvas)
    video = model.generate(canvas, seed=3)
    video.save(path)
    assert np.array_equal(video.frames[0], picture), "what is given comes back as it was"
    assert (video.frames[-1] != picture).any(), "and then something happens"


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "moving.mp4"))
