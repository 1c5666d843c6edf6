"""Open models come from the hub whole and unaltered, or not at all; a hub of our own stands in."""

import shutil
from pathlib import Path

import pytest
from tests.fake_hub import FakeHub, serving

from worldreel.core.errors import UsageError, WorldreelError
from worldreel.weights import hub as module
from worldreel.weights.catalogue import check_model, describe, describe_from_afar, find_model
from worldreel.weights.hub import find_pulled, list_files, pull
from worldreel.weights.open_models import OPEN_MODELS
from worldreel.weights.pipeline import describe_pipeline

MODEL = OPEN_MODELS["wan2.1-t2v-1.3b"]
BIG = "transformer/diffusion_pytorch_model-00001-of-00002.safetensors"
FILES = {
    "model_index.json": b'{"_class_name": "WanPipeline"}',
    "transformer/config.json": b"{}",
    BIG: bytes(range(256)) * 4000,
    "vae/diffusion_pytorch_model.safetensors": b"weights of the autoencoder",
    "tokenizer/tokenizer.json": b"{ }",
    "README.md": b"words",
    "assets/logo.png": b"picture",
    "text_encoder/pytorch_model.bin": b"a pickle",
}
TAKEN = sorted(path for path in FILES if path.endswith((".json", ".safetensors")))


@pytest.fixture(autouse=True)
def online(monkeypatch, tmp_path):
    """The client may go to the network, which is this machine alone; nothing is cached."""
    import huggingface_hub.constants

    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))


def fake(**more) -> FakeHub:
    return FakeHub(MODEL.repository, MODEL.revision, dict(FILES), **more)


def test_a_model_is_pulled_once_at_its_pinned_revision_without_pickles(tmp_path):
    told = []
    with serving(fake()) as hub:
        folder = pull(MODEL, lambda *args: told.append(args), endpoint=hub.endpoint)
        assert sorted({name for name, _ in hub.ranges}) == TAKEN
        count = len(hub.ranges)
        assert pull(MODEL, endpoint=hub.endpoint) == folder
        assert len(hub.ranges) == count
    found = sorted(str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file())
    assert found == TAKEN and folder.name == MODEL.revision
    assert (folder / BIG).read_bytes() == FILES[BIG]
    total = sum(len(FILES[path]) for path in TAKEN)
    assert told[0] == (0, total, "download") and told[-1] == (total, total, "check")
    assert (total, total, "download") in told
    assert [d for d, _, stage in told if stage == "download"] == sorted(
        d for d, _, stage in told if stage == "download"
    )
    pulled = find_pulled(MODEL)
    assert pulled is not None and Path(pulled.folder) == folder
    assert find_model(MODEL.name) == folder


def test_a_download_that_was_cut_off_goes_on_where_it_was(monkeypatch):
    import huggingface_hub.constants

    monkeypatch.setattr(huggingface_hub.constants, "DOWNLOAD_CHUNK_SIZE", 100_000)
    monkeypatch.setattr("time.sleep", lambda seconds: None)  # the client waits before it retries
    with serving(fake(cut_at={BIG: 400_000})) as hub:
        folder = pull(MODEL, endpoint=hub.endpoint)
        asked = [said for name, said in hub.ranges if name == BIG]
    assert asked[0] is None and asked[1] == "bytes=400000-"
    assert (folder / BIG).read_bytes() == FILES[BIG]


def test_what_an_interrupted_pull_left_is_not_fetched_again():
    with serving(fake()) as hub:

        class Stopped(Exception):
            pass

        def stop(done: int, total: int, stage: str) -> None:
            if done > 500:
                raise Stopped

        with pytest.raises((Stopped, WorldreelError)):
            pull(MODEL, stop, endpoint=hub.endpoint)
        assert find_pulled(MODEL) is None
        before = len(hub.ranges)
        pull(MODEL, endpoint=hub.endpoint)
        again = [name for name, _ in hub.ranges[before:]]
    assert "model_index.json" not in again and again.count(BIG) == 1


