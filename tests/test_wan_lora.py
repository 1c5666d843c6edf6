"""LoRA: every layout changes the weights as the reference says, and leaves them as they were."""

import json

import pytest
import torch
from diffusers.loaders.lora_conversion_utils import (
    _convert_musubi_wan_lora_to_diffusers,
    _convert_non_diffusers_wan_lora_to_diffusers,
)
from safetensors.torch import save_file
from tests.test_transformer import TEXT_LENGTH, config, draw, levels, random_transformer, reference

from worldreel.core.errors import UsageError, WorldreelError
from worldreel.models.experts import Experts
from worldreel.models.wan_keys import ORIGINAL_INNER, ORIGINAL_OUTER
from worldreel.weights.lora import applied, merge, read_lora
from worldreel.weights.lora_use import LoraUse

SHAPE = config(image_dim=20, added_kv_proj_dim=64)
RANK = 3


def original_modules() -> list[str]:
    """Every matrix of a block, and those outside that LoRAs are known to change."""
    inner = [name for name in ORIGINAL_INNER if "norm" not in name]
    outer = [name for name in ORIGINAL_OUTER if "norm" not in name and "patch" not in name]
    outer = [name for name in outer if name not in ("img_emb.proj.0", "img_emb.proj.4")]
    return [f"blocks.{n}.{name}" for n in range(SHAPE.num_layers) for name in inner] + outer


def shapes() -> dict[str, tuple[int, int]]:
    """Out and in of every matrix, by Wan's own names."""
    from worldreel.models.wan_keys import diffusers_module

    theirs = reference(SHAPE).state_dict()
    return {name: theirs[f"{diffusers_module(name)}.weight"].shape for name in original_modules()}


def original_lora(seed: int = 0, alpha: float | None = 6.0) -> dict[str, torch.Tensor]:
    """A file in Wan's own names, for every matrix, with biases' changes."""
    generator = torch.Generator().manual_seed(seed)
    state = {}
    for name, (out, into) in shapes().items():
        name = f"diffusion_model.{name}"
        state[f"{name}.lora_down.weight"] = torch.randn(RANK, into, generator=generator) * 0.1
        state[f"{name}.lora_up.weight"] = torch.randn(out, RANK, generator=generator) * 0.1
        if alpha is not None and ".blocks." in name:
            state[f"{name}.alpha"] = torch.tensor(alpha)
        if "img_emb" not in name:
            state[f"{name}.diff_b"] = torch.randn(out, generator=generator) * 0.1
    return state


def merged_reference(state: dict[str, torch.Tensor], weight: float):
    """The reference with a LoRA of diffusers' layout added to its weights by hand."""
    theirs = reference(SHAPE)
    parameters = theirs.state_dict()
    for key, up in state.items():
        name = key.removeprefix("transformer.")
        if name.endswith(".lora_B.weight"):
            down = state[key.replace("lora_B", "lora_A")]
            parameters[name.replace(".lora_B", "")] += weight * up @ down
        elif name.endswith(".lora_B.bias"):
            parameters[name.replace(".lora_B", "")] += weight * up
    theirs.load_state_dict(parameters)
    return theirs


def inputs():
    text, image = draw(1, TEXT_LENGTH, SHAPE.text_dim, seed=1), draw(1, 7, 20, seed=2)
    return draw(1, SHAPE.in_channels, 2, 4, 4), levels(1), text, image


@torch.no_grad()
def run(transformer) -> torch.Tensor:
    return transformer(*inputs())


@torch.no_grad()
def expected_of(theirs) -> torch.Tensor:
    x, level, text, image = inputs()
    return theirs(x, level * 1000, text, image, return_dict=False)[0]


@pytest.mark.parametrize("weight", [1.0, 0.6])
def test_every_layout_gives_what_the_reference_gives_merged_and_for_one_request(tmp_path, weight):
    original = original_lora()
    copies = {key: tensor.clone() for key, tensor in original.items()}  # it changes them in place
    converted = _convert_non_diffusers_wan_lora_to_diffusers(copies)
    expected = expected_of(merged_reference(converted, weight))
    plain = run(random_transformer(SHAPE))
    assert (expected - plain).abs().max() > 0.1
    for name, state in (("original", original), ("diffusers", converted)):
        path = tmp_path / f"{name}.safetensors"
        save_file(state, path)
        use = LoraUse(path=str(path), weight=weight)
        model = random_transformer(SHAPE)
        with applied(model, [use]):
            torch.testing.assert_close(run(model), expected, rtol=0, atol=1e-5)
        assert torch.equal(run(model), plain)  # as if nothing had been
        merge(model, [use])
        torch.testing.assert_close(run(model), expected, rtol=0, atol=1e-5)


def test_names_with_underscores_are_read_as_the_reference_reads_them(tmp_path):
    inside = [name for name in shapes() if name.startswith("blocks.")]
    state = {}
    for key, tensor in original_lora().items():
        module, _, leaf = key.removeprefix("diffusion_model.").partition(".lora_")
        module = module.removesuffix(".alpha")
        if module in inside and "diff_b" not in key:
            leaf = f"lora_{leaf}" if leaf else "alpha"
            state[f"lora_unet_{module.replace('.', '_')}.{leaf}"] = tensor
    copies = {key: tensor.clone() for key, tensor in state.items()}
    converted = _convert_musubi_wan_lora_to_diffusers(copies)
    path = tmp_path / "flat.safetensors"
    save_file(state, path)
    model = random_transformer(SHAPE)
    merge(model, [LoraUse(path=str(path))])
    expected = expected_of(merged_reference(converted, 1.0))
    torch.testing.assert_close(run(model), expected, rtol=0, atol=1e-5)


