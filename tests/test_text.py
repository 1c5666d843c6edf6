import shutil

import pytest
import torch

from worldreel.core.errors import UsageError, WorldreelError
from worldreel.models import text
from worldreel.models.text import TextEncoder, load_minilm, minilm_folder


@pytest.fixture(scope="module")
def encoder() -> TextEncoder:
    return load_minilm(num_tokens=16)


def test_states_are_zero_past_the_end_of_each_prompt(encoder):
    states, mask = encoder(["a red ball falls", "", "two balls"])
    assert states.shape == (3, 16, encoder.dim)
    assert states.dtype == torch.float32
    assert mask.dtype == torch.bool
    assert mask.sum(1).tolist() == [6, 2, 4]  # start, words, end
    assert torch.equal(states.abs().sum(-1) > 0, mask)


def test_states_are_those_of_the_published_model():
    from transformers import AutoModel, AutoTokenizer

    encoder = load_minilm(num_tokens=32)
    prompt = "A Red ball bounces; it is unbelievably café-like."
    tokens = AutoTokenizer.from_pretrained(minilm_folder())(prompt, return_tensors="pt")
    model = AutoModel.from_pretrained(minilm_folder(), local_files_only=True).eval()
    with torch.no_grad():
        expected = model(**tokens).last_hidden_state[0]
    states, mask = encoder([prompt])
    torch.testing.assert_close(states[0][mask[0]], expected, rtol=0, atol=1e-5)


def test_paraphrases_are_nearer_than_opposites(encoder):
    states, mask = encoder(["a ball falls", "the sphere drops down", "a car factory"])
    mean = states.sum(1) / mask.sum(1, keepdim=True)
    mean = torch.nn.functional.normalize(mean, dim=-1)
    assert mean[0] @ mean[1] > mean[0] @ mean[2] + 0.2


def test_a_prompt_does_not_depend_on_what_else_is_encoded():
    encoder, other = load_minilm(16), load_minilm(16)
    together, _ = encoder(["a red ball", "a blue cube falls", "a red cone", "a red ball"])
    alone, _ = other(["a red ball"])
    torch.testing.assert_close(together[0], alone[0], rtol=0, atol=1e-5)
    assert torch.equal(together[0], together[3])


def test_what_does_not_fit_is_said(encoder):
    prompt = " ".join(f"word{i}" for i in range(40))
    lost = encoder.truncated_words(prompt)
    assert lost
    assert prompt.endswith(lost)
    assert lost.startswith("word")
    kept = prompt.removesuffix(lost).strip()
    assert encoder.truncated_words(kept) == ""
    assert encoder.truncated_words(kept + " " + lost.split()[0]) == lost.split()[0]
    assert encoder([prompt])[1].all()


@pytest.mark.parametrize("prompt", ["", "   ", "a red ball", "\x00\x07", "北京"])
def test_what_fits_is_not_cut(encoder, prompt):
    assert encoder.truncated_words(prompt) == ""
    assert encoder([prompt])[0].isfinite().all()


def test_a_prompt_of_one_endless_word_is_cut_from_its_beginning(encoder):
    word = "unbelievably" * 8
    assert encoder.truncated_words(word) == word


def test_words_without_a_token_are_named(encoder):
    endless = "x" * 101
    assert encoder.unknown_words(f"a red ball, {endless} and a 🎈") == [endless, "🎈"]
    assert encoder.unknown_words("a flubbergast of zorps") == []


def test_a_remembered_prompt_is_not_computed_again():
    encoder = load_minilm(16)
    calls = []
    forward = encoder._forward
    encoder._forward = lambda ids: calls.append(ids) or forward(ids)
    first, _ = encoder(["a red ball"])
    first.zero_()
    again, _ = encoder(["a red ball", "a red ball"])
    assert len(calls) == 1
    assert again.abs().sum() > 0


def test_no_more_prompts_are_remembered_than_agreed(monkeypatch):
    monkeypatch.setattr(text, "CACHED_PROMPTS", 2)
    encoder = load_minilm(16)
    states, _ = encoder(["one", "two", "three", "one"])
    assert list(encoder._cache) == ["three", "one"]
    assert torch.equal(states[0], states[3])


def test_no_prompts_give_no_states(encoder):
    states, mask = encoder([])
    assert states.shape == (0, 16, 384)
    assert mask.shape == (0, 16)


@pytest.mark.parametrize("num_tokens", [0, 2, 513])
def test_a_length_that_the_model_lacks_is_refused(num_tokens):
    with pytest.raises(UsageError, match=f"num_tokens is {num_tokens}"):
        load_minilm(num_tokens)


@pytest.mark.parametrize("damage", ["flip", "truncate", "remove"])
@pytest.mark.parametrize("name", sorted(text.SHA256))
def test_altered_files_are_refused(tmp_path, monkeypatch, name, damage):
    for file in text.SHA256:
        shutil.copyfile(minilm_folder() / file, tmp_path / file)
    path = tmp_path / name
    if damage == "remove":
        path.unlink()
    else:
        with path.open("r+b") as file:
            if damage == "flip":
                file.seek(200)
                byte = file.read(1)
                file.seek(200)
                file.write(bytes([byte[0] ^ 1]))
            else:
                file.truncate(300)
    monkeypatch.setattr(text, "minilm_folder", lambda: tmp_path)
    with pytest.raises(WorldreelError, match=name) as caught:
        load_minilm()
    assert "reinstall" in caught.value.remedy


def test_a_missing_package_is_named(monkeypatch):
    monkeypatch.setattr(text, "PACKAGE", "a_package_that_is_not_there")
    with pytest.raises(WorldreelError, match="is not installed") as caught:
        load_minilm()
    assert "pip install" in caught.value.remedy


def test_the_callers_autocast_does_not_change_the_states(encoder):
    plain, _ = load_minilm(16)(["a red ball"])
    with torch.autocast("cpu", torch.bfloat16):
        inside, _ = load_minilm(16)(["a red ball"])
    assert torch.equal(plain, inside)
