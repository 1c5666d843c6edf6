"""Law 3, the collision, and the first half of law 13: nothing moves before it is touched."""

from dataclasses import dataclass

import numpy as np

from worldreel.evaluate.case import Case
from worldreel.evaluate.law import Law, Metric
from worldreel.evaluate.laws.fits import Floats, Path, ball_points, plane_path
from worldreel.evaluate.observe import Observation

GIVEN = ((0.5, 0.69, 1.0, 1.38, 2.0), (1.27, 1.03, 0.62, 0.43, 0.36))
"""By the partner's radius over the actor's: the partner's speed after a hit over the actor's
before, in the simulator's clips. In the first instant it is up to 15% more, but friction has
turned that into rolling by the next frame."""

MAX_GAP = 0.3
"""Balls whose gap is never smaller than this share of both radii together have not met."""

MIN_SPEED = 0.3
"""Metres per second: a slower hit is none."""

MIN_PUSH = 0.1
"""A partner that gains less than this share of the speed of the hit was not hit."""

MAX_FRAMES = 6
"""So many frames before and after the contact tell the speeds."""

MIN_BEFORE = 2
MIN_FRAMES = 3
"""With fewer frames before and after, a hit has no speeds; large balls start close together."""

CONTACT_FRAMES = 0.35
"""A contact takes 29 ms; a frame within it shows neither the speed before nor that after."""

MOVED_M = 0.04
"""A partner has moved when it is this far from where it was."""

EARLY_FRAMES = -1.5
"""A partner that moves sooner than this before the contact moves before it is touched; between
frames, the onset of a motion is known to a third of one."""

LATE_FRAMES = 12.0
"""A second: what an onset counts as that is not found."""


@dataclass(frozen=True, kw_only=True)
class Hit:
    """A collision of two balls along the line in which they move.

    Args:
        frame: of the contact, between two frames.
        before, after: speeds along the line of actor and partner, m/s.
    """

    frame: float
    before: tuple[float, float]
    after: tuple[float, float]


def _paths(case: Case, observation: Observation) -> tuple[Path, Path] | None:
    """The paths of actor and partner, their depths read from the frames around the contact:
    afterwards other objects may push them aside."""
    points = [ball_points(observation, thing) for thing in case.things[:2]]
    first = [plane_path(observation, p) for p in points]
    if first[0] is None or first[1] is None:
        return None
    closest = _closest(case, first[0], first[1])
    if closest is None:
        return None
    around = slice(0, closest + 2 * MAX_FRAMES)
    actor, partner = (plane_path(observation, p, around) for p in points)
    return (actor or first[0], partner or first[1])


def _gap(case: Case, actor: Path, partner: Path) -> Floats:
    """Metres of air between both balls, ``(t,)``; nan where one is not seen."""
    apart = np.hypot(actor.along - partner.along, actor.height - partner.height)
    return apart - sum(thing.radius for thing in case.things[:2])


def _closest(case: Case, actor: Path, partner: Path) -> int | None:
    """The first frame in which they are nearest to each other, if they meet at all."""
    gap = _gap(case, actor, partner)
    room = MAX_GAP * sum(thing.radius for thing in case.things[:2])
    near = np.flatnonzero(np.nan_to_num(gap, nan=np.inf) < room)
    if not len(near):
        return None
    # the first dip below the room that is left between them
    stop = near[0]
    while stop + 1 < len(gap) and gap[stop + 1] < gap[stop] and gap[stop] > 0:
        stop += 1
    return int(stop)


def find_hit(case: Case, actor: Path, partner: Path) -> Hit | None:
    """The collision of the first two things of a case, or None where they do not meet or where
    the partner does not gain speed."""
    closest = _closest(case, actor, partner)
    if closest is None:
        return None
    apart = partner.along - actor.along
    num_frames = len(apart)
    window = np.arange(
        max(closest - MAX_FRAMES, 0), min(closest + MAX_FRAMES + 1, num_frames)
    ).astype(np.float64)
    window = window[np.isfinite(apart[window.astype(int)])]
    used = window.astype(int)
    best: tuple[float, float] | None = None
    for contact in np.arange(closest - 1.0, closest + 1.01, 0.05):
        rows = _kinked(window - contact)
        if rows is None:
            continue
        fit, *_ = np.linalg.lstsq(rows, apart[used], rcond=None)
        error = float(np.sum((rows @ fit - apart[used]) ** 2))
        if best is None or error < best[0]:
            best = (error, float(contact))
    if best is None:
        return None
    contact = best[1]
    rows = _kinked(window - contact)
    assert rows is not None
    clear = (window <= contact) | (window >= contact + CONTACT_FRAMES)
    step_s = float(actor.time_s[1] - actor.time_s[0])
    speeds = []
    for path in (actor, partner):
        fit, *_ = np.linalg.lstsq(rows[clear], path.along[used][clear], rcond=None)
        speeds.append((float(fit[1]) / step_s, float(fit[2]) / step_s))
    (a_before, a_after), (p_before, p_after) = speeds
    incoming = abs(a_before - p_before)
    if incoming < MIN_SPEED or abs(p_after - p_before) < MIN_PUSH * incoming:
        return None
    return Hit(frame=contact, before=(a_before, p_before), after=(a_after, p_after))


