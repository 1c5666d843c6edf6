"""Models as files: what was written is what is loaded, and nothing else is."""

import dataclasses
import json

import pytest
import torch
from safetensors.torch import save
from tests.tiny_model import DESCRIPTION, StandInText, tiny_networks

from worldreel.core.errors import UsageError, WorldreelError
from worldreel.weights import load as loading
from worldreel.weights.catalogue import describe, find_model, packaged_models
from worldreel.weights.description import ModelDescription
from worldreel.weights.load import load_model
from worldreel.weights.save import save_model

FP32 = {"transformer": "fp32", "autoencoder": "fp32"}


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A model's folder, loaded without the real text encoder."""
    monkeypatch.setattr(loading, "load_minilm", lambda num_tokens: StandInText())
    transformer, autoencoder = tiny_networks()
    states = {"transformer": transformer.state_dict(), "autoencoder": autoencoder.state_dict()}
    save_model(tmp_path / "tiny", DESCRIPTION, states, FP32)
    return tmp_path / "tiny"


def refused(folder) -> WorldreelError:
    with pytest.raises(WorldreelError) as error:
        load_model(folder)
    assert error.value.remedy
    return error.value


def test_a_saved_model_loads_with_the_same_weights_and_outputs(folder):
    model = load_model(folder, torch.float32)
    transformer, autoencoder = tiny_networks()
    for original, loaded in ((transformer, model.transformer), (autoencoder, model.autoencoder)):
        assert not loaded.training
        for name, tensor in original.state_dict().items():
            assert torch.equal(loaded.state_dict()[name], tensor), name
    x = torch.randn(1, 8, 4, 2, 4)
    arguments = x, torch.tensor([0.5]), torch.randn(1, 8, 384)
    assert torch.equal(model.transformer(*arguments), transformer(*arguments))


def test_a_model_in_bfloat16_keeps_norms_and_time_in_float32(folder):
    model = load_model(folder, torch.bfloat16)
    dtypes = {name: p.dtype for name, p in model.transformer.named_parameters()}
    assert dtypes["blocks.0.self_attention.query.weight"] == torch.bfloat16
    assert dtypes["blocks.0.scale_shift_table"] == torch.float32
    assert dtypes["time_projection.weight"] == torch.float32
    assert model.autoencoder.latent_mean.dtype == torch.float32


def test_a_description_survives_the_round_trip(folder):
    description = ModelDescription.read(folder)
    assert ModelDescription.from_json(description.to_json()) == description
    assert dataclasses.replace(description, files={}).to_json() == DESCRIPTION.to_json()
    assert description.size_bytes == sum(p.stat().st_size for p in folder.glob("*.safetensors"))


def test_files_can_be_stored_in_half_the_bytes(tmp_path):
    states = {"transformer": tiny_networks()[0].state_dict()}
    full = save_model(tmp_path / "full", DESCRIPTION, states, {"transformer": "fp32"})
    half = save_model(tmp_path / "half", DESCRIPTION, states, {"transformer": "bf16"})
    assert half.size_bytes < 0.7 * full.size_bytes


def test_weights_that_overflow_or_are_not_finite_are_not_saved(tmp_path):
    states = {"transformer": {"weight": torch.tensor([1e30])}}
    with pytest.raises(WorldreelError, match="not finite as fp16"):
        save_model(tmp_path / "m", DESCRIPTION, states, {"transformer": "fp16"})
    states = {"transformer": {"weight": torch.tensor([torch.nan])}}
    with pytest.raises(WorldreelError, match="not finite as fp32"):
        save_model(tmp_path / "m", DESCRIPTION, states, {"transformer": "fp32"})
    assert list((tmp_path / "m").iterdir()) == []


def test_a_missing_file_is_named(folder):
    (folder / "autoencoder.safetensors").unlink()
    assert "autoencoder.safetensors is missing" in refused(folder).message


def test_a_truncated_file_is_refused_with_both_sizes(folder):
    path = folder / "transformer.safetensors"
    data = path.read_bytes()
    path.write_bytes(data[:-100])
    message = refused(folder).message
    assert "truncated" in message and str(len(data)) in message and str(len(data) - 100) in message


def test_a_single_flipped_bit_is_refused(folder):
    path = folder / "transformer.safetensors"
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    assert "altered" in refused(folder).message


def rewrite(folder, name, content: bytes):
    """Replaces a file together with its hash, as a broken or hostile publisher would."""
    import hashlib

    (folder / name).write_bytes(content)
    path = folder / "model.json"
    values = json.loads(path.read_text())
    sha256 = hashlib.sha256(content).hexdigest()
    values["files"][name] = {"sha256": sha256, "size_bytes": len(content)}
    path.write_text(json.dumps(values))


