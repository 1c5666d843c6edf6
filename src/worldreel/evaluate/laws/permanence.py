"""Law 6: what goes behind a wall comes out again, the same, and in time."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from worldreel.evaluate.case import Case
from worldreel.evaluate.law import Law, Metric
from worldreel.evaluate.observe import Observation
from worldreel.evaluate.regions import clean_classes, clean_track, wall
from worldreel.evaluate.tracker import lab
from worldreel.evaluate.tracks import EDGE_PX, Track
from worldreel.world.vocabulary import COLORS

COVERED_SHARE = 0.15
"""More of it before the wall than this, and it is not behind it."""

PART_SHARE = 0.45
"""At least as much of it to be seen, and the edge that is not covered tells where it is."""

WELL_SHARE = 0.8
"""At least as much of it to be seen, and it may be all of it: nearer and farther differ by 0.1."""

SAME_DELTA_E = 10.0
"""Mean colours within this are the same; the nearest two of the ten are 26 apart."""

SAME_SIZE = 0.12
"""Diameters within this share are the same; the nearest two words of size are a third apart."""

MOST_FRAMES = 12.0

Floats = NDArray[np.float64]
Booleans = NDArray[np.bool_]


@dataclass(frozen=True, kw_only=True, eq=False)
class Passage:
    """A way behind something.

    Args:
        before, after: frames ``(t,)`` in which all of the ball is seen before it and after it.
        onwards: 1 to the right, -1 to the left.
        full: pixels of the ball when all of it is seen.
    """

    before: Booleans
    after: Booleans
    onwards: int
    full: float


def measure(case: Case, observation: Observation) -> dict[str, float | None] | None:
    """The figures of one passage; a ball never seen before it, or never hidden, fails.

    The time of coming out is told from the way before: rolling at a constant speed along a
    straight line on the floor. (A ball of the simulator loses 0.2% of its speed on the way,
    a hundredth of a frame.) The line may be anywhere; only its course in time is judged.
    """
    ball = clean_track(observation, case.things[0].color)
    hiding = wall(observation)
    wanted = clean_classes(observation) == 1 + list(COLORS).index(ball.color)
    passage = None if hiding is None else find_passage(ball, wanted, hiding)
    if passage is None:
        return {"reappears": 0.0, "exit_error_frames": None, "identity_kept": 0.0}
    same = _same_color(observation, wanted, passage) and _same_size(ball, passage)
    return {
        "reappears": 1.0,
        "exit_error_frames": _exit_error(case, observation, ball, passage),
        "identity_kept": float(same),
    }


def find_passage(ball: Track, wanted: Booleans, hiding: Booleans) -> Passage | None:
    """The frames before and after ``ball`` is behind what covers ``hiding`` ``h w``.

    None where there are none: it must be seen all on one side, then all on the other, and in
    between its colour, ``wanted`` ``t h w``, must not be seen before what hides it.
    """
    if np.count_nonzero(ball.whole) < 4:
        return None
    full = float(np.percentile(ball.num_pixels[ball.whole], 80))
    well = ball.whole & (ball.num_pixels >= WELL_SHARE * full)
    columns = np.flatnonzero(hiding.any(axis=0))
    side = np.where(ball.x < columns[0], -1, np.where(ball.x > columns[-1], 1, 0)) * well
    seen = np.flatnonzero(side)
    turns = np.flatnonzero(np.diff(side[seen]))
    if not len(turns):
        return None
    last, first = seen[turns[0]], seen[turns[0] + 1]
    before_it = wanted[last + 1 : first][:, hiding].sum(axis=1)
    if len(before_it) == 0 or np.median(before_it) > COVERED_SHARE * full:
        return None
    frames = np.arange(len(side))
    onwards = int(side[first])
    return Passage(
        before=(side == -onwards) & (frames <= last),
        after=(side == onwards) & (frames >= first),
        onwards=onwards,
        full=full,
    )


def _exit_error(
    case: Case, observation: Observation, ball: Track, passage: Passage
) -> float | None:
    """Frames between when it is seen again and when it should be there; None if not to be told."""
    width = observation.lens.width
    coming, going = (_places(ball, passage, part, width) for part in ("before", "after"))
    if len(coming) < 3:
        return None
    lens = observation.lens
    height_m = lens.eye_height_m(case.scene.event) - case.things[0].radius
    all_whole = passage.before | passage.after
    row = np.polynomial.Polynomial.fit(ball.x[all_whole], ball.y[all_whole], 1)
    t, x, sigma = np.concatenate([coming, going]).T
    # on a plane at the height of its centre
    where = np.full(len(ball.x), np.nan), np.full(len(ball.x), np.nan)
    where[0][t.astype(int)], where[1][t.astype(int)] = x, row(x)
    points = lens.lift_to_floor(*where, height_m)[t.astype(int), :2]
    if not np.isfinite(points).all():
        return None
    centred = points - points.mean(axis=0)
    along = centred @ np.linalg.svd(centred, full_matrices=False)[2][0]
    num = len(coming)
    pace, start = np.polyfit(t[:num], along[:num], 1, w=1 / sigma[:num])
    if abs(pace) < 1e-3:  # metres a frame: it stood still before it went in
        return None
    late = t[num:] - (along[num:] - start) / pace
    sure = sigma[num:] <= np.sort(sigma[num:])[min(2, len(late) - 1)]
    return float(abs(np.median(late[sure][:5])))


CENTRE_SIGMA_PX, EDGE_SIGMA_PX = 0.15, 0.4


def _places(ball: Track, passage: Passage, part: Literal["before", "after"], width: int) -> Floats:
    """Frame, column of the centre and its uncertainty in pixels, ``n 3``, on one side.

    Where the wall or the picture covers a part of the ball, the edge on the other side tells.
    """
    whole = passage.before if part == "before" else passage.after
    frames = np.arange(len(whole))
    middle = (frames[passage.before][-1] + frames[passage.after][0]) / 2
    near = frames[whole][-2:] if part == "before" else frames[whole][:2]
    # before it goes in, the wall covers its front; when it comes out, its rear
    front = (passage.onwards > 0) == (part == "after")
    edge = ball.right if front else ball.left
    offset = float(np.median((ball.x - edge)[whole]))
    centred = whole & ~np.isin(frames, near)  # in which its first sliver may be covered
    inside = (edge > EDGE_PX) & (edge < width - EDGE_PX)
    partly = inside & (ball.num_pixels >= PART_SHARE * passage.full) & ~centred
    partly &= frames < middle if part == "before" else frames > middle
    x = np.where(centred, ball.x, edge + offset)
    sigma = np.where(centred, CENTRE_SIGMA_PX, EDGE_SIGMA_PX)
    return np.stack([frames.astype(np.float64), x, sigma], axis=1)[centred | partly]


def _same_color(observation: Observation, wanted: Booleans, passage: Passage) -> bool:
    came, went = (
        np.median([_mean_color(observation, wanted, int(t)) for t in np.flatnonzero(part)], axis=0)
        for part in (passage.before, passage.after)
    )
    return bool(np.linalg.norm(came - went) < SAME_DELTA_E)


def _mean_color(observation: Observation, wanted: Booleans, t: int) -> Floats:
    return lab(observation.frames[t][wanted[t]]).mean(axis=0).astype(np.float64)


def _same_size(ball: Track, passage: Passage) -> bool:
    came, went = (
        float(np.sqrt(np.median(ball.num_pixels[part]))) for part in (passage.before, passage.after)
    )
    return abs(np.log(went / came)) < SAME_SIZE


PERMANENCE = Law(
    number=6,
    name="permanence",
    question="Does what goes behind a wall come out again, the same, and in time?",
    groups=("occlude",),
    metrics=(
        Metric(
            name="reappears",
            label="comes out again (share of clips)",
            perfect=1.0,
            worst=0.0,
            floor="frozen",
        ),
        Metric(
            name="exit_error_frames",
            label="error of the exit time (frames)",
            perfect=0.0,
            worst=MOST_FRAMES,
            floor="shuffled_frames",
        ),
        Metric(
            name="identity_kept",
            label="colour and size kept (share of clips)",
            perfect=1.0,
            worst=0.0,
            floor="frozen",
        ),
    ),
    measure=measure,
)
