"""One transformer shared by several devices: the same numbers as on one."""

import copy
from functools import lru_cache

import pytest
import torch
from tests.thread_mesh import meshes, together
from tests.wan_folder import randomize
from torch import Tensor

from worldreel.core.errors import UsageError
from worldreel.models.transformer import Transformer, TransformerConfig
from worldreel.parallel.parallelize import parallelize
from worldreel.parallel.sizes import can_share, check_size
from worldreel.parallel.tokens import Deal, attend_dealt

GRID = (3, 2, 3)  # tokens along t, h, w


@lru_cache(maxsize=4)
def tiny(num_heads: int, image_dim: int | None = None) -> Transformer:
    """Two blocks of random weights that make something of every input."""
    transformer = Transformer(
        TransformerConfig(
            num_heads=num_heads,
            head_dim=6,
            in_channels=4,
            out_channels=4,
            text_dim=8,
            freq_dim=16,
            ffn_dim=16,
            num_layers=2,
            image_dim=image_dim,
            added_kv_proj_dim=None if image_dim is None else 6 * num_heads,
        )
    )
    randomize(transformer, 1)
    return transformer.eval().requires_grad_(False)


def inputs(batch: int, grid: tuple[int, int, int], levels: str) -> dict[str, Tensor]:
    """What a transformer takes, its noise levels per clip, per token in time, or per token."""
    generator = torch.Generator().manual_seed(2)
    t, h, w = grid
    count = {"clip": (), "time": (t,), "token": (t * h * w,)}[levels]
    text = torch.randn(batch, 7, 8, generator=generator)
    text[0, 4:] = 0
    return dict(
        x=torch.randn(batch, 4, t, 2 * h, 2 * w, generator=generator),
        level=torch.rand(batch, *count, generator=generator),
        text=text,
    )


def shared_output(transformer: Transformer, size: int, **given: Tensor) -> list[Tensor]:
    """What each of several threads gets that share a transformer."""
    ranks = []
    for mesh in meshes(size):
        ranks.append(copy.deepcopy(transformer))
        parallelize(ranks[-1], mesh)
    return together(lambda rank: ranks[rank](**given), size)


@pytest.mark.parametrize("levels", ["clip", "time", "token"])
@pytest.mark.parametrize("batch", [1, 2])
@pytest.mark.parametrize("size", [2, 3, 4])
def test_several_devices_predict_what_one_predicts(size, batch, levels):
    transformer = tiny(12)
    given = inputs(batch, GRID, levels)
    expected = transformer(**given)
    assert expected.std() > 0.1
    for output in shared_output(transformer, size, **given):
        torch.testing.assert_close(output, expected, rtol=0, atol=2e-6)


def test_eight_devices_share_twelve_heads_whether_guided_or_not():
    transformer = tiny(12)
    for batch in (1, 2):
        given = inputs(batch, GRID, "time")
        for output in shared_output(transformer, 8, **given):
            torch.testing.assert_close(output, transformer(**given), rtol=0, atol=2e-6)


@pytest.mark.parametrize("grid", [(1, 1, 1), (2, 1, 1), (1, 1, 5)])
def test_fewer_tokens_than_devices_can_share_are_filled_up_unseen(grid):
    transformer = tiny(3)
    for levels in ("clip", "time", "token"):
        given = inputs(1, grid, levels)
        for output in shared_output(transformer, 3, **given):
            torch.testing.assert_close(output, transformer(**given), rtol=0, atol=2e-6)


def test_a_read_prompt_several_prompts_in_time_and_pictures_are_shared_as_well():
    plain, shown = tiny(4), tiny(4, image_dim=10)
    given = inputs(2, GRID, "token")
    read = plain.read(given["text"])
    bias = torch.randn(2, GRID[0], 7, generator=torch.Generator().manual_seed(5))
    image = torch.randn(2, 3, 10, generator=torch.Generator().manual_seed(6))
    for transformer, more in (
        (plain, dict(text=read)),
        (plain, dict(text_bias=bias)),
        (shown, dict(image=image)),
    ):
        arguments = {**given, **more}
        expected = transformer(**arguments)
        for size in (2, 4):
            for output in shared_output(transformer, size, **arguments):
                torch.testing.assert_close(output, expected, rtol=0, atol=2e-6)


