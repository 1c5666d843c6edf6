"""A clip goes on, and gets a beginning: the same canvas with the clip at its other end.

python examples/extend_a_clip.py longer.mp4
"""

import sys
from pathlib import Path

import numpy as np

import worldreel
from worldreel.generate import verbs

PROMPT = "a green ball rolls to the right on a wooden floor"


def main(path: Path) -> None:
    """Adds half a second before and after a clip of half a second."""
    model = worldreel.load("toybox")
    clip = model.generate(PROMPT, seconds=0.5, seed=1).frames
    after = verbs.extend(clip, PROMPT, seconds=0.5, fps=12)
    longer = model.generate(after, seed=2).frames
    before = verbs.extend(longer, PROMPT, seconds=0.5, fps=12, backward=True)
    print(before)
    video = model.generate(before, seed=3)
    video.save(path)
    assert video.num_frames == 18
    assert np.array_equal(video.frames[6:12], clip), "the clip is in the middle, as it was"


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "longer.mp4"))
