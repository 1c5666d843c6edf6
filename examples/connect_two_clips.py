"""Two clips, and a way from one to the other.

python examples/connect_two_clips.py joined.mp4
"""

import sys
from pathlib import Path

import numpy as np

import worldreel
from worldreel.generate import verbs


def main(path: Path) -> None:
    """Leads from a ball on grass to the same ball somewhere else."""
    model = worldreel.load("toybox")
    first = model.generate("a red ball rolls to the left on grass", seconds=0.5, seed=1).frames
    second = model.generate("a red ball rests on grass", seconds=0.5, seed=2).frames
    canvas = verbs.connect(first, second, "a red ball on grass", seconds=1, fps=12)
    print(canvas)
    video = model.generate(canvas, seed=3)
    video.save(path)
    assert np.array_equal(video.frames[:6], first) and np.array_equal(video.frames[-6:], second)


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "joined.mp4"))
