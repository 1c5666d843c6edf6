"""How a canvas that is longer than a model's window is made: in stretches, each of which sees
what lies beside it.

The axis counts latent frames. Its frames are either needed (something in them is free) or
given. A stretch is one window of the model: new frames, and beside them frames that are given
or were made before. A ring that fits the window is one stretch; on a longer one the last stretch
sees the beginning of the first.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

FILLER = -1
"""In a stretch's frames: nothing that is kept; it fills the window up to whole patches."""


@dataclass(frozen=True, kw_only=True)
class Stretch:
    """One window of the model.

    Args:
        frames: the frame of the axis at each position, `FILLER` where there is none.
        new: the positions whose frames are made here, first and one after the last.
        num_shown: positions before ``frames`` that hold a reference.
        made_level: the noise level at which frames that were made before are given.
        is_ring: whether it is a whole ring: its last frame is followed by its first.
    """

    frames: tuple[int, ...]
    new: tuple[int, int]
    num_shown: int = 0
    made_level: float = 0.0
    is_ring: bool = False

    @property
    def made(self) -> tuple[int, ...]:
        """The frames of the axis that are made here."""
        return self.frames[self.new[0] : self.new[1]]

    @property
    def length(self) -> int:
        """Latent frames of the window, the reference with them."""
        return self.num_shown + len(self.frames)


@dataclass(frozen=True, kw_only=True)
class Axis:
    """The time of a canvas, cut into latent frames.

    Args:
        needed: bool for each frame, True where something is free.
        cuts: frames before which nothing is carried over, rising.
        is_ring: whether the last frame is followed by the first.
        shown: for each frame, how many positions of its window hold a reference.
    """

    needed: NDArray[np.bool_]
    cuts: Sequence[int] = ()
    is_ring: bool = False
    shown: NDArray[np.int64] | None = None

    def shown_at(self, frame: int) -> int:
        """How many positions before a frame's window hold a reference."""
        return 0 if self.shown is None else int(self.shown[frame])


def plan_stretches(
    axis: Axis, *, window: int, context: int, patch: int, context_level: float = 0.0
) -> tuple[Stretch, ...]:
    """The windows that make all needed frames of an axis, in the order in which they are made.

    Args:
        window: the most frames that a model sees at once, a multiple of ``patch``.
        context: how many made or given frames a stretch sees beside its new ones, where there
            are as many; more where the window has room.
        patch: frames per token; the length of a window is a multiple of it.
        context_level: the noise level at which frames that were made before are given to a
            stretch that goes on from them; one that leads back to them sees them clean.
    """
    assert window % patch == 0 and 0 < 2 * context < window, (window, context, patch)
    count = len(axis.needed)
    if axis.is_ring and count <= window and not axis.cuts and axis.shown_at(0) == 0:
        whole = Stretch(frames=tuple(range(count)), new=(0, count), is_ring=True)
        return (whole,) if axis.needed.any() else ()
    stretches: list[Stretch] = []
    done = ~axis.needed
    for low, high in _shots(axis):
        for start, stop in _runs(axis, low, high, bridge=context):
            for stretch in _fill(axis, (low, high), (start, stop), done, window, context, patch):
                leads_back = any(frame != FILLER for frame in stretch.frames[stretch.new[1] :])
                stretches.append(replace(stretch, made_level=0.0 if leads_back else context_level))
                done[list(stretch.made)] = True
    return tuple(stretches)


def _shots(axis: Axis) -> Iterator[tuple[int, int]]:
    """What lies between two cuts; beyond the axis's end where a ring's shot goes on there."""
    count, cuts = len(axis.needed), [cut for cut in axis.cuts if 0 < cut < len(axis.needed)]
    if axis.is_ring and cuts:
        yield from zip(cuts, [*cuts[1:], count + cuts[0]], strict=True)
    else:
        yield from zip([0, *cuts], [*cuts, count], strict=True)


def _runs(axis: Axis, low: int, high: int, *, bridge: int) -> Iterator[tuple[int, int]]:
    """Runs of needed frames between ``low`` and ``high``.

    Fewer than ``bridge`` given frames between needed ones belong to the run: every second
    frame of a clip is one task, not many.
    """
    count = len(axis.needed)
    start, end = low, high
    if axis.is_ring and high - low == count and not axis.needed.all():
        start = int(np.flatnonzero(~axis.needed)[0])  # begin with something given
        end = start + count
    needed = [frame for frame in range(start, end) if axis.needed[frame % count]]
    first = 0
    for place, frame in enumerate(needed):
        is_last = place == len(needed) - 1
        if is_last or needed[place + 1] - frame - 1 >= max(bridge, 1):
            yield needed[first], frame + 1
            first = place + 1


def _fill(
    axis: Axis,
    shot: tuple[int, int],
    run: tuple[int, int],
    done: NDArray[np.bool_],
    window: int,
    context: int,
    patch: int,
) -> Iterator[Stretch]:
    """The stretches of one run of needed frames."""
    count = len(done)
    low, high = shot
    start, stop = run
    closes = axis.is_ring and stop - start == count  # nothing is given: it ends where it began
    if axis.is_ring and high - low == count:
        low, high = start - count, stop + count

    def is_done(frame: int) -> bool:
        return low <= frame < high and bool(done[frame % count])

    while start < stop:
        shown = axis.shown_at(start % count)
        room = window - shown
        before = 0
        while before < room and is_done(start - before - 1):
            before += 1
        after = 0
        while after < room and is_done(stop + after) and (not closes or stop + after < high):
            after += 1
        left = stop - start
        least_before, least_after = min(before, context), min(after, context)
        must_part = closes and left == count
        if left + least_before + least_after <= room and not must_part:
            new = left
            free = room - new - least_before - least_after
            more = min(before - least_before, free)
            before, free = least_before + more, free - more
            after = least_after + min(after - least_after, free)
        else:
            before, after = least_before, 0
            new = min(room - before, left - patch)
            if must_part:  # what closes the ring must fit between its ends
                new = min(new, max(-(-left // 2), left - (room - 2 * context)))
            new = max(patch, new // patch * patch)
            new = min(new, left - 1)
        frames = [frame % count for frame in range(start - before, start + new + after)]
        frames += [FILLER] * (-(len(frames) + shown) % patch)
        yield Stretch(frames=tuple(frames), new=(before, before + new), num_shown=shown)
        start += new
