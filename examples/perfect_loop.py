"""A video without end: the last frame is followed by the first.

python examples/perfect_loop.py loop.webp
"""

import sys
from pathlib import Path

import numpy as np

import worldreel


def main(path: Path) -> None:
    """A loop of two seconds, as a picture that moves on any web page."""
    model = worldreel.load("toybox")
    canvas = model.canvas(2).say("a yellow ball swings on a string over sand").loop()
    print(canvas)
    video = model.generate(canvas, seed=5)
    video.save(path)
    steps = np.abs(np.diff(video.frames.astype(int), axis=0)).mean(axis=(1, 2, 3))
    closing = np.abs(video.frames[-1].astype(int) - video.frames[0]).mean()
    print(f"from the last frame to the first: {closing:.1f} shades; usually {np.median(steps):.1f}")
    assert closing <= steps.max(), "its seam is no larger a step than others"


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "loop.webp"))
