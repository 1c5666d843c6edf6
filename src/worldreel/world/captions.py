"""Captions: the same scene in several wordings, each of them exact.

*Left* and *right* are as seen in the first frame. Sizes, places, the background
and the camera are left out of some wordings, but nothing that is said is untrue.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from worldreel.core.randomness import numpy_generator
from worldreel.world.camera import intrinsics, project
from worldreel.world.scene import Scene, Thing
from worldreel.world.vocabulary import BACKGROUNDS, FLOORS

NUM_WORDINGS = 6
_COUNT = {1: "one", 2: "two", 3: "three"}
_MOVES: dict[str, tuple[str, ...]] = {
    "still": ("", "", "the camera is still", "static shot"),
    "pan left": ("the camera pans left", "camera pans to the left"),
    "pan right": ("the camera pans right", "camera pans to the right"),
    "orbit left": ("the camera orbits to the left", "camera orbits left"),
    "orbit right": ("the camera orbits to the right", "camera orbits right"),
    "dolly in": ("the camera moves in closer", "camera dolly in"),
    "dolly out": ("the camera moves back", "camera dolly out"),
}
_CUTS: dict[str, tuple[str, ...]] = {
    "close-up": ("then a cut to a close-up", "cut to a close-up"),
    "left": ("then a cut to a view from the left", "cut to a view from the left side"),
    "right": ("then a cut to a view from the right", "cut to a view from the right side"),
    "above": ("then a cut to a view from above", "cut to a view from above"),
}


def captions(scene: Scene, truth: Mapping[str, NDArray[Any]]) -> list[str]:
    """`NUM_WORDINGS` captions of ``scene``, from a few words to a full description.

    Args:
        scene: what was staged.
        truth: as from `worldreel.world.render.simulate`, stacked over frames.
    """
    teller = _Teller(scene, truth)
    wordings = [
        teller.tell(size=False, places=False, background=False, camera=True, short=True),
        teller.tell(size=False, places=False, background=False, camera=True),
        teller.tell(size=True, places=False, background=False, camera=True),
        teller.tell(size=False, places=True, background=False, camera=True),
        teller.tell(size=True, places=True, background=True, camera=True),
        teller.tell(size=True, places=True, background=True, camera=True),
    ]
    return wordings


def full_prompt(scene: Scene) -> str:
    """A sentence that says the size of every object and what the camera does; nothing is drawn.

    Where everything is in the first frame is left out.
    """
    camera = scene.shots[0].camera
    truth = {
        "positions": np.array([[thing.position for thing in scene.things]]),
        "world_to_camera": camera.pose(0.0).world_to_camera()[None],
        "intrinsics": intrinsics(128, 128)[None],
    }
    teller = _Teller(scene, truth, every_size=True)
    sentence = teller.tell(size=True, places=False, background=False, camera=False)
    return f"{sentence}, {teller.pick([move for move in _MOVES[camera.move] if move])}"


def _article(words: str) -> str:
    return f"an {words}" if words[0] in "aeiou" else f"a {words}"


def _join(parts: list[str]) -> str:
    return parts[0] if len(parts) == 1 else ", ".join(parts[:-1]) + " and " + parts[-1]


class _Teller:
    def __init__(
        self, scene: Scene, truth: Mapping[str, NDArray[Any]], *, every_size: bool = False
    ) -> None:
        self.scene = scene
        self.every_size = every_size
        self.rng = numpy_generator(scene.seed, "captions")
        matrix = truth["intrinsics"][0].astype(np.float64)
        seen = project(
            truth["positions"][0].astype(np.float64),
            truth["world_to_camera"][0].astype(np.float64),
            matrix,
        )
        self.x = dict(zip(scene.things, seen[:, 0] / (2 * matrix[0, 2]), strict=True))

    def pick(self, options: Sequence[str]) -> str:
        return options[int(self.rng.integers(len(options)))]

    def tell(
        self, *, size: bool, places: bool, background: bool, camera: bool, short: bool = False
    ) -> str:
        floor = self.pick(FLOORS[self.scene.floor])
        sentence = getattr(self, f"_{self.scene.event}")(size, places, floor)
        by = [thing for thing in self.scene.things if thing.role == "bystander"]
        if self.scene.event != "rest" and by:
            sentence += self._beside(by, size, places)
        if background:
            sentence += ", " + self.pick(BACKGROUNDS[self.scene.background])
        if camera:
            ending = self._camera(short)
            if ending:
                sentence += ", " + ending
        return sentence

    def name(self, thing: Thing, size: bool) -> str:
        """``a large red ball``; the medium size is named half of the time."""
        word = ""
        if size and (thing.size != "medium" or self.every_size or self.rng.random() < 0.3):
            word = "medium-sized " if thing.size == "medium" else f"{thing.size} "
        return _article(f"{word}{thing.color} {thing.shape}")

    def place(self, thing: Thing) -> str:
        """Where the object is seen in the first frame."""
        x = self.x[thing]
        if x < 0.4:
            return "on the left"
        return "on the right" if x > 0.6 else "in the middle"

    def _beside(self, by: list[Thing], size: bool, places: bool) -> str:
        if places:
            parts = [f"{self.name(thing, size)} {self.place(thing)}" for thing in by]
            rest = "rests" if len(by) == 1 else "rest"
            return f", while {_join(parts)} {rest}"
        names = [self.name(thing, size) for thing in by]
        return f" beside {_join(names)}"

    def _camera(self, short: bool) -> str:
        first, *cuts = self.scene.shots
        if cuts:
            return self.pick(_CUTS[cuts[0].cut])
        move = first.camera.move
        return "" if short and move == "still" else self.pick(_MOVES[move])

    def _at(self, thing: Thing, places: bool) -> str:
        return f" {self.place(thing)}" if places else ""

    def _fall(self, size: bool, places: bool, floor: str) -> str:
        actor = self.scene.things[0]
        name, at = self.name(actor, size), self._at(actor, places)
        return self.pick(
            (
                f"{name} falls and bounces{at} on {floor}",
                f"{name} falls onto {floor}{at} and bounces",
                f"{name} falls from the air{at} and bounces on {floor}",
            )
        )

    def _roll(self, size: bool, places: bool, floor: str) -> str:
        name, side = self.name(self.scene.things[0], size), self.scene.side
        come = f" from the {'left' if side == 'right' else 'right'}" if places else ""
        return self.pick(
            (
                f"{name} rolls{come} to the {side} on {floor}",
                f"{name} rolls{come} to the {side} across {floor}",
            )
        )

    def _slide(self, size: bool, places: bool, floor: str) -> str:
        name, side = self.name(self.scene.things[0], size), self.scene.side
        return self.pick(
            (
                f"{name} slides to the {side} on {floor} and stops",
                f"{name} slides across {floor} to the {side} and stops",
            )
        )

    def _throw(self, size: bool, places: bool, floor: str) -> str:
        name, side = self.name(self.scene.things[0], size), self.scene.side
        return self.pick(
            (
                f"{name} is thrown up to the {side} over {floor}",
                f"{name} is thrown into the air to the {side} on {floor}",
            )
        )

    def _collide(self, size: bool, places: bool, floor: str) -> str:
        actor, partner = self.scene.things[:2]
        a, b = self.name(actor, size), self.name(partner, size)
        side = self.scene.side
        source = "left" if side == "right" else "right"
        moves = "rolls" if actor.shape == "ball" else "slides"
        return self.pick(
            (
                f"{a} {moves} to the {side} and hits {b} on {floor}",
                f"{a} coming from the {source} hits {b} on {floor}",
                f"{a} {moves} from the {source} into {b} and pushes it on {floor}",
            )
        )

    def _topple(self, size: bool, places: bool, floor: str) -> str:
        stack = [self.name(thing, size) for thing in self.scene.things]
        side = self.scene.side
        at = self._at(self.scene.things[0], places)
        word = _COUNT[len(stack)]
        return self.pick(
            (
                f"a stack of {_join(stack)}{at} topples to the {side} on {floor}",
                f"a stack of {word} objects, {' under '.join(stack)}, topples to the {side}"
                f" on {floor}",
            )
        )

    def _swing(self, size: bool, places: bool, floor: str) -> str:
        name = self.name(self.scene.things[0], size)
        return self.pick(
            (
                f"{name} swings on a string over {floor}",
                f"{name} on a string swings like a pendulum above {floor}",
            )
        )

    def _ramp(self, size: bool, places: bool, floor: str) -> str:
        actor = self.scene.things[0]
        moves = "slides" if actor.shape == "cube" else "rolls"
        name, side = self.name(actor, size), self.scene.side
        return self.pick(
            (
                f"{name} {moves} down a ramp to the {side} on {floor}",
                f"{name} {moves} to the {side} down a ramp onto {floor}",
            )
        )

    def _occlude(self, size: bool, places: bool, floor: str) -> str:
        name, side = self.name(self.scene.things[0], size), self.scene.side
        return self.pick(
            (
                f"{name} rolls to the {side} and passes behind a wall on {floor}",
                f"{name} rolls behind a wall and comes out on the {side} on {floor}",
            )
        )

    def _rest(self, size: bool, places: bool, floor: str) -> str:
        things = sorted(self.scene.things, key=lambda thing: self.x[thing])
        names = [self.name(thing, size) for thing in things]
        if places:
            names = [f"{n}{self._at(t, True)}" for n, t in zip(names, things, strict=True)]
        verb = self.pick(("rests", "lies still") if len(names) == 1 else ("rest", "lie still"))
        said = f"{_join(names)} {verb} on {floor}"
        if len(names) > 1 and self.rng.random() < 0.4:
            said = f"{_COUNT[len(names)]} objects {verb} on {floor}: {_join(names)}"
        return said
