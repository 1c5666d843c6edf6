"""A sentence becomes a video.

python examples/first_video.py ball.mp4
"""

import sys
from pathlib import Path

import worldreel


def main(path: Path) -> None:
    """One second of a rolling ball, made twice from the same seed."""
    model = worldreel.load("toybox")
    video = model.generate("a red ball rolls to the left on grass", seconds=1, seed=7)
    video.save(path)
    print(video, "->", path)
    assert video.frames.shape == (12, 128, 128, 3)
    again = model.generate("a red ball rolls to the left on grass", seconds=1, seed=7)
    assert (again.frames == video.frames).all(), "the same seed gives the same video"


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "ball.mp4"))
