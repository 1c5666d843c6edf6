"""A step cache: where the velocity hardly changes from one step to the next, it is foretold.

A velocity that was computed at two times says how fast it changes; the straight line through both
says what it will be next. The line is followed for as many steps as the change is expected to
stay below a threshold, then the transformer is asked again. Reusing what was computed before goes
back to DeepCache (2312.00858), a line in place of a copy to TaylorSeer (2503.06923), and watching
how large the change is to TeaCache (2411.19108) and MagCache (2506.09045). Here it is watched on
the velocity itself, so nothing is measured beforehand for a model and nothing runs in vain.
"""

from collections.abc import Iterable, Mapping

import torch
from torch import Tensor

CERTAIN_SHARE = 0.2
"""This share of the steps, at the beginning, is always computed: what is in the picture is settled
there, and an error of one of them makes another video."""
MOST_FORETOLD = 4
"""So many evaluations in a row are foretold at the most."""


class StepCache:
    """Foretells the branches of guidance, 0 under the prompt and 1 under its absence.

    Each has a line of its own, but all are foretold or none: guidance multiplies their difference,
    in which the errors of two lines nearly cancel, and that of one does not.

    Args:
        threshold: the change of a velocity, as a share of its size, that is let pass between two
            evaluations of the transformer.
        start: the time of the clock from which on it may foretell.
    """

    def __init__(self, threshold: float, start: float) -> None:
        self.threshold, self.start = threshold, start
        self.forget()

    def forget(self) -> None:
        """Begins anew: what comes next has little to do with what was before."""
        self._known: dict[int, list[tuple[float, Tensor]]] = {}  # clocks and velocities
        self._change: dict[int, float] = {}  # in one evaluation, as a share of the velocity
        self._num_foretold = 0

    def is_due(self, clock: float, branches: Iterable[int]) -> bool:
        """Whether velocities must be computed at this time."""
        num = self._num_foretold + 1
        if clock > self.start or num > MOST_FORETOLD:
            return True
        # also where the change is no number
        return any(
            not num * self._change.get(branch, torch.inf) <= self.threshold for branch in branches
        )

    def keep(self, clock: float, velocities: Mapping[int, Tensor], moves: Tensor) -> None:
        """Takes in what was computed.

        Args:
            velocities: ``1 c t h w`` by branch, at this time of the clock.
            moves: which elements are under way, broadcast to a velocity: others have no say.
        """
        for branch, v in velocities.items():
            known = self._known.get(branch, [])[-1:]
            if known:
                size = torch.linalg.vector_norm((v * moves).float())
                change = torch.linalg.vector_norm(((v - known[0][1]) * moves).float())
                self._change[branch] = float(change / size) / (self._num_foretold + 1)
            self._known[branch] = [*known, (clock, v)]
        self._num_foretold = 0

    def foretell(self, clock: float, branches: Iterable[int]) -> dict[int, Tensor]:
        """The velocities on the straight lines through the last two that were computed."""
        self._num_foretold += 1
        foretold = {}
        for branch in branches:
            (one, v_one), (two, v_two) = self._known[branch]
            foretold[branch] = torch.lerp(v_one, v_two, (clock - one) / (two - one))
        return foretold