def test_several_at_once_add_up(tmp_path):
    uses = []
    for seed in (1, 2):
        path = tmp_path / f"{seed}.safetensors"
        save_file(original_lora(seed), path)
        uses.append(LoraUse(path=str(path), weight=0.5 * seed))
    together, one_by_one = random_transformer(SHAPE), random_transformer(SHAPE)
    for use in uses:
        merge(one_by_one, [use])
    with applied(together, uses):
        torch.testing.assert_close(run(together), run(one_by_one), rtol=0, atol=1e-5)


def test_alpha_in_the_header_counts(tmp_path):
    state = _convert_non_diffusers_wan_lora_to_diffusers(original_lora(alpha=None))
    state = {key: tensor for key, tensor in state.items() if "bias" not in key}
    save_file(state, tmp_path / "plain.safetensors")
    header = {"transformer.lora_alpha": 12, "transformer.r": RANK}
    save_file(state, tmp_path / "alpha.safetensors", {"lora_adapter_metadata": json.dumps(header)})
    plain, strong = random_transformer(SHAPE), random_transformer(SHAPE)
    merge(plain, [LoraUse(path=str(tmp_path / "plain.safetensors"), weight=4.0)])
    merge(strong, [LoraUse(path=str(tmp_path / "alpha.safetensors"))])
    torch.testing.assert_close(run(strong), run(plain), rtol=0, atol=1e-5)


def test_each_of_two_transformers_can_have_its_own(tmp_path):
    path = tmp_path / "one.safetensors"
    save_file(original_lora(), path)
    experts = Experts(random_transformer(SHAPE, 0), random_transformer(SHAPE, 1), 0.5)
    x, _, text, image = inputs()
    high, low = torch.tensor([0.9]), torch.tensor([0.1])
    with torch.no_grad():
        before = [experts(x, level, text, image) for level in (high, low)]
        with applied(experts, [LoraUse.parse(f"{path}=0.5@low")]):
            assert torch.equal(experts(x, high, text, image), before[0])
            assert not torch.allclose(experts(x, low, text, image), before[1])
    second = {
        f"transformer_2.{key.removeprefix('transformer.')}": tensor
        for key, tensor in _convert_non_diffusers_wan_lora_to_diffusers(original_lora()).items()
    }
    save_file(second, tmp_path / "second.safetensors")
    lora = read_lora(tmp_path / "second.safetensors", SHAPE)
    assert lora.low is not None and not lora.changes and lora.low.changes


def test_a_lora_of_another_shape_or_architecture_is_refused_by_what_is_wrong(tmp_path):
    path = tmp_path / "bad.safetensors"
    key = "transformer.blocks.0.attn1.to_q"

    def refused(state: dict[str, torch.Tensor]) -> WorldreelError:
        save_file(state, path)
        with pytest.raises(WorldreelError) as caught:
            read_lora(path, SHAPE)
        assert caught.value.remedy
        return caught.value

    down, up = torch.zeros(2, 64), torch.zeros(64, 2)
    wide = {f"{key}.lora_A.weight": torch.zeros(2, 128), f"{key}.lora_B.weight": up}
    assert "this model's matrix is (64, 64)" in refused(wide).message
    far = "transformer.blocks.9.attn1.to_q"
    deep = {f"{far}.lora_A.weight": down, f"{far}.lora_B.weight": up}
    assert "does not have" in refused(deep).message
    assert "no up matrix" in refused({f"{key}.lora_A.weight": down}).message
    assert "no change to a Wan" in refused({"lora_te_text.lora_down.weight": down}).message
    assert "no change to a Wan" in refused({f"{key}.dora_scale": down}).message
    path.write_bytes(b"\x80\x04pickle")
    with pytest.raises(WorldreelError, match="not a safetensors"):
        read_lora(path, config(num_layers=1))


@pytest.mark.parametrize("text", ["x.safetensors=strong", "x.safetensors=1@middle", "no/such.file"])
def test_a_lora_that_cannot_be_read_from_the_command_line_is_refused(text):
    with pytest.raises(UsageError) as caught:
        LoraUse.parse(text)
    assert caught.value.remedy


def test_a_lora_changes_the_video_that_asks_for_it_and_no_other(tmp_path):
    from tests.tiny_model import DESCRIPTION, tiny_model

    from worldreel.generate.canvas import Canvas
    from worldreel.generate.engine import make_stretch
    from worldreel.generate.options import Options
    from worldreel.generate.plan import make_plan

    path = tmp_path / "tiny.safetensors"
    key = "diffusion_model.blocks.1.self_attn.o"
    state = {f"{key}.lora_A.weight": torch.ones(1, 24), f"{key}.lora_B.weight": torch.ones(24, 1)}
    save_file(state, path)
    model = tiny_model()
    canvas = Canvas(width=64, height=32, seconds=0.75, fps=12).say("a red ball")

    def made(**options) -> torch.Tensor:
        plan = make_plan(canvas, Options(seed=1, **options), DESCRIPTION)
        return make_stretch(model, plan, 0, {})

    plain = made()
    assert not torch.allclose(made(loras=(str(path),)), plain)
    assert torch.equal(made(loras=(f"{path}=0",)), plain)
    assert torch.equal(made(), plain)
