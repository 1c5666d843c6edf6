"""Law 12: the clip shows what the words say.

Each metric is a share of clips, and 1 where the clip is right. What is seen is judged without
a look at the prompt (`worldreel.evaluate.judge`) and compared with it afterwards.
"""

from collections.abc import Mapping
from dataclasses import replace

from worldreel.evaluate.case import Case
from worldreel.evaluate.judge.camera import Move, judge_camera
from worldreel.evaluate.judge.objects import LEAST_PRESENCE, num_objects, objects, presence, tidy
from worldreel.evaluate.judge.scenery import judge_background
from worldreel.evaluate.judge.side import judge_side
from worldreel.evaluate.judge.verdict import judge_event, judge_shape
from worldreel.evaluate.law import Law, Metric
from worldreel.evaluate.observe import Observation
from worldreel.world.scene import Thing
from worldreel.world.vocabulary import BACKGROUNDS

LEAST_AT_REST = 0.2
"""An object that was asked to rest is there in at least this share of the frames; one that moves,
or that the camera turns away from, may be gone sooner."""


def pair_direction(
    first: Mapping[str, float | None] | None, second: Mapping[str, float | None] | None
) -> float:
    """Of a mirrored pair: 1 if the direction is right in both clips, else 0.

    Args:
        first, second: what the law measured on each; None where that failed.
    """
    return float(all(clip is not None and clip.get("direction") == 1.0 for clip in (first, second)))


def _measure(case: Case, observation: Observation) -> dict[str, float | None] | None:
    seen = tidy(observation)
    if not objects(seen):
        return None
    move = judge_camera(seen)
    right = {
        "color": all(_is_found(case, seen, thing) for thing in case.things),
        "count": num_objects(seen) == len(case.things),
        "shape": all(judge_shape(seen, thing.color) == thing.shape for thing in case.things),
        "floor": _is_floor_right(case, seen),
        "event": judge_event(seen) == case.scene.event,
        "camera": move is not None and move.name == case.camera_move,
    }
    if case.scene.side:
        right["direction"] = _is_direction_right(case, seen, move)
    right["all"] = all(right.values())
    return {name: float(value) for name, value in right.items()}


def _is_found(case: Case, seen: Observation, thing: Thing) -> bool:
    turns = case.camera_move.startswith(("pan", "orbit"))
    moves = case.scene.event != "rest" and thing.role != "bystander"
    return presence(seen, thing.color) >= (LEAST_PRESENCE if turns or moves else LEAST_AT_REST)


def _is_floor_right(case: Case, seen: Observation) -> bool:
    """Of the background, only where the prompt says it."""
    background = case.scene.background
    said = any(words in case.prompt for words in BACKGROUNDS[background])
    return seen.floor == case.scene.floor and (not said or judge_background(seen) == background)


def _is_direction_right(case: Case, seen: Observation, move: Move | None) -> bool:
    # a stack topples by what is above its foot; what is hit goes on where what hits it stops
    movers = case.scene.actors
    if case.scene.event == "topple":
        movers = movers[1:]
    colors = [thing.color for thing in movers]
    return move is not None and judge_side(seen, move, colors) == case.scene.side


def _share(name: str, label: str) -> Metric:
    return Metric(name=name, label=label, perfect=1.0, worst=0.0, floor="shuffled_pairing")


WORDS = Law(
    number=12,
    name="words",
    question="Does the clip show what the words say?",
    groups=("words", "mirror"),
    metrics=(
        _share("all", "everything right at once (share)"),
        _share("color", "colour of every object (share)"),
        _share("count", "number of objects (share)"),
        _share("shape", "shape of every object (share)"),
        _share("floor", "floor and background (share)"),
        _share("direction", "direction, left or right (share)"),
        _share("event", "event (share)"),
        replace(_share("camera", "camera's move (share)"), groups=("words",)),  # the rest is still
    ),
    measure=_measure,
)
