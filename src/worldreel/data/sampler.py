"""Which clips a step sees: a pure function, so the data position is the step's number."""

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from worldreel.core.randomness import numpy_generator


def batch_indices(seed: int, step: int, batch_size: int, n: int) -> NDArray[np.int64]:
    """Indices, int64 ``(batch_size,)`` in [0, n), of the items of one step.

    The steps walk through one permutation of all items after the other, so that each
    item comes exactly once in every ``n`` consecutive places. Nothing is remembered
    between calls.
    """
    assert step >= 0 and batch_size >= 1 and n >= 1, (step, batch_size, n)
    places = np.arange(step * batch_size, (step + 1) * batch_size, dtype=np.int64)
    epochs, within = np.divmod(places, n)
    out = np.empty(batch_size, dtype=np.int64)
    for epoch in np.unique(epochs):
        here = epochs == epoch
        out[here] = _permutation(seed, int(epoch), n)[within[here]]
    return out


@lru_cache(maxsize=4)
def _permutation(seed: int, epoch: int, n: int) -> NDArray[np.int64]:
    return numpy_generator(seed, "epoch", epoch).permutation(n)
