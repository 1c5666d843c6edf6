"""How likely it is that a picture that nobody marked looks marked.

A detector's score is ``sum(e_i a_i) / |a|``: the ``a_i`` are measured on the picture, the signs
``e_i`` are drawn from the key, independently of it. For every picture whatever, such a sum of
random signs is as rarely large as a Gaussian one, up to a constant factor.
"""

import math

BENTKUS = 1 / (2 * math.erfc(1.0))
"""The factor, 3.18: Bentkus and Dzindzalieta, A tight Gaussian bound for weighted sums of
Rademacher random variables, Bernoulli 21 (2015), theorem 1.1. It cannot be improved."""


def chance(score: float, num_tries: float) -> float:
    """Bound on the probability that any of ``num_tries`` scores of a clean clip reaches ``score``.

    The tries need not be independent of each other: the bound is a sum over them.
    """
    if score <= 0:
        return 1.0
    tail = math.erfc(score / math.sqrt(2)) / 2
    return min(1.0, num_tries * BENTKUS * tail)
