"""Blocks that are brought one by one: the same bits, little memory, and errors in time."""

import dataclasses
import shutil

import pytest
import torch
from safetensors.torch import load_file, save_file
from tests.test_wan_pipeline import plan_of
from tests.wan_folder import make_pipeline, save_pipeline
from torch import nn

from worldreel.app.commands.models import listed
from worldreel.app.main import main
from worldreel.core.errors import UsageError, WorldreelError
from worldreel.generate.engine import make_stretch
from worldreel.generate.estimate import device_bytes, estimate, memory_bytes
from worldreel.generate.plan import plan_request
from worldreel.generate.request import Request
from worldreel.models.experts import networks_of
from worldreel.models.packed import PackedLinear, can_pack
from worldreel.weights.fit import brought_weights, check_memory, weights_bytes
from worldreel.weights.load import load_model
from worldreel.weights.lora import applied
from worldreel.weights.lora_use import LoraUse
from worldreel.weights.offload import Offload
from worldreel.weights.open_models import OPEN_MODELS

pytestmark = pytest.mark.filterwarnings("ignore:.*torch.jit:DeprecationWarning")
BF16 = torch.bfloat16
FILE = "transformer_2/diffusion_pytorch_model.safetensors"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Two transformers of two blocks each."""
    return save_pipeline(make_pipeline("t2v-a14b"), tmp_path_factory.mktemp("offload") / "tiny")


def latents(model) -> torch.Tensor:
    plan, _ = plan_of(model, 5, (48, 32), num_inference_steps=4)
    return make_stretch(model, plan, 0, {})


def linears(network) -> list[nn.Module]:
    return [
        module
        for block in network.hearing()
        for module in block.modules()
        if isinstance(module, nn.Linear | PackedLinear)
    ]


def is_here(layer: nn.Module) -> bool:
    return (layer.packed if isinstance(layer, PackedLinear) else layer.weight) is not None


@pytest.mark.parametrize("dtype", [torch.float32, BF16])
def test_latents_are_the_same_bits_whether_blocks_are_kept_or_brought(folder, dtype):
    kept, brought = load_model(folder, dtype), load_model(folder, dtype, offload=True)
    found = latents(brought)
    assert torch.equal(found, latents(kept))
    networks = networks_of(brought.transformer)
    assert len(networks) == 2 and len(networks[0].hearing()) == 2
    if dtype == BF16 and can_pack():
        assert isinstance(networks[0].hearing()[0].mlp.up, PackedLinear)
    here = [layer for network in networks for layer in linears(network) if is_here(layer)]
    assert len(here) == len(linears(networks[0])) // 2  # one block of four


def test_no_more_than_two_blocks_are_ever_in_memory(folder, monkeypatch):
    before, seen = Offload._before, []

    def watch(self, index, layer, arguments):
        before(self, index, layer, arguments)
        layers = [matrix.layer for block in self._blocks for matrix in block]
        seen.append(sum(is_here(layer) for layer in layers))  # and one more block is on its way

    monkeypatch.setattr(Offload, "_before", watch)
    model = load_model(folder, torch.float32, offload=True)
    latents(model)
    assert model.offload is not None and len(model.offload._blocks) == 4
    assert set(seen) == {len(model.offload._blocks[0])}


def test_a_lora_counts_beside_blocks_that_are_brought(folder, tmp_path):
    path = tmp_path / "lora.safetensors"
    draw = torch.Generator().manual_seed(0)
    matrices = {"lora_A": (2, 24), "lora_B": (32, 2)}
    key = "diffusion_model.blocks.1.ffn.0"
    save_file(
        {f"{key}.{n}.weight": torch.randn(s, generator=draw) for n, s in matrices.items()}, path
    )
    kept, brought = (load_model(folder, torch.float32, offload=o) for o in (False, True))
    plain = latents(kept)
    with applied(kept.transformer, [LoraUse(path=str(path))]):
        expected = latents(kept)
    with applied(brought.transformer, [LoraUse(path=str(path))]):
        assert torch.equal(latents(brought), expected)
    assert not torch.equal(expected, plain) and torch.equal(latents(brought), plain)


def copy(folder, tmp_path):
    return shutil.copytree(folder, tmp_path / "tiny")


def test_weights_that_do_not_fit_are_refused_before_anything_runs(folder, tmp_path):
    folder = copy(folder, tmp_path)
    state = load_file(folder / FILE)
    key = "blocks.1.ffn.net.2.weight"
    for broken, what in (
        ({**state, key: state[key][:, :-1].contiguous()}, "has shape"),
        ({name: tensor for name, tensor in state.items() if name != key}, "lacks 1 weights"),
        ({**state, "blocks.7.ffn.net.2.weight": state[key].clone()}, "no place for"),
    ):
        save_file(broken, folder / FILE)
        with pytest.raises(WorldreelError, match=what):
            load_model(folder, torch.float32, offload=True)


def test_a_file_that_vanishes_while_blocks_are_brought_is_named(folder, tmp_path):
    folder = copy(folder, tmp_path)
    model = load_model(folder, torch.float32, offload=True)
    (folder / FILE).unlink()
    with pytest.raises(WorldreelError, match=r"transformer_2.*is missing") as caught:
        latents(model)
    assert "Get it again" in (caught.value.remedy or "")


def test_what_cannot_be_offloaded_is_refused_at_once(folder, capsys):
    assert main(["generate", "a red ball", "--offload"]) == 2
    assert "only such models are offloaded" in capsys.readouterr().err
    with pytest.raises(UsageError, match="2 devices"):
        load_model(folder, torch.float32, offload=True, num_devices=2)


def test_the_memory_of_an_offloaded_model_is_that_of_its_rest_and_two_blocks(folder):
    model = load_model(folder, torch.float32)
    description = model.description
    networks = networks_of(model.transformer)
    of_blocks = [
        sum(layer.get_parameter("weight").numel() for layer in linears(network))
        for network in networks
    ]
    assert brought_weights(description) == of_blocks[0] == of_blocks[1]
    parts = [*networks, model.autoencoder]
    whole = sum(weight.numel() for part in parts for weight in part.parameters())
    assert weights_bytes(description, torch.float32) == 4 * whole
    rest = whole - sum(of_blocks)
    offloaded = weights_bytes(description, torch.float32, offload=True)
    assert offloaded == 4 * (rest + 2 * of_blocks[0] // 2)


@pytest.mark.parametrize(
    ("name", "most_gb"),
    [
        ("wan2.1-t2v-1.3b", 8),
        ("wan2.2-ti2v-5b", 16),
        ("wan2.1-t2v-14b", 24),
        ("wan2.1-i2v-14b-720p", 24),
        ("wan2.2-t2v-a14b", 24),
    ],
)
def test_an_open_model_makes_its_own_size_and_duration_in_little_memory(name, most_gb):
    description = dataclasses.replace(OPEN_MODELS[name].description, needs=())
    plan = plan_request(Request(prompt="a fox", model=name, seed=1), description)
    offloaded = device_bytes(plan, BF16, offload=True)
    assert 2e9 < offloaded < most_gb * 1e9
    assert offloaded < device_bytes(plan, BF16) - 2e9
    assert memory_bytes(plan, BF16, offload=True) < memory_bytes(plan, BF16)


def test_the_list_of_models_says_what_offload_takes_and_where_it_then_runs():
    small = {model.name: model for model in listed(24 * 2**30, 16 * 2**30)}
    large = small["wan2.1-t2v-14b"]
    assert (large.fits, large.fits_offloaded) == ("no", "gpu")
    assert small["toybox"].offloaded_bytes is None
    for name in ("wan2.1-t2v-1.3b", "wan2.1-i2v-14b-480p", "wan2.2-i2v-a14b", "wan2.2-ti2v-5b"):
        model = OPEN_MODELS[name]
        exact = weights_bytes(model.description, BF16, offload=True)
        assert model.offloaded_bytes == pytest.approx(exact, rel=0.01)
        plan = plan_request(
            Request(prompt="a fox", model=name, seed=1),
            dataclasses.replace(model.description, needs=()),
        )
        assert device_bytes(plan, BF16, offload=True) >= exact + model.step_bytes


def test_a_model_that_would_fit_with_offload_is_refused_with_that_remedy():
    large = OPEN_MODELS["wan2.1-t2v-14b"].description
    cpu = torch.device("cpu")
    with pytest.raises(WorldreelError, match=r"needs 41\.2 GB") as caught:
        check_memory(large, BF16, cpu, free=lambda device: 20 * 10**9)
    assert "With --offload it needs 13." in caught.value.remedy
    check_memory(large, BF16, cpu, free=lambda device: 20 * 10**9, offload=True)
    with pytest.raises(WorldreelError, match=r"needs 13\."):
        check_memory(large, BF16, cpu, free=lambda device: 10**9, offload=True)


def test_an_estimate_says_what_is_brought(folder, monkeypatch, capsys):
    from worldreel.generate import estimate as module

    monkeypatch.setattr(module, "NUM_TRIALS", 1)
    words = ["estimate", "--model", str(folder), "--size", "48x32", "--seconds", "0.3125"]
    assert main([*words, "--offload"]) == 0
    assert "are brought for every evaluation" in capsys.readouterr().out
    model = load_model(folder, torch.float32)
    plan, _ = plan_of(model, 5, (48, 32), num_inference_steps=1)
    cost = estimate(plan, "cpu", torch.float32, offload=True)
    assert cost.brought_bytes == 4 * brought_weights(model.description) > 0
