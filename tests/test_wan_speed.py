"""What makes inference fast changes no number beyond rounding."""

import pytest
import torch
import torch.nn.functional as F
from safetensors.torch import save_file
from tests.test_transformer import config, draw, levels, random_transformer
from torch import nn

from worldreel.core.errors import WorldreelError
from worldreel.models import attention
from worldreel.models.attention import attend, attend_in_pieces
from worldreel.models.packed import PackedLinear, can_pack, pack
from worldreel.weights.load_pipeline import make_ready
from worldreel.weights.lora import applied, merge
from worldreel.weights.lora_use import LoraUse

needs_bf16 = pytest.mark.skipif(not can_pack(), reason="this processor has no bf16 products")


@pytest.mark.parametrize("bias_rows", [None, 1, 200])
def test_attention_in_pieces_is_attention(monkeypatch, bias_rows):
    monkeypatch.setattr(attention, "PIECE_QUERIES", 64)
    query, key, value = (draw(2, 3, n, 16, seed=n) for n in (200, 90, 91))
    value = value[:, :, :90]
    bias = None if bias_rows is None else draw(2, 1, bias_rows, 90, seed=4)
    expected = F.scaled_dot_product_attention(query, key, value, attn_mask=bias)
    found = attend_in_pieces(query, key, value, bias)
    torch.testing.assert_close(found, expected.transpose(1, 2).flatten(2), rtol=0, atol=1e-5)


def test_attention_in_bf16_is_as_near_to_float32_in_pieces_as_the_fused_kernel_is():
    exact = [draw(1, n, 2, 32, seed=n) for n in (300, 301, 302)]
    exact = [part[:, :300] for part in exact]
    expected = attend(*exact)
    rounded = [part.bfloat16() for part in exact]
    fused = F.scaled_dot_product_attention(*(part.transpose(1, 2) for part in rounded))
    fused = fused.transpose(1, 2).flatten(2)
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        found = attend(*rounded, exact=True)
    error = (found.float() - expected).square().mean()
    assert error < 1.5 * (fused.float() - expected).square().mean()


@needs_bf16
def test_packed_layers_give_what_plain_ones_give_and_gelu_is_no_worse():
    linear = nn.Linear(48, 96).bfloat16().requires_grad_(False)
    packed = PackedLinear(linear)
    x = draw(2, 130, 48).bfloat16()
    torch.testing.assert_close(packed(x), linear(x), rtol=0.02, atol=0.02)
    exact = F.gelu(
        F.linear(x.float(), linear.weight.float(), linear.bias.float()), approximate="tanh"
    )
    stepwise = F.gelu(linear(x), approximate="tanh").float()
    fused = packed(x, with_gelu=True).float()
    assert (fused - exact).square().mean() <= 1.1 * (stepwise - exact).square().mean()


def ready(seed: int = 0):
    model = random_transformer(config(num_layers=3), seed)
    for name, module in model.named_modules():
        if isinstance(module, nn.Linear) and not name.startswith(("time_in", "time_projection")):
            module.to(torch.bfloat16)
    return model.requires_grad_(False)


@needs_bf16
def test_a_packed_transformer_is_as_close_to_float32_as_a_plain_one():
    plain, packed, exact = ready(), ready(), random_transformer(config(num_layers=3))
    make_ready(packed)
    assert isinstance(packed.blocks[0].mlp.up, PackedLinear)
    arguments = draw(2, 4, 2, 8, 8), levels(2, 32), draw(2, 9, 24)
    with torch.no_grad():
        expected = exact(*arguments)
        with torch.autocast("cpu", torch.bfloat16):
            errors = [(m(*arguments).float() - expected).square().mean() for m in (plain, packed)]
    assert errors[1] < 1.3 * errors[0]


@needs_bf16
def test_a_lora_counts_on_packed_weights_but_cannot_be_merged_into_them(tmp_path):
    path = tmp_path / "lora.safetensors"
    key = "diffusion_model.blocks.0.ffn.0"
    down, up = draw(2, 64) * 0.3, draw(96, 2, seed=1) * 0.3
    save_file({f"{key}.lora_A.weight": down, f"{key}.lora_B.weight": up}, path)
    use = LoraUse(path=str(path))
    plain, packed = ready(), ready()
    merge(plain, [use])
    make_ready(packed)
    arguments = draw(1, 4, 2, 8, 8), levels(1), draw(1, 9, 24)
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        expected, before = plain(*arguments), packed(*arguments)
        with applied(packed, [use]):
            found = packed(*arguments)
        assert torch.equal(packed(*arguments), before)
    assert (found - expected).abs().mean() < 0.2 * (before - expected).abs().mean()
    with pytest.raises(WorldreelError, match="packed"):
        merge(packed, [use])


def test_float32_layers_are_left_as_they_are():
    network = nn.Sequential(nn.Linear(4, 4))
    pack(network)
    assert type(network[0]) is nn.Linear
