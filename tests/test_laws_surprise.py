"""The test of surprise: proved on a tracker that knows physics and on random weights."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from tests.test_counterfactual import COLLIDE, FALL, ROLL
from tests.tiny_model import DESCRIPTION, tiny_model

from worldreel.core.errors import UsageError, WorldreelError
from worldreel.core.randomness import torch_generator
from worldreel.evaluate.fidelity import fidelity, scales_that_fit
from worldreel.evaluate.laws.surprise import (
    DenoisingLoss,
    SurpriseConfig,
    Verdict,
    compare,
    draw_pairs,
    foresight,
    guess,
    law_result,
    shares,
    surprise,
)
from worldreel.train.transformer import flow_matching_loss
from worldreel.world.counterfactual import Pair, minimal_pairs

pytest.importorskip("mujoco")


@pytest.fixture(scope="module")
def pairs() -> list[Pair]:
    return [
        *minimal_pairs(ROLL, "teleport", 0),
        *minimal_pairs(ROLL, "recolour", 0),
        *minimal_pairs(COLLIDE, "pass_through", 0),
        *minimal_pairs(FALL, "no_gravity", 0),
    ]


def test_who_knows_physics_foresees_each_possible_clip_and_none_of_the_impossible(
    pairs: list[Pair],
) -> None:
    for pair in pairs:
        possible, impossible = foresight(pair)
        assert possible < 1 < 3 < impossible, pair.key


def test_drawn_pairs_are_whole_matches_and_the_same_again() -> None:
    drawn = list(draw_pairs("no_gravity", 2, seed=3))
    assert len({pair.match for pair in drawn}) == len(drawn) == 2
    again = next(draw_pairs("no_gravity", 2, seed=3))
    np.testing.assert_array_equal(drawn[0].impossible.frames, again.impossible.frames)


def test_a_model_is_asked_about_both_clips_under_the_same_noise(pairs: list[Pair]) -> None:
    model = tiny_model()
    config = SurpriseConfig(levels=(0.5,), num_draws=1)
    cost = DenoisingLoss(model, config)
    same = replace(pairs[0], impossible=pairs[0].possible)
    possible, impossible = cost(same)
    assert possible == pytest.approx(impossible, rel=1e-6)
    assert cost(pairs[0]) == cost(pairs[0])
    assert cost(pairs[0])[0] != cost(pairs[0])[1]


@pytest.mark.parametrize("given", [True, False])
def test_the_cost_is_the_loss_of_training_where_the_frames_before_the_moment_have_level_0(
    pairs: list[Pair], given: bool
) -> None:
    pair, model = pairs[0], tiny_model()
    config = SurpriseConfig(levels=(0.5,), num_draws=1, given=given, horizon=48)
    (verdict,) = surprise(model, [pair], config)
    video = torch.from_numpy(pair.impossible.frames).permute(3, 0, 1, 2)[None] / 127.5 - 1
    with torch.no_grad():
        x_0 = model.autoencoder.encode(video)
        eps = torch.randn(x_0.shape, generator=torch_generator(config.seed, pair.match, 0))
        level = torch.full((1, 48), 0.5)
        level[:, : pair.moment if given else 0] = 0
        denoiser = DenoisingLoss(model, config).denoiser
        loss = flow_matching_loss(denoiser, x_0, eps, level, model.text([""])[0], 0.1)
    assert verdict.impossible == pytest.approx(float(loss), rel=1e-4)


def test_a_model_that_looks_at_single_frames_is_at_chance_on_a_match(pairs: list[Pair]) -> None:
    def brightness(pair: Pair) -> tuple[float, float]:
        possible, impossible = (
            float(clip.frames[pair.moment :].mean()) for clip in (pair.possible, pair.impossible)
        )
        return possible, impossible

    spliced = [pair for pair in pairs if pair.kind in ("teleport", "recolour")]
    assert shares(compare(spliced, {"brightness": brightness})["brightness"])["all"].mean == 0.5


def test_guesses_are_at_chance_and_the_law_has_a_row_for_each_kind(pairs: list[Pair]) -> None:
    many = [replace(pairs[0], key=f"{n}", match=f"{n}") for n in range(400)]
    verdicts = compare([*many, *pairs], {"guess": guess, "again": guess})
    cell = shares(verdicts["guess"])["all"]
    assert cell.low < 0.5 < cell.high and cell.width < 0.12
    assert verdicts["guess"] == verdicts["again"]
    best = [replace(verdict, possible=0.0, impossible=1.0) for verdict in verdicts["guess"]]
    law = law_result(verdicts["guess"], best)
    assert [m.name.removesuffix("_share") for m in law.metrics] == [
        *("all", "teleport", "recolour", "pass_through", "no_gravity")
    ]
    first = law.metrics[0]
    assert first.is_told_apart and first.score == pytest.approx(2 * cell.mean - 1)
    assert law_result(None, best).metrics[0].score is None


def test_equal_costs_are_half_right() -> None:
    verdict = Verdict(key="a", match="a", kind="recolour", possible=1.0, impossible=1.0)
    assert verdict.is_right == 0.5


def test_a_model_that_cannot_take_the_clips_is_named(pairs: list[Pair]) -> None:
    transformer = DESCRIPTION.transformer | {"patch_size": [5, 2, 2]}
    model = tiny_model(replace(DESCRIPTION, transformer=transformer))
    with pytest.raises(UsageError, match="tiny cuts latents into patches"):
        DenoisingLoss(model, SurpriseConfig())(pairs[0])
    with pytest.raises(UsageError, match="levels"):
        SurpriseConfig(levels=(0.0,))


def test_a_clip_is_closer_to_itself_than_to_a_noisy_copy_of_itself(pairs: list[Pair]) -> None:
    pytest.importorskip("torchmetrics")
    clip = pairs[0].possible.frames[:3]
    noise = np.random.default_rng(0).normal(0, 8, clip.shape)
    noisy = np.clip(clip + noise, 0, 255).astype(np.uint8)
    same, other = fidelity(clip, clip), fidelity(noisy, clip)
    assert same.psnr_db == np.inf and min(same.ssim, same.ms_ssim) > 0.999
    assert other.psnr_db == pytest.approx(20 * np.log10(255 / 8), abs=0.3)
    assert other.ssim < other.ms_ssim < 0.99
    assert same.num_scales == other.num_scales == 4
    with pytest.raises(WorldreelError, match="cannot be compared"):
        fidelity(clip, clip[:2])


def test_small_pictures_have_fewer_scales() -> None:
    assert [scales_that_fit(s, 256) for s in (256, 176, 128, 64, 32, 11)] == [5, 5, 4, 3, 2, 1]
    with pytest.raises(WorldreelError, match="too small"):
        scales_that_fit(10, 256)
