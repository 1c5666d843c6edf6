"""A long video, written as it is made: memory does not grow with its length.

python examples/a_minute_and_more.py long.mp4 60
"""

import sys
import time
from pathlib import Path

import worldreel
from worldreel.media.write import VideoWriter


def main(path: Path, seconds: float = 60.0, num_inference_steps: int = 24) -> None:
    """Streams frames into a file, stretch by stretch."""
    model = worldreel.load("toybox")
    canvas = model.canvas(seconds).say("a blue ball swings on a string over grass")
    print(*model.plan(canvas).notes, sep="\n")
    began, count = time.perf_counter(), 0
    with VideoWriter(path, size=(128, 128), fps=canvas.fps, settings={}) as file:
        for frame in model.stream(canvas, seed=1, num_inference_steps=num_inference_steps):
            file.write(frame[None])
            count += 1
    taken = time.perf_counter() - began
    print(f"{count} frames in {taken:.1f} s, {seconds / taken:.2f} times as fast as they last")
    assert count == round(seconds * canvas.fps)


if __name__ == "__main__":
    main(
        Path(sys.argv[1] if len(sys.argv) > 1 else "long.mp4"),
        float(sys.argv[2]) if len(sys.argv) > 2 else 60.0,
    )
