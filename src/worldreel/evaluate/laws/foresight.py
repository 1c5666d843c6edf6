"""How far a clip of balls is from what someone who knows physics foresees, from its tracks.

This is the ceiling of the test of surprise: it knows nothing of pairs or moments, and asks of
one clip whether objects keep their colour, move without a jump, fall as fast as things fall,
and move when hit and only then.
"""

import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from worldreel.evaluate.observe import Observation
from worldreel.evaluate.tracks import Track
from worldreel.world.scene import Scene

GRAVITY = 9.81
"""Metres per second squared."""

JUMP_M = 0.15
"""Change of the step from one frame to the next that is still no jump, metres."""

FALL_M_PER_S2 = 3.0
"""Error of a flight's acceleration that is still measurement."""

PUSH_M = 0.12
"""Way that an object which nothing touches may seem to move."""

CLEAR_PIXELS = 40
"""A region of this many pixels is an object, and none of a few stray ones."""

LEFT_OVER = 0.3
"""Share of an object's pixels below which its colour is gone."""

CHANGE = 3.0
"""What a colour that comes or goes counts as, in the units of the other terms."""

NEAR_PX = 3.0
"""Boxes this close hide a part of one another, or touch."""

FLIGHT = 4
"""Accelerations in a row, one a frame, that are averaged."""

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]


def unforeseen(scene: Scene, seen: Observation) -> float:
    """How much in a clip was not to be foreseen; near 0 where all is as physics says.

    A sum of squares, each in units of what measurement alone may give: colours that come and
    go, jumps, flights that do not fall, movements without a push and pushes without movement.
    A ball that never shows breaks none of these: this is for pairs, not for judging a model's
    own clips.

    Args:
        scene: as a prompt tells it: colours and sizes of its balls; nothing of where they are.
        seen: the clip under a still camera, by `worldreel.evaluate.observe.observe`.
    """
    lens = replace(seen.lens, pitch=np.full_like(seen.lens.pitch, np.median(seen.lens.pitch)))
    seen = replace(seen, lens=lens)
    balls = [
        _follow(seen, thing.color, thing.radius) for thing in scene.things if thing.shape == "ball"
    ]
    eye_m = lens.eye_height_m(scene.event)
    jump = fall = 0.0
    for ball in balls:
        clear = np.isfinite(ball.place[:, 0])
        for other in balls:
            if other is not ball:
                clear = clear & ~_near(ball.track, other.track)
        clear = _three(clear) & _steady(ball.track)
        steps = np.diff(ball.place[:, 0], n=2)
        jump = max(jump, float(np.abs(steps[clear]).max(initial=0)))
        height_m = ball.place[:, 2] + eye_m - ball.radius
        fall = max(fall, _flight_error(height_m, clear, seen.fps))
    push = _push_error(*balls) if len(balls) == 2 else 0.0
    terms = (
        jump / JUMP_M,
        fall / FALL_M_PER_S2,
        push / PUSH_M,
        CHANGE * _num_changes(balls, seen.frames.shape[1:3]),
    )
    return sum(term**2 for term in terms)


@dataclass(frozen=True, kw_only=True, eq=False)
class _Ball:
    """A ball's track and its place ``t 3`` in metres, nan where it is not seen whole."""

    track: Track
    radius: float
    place: Floats


def _follow(seen: Observation, color: str, radius: float) -> _Ball:
    """Places of a ball that stays at one depth, which all frames together say best."""
    track = seen.tracks[color]
    lifted = seen.lens.lift_ball(track, radius)
    depth = lifted[:, 1]
    if np.isfinite(depth).any():
        lifted = lifted * (np.nanmedian(depth) / depth)[:, None]
    return _Ball(track=track, radius=radius, place=lifted)