def test_what_is_not_safetensors_is_never_loaded(folder):
    import pickle

    rewrite(folder, "transformer.safetensors", pickle.dumps({"weight": 1}))
    assert "not a safetensors file" in refused(folder).message


def test_weights_of_another_network_are_refused(folder):
    state = tiny_networks()[0].state_dict()
    rewrite(folder, "transformer.safetensors", save({**state, "surplus": torch.zeros(1)}))
    assert "surplus" in refused(folder).message
    state["head.bias"] = torch.zeros(3)
    rewrite(folder, "transformer.safetensors", save(state))
    assert "head.bias has shape (3,)" in refused(folder).message
    del state["head.bias"]
    rewrite(folder, "transformer.safetensors", save(state))
    assert "lacks head.bias" in refused(folder).message


def change(folder, **values):
    path = folder / "model.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **values}))


def test_a_description_that_contradicts_its_autoencoder_is_refused(folder):
    change(folder, stride=[4, 8, 8])
    assert "stride" in refused(folder).message


def test_a_network_option_of_a_later_version_is_refused(folder):
    change(folder, transformer={**DESCRIPTION.transformer, "window": 3})
    assert "window" in refused(folder).message


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"fsp": 12}, "unknown key fsp"),
        ({"sampling": {"num_inference_steps": 3, "guidance": 2}}, "unknown key sampling.guidance"),
        ({"fps": "12"}, "fps is '12'; it must be a whole number"),
        ({"fps": 0}, "fps is 0; it must be from 1 to 240"),
        ({"level_channel": 1}, "level_channel is 1; it must be true or false"),
        ({"prediction": "eps"}, "prediction is 'eps'; it must be one of"),
        ({"takes": ["text", "smell"]}, "takes"),
        ({"stride": [1, 16]}, "stride is [1, 16]; it must be a list of 3"),
        ({"size": 128}, "size is 128; it must be named values"),
        ({"seconds": {"default": float("nan"), "max": 4}}, "seconds.default is nan"),
        ({"files": {"../evil.safetensors": {"sha256": "0" * 64, "size_bytes": 1}}}, "evil"),
        ({"files": {"w.pt": {"sha256": "0" * 64, "size_bytes": 1}}}, "w.pt"),
        ({"files": {"w.safetensors": {"sha256": "abc", "size_bytes": 1}}}, "64 hexadecimal"),
    ],
)
def test_a_wrong_description_is_refused_by_its_key(change, says):
    values = {**json.loads(DESCRIPTION.to_json()), **change}
    with pytest.raises(WorldreelError) as error:
        ModelDescription.from_json(json.dumps(values), "tiny/model.json")
    assert says in error.value.message and "tiny/model.json" in error.value.message
    assert error.value.remedy


def test_a_misspelt_key_is_answered_with_the_closest():
    values = {**json.loads(DESCRIPTION.to_json()), "licence": "MIT"}
    with pytest.raises(WorldreelError) as error:
        ModelDescription.from_json(json.dumps(values))
    assert "license" in error.value.remedy


def test_a_missing_key_and_broken_json_are_refused():
    values = json.loads(DESCRIPTION.to_json())
    del values["fps"]
    with pytest.raises(WorldreelError, match="fps is missing"):
        ModelDescription.from_json(json.dumps(values))
    with pytest.raises(WorldreelError, match="not JSON"):
        ModelDescription.from_json("{")


def test_a_folder_is_a_model_and_its_description_is_read_without_its_weights(folder):
    for path in folder.glob("*.safetensors"):
        path.unlink()
    assert find_model(folder) == folder
    assert describe(str(folder)).name == "tiny"


@pytest.mark.parametrize("name", ["", "toybx", "no/such/folder", "a\0b", "x" * 5000])
def test_an_unknown_model_is_answered_with_the_known_ones(name, tmp_path, monkeypatch):
    monkeypatch.setattr("worldreel.weights.catalogue.packaged_models", lambda: {"toybox": tmp_path})
    with pytest.raises(UsageError) as error:
        find_model(name)
    assert "toybox" in str(error.value)
    assert ("Did you mean toybox" in str(error.value)) == (name == "toybx")
    assert len(str(error.value)) < 400


def test_a_folder_without_a_description_is_no_model(tmp_path):
    with pytest.raises(UsageError, match=r"holds no model\.json"):
        find_model(tmp_path)


def test_every_packaged_model_matches_its_description():
    for name, folder in packaged_models().items():
        description = ModelDescription.read(folder)
        assert description.name == name
        for file in description.files:
            loading.check_file(folder, file, description)
