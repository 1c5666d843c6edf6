"""What a law is: a question to a clip, answered in figures from its pixels alone."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from worldreel.evaluate.case import Case, Group
from worldreel.evaluate.observe import Observation

Floor = Literal[
    "frozen", "shuffled_frames", "reversed", "shuffled_pairing", "constant_velocity", "chance"
]
"""Nonsense that a law must tell from the truth.

``frozen`` shows the first frame throughout, ``shuffled_frames`` all frames in a random order,
``reversed`` in the opposite order, ``shuffled_pairing`` the simulator's clip of another case
of the same group, ``constant_velocity`` the same objects going on as they began, through
everything. ``chance`` is no clip but the metric's own ``chance``.
"""


@dataclass(frozen=True, kw_only=True)
class Metric:
    """One figure of a law.

    Args:
        name: with its unit where it has one: ``g_error_pct``.
        label: how the report calls it, with the unit.
        perfect: the value of a perfect clip.
        worst: what a clip counts as whose tracks failed; values are held between this and
            ``perfect``, so that one wild clip cannot decide a mean.
        floor: the nonsense whose value is the bottom of the score.
        chance: the bottom where ``floor`` is ``chance``.
        groups: the groups of cases that it is measured on, where these are not all of its law's.
    """

    name: str
    label: str
    perfect: float
    worst: float
    floor: Floor
    chance: float | None = None
    groups: tuple[Group, ...] | None = None


@dataclass(frozen=True, kw_only=True)
class Law:
    """A law of physics or a kind of coherence.

    Args:
        number: its place in the table. name: two or three words.
        question: what is asked of a clip, one sentence.
        groups: the groups of cases that it is measured on.
        metrics: its figures, the most telling one first.
        measure: the figures of one clip by the metrics' names. None where the tracks failed;
            a figure is None where it failed alone. Failures count as ``worst`` and are never
            dropped. A name may be missing only if the *case* leaves nothing to measure (never
            because of what the pixels show).
    """

    number: int
    name: str
    question: str
    groups: tuple[Group, ...]
    metrics: tuple[Metric, ...]
    measure: Callable[[Case, Observation], dict[str, float | None] | None]