def _num_changes(balls: list[_Ball], size: tuple[int, int]) -> int:
    """How often most of a ball's colour goes or comes from one frame to the next, away from
    the picture's edge and from other balls."""
    changes = 0
    for ball in balls:
        track, pixels = ball.track, ball.track.num_pixels
        clear = track.whole & (pixels >= CLEAR_PIXELS)
        for other in balls:
            if other is not ball:
                clear = clear & ~_near(track, other.track)
        gone = clear[:-1] & (pixels[1:] < LEFT_OVER * pixels[:-1])
        come = clear[1:] & (pixels[:-1] < LEFT_OVER * pixels[1:])
        gone &= _goes_on_inside(track, size, 1)[:-1]
        come &= _goes_on_inside(track, size, -1)[1:]
        changes += int(gone.sum() + come.sum())
    return changes


def _goes_on_inside(track: Track, size: tuple[int, int], direction: int) -> Flags:
    """Frames from which one more step, onwards (1) or backwards (-1) in time, stays inside."""
    step = np.diff(np.stack([track.x, track.y]), axis=1, prepend=np.nan)
    if direction < 0:
        step = -np.roll(step, -1, axis=1)
    dx, dy = np.nan_to_num(step)
    with np.errstate(invalid="ignore"):
        return (
            (track.left + dx > 0)
            & (track.right + dx < size[1])
            & (track.top + dy > 0)
            & (track.bottom + dy < size[0])
        )


def _steady(track: Track) -> Flags:
    """Where the area hardly changes over three frames, ``(t - 2,)``: it is the same region."""
    area = np.sqrt(np.stack([track.num_pixels[:-2], track.num_pixels[1:-1], track.num_pixels[2:]]))
    return area.min(axis=0) > 0.9 * area.max(axis=0)


def _near(one: Track, other: Track) -> Flags:
    """Frames in which two objects are seen and touch or overlap in the picture."""
    with np.errstate(invalid="ignore"):
        return (
            (one.left < other.right + NEAR_PX)
            & (other.left < one.right + NEAR_PX)
            & (one.top < other.bottom + NEAR_PX)
            & (other.top < one.bottom + NEAR_PX)
        )


def _three(flags: Flags) -> Flags:
    """Where three frames in a row have the flag, ``(t - 2,)``."""
    return flags[:-2] & flags[1:-1] & flags[2:]


def _flight_error(height_m: Floats, clear: Flags, fps: float) -> float:
    """The worst error of a flight's mean acceleration, m/s².

    Args:
        height_m: of the ball above the floor, ``(t,)``.
        clear: where three frames in a row can be read, ``(t - 2,)``.

    Flight is where a ball is off the floor and cannot have touched it between the frames,
    whether one goes on from the two before or back from the two after.
    """
    drop = GRAVITY / fps**2
    change = np.diff(height_m, n=2)
    before, middle, after = height_m[:-2], height_m[1:-1], height_m[2:]
    with np.errstate(invalid="ignore"):
        free = (np.minimum(np.minimum(before, middle), after) > 0.1) & (
            np.minimum(2 * middle - before, 2 * middle - after) - drop > 0.05
        )
    error = np.where(free & clear, (change + drop) * fps**2, np.nan)
    if len(error) < FLIGHT:
        return 0.0
    means = np.lib.stride_tricks.sliding_window_view(error, FLIGHT).mean(axis=1)
    return float(np.abs(means[np.isfinite(means)]).max(initial=0))


def _push_error(striker: _Ball, partner: _Ball) -> float:
    """How far, metres, a partner moved that nothing met, or one that was met did not."""
    apart = ~_near(striker.track, partner.track)
    seen = np.isfinite(partner.place[:, 0])
    early = np.flatnonzero(apart & seen & np.isfinite(striker.place[:, 0]))[:3]
    late = np.flatnonzero(seen)[-6:]
    if not len(early):
        return 0.0
    moved = abs(float(np.median(partner.place[late, 0]) - np.median(partner.place[early, 0])))
    reach = striker.radius + partner.radius
    # places at one depth each hold the median of what the sizes say
    aside = abs(_depth(striker, early) - _depth(partner, early))
    return max(0.25 - moved, 0.0) if aside < 0.75 * reach else moved


def _depth(ball: _Ball, frames: NDArray[np.intp]) -> float:
    return float(np.median(ball.place[frames, 1])) if len(frames) else math.nan
