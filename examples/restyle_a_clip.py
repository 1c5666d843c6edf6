"""A clip under another prompt: it is given loosely, so that its layout stays.

python examples/restyle_a_clip.py edited.mp4
"""

import sys
from pathlib import Path

import numpy as np

import worldreel
from worldreel.generate import verbs


def main(path: Path) -> None:
    """Makes a clip and two edits of it, a careful one and a bold one."""
    model = worldreel.load("toybox")
    clip = model.generate("a red ball rolls to the left on grass", seconds=1, seed=4).frames
    shift = model.description.sampling.shift
    changed = []
    for strength in (0.2, 0.8):
        noise = verbs.noise_of(strength, shift)
        canvas = verbs.edit(clip, "a blue ball rolls to the left on grass", noise=noise, fps=12)
        video = model.generate(canvas, seed=4)
        changed.append(float(np.abs(video.frames.astype(int) - clip).mean()))
        video.save(path)
    print(f"changed by {changed[0]:.1f} and {changed[1]:.1f} of 255 shades")
    assert changed[0] < changed[1], "more strength changes more"


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "edited.mp4"))
