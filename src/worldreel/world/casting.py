"""Draws the attributes of a scene: who plays, on which floor, under which sky."""

import numpy as np

from worldreel.world.vocabulary import BACKGROUNDS, COLORS, FLOORS, SHAPES, SIZES

FORBIDDEN = {("white", "snow"), ("green", "grass"), ("blue", "tiles"), ("black", "night")}
"""Colours that would be lost on their floor."""


class Casting:
    """Draws the attributes that a scene is made of, none of them invisible on its floor."""

    def __init__(self, rng: np.random.Generator) -> None:
        self.rng = rng
        self.floor = self.pick(tuple(FLOORS))
        self.background = self.pick(tuple(BACKGROUNDS), (0.6, 0.2, 0.2))
        self._used: set[str] = set()

    def pick(self, options: tuple[str, ...], weights: tuple[float, ...] | None = None) -> str:
        """One of ``options``."""
        return options[int(self.rng.choice(len(options), p=weights))]

    def uniform(self, low: float, high: float) -> float:
        """A number between ``low`` and ``high``."""
        return float(self.rng.uniform(low, high))

    def chance(self, probability: float) -> bool:
        """True with ``probability``."""
        return bool(self.rng.random() < probability)

    def color(self) -> str:
        """A colour that no other object of the scene has and that the floor does not hide."""
        free = [
            c
            for c in COLORS
            if c not in self._used
            and (c, self.floor) not in FORBIDDEN
            and (c, self.background) not in FORBIDDEN
        ]
        color = self.pick(tuple(free))
        self._used.add(color)
        return color

    def size(self) -> str:
        """A size, the medium one most often."""
        return self.pick(tuple(SIZES), (0.25, 0.5, 0.25))

    def shape(self, among: tuple[str, ...] = SHAPES) -> str:
        """A shape."""
        return self.pick(among)
