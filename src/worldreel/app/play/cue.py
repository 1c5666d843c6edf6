"""What is said to a running canvas: a scene and what the camera does, as keys and words set it.

The model takes words alone. A key is a short way to say a sentence that the captions of its
training clips have as well; it is no action that the model has learned.
"""

from dataclasses import dataclass, replace

SCENES = (
    "a red ball rolls across a wooden floor",
    "a blue cube slides on grass and stops",
    "a yellow ball falls and bounces on sand",
    "a green ball rolls into a purple cube",
    "an orange ball swings on a string",
    "a tower of cubes topples over",
    "a white cylinder rolls down a ramp",
    "a red cube is pushed across a tiled floor",
    "a blue ball is thrown high into the air",
)
"""What the keys 1 to 9 say, after a cut: a scene that goes on keeps its floor for long."""
CAMERA = {
    "left": "the camera pans left",
    "right": "the camera pans right",
    "up": "the camera moves in closer",
    "down": "the camera moves back",
    "space": "the camera is still",
}
"""What the arrow keys and the space bar add."""


@dataclass(frozen=True)
class Cue:
    """What is said from now on.

    >>> Cue("a red ball rolls.").after("left").prompt
    'a red ball rolls, the camera pans left'
    """

    scene: str
    camera: str = ""
    take: int = 0
    """Another number is a cut: nothing that was seen is carried over."""

    @property
    def prompt(self) -> str:
        """The words that the model hears."""
        return f"{self.scene.rstrip(' .,;')}, {self.camera}" if self.camera else self.scene

    def after(self, key: str) -> "Cue":
        """What is said after an arrow, ``space``, a digit, or ``c`` for a cut; the same after
        any other key."""
        if key in CAMERA:
            return replace(self, camera=CAMERA[key])
        if len(key) == 1 and key in "123456789"[: len(SCENES)]:
            return Cue(SCENES[int(key) - 1], take=self.take + 1)
        if key == "c":
            return replace(self, take=self.take + 1)
        return self
