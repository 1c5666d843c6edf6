"""VACE: a video to keep, change or follow, given to the transformer by blocks beside its own."""

import copy
import dataclasses

import pytest
import torch
from tests.thread_mesh import meshes, together
from tests.wan_folder import randomize

from worldreel.core.errors import UsageError
from worldreel.models.vace import VaceConfig, VaceTransformer
from worldreel.models.wan_keys import from_diffusers
from worldreel.parallel.parallelize import parallelize

pytestmark = pytest.mark.filterwarnings("ignore:.*torch.jit:DeprecationWarning")


def config(**changes) -> VaceConfig:
    shape = dict(num_heads=2, head_dim=12, in_channels=4, out_channels=4, text_dim=24)
    shape |= dict(freq_dim=32, ffn_dim=32, num_layers=3, vace_layers=(0, 2), vace_in_channels=72)
    return VaceConfig(**(shape | changes))


def both(shape: VaceConfig):
    """The reference, and the same weights here."""
    from diffusers import WanVACETransformer3DModel

    values = dataclasses.asdict(shape)
    values["num_attention_heads"] = values.pop("num_heads")
    values["attention_head_dim"] = values.pop("head_dim")
    values["vace_layers"] = list(shape.vace_layers)
    reference = WanVACETransformer3DModel(**values).eval()
    randomize(reference, 3)
    mine = VaceTransformer(shape).eval()
    mine.load_state_dict(from_diffusers(reference.state_dict(), shape))
    return reference, mine.requires_grad_(False)


def inputs(batch: int = 1, seed: int = 0):
    """Noisy latents, what is given, levels and a text whose end is zero."""
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(batch, 4, 3, 4, 6, generator=generator)
    given = torch.randn(batch, 72, 3, 4, 6, generator=generator)
    text = torch.randn(batch, 9, 24, generator=generator)
    text[:, 6:] = 0
    return x, given, torch.rand(batch, generator=generator), text


@pytest.mark.parametrize("layers", [(0,), (0, 2), (0, 1, 2)])
@pytest.mark.parametrize("cross_attn_norm", [True, False])
def test_the_transformer_agrees_with_the_reference(layers, cross_attn_norm):
    reference, mine = both(config(vace_layers=layers, cross_attn_norm=cross_attn_norm))
    x, given, level, text = inputs(batch=2)
    with torch.no_grad():
        expected = reference(x, level * 1000, text, control_hidden_states=given).sample
        found = mine(torch.cat((x, given), 1), level, text)
        unlike = mine(torch.cat((x, given.flip(2)), 1), level, text)
    assert expected.std() > 0.3 and (unlike - found).abs().max() > 0.01
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-5)


def test_a_prompt_that_was_read_is_heard_by_the_blocks_beside_as_well():
    _, mine = both(config())
    x, given, level, text = inputs()
    with torch.no_grad():
        read = mine.read(text)
        assert len(read.heard) == 5
        found = mine(torch.cat((x, given), 1), level, read)
        expected = mine(torch.cat((x, given), 1), level, text)
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize("batch", [1, 2])
def test_several_devices_share_it_as_any_other(batch):
    _, mine = both(config(num_heads=4, head_dim=6))
    x, given, _, text = inputs(batch)
    level = torch.rand(batch, 3, generator=torch.Generator().manual_seed(1))
    arguments = torch.cat((x, given), 1), level, text
    for size in (2, 4):
        ranks = [copy.deepcopy(mine) for _ in range(size)]
        for rank, mesh in zip(ranks, meshes(size), strict=True):
            parallelize(rank, mesh)
        for output in together(lambda number: ranks[number](*arguments), size):  # noqa: B023
            torch.testing.assert_close(output, mine(*arguments), rtol=0, atol=3e-6)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        (dict(vace_layers=(1, 2)), "vace_layers is [1, 2]"),
        (dict(vace_layers=(0, 3)), "vace_layers is [0, 3]"),
        (dict(vace_layers=(0, 2, 1)), "vace_layers is [0, 2, 1]"),
        (dict(vace_layers=()), "vace_layers is []"),
        (dict(vace_in_channels=0), "vace_in_channels is 0"),
        (dict(image_dim=8, added_kv_proj_dim=24), "image_dim"),
    ],
)
def test_a_shape_that_cannot_be_is_refused_with_the_value(changes, says):
    with pytest.raises(UsageError) as caught:
        config(**changes)
    assert says in caught.value.message and caught.value.remedy


def test_an_input_without_what_is_given_is_refused_with_the_channels_that_it_needs():
    _, mine = both(config())
    x, _, level, text = inputs()
    with pytest.raises(UsageError, match="76"):
        mine(x, level, text)
