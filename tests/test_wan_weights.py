"""Folders of Wan models: whole ones run from the command line, broken ones are refused by what is
wrong with them, before anything runs."""

import json
import pickle
import shutil

import pytest
import torch
from safetensors.torch import load_file, save_file
from tests.test_transformer import config, random_transformer, reference
from tests.wan_folder import make_pipeline, save_pipeline

from worldreel.app.commands.models import listed
from worldreel.app.main import main
from worldreel.core.errors import WorldreelError
from worldreel.models.wan_keys import (
    ORIGINAL_INNER,
    ORIGINAL_OUTER,
    ORIGINAL_WHOLE,
    diffusers_name,
)
from worldreel.weights.load import load_model
from worldreel.weights.load_pipeline import load_transformer
from worldreel.weights.open_models import OPEN_MODELS
from worldreel.weights.pipeline import describe_pipeline

TRANSFORMER = "diffusion_pytorch_model.safetensors"


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    return save_pipeline(make_pipeline("t2v"), tmp_path_factory.mktemp("whole") / "tiny")


@pytest.fixture
def folder(saved, tmp_path):
    """A copy of a whole pipeline's folder, to be broken."""
    return shutil.copytree(saved, tmp_path / "tiny")


def refused(folder) -> WorldreelError:
    with pytest.raises(WorldreelError) as caught:
        load_model(folder)
    assert caught.value.remedy
    return caught.value


def change(path, **values):
    path.write_text(json.dumps({**json.loads(path.read_text()), **values}))


