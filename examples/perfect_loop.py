"""A video without end: the last frame is followed by the first.

python examples/perfect_loop.py loop.webp
"""

import sys
from pathlib import Path

import worldreel


def main(path: Path) -> None:
    """A loop of two seconds, as a picture that moves on any web page."""
    model = worldreel.load("toybox")
    canvas = model.canvas(2).say("a yellow ball swings on a string over sand").loop()
    print(canvas)
    video = model.generate(canvas, seed=5)
    video.save(path)
    first, last = video.plan.stretches[0], video.plan.stretches[-1]
    assert last.frames[last.new[1]] == first.made[0], "the end was made with the beginning in sight"


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "loop.webp"))
