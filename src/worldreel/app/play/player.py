"""Makes an endless canvas while somebody watches, and shows its frames in their time."""

import contextlib
import statistics
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Self

import numpy as np
from numpy.typing import NDArray

from worldreel.app.play.cue import Cue
from worldreel.app.play.seen import Seen
from worldreel.generate.endless import Endless
from worldreel.provenance.credentials import Ingredient

STEPS_TIMED = 6
"""Steps of which the median says how fast frames are made."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Shown:
    """A frame as it is shown.

    Args:
        number: how many were shown before it.
        frame: uint8 sRGB ``h w 3``.
        prompt: that it was made with.
    """

    number: int
    frame: NDArray[np.uint8]
    prompt: str


class _Abandoned(Exception):
    """The step in progress is not wanted any more."""


class Player:
    """Two threads: one makes frames, one shows each when it is due.

    What is said is heard by the very next frame that is shown: what was made before and not
    shown yet is taken back, and a step that has begun is given up. Without anybody who watches
    nothing is made.

    Args:
        endless: what makes the frames; nobody else may use it meanwhile.
        cue: what is said at first.
        sources: the files that it begins with, for the credentials of what is saved.
    """

    def __init__(self, endless: Endless, cue: Cue, sources: Sequence[Ingredient] = ()) -> None:
        self.fps = endless.fps
        self.seen = Seen(endless, sources)
        self._endless = endless
        self._cue = cue
        self._ready: deque[tuple[NDArray[np.uint8], str]] = deque()
        self._shown: Shown | None = None
        self._error: BaseException | None = None
        self._seconds_per_frame: deque[float] = deque(maxlen=STEPS_TIMED)
        self._unwanted = 0
        """Frames that were made and not shown, and that the next step has to forget."""
        self._watching = 0
        self._stopped = False
        self._changed = threading.Condition()
        self._threads = [
            threading.Thread(target=self._guard, args=(work,), name=name, daemon=True)
            for name, work in (("make frames", self._make), ("show frames", self._show))
        ]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        with self._changed:
            self._stopped = True
            self._changed.notify_all()
        for thread in self._threads:
            thread.join()

    @property
    def cue(self) -> Cue:
        """What is said now."""
        return self._cue

    def say(self, cue: Cue) -> None:
        """Says something else: every frame that is shown from now on has heard it."""
        with self._changed:
            if cue == self._cue:
                return
            self._cue = cue
            self._unwanted += len(self._ready)
            self._ready.clear()
            self._changed.notify_all()

    @property
    def speed(self) -> float | None:
        """Seconds of video made per second, the median of the last steps; None before them."""
        with self._changed:
            timed = list(self._seconds_per_frame)
        return 1 / (self.fps * statistics.median(timed)) if timed else None

    @contextlib.contextmanager
    def watching(self) -> Iterator[None]:
        """Frames are made while at least one of these blocks runs."""
        with self._changed:
            self._watching += 1
            self._changed.notify_all()
        try:
            yield
        finally:
            with self._changed:
                self._watching -= 1
                self._changed.notify_all()

    def next(self, after: int, timeout_s: float) -> Shown | None:
        """The frame shown now if its number is above ``after``; otherwise waits for one.

        Returns:
            None if none came in time, or the player has stopped.

        Raises:
            Exception: what ended the making.
        """
        with self._changed:
            self._changed.wait_for(
                lambda: self._stopped or self._error or self._is_newer(after), timeout_s
            )
            if self._error is not None:
                raise self._error
            return self._shown if self._is_newer(after) else None

    def wait(self) -> None:
        """Returns when the player has stopped; raises what ended the making."""
        with self._changed:
            while not self._stopped:
                self._changed.wait(1.0)  # so that signals are heard
            if self._error is not None:
                raise self._error

    def _is_newer(self, after: int) -> bool:
        return self._shown is not None and self._shown.number > after

    def _guard(self, work: Callable[[], None]) -> None:
        try:
            work()
        except BaseException as error:
            with self._changed:
                self._error = error
                self._stopped = True
                self._changed.notify_all()

    def _make(self) -> None:
        take = self._cue.take
        while True:
            with self._changed:
                self._changed.wait_for(
                    lambda: (
                        self._stopped or (self._watching and len(self._ready) < self._endless.patch)
                    )
                )
                if self._stopped:
                    return
                cue = self._cue
                unwanted, self._unwanted = self._unwanted, 0
            self._endless.take_back(unwanted)
            if cue.take != take:
                self._endless.cut()
                take = cue.take

            def go_on(done: int, total: int, stage: str, cue: Cue = cue) -> None:
                if self._stopped or self._cue != cue:
                    raise _Abandoned

            began = time.monotonic()
            try:
                frames = self._endless.step(cue.prompt, go_on)
            except _Abandoned:
                continue
            taken = time.monotonic() - began
            with self._changed:
                self._seconds_per_frame.append(taken / len(frames))
                if self._cue == cue:
                    self._ready.extend((frame, cue.prompt) for frame in frames)
                else:
                    self._unwanted += len(frames)
                self._changed.notify_all()

    def _show(self) -> None:
        due = 0.0
        number = 0
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._stopped or (self._watching and self._ready))
                # frames that are made more slowly are spread evenly, not shown in bursts
                interval = 1 / (self.fps * min(1.0, self.speed or 1.0))
                next_due = max(due + interval, time.monotonic())
                self._changed.wait_for(
                    lambda: self._stopped or not self._ready, next_due - time.monotonic()
                )
                if self._stopped:
                    return
                if not self._ready:  # taken back
                    continue
                due = next_due
                frame, prompt = self._ready.popleft()
                self._shown = Shown(number=number, frame=frame, prompt=prompt)
                self._changed.notify_all()
            self.seen.add(frame, prompt)
            number += 1
