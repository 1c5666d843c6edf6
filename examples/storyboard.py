"""Shots along a time line, saved as a file that can be edited by hand.

python examples/storyboard.py shots.mp4
"""

import sys
from pathlib import Path

import worldreel


def main(path: Path) -> None:
    """Two shots with a cut between them, the second with the first one's end in sight."""
    model = worldreel.load("toybox")
    shot = model.generate("a red ball rests on grass", seconds=1, seed=1).frames
    canvas = (
        model.canvas(2)
        .say("a red ball rests on grass", to_s=1)
        .say("a red ball rolls to the left on snow", from_s=1, cut=True)
        .place(shot)
        .refer(shot[-4:], from_s=1)
    )
    print(canvas)
    board = canvas.save(path.with_suffix(".toml"))
    again = model.read_canvas(board)
    assert str(again).splitlines()[:4] == str(canvas).splitlines()[:4]
    video = model.generate(again, seed=2)
    video.save(path)
    assert video.num_frames == 24 and (video.frames[:12] == shot).all()


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "shots.mp4"))
