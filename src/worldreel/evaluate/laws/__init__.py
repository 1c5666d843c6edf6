"""The laws of single clips, in the order of the table."""

from worldreel.evaluate.law import Law
from worldreel.evaluate.laws.appearance import APPEARANCE
from worldreel.evaluate.laws.camera import CAMERA
from worldreel.evaluate.laws.cause import CAUSE
from worldreel.evaluate.laws.collision import COLLISION
from worldreel.evaluate.laws.count import COUNT
from worldreel.evaluate.laws.drift import DRIFT
from worldreel.evaluate.laws.fall import BOUNCE, FREE_FALL
from worldreel.evaluate.laws.motion import MOTION
from worldreel.evaluate.laws.pendulum import PENDULUM
from worldreel.evaluate.laws.permanence import PERMANENCE
from worldreel.evaluate.laws.shadow import SHADOW
from worldreel.evaluate.laws.solidity import SOLIDITY
from worldreel.evaluate.laws.words import WORDS

LAWS: tuple[Law, ...] = (
    FREE_FALL,
    BOUNCE,
    COLLISION,
    MOTION,
    PENDULUM,
    PERMANENCE,
    COUNT,
    APPEARANCE,
    SOLIDITY,
    SHADOW,
    CAMERA,
    WORDS,
    CAUSE,
    DRIFT,
)
