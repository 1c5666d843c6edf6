"""Frames between the frames of a clip.

python examples/more_frames_per_second.py smooth.mp4
"""

import sys
from pathlib import Path

import numpy as np

import worldreel
from worldreel.generate import verbs

PROMPT = "a purple ball falls and bounces on a wooden floor"


def main(path: Path) -> None:
    """Twelve frames a second become twenty-four."""
    model = worldreel.load("toybox")
    clip = model.generate(PROMPT, seconds=1, seed=6).frames
    video = model.generate(verbs.interpolate(clip, PROMPT, times=2, fps=24), seed=6)
    video.save(path)
    print(*video.notes, sep="\n")
    assert video.fps == 24 and video.num_frames == 2 * len(clip) - 1
    assert np.array_equal(video.frames[::2], clip)


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "smooth.mp4"))
