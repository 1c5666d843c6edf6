"""Reading: is there a mark of this key, how sure is that, and what does it say."""

from dataclasses import dataclass

import numpy as np

from worldreel.provenance.watermark.chance import chance
from worldreel.provenance.watermark.code import NUM_CODED, decode, encode
from worldreel.provenance.watermark.pattern import Pattern
from worldreel.provenance.watermark.residual import Frames, Residual
from worldreel.provenance.watermark.search import WINDOW_SCALES, Place, Search

FALSE_ALARM = 1e-6
"""A mark is found where a clean clip would look as marked more rarely than this."""
NUM_CANDIDATES = 3
"""Places at which a message is looked for, beside the untouched one."""
SURE = 1e-9
"""Doubt below which nothing more is looked for."""
LEGIBLE = 1e-6
"""Doubt below which a payload is told."""


@dataclass(frozen=True, kw_only=True)
class Reading:
    """What a detector found.

    Args:
        found: whether a mark of the key is there, at a false alarm rate of ``FALSE_ALARM``.
        payload: what it says; None if it is not there or too worn to be read.
        false_alarm: bound on the probability that an unmarked clip looks as marked as this.
        num_bits: of the payload.
    """

    found: bool
    payload: int | None
    false_alarm: float
    num_bits: int


@dataclass(frozen=True, kw_only=True)
class _Message:
    payload: int
    score: float
    """Of all waves, with the signs of the code word: Gaussian if unmarked."""
    doubt: float
    """Bound on the probability that another code word fits so well, the place being right."""


def detect(pattern: Pattern, frames: Frames, num_bits: int) -> Reading:
    """Looks for the pattern, with any payload, untouched first, then in every other place.

    The false alarm bound is a sum over everything that was tried: half of the allowance goes
    to the untouched place, half to all others.
    """
    search = Search(pattern, Residual(frames, WINDOW_SCALES))
    untouched = Place(scale_y=1.0, scale_x=1.0)
    messages = [_message(search, untouched, num_bits)]
    bounds = [
        4 * chance(search.score(search.measured(untouched)), 1),
        4 * chance(messages[0].score, 2.0**num_bits),
    ]
    if min(bounds) > FALSE_ALARM or messages[0].doubt > SURE:
        candidates = search.best(NUM_CANDIDATES)
        bounds.append(4 * chance(candidates[0].score, search.num_places))
        for candidate in candidates:
            messages.append(_message(search, search.refined(candidate), num_bits))
            tries = search.num_fine_places * 2.0**num_bits
            bounds.append(4 * chance(messages[-1].score, tries))
    false_alarm = min(1.0, *bounds)
    found = false_alarm <= FALSE_ALARM
    clearest = min(messages, key=lambda message: message.doubt)
    return Reading(
        found=found,
        payload=clearest.payload if found and clearest.doubt < LEGIBLE else None,
        false_alarm=false_alarm,
        num_bits=num_bits,
    )


def _message(search: Search, place: Place, num_bits: int) -> _Message:
    pattern = search.pattern
    measured = search.measured(place)
    parts = np.stack([measured.real, measured.imag], axis=1) * pattern.signs
    told = parts[~pattern.is_sync]
    soft = np.zeros(NUM_CODED)
    np.add.at(soft, pattern.coded_bit, told)
    payload = decode(soft, num_bits)
    agreement = float(soft @ encode(payload, num_bits))
    sync = float(parts[pattern.is_sync].sum())
    return _Message(
        payload=payload,
        score=(sync + agreement) / (float(np.linalg.norm(measured)) + 1e-9),
        doubt=chance(agreement / (float(np.linalg.norm(told)) + 1e-9), 2.0**num_bits),
    )
