"""Law 13: causes come before effects, and time runs forward."""

from dataclasses import replace

from worldreel.evaluate.case import Case, Group
from worldreel.evaluate.features.arrow import arrow_logits, share_above
from worldreel.evaluate.law import Law, Metric
from worldreel.evaluate.laws import collision
from worldreel.evaluate.observe import Observation

IRREVERSIBLE: tuple[Group, ...] = ("fall", "throw", "slide", "collide", "ramp", "topple")
"""Events that lose energy: their reverse can be told from them."""


def _measure(case: Case, observation: Observation) -> dict[str, float | None]:
    figures: dict[str, float | None] = {"forward": share_above(arrow_logits([observation.frames]))}
    if case.group in collision.CAUSE.groups:
        onset = collision.CAUSE.measure(case, observation)
        names = [metric.name for metric in collision.CAUSE.metrics]
        figures |= dict.fromkeys(names) if onset is None else onset
    return figures


CAUSE = Law(
    number=collision.CAUSE.number,
    name=collision.CAUSE.name,
    question=(
        "Does a ball that is hit begin to move when it is touched, and not before; and does time "
        "run forward?"
    ),
    groups=IRREVERSIBLE,
    metrics=(
        *(replace(metric, groups=collision.CAUSE.groups) for metric in collision.CAUSE.metrics),
        Metric(
            name="forward",
            label="judged to run forward (share)",
            perfect=1.0,
            worst=0.0,
            floor="reversed",
        ),
    ),
    measure=_measure,
)