def test_a_file_that_is_not_as_published_is_removed_and_fetched_again():
    with serving(fake(altered={BIG})) as hub:
        with pytest.raises(WorldreelError, match="not as it was published") as caught:
            pull(MODEL, endpoint=hub.endpoint)
        assert "pull" in caught.value.remedy and find_pulled(MODEL) is None
        hub.altered.clear()
        folder = pull(MODEL, endpoint=hub.endpoint)
    assert (folder / BIG).read_bytes() == FILES[BIG]


def test_weights_that_were_altered_since_are_noticed_before_they_are_loaded():
    with serving(fake()) as hub:
        folder = pull(MODEL, endpoint=hub.endpoint)
    check_model(MODEL.name)
    data = bytearray(FILES[BIG])
    data[7] ^= 1
    (folder / BIG).resolve().write_bytes(data)
    with pytest.raises(WorldreelError, match="not as it was published"):
        check_model(MODEL.name)
    with pytest.raises(WorldreelError, match="is missing"):
        check_model(MODEL.name)


def test_a_disk_that_is_too_small_is_said_before_anything_comes(monkeypatch):
    usage = shutil.disk_usage("/")
    monkeypatch.setattr(module.shutil, "disk_usage", lambda path: usage._replace(free=1_000_000))
    with serving(fake()) as hub:
        with pytest.raises(WorldreelError, match="GB are free") as caught:
            pull(MODEL, endpoint=hub.endpoint)
        assert hub.ranges == [] and "HF_HOME" in caught.value.remedy


def test_a_hub_without_the_model_and_no_hub_at_all_are_told_apart(monkeypatch):
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    with serving(FakeHub(MODEL.repository, "0" * 40, {})) as hub:
        with pytest.raises(WorldreelError, match="does not give") as caught:
            list_files(MODEL, hub.endpoint)
        assert "HF_TOKEN" in caught.value.remedy
    with pytest.raises(WorldreelError, match="could not be fetched") as caught:
        list_files(MODEL, "http://127.0.0.1:9")  # where nothing answers
    assert "network" in caught.value.remedy


def test_offline_a_model_that_is_here_serves_and_another_is_refused(monkeypatch):
    import huggingface_hub.constants

    with serving(fake()) as hub:
        folder = pull(MODEL, endpoint=hub.endpoint)
        monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
        assert pull(MODEL, endpoint=hub.endpoint) == folder
        with pytest.raises(UsageError, match="HF_HUB_OFFLINE"):
            pull(OPEN_MODELS["wan2.2-ti2v-5b"], endpoint=hub.endpoint)


def test_a_model_that_is_not_here_is_answered_with_the_command_that_fetches_it():
    with pytest.raises(UsageError, match="29 GB") as caught:
        describe(MODEL.name)
    assert caught.value.remedy == "Run: worldreel pull wan2.1-t2v-1.3b"
    assert describe_from_afar(MODEL.name) is MODEL.description


def test_a_pulled_folder_keeps_its_facts_and_gets_its_name_and_its_authors_settings(tmp_path):
    from tests.wan_folder import make_pipeline, save_pipeline

    found = describe_pipeline(save_pipeline(make_pipeline("t2v"), tmp_path / "x"))
    described = MODEL.customise(found)
    assert described.name == MODEL.name and described.license == "Apache-2.0"
    assert described.transformer == found.transformer
    assert described.sampling.shift == 5.0 and found.sampling.shift == 3.0


def test_every_model_of_the_catalogue_is_pinned_and_of_the_size_that_it_says():
    import torch

    from worldreel.models.causal_autoencoder import CausalAutoencoder, CausalAutoencoderConfig
    from worldreel.models.transformer import Transformer, TransformerConfig

    for model in OPEN_MODELS.values():
        description = model.description
        assert len(model.revision) == 40 and model.repository.startswith("Wan-AI/")
        channels = description.autoencoder["latent_channels"]
        statistics = dict(latents_mean=[0.0] * channels, latents_std=[1.0] * channels)
        with torch.device("meta"):
            transformer = Transformer(TransformerConfig(**description.transformer))
            autoencoder = CausalAutoencoder(
                CausalAutoencoderConfig(**description.autoencoder, **statistics)
            )
        assert sum(p.numel() for p in transformer.parameters()) == model.weights
        assert sum(p.numel() for p in autoencoder.parameters()) == model.autoencoder_weights
        assert autoencoder.stride == description.stride