def _kinked(since: Floats) -> Floats | None:
    """Columns of a line before a contact and a parabola after it, which meet there."""
    early, late = np.minimum(since, 0), np.maximum(since, 0)
    if np.count_nonzero(since <= 0) < MIN_BEFORE or np.count_nonzero(since > 0) < MIN_FRAMES:
        return None
    return np.stack([np.ones_like(since), early, late, late**2], axis=1)


def _collision(case: Case, observation: Observation) -> dict[str, float | None] | None:
    paths = _paths(case, observation)
    hit = None if paths is None else find_hit(case, *paths)
    if hit is None:
        return None
    ratio = case.things[1].radius / case.things[0].radius
    expected = float(np.interp(ratio, *GIVEN))
    given = (hit.after[1] - hit.before[1]) / (hit.before[0] - hit.before[1])
    figures: dict[str, float | None] = {"given_error_pct": 100 * abs(given / expected - 1)}
    if not _floor_takes_part(case):
        mass = np.array([thing.radius**3 for thing in case.things[:2]])
        before, after = np.array(hit.before), np.array(hit.after)
        incoming = float(np.sum(mass * before))
        energy = float(np.sum(mass * before**2))
        figures["momentum_change_pct"] = 100 * abs(float(np.sum(mass * after)) / incoming - 1)
        figures["energy_made"] = max(float(np.sum(mass * after**2)) / energy - 1, 0.0)
    return figures


def _floor_takes_part(case: Case) -> bool:
    """Whether a ball hits a larger one: it is wedged between that one and the floor, which then
    gives the two up to 2.6 times the momentum that they had."""
    return case.things[1].radius > 1.01 * case.things[0].radius


def onset_minus_contact(case: Case, observation: Observation) -> float | None:
    """Frames from the contact of actor and partner to the onset of the partner's motion.

    The contact is when the actor, as it comes, reaches the place in which the partner waits; so
    it has a time even where the partner runs away before.

    Returns:
        None where the partner never moves, or where the actor never comes.
    """
    paths = _paths(case, observation) or _plain_paths(case, observation)
    if paths is None:
        return None
    actor, partner = paths
    seen = np.flatnonzero(partner.seen)
    waiting = float(np.median(partner.along[seen[:MIN_FRAMES]]))
    moved = np.flatnonzero(np.abs(partner.along[seen] - waiting) > MOVED_M)
    if not len(moved):
        return None
    onset = _onset(seen.astype(np.float64), partner.along[seen], int(moved[0]))
    both = np.flatnonzero(actor.seen)
    height = float(np.median(partner.height[seen[:MIN_FRAMES]]))
    reach = np.hypot(actor.along - waiting, actor.height - height)[both]
    reach = reach - sum(thing.radius for thing in case.things[:2])
    coming = both <= max(onset, MIN_FRAMES)
    if np.count_nonzero(coming) < MIN_FRAMES:
        return None
    slope, level = np.polyfit(both[coming][-MAX_FRAMES:], reach[coming][-MAX_FRAMES:], 1)
    if slope >= -1e-3:
        return None
    return onset + level / slope


def _plain_paths(case: Case, observation: Observation) -> tuple[Path, Path] | None:
    """As `_paths`, of balls that never meet."""
    actor, partner = (
        plane_path(observation, ball_points(observation, thing)) for thing in case.things[:2]
    )
    return None if actor is None or partner is None else (actor, partner)


def _onset(frame: Floats, along: Floats, moved: int) -> float:
    """When a motion begins that has become visible in the frame number ``moved``: where a line
    through the frames from then on meets the place before, or the first frame if there is none."""
    before = along[: max(moved, 1)]
    if moved < 2:
        return float(frame[0])
    rest = float(np.median(before))
    after = slice(moved, moved + 3)
    slope, level = np.polyfit(frame[after], along[after], 1) if len(frame[after]) > 1 else (0, 0)
    if slope == 0:
        return float(frame[moved])
    return float(np.clip((rest - level) / slope, frame[0], frame[moved]))


def _cause(case: Case, observation: Observation) -> dict[str, float | None] | None:
    delay = onset_minus_contact(case, observation)
    if delay is None:
        return None
    return {"onset_frames": abs(delay), "early": float(delay < EARLY_FRAMES)}


COLLISION = Law(
    number=3,
    name="collision",
    question="Do two balls that meet keep their momentum and make no energy?",
    groups=("collide",),
    metrics=(
        Metric(
            name="momentum_change_pct",
            label="change of momentum (%)",
            perfect=0.0,
            worst=100.0,
            floor="shuffled_frames",
        ),
        Metric(
            name="energy_made",
            label="kinetic energy made (ratio above 1)",
            perfect=0.0,
            worst=1.0,
            floor="reversed",
        ),
        Metric(
            name="given_error_pct",
            label="error of the speed given (%)",
            perfect=0.0,
            worst=100.0,
            floor="shuffled_frames",
        ),
    ),
    measure=_collision,
)

CAUSE = Law(
    number=13,
    name="cause before effect",
    question="Does a ball that is hit begin to move when it is touched, and not before?",
    groups=("collide",),
    metrics=(
        Metric(
            name="onset_frames",
            label="from contact to onset (frames)",
            perfect=0.0,
            worst=LATE_FRAMES,
            floor="reversed",
        ),
        Metric(
            name="early",
            label="moves before it is touched (share)",
            perfect=0.0,
            worst=1.0,
            floor="reversed",
        ),
    ),
    measure=_cause,
)