def original_names(state: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """A state dict of diffusers under the names of Wan's own repositories."""
    outer = {theirs: ours for ours, theirs in ORIGINAL_OUTER.items()}
    inner = {theirs: ours for ours, theirs in ORIGINAL_INNER.items()}
    whole = {theirs: ours for ours, theirs in ORIGINAL_WHOLE.items()}
    renamed = {}
    for key, tensor in state.items():
        module, _, leaf = key.rpartition(".")
        if key in whole:
            name = whole[key]
        elif module.startswith("blocks."):
            _, index, rest = (*module.split(".", 2), "")[:3]
            name = f"blocks.{index}.{inner[rest]}.{leaf}" if rest else f"{module}.modulation"
        else:
            name = f"{outer[module]}.{leaf}"
        renamed[name] = tensor
    return renamed


@pytest.mark.parametrize("prefix", ["", "model.diffusion_model."])
def test_weights_in_wans_own_layout_load_into_the_same_network(tmp_path, prefix):
    shape = config(image_dim=20, added_kv_proj_dim=64, pos_embed_seq_len=10)
    state = reference(shape).state_dict()
    renamed = {prefix + name: tensor for name, tensor in original_names(state).items()}
    assert prefix + "blocks.0.norm3.weight" in renamed  # which is diffusers' norm2
    assert {diffusers_name(name) for name in renamed} == set(state)
    path = tmp_path / "wan.safetensors"
    save_file(renamed, path)
    loaded = load_transformer([path], shape, torch.float32)
    for name, tensor in random_transformer(shape).state_dict().items():
        assert torch.equal(loaded.state_dict()[name], tensor), name


def test_weights_in_several_files_load_like_those_in_one(saved, tmp_path):
    parts = save_pipeline(make_pipeline("t2v"), tmp_path / "parts", max_shard_size="20KB")
    assert len(list((parts / "transformer").glob("*.safetensors"))) > 1
    one, many = load_model(saved, torch.float32), load_model(parts, torch.float32)
    for name, tensor in one.transformer.state_dict().items():
        assert torch.equal(many.transformer.state_dict()[name], tensor)
    index = next((parts / "transformer").glob("*.index.json"))
    sorted((parts / "transformer").glob("*.safetensors"))[1].unlink()
    assert "is missing" in refused(parts).message
    change(index, weight_map={"a": "../../elsewhere.safetensors"})
    assert "no plain file" in refused(parts).message
    index.write_text("{")
    assert "cannot be read" in refused(parts).message


def test_a_pickle_is_never_opened_and_a_safe_repository_is_named(folder):
    class Trap:
        def __reduce__(self):
            return (pytest.fail, ("a pickle was opened",))

    path = folder / "transformer" / TRANSFORMER
    path.unlink()
    path.with_suffix(".bin").write_bytes(pickle.dumps(Trap()))
    error = refused(folder)
    assert "pickle" in error.message and "-Diffusers" in error.remedy
    path.write_bytes(pickle.dumps(Trap()))
    assert "not a safetensors file" in refused(folder).message


def test_a_file_that_was_cut_off_is_refused(folder):
    path = folder / "vae" / TRANSFORMER
    path.write_bytes(path.read_bytes()[:-100])
    assert "cut off" in refused(folder).message


@pytest.mark.parametrize("part", ["transformer", "vae"])
def test_unknown_missing_and_misshapen_weights_are_named(folder, part):
    path = folder / part / TRANSFORMER
    state = load_file(path)
    key = next(name for name in state if name.endswith("bias"))
    save_file({**state, "surplus.weight": torch.zeros(1)}, path)
    assert "surplus.weight" in refused(folder).message
    save_file({**state, key: torch.zeros(3)}, path)
    assert key in refused(folder).message and "(3,)" in refused(folder).message
    save_file({name: tensor for name, tensor in state.items() if name != key}, path)
    assert "lacks 1 weights" in refused(folder).message


def test_a_text_encoder_that_lacks_a_weight_is_refused_at_the_first_prompt(folder):
    path = folder / "text_encoder" / "model.safetensors"
    state = load_file(path)
    save_file({name: tensor for name, tensor in state.items() if "block.1" not in name}, path)
    with pytest.raises(WorldreelError, match="text encoder lacks"):
        load_model(folder).text(["a red ball"])


@pytest.mark.parametrize("names", [("shared.weight",), ("encoder.embed_tokens.weight",)])
def test_the_table_of_words_is_found_under_either_of_its_names(saved, folder, names):
    path = folder / "text_encoder" / "model.safetensors"
    state = load_file(path)
    table = state.pop("shared.weight", state.pop("encoder.embed_tokens.weight", None))
    save_file({**state, **{name: table for name in names}}, path)
    expected = load_model(saved, torch.float32).text(["a red ball"])[0]
    assert torch.equal(load_model(folder, torch.float32).text(["a red ball"])[0], expected)


@pytest.mark.parametrize(
    ("file", "values", "says"),
    [
        ("model_index.json", {"_class_name": "FluxPipeline"}, "FluxPipeline"),
        ("transformer/config.json", {"_class_name": "WanVACETransformer3DModel"}, "WanVACE"),
        ("transformer/config.json", {"vace_layers": [0]}, "vace_layers"),
        ("transformer/config.json", {"in_channels": 5}, "5 input channels"),
        ("transformer/config.json", {"qk_norm": "layer"}, "qk_norm"),
        ("transformer/config.json", {"text_dim": 25}, "takes 25"),
        ("vae/config.json", {"_class_name": "AutoencoderKL"}, "AutoencoderKL"),
        ("vae/config.json", {"attn_scales": [0.5]}, "attention inside"),
        ("vae/config.json", {"temperal_downsample": [True]}, "one fewer"),
        ("vae/config.json", {"latents_std": [1.0]}, "latents_std has 1"),
        ("text_encoder/config.json", {"model_type": "t5"}, "'t5'"),
        ("scheduler/scheduler_config.json", {"_class_name": "DDIMScheduler"}, "DDIMScheduler"),
        ("scheduler/scheduler_config.json", {"use_flow_sigmas": False}, "no flow"),
    ],
)
def test_a_configuration_of_another_architecture_is_refused_by_its_value(
    folder, file, values, says
):
    change(folder / file, **values)
    assert says in refused(folder).message


@pytest.mark.parametrize("part", ["transformer", "vae", "text_encoder", "scheduler"])
def test_a_missing_part_is_named(folder, part):
    shutil.rmtree(folder / part)
    assert part in refused(folder).message


def test_two_transformers_without_a_boundary_between_them_are_refused(tmp_path):
    folder = save_pipeline(make_pipeline("t2v-a14b"), tmp_path / "two")
    assert describe_pipeline(folder).sampling.boundary == 0.875
    change(folder / "model_index.json", boundary_ratio=None)
    assert "boundary_ratio None" in refused(folder).message
    change(folder / "model_index.json", boundary_ratio=0.875)
    change(folder / "transformer_2" / "config.json", ffn_dim=64)
    assert "differ in ffn_dim" in refused(folder).message


def test_the_same_command_line_makes_a_video_with_an_open_model(saved, tmp_path, capsys):
    words = ["generate", "a red ball", "--model", str(saved), "--size", "48x32", "--json"]
    words += ["--seconds", "0.3125", "--num-inference-steps", "2", "--seed", "1"]
    out = tmp_path / "ball.mp4"
    code = main([*words, "--output-path", str(out)])
    shown = capsys.readouterr()
    assert code == 0, shown.err
    told = json.loads(shown.out)
    assert out.stat().st_size > 500 and (told["num_frames"], told["width"]) == (5, 48)
    assert told["not_understood"] == [] and told["message"] == ""


def test_a_picture_that_is_needed_is_asked_for_on_the_command_line(tmp_path, capsys):
    folder = save_pipeline(make_pipeline("i2v"), tmp_path / "i2v")
    assert main(["generate", "a ball", "--model", str(folder), "--size", "48x32"]) == 2
    assert "--image" in capsys.readouterr().err


def test_what_fits_is_said_of_every_model():
    small = {model.name: model for model in listed(16 * 2**30, 0)}
    assert small["wan2.1-t2v-1.3b"].fits == "no" and small["toybox"].fits == "cpu"
    large = {model.name: model.fits for model in listed(64 * 2**30, 24 * 2**30)}
    assert large["wan2.1-t2v-1.3b"] == large["wan2.2-ti2v-5b"] == "gpu"
    assert large["wan2.1-t2v-14b"] == "cpu" and large["wan2.2-t2v-a14b"] == "no"
    assert set(OPEN_MODELS) < set(large)


def test_an_estimate_needs_no_weights_and_grows_with_what_is_asked(capsys, saved, monkeypatch):
    from worldreel.generate import estimate as module

    monkeypatch.setattr(module, "NUM_TRIALS", 1)

    def cost(*more: str) -> dict:
        words = ["estimate", "--model", str(saved), "--size", "48x32", "--json", *more]
        assert main(words) == 0
        return json.loads(capsys.readouterr().out)

    one = cost("--seconds", "0.3125", "--num-inference-steps", "4")
    assert one["num_tokens"] == 12 and one["num_evaluations"] == 8
    more = cost("--seconds", "0.8125", "--num-inference-steps", "8")
    assert more["num_tokens"] == 24 and more["flops"] > 2 * one["flops"]
    unguided = cost("--seconds", "0.3125", "--num-inference-steps", "4", "--guidance-scale", "1")
    assert unguided["num_evaluations"] == 4
    assert one["seconds"] > 0 and one["memory_bytes"] > 1e8 and one["energy_wh"] > 0


def test_a_models_needs_are_no_obstacle_to_an_estimate():
    from worldreel.app.commands.estimate import Estimate

    plan = Estimate(model="wan2.1-flf2v-14b-720p", size="832x480").plan()
    assert plan.num_evaluations == 100 and plan.num_latent_frames == 21


def test_a_model_that_does_not_fit_is_refused_before_it_is_read_with_those_that_do():
    from worldreel.weights.fit import check_memory

    large = OPEN_MODELS["wan2.1-t2v-14b"].description
    device = torch.device("cpu")
    check_memory(large, torch.bfloat16, device, free=lambda device: 48 * 10**9)
    with pytest.raises(WorldreelError, match=r"needs 41\.2 GB") as caught:
        check_memory(large, torch.bfloat16, device, free=lambda device: 20 * 10**9)
    assert "Models that fit: wan2.1-t2v-1.3b." in caught.value.remedy
    with pytest.raises(WorldreelError) as caught:
        check_memory(large, torch.bfloat16, device, free=lambda device: 10**9)
    assert "No open model fits" in caught.value.remedy
