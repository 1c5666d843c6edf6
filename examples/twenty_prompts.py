"""Twenty prompts, one contact sheet: the picture of the README.

python examples/twenty_prompts.py sheet.png
"""

import sys
from pathlib import Path

import worldreel
from worldreel.media.sheet import contact_sheet, save_image

PROMPTS = [
    "a red ball falls and bounces on a wooden floor",
    "a blue cube slides to the left on snow and stops",
    "a yellow ball rolls to the right across a grass floor",
    "a purple cone is thrown up to the right over a gray concrete floor",
    "a green ball rolls to the right and hits a white cube on a sand floor",
    "a stack of a red cube and a cyan cube topples to the left on a wooden floor",
    "an orange ball swings on a string over snow",
    "a pink ball rolls down a ramp to the right on a blue tiled floor",
    "a black ball rolls to the left and passes behind a wall on a sand floor",
    "two objects rest on grass: a white ball and a red cone",
    "a large cyan ball falls and bounces on a concrete floor, at night",
    "a small orange cube falls onto grass and bounces, at sunset",
    "a green cylinder slides to the right on a wooden floor and stops, the camera pans right",
    "a white capsule falls and bounces on a blue tiled floor, the camera orbits to the left",
    "a yellow cone rests on snow, the camera moves in closer",
    "a blue ball rolls to the left on sand beside a red cylinder",
    "a red ball is thrown into the air to the left on grass, under a blue sky",
    "three objects rest on a wooden floor: a blue ball, a yellow cube and a pink cone",
    "a purple ball falls and bounces on a sand floor, then a cut to a view from above",
    "a cyan cylinder rolls to the right on a wooden floor, the camera moves back",
]


def main(path: Path, num_prompts: int = len(PROMPTS)) -> None:
    """Make the first ``num_prompts`` clips with seeds 0, 1, 2 … and draw them into ``path``."""
    model = worldreel.load("toybox")
    clips = []
    for seed, prompt in enumerate(PROMPTS[:num_prompts]):
        clips.append(model.generate(prompt, seed=seed).frames)
        print(f"{seed:2} {prompt}")
    sheet = contact_sheet(clips, PROMPTS[:num_prompts], columns=2, num_frames=6)
    save_image(path, sheet)
    assert sheet.std() > 1, "the sheet is empty"
    print(path)


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "twenty-prompts.png"))
