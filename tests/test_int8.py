"""Products in 8 bits: near to those in float32, and refused where they cannot be."""

import dataclasses

import pytest
import torch
from safetensors.torch import save_file
from tests.test_transformer import config, draw, levels, random_transformer
from tests.tiny_model import DESCRIPTION, tiny_model
from torch import nn

from worldreel.app.commands.show import remake_command
from worldreel.core.errors import UsageError, WorldreelError
from worldreel.generate.plan import plan_request
from worldreel.generate.request import Request
from worldreel.generate.video import settings_of
from worldreel.models.int8 import Int8Linear, can_round_to_int8, round_to_int8
from worldreel.weights import load
from worldreel.weights.load import check_int8, load_model
from worldreel.weights.lora import applied, merge
from worldreel.weights.lora_use import LoraUse

needs_vnni = pytest.mark.skipif(not can_round_to_int8(), reason="no fast 8-bit products here")
BF16 = torch.bfloat16


def noise_share(found: torch.Tensor, exact: torch.Tensor) -> float:
    """Squared error as a share of the square of what is exact."""
    return float((found.float() - exact).square().mean() / exact.square().mean())


@needs_vnni
def test_a_layer_in_8_bits_is_within_a_hundredth_of_float32():
    linear = nn.Linear(192, 96).requires_grad_(False)
    x = draw(2, 130, 192)
    x[0, 3] *= 1000  # costs its own token alone
    x[1, 5] = 0
    found, exact = Int8Linear(linear)(x), linear(x)
    assert found.dtype == BF16 and found.shape == exact.shape
    for token in range(130):
        assert noise_share(found[0, token], exact[0, token]) < 1e-3
    torch.testing.assert_close(found[1, 5], linear.bias.bfloat16())


@needs_vnni
@pytest.mark.parametrize("largest", [1.0, 1.003, 0.77, 3.9e-3, 255.0])
def test_the_largest_number_of_a_token_does_not_wrap_round(largest):
    linear = nn.Linear(64, 32).requires_grad_(False)
    x = largest * draw(1, 64, 64).sign()
    assert noise_share(Int8Linear(linear)(x), linear(x)) < 1e-3


@needs_vnni
def test_a_transformer_in_8_bits_is_near_to_the_same_in_float32_and_reads_text_as_before():
    exact, rounded = (random_transformer(config(num_layers=3)) for _ in range(2))
    rounded.to(BF16).time_in.float()
    rounded.time_projection.float()
    round_to_int8(rounded.blocks)
    block = rounded.hearing()[0]
    assert isinstance(block.mlp.up, Int8Linear)
    assert isinstance(block.cross_attention.query, Int8Linear)
    assert type(block.cross_attention.key) is nn.Linear
    arguments = draw(2, 4, 2, 8, 8), levels(2, 32), draw(2, 9, 24)
    with torch.no_grad(), torch.autocast("cpu", BF16):
        found = rounded(*arguments)
    with torch.no_grad():
        assert 0 < noise_share(found, exact(*arguments)) < 3e-3


@needs_vnni
def test_a_lora_counts_beside_8_bits_but_cannot_be_merged_into_them(tmp_path):
    path = tmp_path / "lora.safetensors"
    key = "diffusion_model.blocks.0.ffn.0"
    down, up = draw(2, 64) * 0.3, draw(96, 2, seed=1) * 0.3
    save_file({f"{key}.lora_A.weight": down, f"{key}.lora_B.weight": up}, path)
    model = random_transformer(config()).requires_grad_(False)
    round_to_int8(model.blocks)
    arguments = draw(1, 4, 2, 8, 8), levels(1), draw(1, 9, 24)
    use = LoraUse(path=str(path))
    with torch.no_grad(), torch.autocast("cpu", BF16):
        before = model(*arguments)
        with applied(model, [use]):
            assert not torch.equal(model(*arguments), before)
        assert torch.equal(model(*arguments), before)
    with pytest.raises(WorldreelError, match="rounded"):
        merge(model, [use])


def test_a_file_that_was_made_in_8_bits_says_so():
    model = dataclasses.replace(tiny_model(), is_int8=True)
    plan = plan_request(Request(prompt="a red ball", seed=1), DESCRIPTION)
    assert "--int8" in (remake_command(settings_of(model, plan)) or "")
    assert "--int8" not in (remake_command(settings_of(tiny_model(), plan)) or "")


@needs_vnni
def test_the_shipped_model_is_loaded_in_8_bits_when_it_is_asked_for():
    for int8 in (True, False):
        transformer = load_model("toybox", BF16, int8=int8).transformer
        found = sum(isinstance(module, Int8Linear) for module in transformer.modules())
        assert found == int8 * 8 * transformer.config.num_layers


def test_8_bits_are_refused_where_they_cannot_be(monkeypatch):
    cpu = torch.device("cpu")
    monkeypatch.setattr(load, "can_round_to_int8", lambda: True)
    check_int8(cpu, BF16, alone=True)
    for device, dtype in ((torch.device("cuda"), BF16), (cpu, torch.float32)):
        with pytest.raises(UsageError, match="VNNI"):
            check_int8(device, dtype, alone=True)
    with pytest.raises(UsageError, match="neither with offload nor"):
        check_int8(cpu, BF16, alone=False)
    monkeypatch.setattr(load, "can_round_to_int8", lambda: False)
    with pytest.raises(UsageError, match="VNNI") as caught:
        check_int8(cpu, BF16, alone=True)
    assert "--int8" in (caught.value.remedy or "")