def test_each_device_does_its_share_and_not_the_whole():
    transformer = tiny(4)
    rows: dict[int, list[tuple[int, ...]]] = {rank: [] for rank in range(4)}
    ranks = [copy.deepcopy(transformer) for _ in range(4)]
    for rank, mesh in enumerate(meshes(4)):
        parallelize(ranks[rank], mesh)
        for block in ranks[rank].blocks:
            seen = rows[rank]
            block.mlp.register_forward_hook(lambda _, x, y, seen=seen: seen.append(y.shape[:2]))
    given = inputs(2, (3, 2, 4), "time")
    together(lambda rank: ranks[rank](**given), 4)
    assert rows == {rank: [(1, 12)] * 2 for rank in range(4)}  # of two clips of 24 tokens
    given = inputs(1, (3, 2, 4), "time")
    together(lambda rank: ranks[rank](**given), 4)
    assert rows == {rank: [(1, 12)] * 2 + [(1, 6)] * 2 for rank in range(4)}


@pytest.mark.parametrize("num_runs", [1, 3, 12])
@pytest.mark.parametrize("size", [1, 2, 5, 7])
def test_what_is_dealt_out_comes_together_again_and_no_filling_with_it(size, num_runs):
    x = torch.arange(1.0, 12 * 2 * 3 + 1).view(2, 12, 3)
    deals = [Deal(12, num_runs, rank, size) for rank in range(size)]
    parts = torch.stack([deal.mine(x, 1) for deal in deals])
    assert parts.shape[2] * size < 12 + num_runs * size
    assert torch.equal(deals[0].together(parts), x)
    real = deals[0].real(x.device)
    laid = parts.transpose(0, 1).flatten(1, 2)
    kept = laid if real is None else laid[:, real]
    assert torch.equal(kept.sort(dim=1).values, x)
    assert (real is None) == (12 // num_runs % size == 0)


def test_a_device_sees_all_tokens_of_its_heads_alone():
    groups = [mesh.whole for mesh in meshes(2)]
    deals = [Deal(6, 1, rank, 2) for rank in range(2)]
    x = torch.randn(1, 6, 4, 6, generator=torch.Generator().manual_seed(3))
    shapes = []

    def attend(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        shapes.append(key.shape)
        return query.flatten(2)

    def run(rank: int) -> Tensor:
        mine = deals[rank].mine(x, 1)
        return attend_dealt(mine, mine, mine, deals[rank], groups[rank], attend)

    parts = torch.stack(together(run, 2))
    assert shapes == [(1, 6, 2, 6)] * 2
    assert torch.equal(deals[0].together(parts), x.flatten(2))  # the queries, back in place


@pytest.mark.parametrize(("size", "num_heads"), [(3, 4), (10, 12), (7, 40), (0, 12)])
def test_devices_that_cannot_share_the_heads_are_refused_with_those_that_can(size, num_heads):
    with pytest.raises(UsageError, match=f"{size} devices cannot share the {num_heads}") as caught:
        check_size(size, num_heads)
    proposed = [int(n) for n in caught.value.remedy.split(":")[1].strip(" .").split(",")]
    assert size not in proposed and 1 in proposed and 2 in proposed
    for count in proposed:
        check_size(count, num_heads)


def test_the_published_models_can_be_shared_by_what_machines_have():
    for num_heads in (12, 24, 40):
        assert all(can_share(size, num_heads) for size in (1, 2, 4, 8)), num_heads


def test_sharing_for_training_is_refused():
    transformer = copy.deepcopy(tiny(4))
    parallelize(transformer, meshes(1)[0])
    with pytest.raises(AssertionError, match="gradient"):
        transformer(**inputs(1, GRID, "clip"))
