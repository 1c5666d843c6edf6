"""Stretches: every needed frame is made once, and each sees what lies beside it."""

import numpy as np
import pytest

from worldreel.generate.stretches import FILLER, Axis, Stretch, plan_stretches

WINDOW, CONTEXT, PATCH = 48, 16, 4


def stretches(needed, **kwargs) -> tuple[Stretch, ...]:
    axis = Axis(needed=np.asarray(needed, bool), **kwargs)
    return plan_stretches(axis, window=WINDOW, context=CONTEXT, patch=PATCH)


def given(count, *spans) -> np.ndarray:
    needed = np.ones(count, bool)
    for start, stop in spans:
        needed[start:stop] = False
    return needed


def test_what_fits_the_window_is_one_stretch_without_context():
    for count in (1, 3, 24, 48):
        (stretch,) = stretches(given(count))
        assert stretch.made == tuple(range(count))
        assert stretch.length == -(-count // PATCH) * PATCH


def test_a_longer_video_slides_and_each_stretch_sees_the_end_of_the_one_before():
    first, second, third = stretches(given(100))
    assert first.made == tuple(range(48))
    assert second.frames[0] == 32 and second.made == tuple(range(48, 80))
    assert third.made == tuple(range(80, 100)) and third.frames[0] <= 64


def test_a_clip_that_is_extended_is_seen_and_not_made():
    (stretch,) = stretches(given(72, (0, 48)))
    assert stretch.made == tuple(range(48, 72)) and stretch.frames == tuple(range(24, 72))
    (stretch,) = stretches(given(72, (24, 72)))
    assert stretch.made == tuple(range(24)) and stretch.frames == tuple(range(48))


def test_a_gap_between_two_clips_sees_both():
    (stretch,) = stretches(given(60, (0, 24), (36, 60)))
    assert stretch.made == tuple(range(24, 36))
    assert {23, 36} <= set(stretch.frames)
    last = stretches(given(150, (0, 24), (130, 150)))[-1]
    assert {129, 130, 145} <= set(last.frames)


def test_a_ring_that_fits_the_window_is_one_stretch_whatever_is_given():
    for needed in (given(2), given(30), given(48), given(48, (0, 32)), given(40, (10, 20))):
        (stretch,) = stretches(needed, is_ring=True)
        assert stretch.is_ring and stretch.made == tuple(range(len(needed)))
    assert stretches(np.zeros(12, bool), is_ring=True) == ()


def test_the_last_stretch_of_a_longer_ring_sees_its_beginning():
    for count in (49, 60, 100, 200):
        planned = stretches(given(count), is_ring=True)
        assert len(planned) >= 2
        last = planned[-1]
        beside = last.frames[last.new[1]]
        assert beside == 0
        after = last.frames[last.new[1] :]
        assert sum(frame != FILLER for frame in after) >= min(CONTEXT, len(planned[0].made))


def test_a_clip_on_a_ring_is_led_back_to_its_beginning():
    (stretch,) = stretches(given(76, (0, 60)), is_ring=True)
    assert stretch.made == tuple(range(60, 76))
    assert stretch.frames[stretch.new[1]] == 0 and stretch.frames[stretch.new[0] - 1] == 59
    planned = stretches(given(64, (20, 40)), is_ring=True)  # the free run goes over the seam
    assert [frame for s in planned for frame in s.made] == [*range(40, 64), *range(20)]


def test_nothing_is_seen_across_a_cut():
    planned = stretches(given(100), cuts=(30, 60))
    for stretch in planned:
        shots = {sum(frame >= cut for cut in (30, 60)) for frame in stretch.frames if frame >= 0}
        assert len(shots) == 1
    ring = stretches(given(100), cuts=(30, 60), is_ring=True)
    over = next(stretch for stretch in ring if 0 in stretch.made)
    assert not {frame for frame in over.frames if 30 <= frame < 60}


def test_every_second_frame_given_is_one_task():
    needed = np.arange(48) % 2 == 1
    (stretch,) = stretches(needed)
    assert {*np.flatnonzero(needed)} <= {*stretch.made}


def test_references_stand_before_the_frames_and_take_their_room():
    planned = stretches(given(100), shown=np.full(100, 8))
    for stretch in planned:
        assert stretch.num_shown == 8 and stretch.length <= WINDOW


@pytest.mark.parametrize("seed", range(60))
def test_every_needed_frame_is_made_exactly_once_with_only_finished_frames_beside_it(seed):
    random = np.random.default_rng(seed)
    count = int(random.integers(1, 260))
    needed = np.ones(count, bool)
    for _ in range(random.integers(0, 4)):
        start = int(random.integers(0, count))
        needed[start : start + int(random.integers(1, 60))] = False
    if random.random() < 0.3:
        needed[:: int(random.integers(2, 5))] = False
    is_ring = bool(random.random() < 0.4) and count > 1
    cuts = sorted({int(c) for c in random.integers(1, count + 1, 2)}) if seed % 3 == 0 else []
    shown = np.full(count, 4 * int(random.integers(0, 3)))
    planned = stretches(needed, is_ring=is_ring, cuts=cuts, shown=shown)
    finished = {*np.flatnonzero(~needed).tolist()}
    made: list[int] = []
    for stretch in planned:
        assert stretch.length <= WINDOW and (stretch.is_ring or stretch.length % PATCH == 0)
        assert stretch.made and FILLER not in stretch.made
        beside = {*stretch.frames} - {*stretch.made} - {FILLER}
        assert beside <= finished
        filler = [place for place, frame in enumerate(stretch.frames) if frame == FILLER]
        assert filler == list(range(len(stretch.frames) - len(filler), len(stretch.frames)))
        made += [frame for frame in stretch.made if needed[frame]]
        finished |= {*stretch.made}
    assert sorted(made) == np.flatnonzero(needed).tolist()
