"""What a prompt asks for that the simulated world does not have."""

import subprocess
import sys

import numpy as np
import pytest

from worldreel.generate.understanding import KNOWN, understand
from worldreel.models.text import load_minilm
from worldreel.world.captions import captions
from worldreel.world.sampling import sample_scene
from worldreel.world.vocabulary import SYNONYMS, WORDS

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


@pytest.fixture(scope="module")
def text():
    return load_minilm(num_tokens=64)


def test_every_word_of_the_captions_is_understood(text):
    for seed in range(60):
        scene = sample_scene(seed)
        truth = {
            "intrinsics": np.array([[[100.0, 0, 64], [0, 100, 64], [0, 0, 1]]]),
            "world_to_camera": np.eye(4)[None],
            "positions": np.random.default_rng(seed).uniform(1, 3, (1, len(scene.things), 3)),
        }
        for caption in captions(scene, truth):
            assert understand(caption, text).is_complete, caption


def test_every_synonym_is_understood_as_a_word_of_the_world(text):
    assert set(SYNONYMS.values()) <= {word for words in WORDS.values() for word in words}
    found = understand(" ".join(SYNONYMS), load_minilm(num_tokens=256))
    assert not found.unknown
    for word, meant in found.close.items():
        assert SYNONYMS[word] == meant


INFLECTED = "rolling rolled bounced colliding boxes dropped balls ball's ball\u2019s 3 close-up"


@pytest.mark.parametrize("word", INFLECTED.split())
def test_inflections_are_understood(text, word):
    assert not understand(word, text).unknown


def test_a_prompt_outside_the_world_is_told_what_would_serve(text):
    found = understand("A cat plays the piano in neon-lit Tokyo, cinematic!", text)
    assert set(found.unknown) >= {"cat", "piano", "tokyo", "neon"}
    message = found.message("toybox")
    assert 'toybox did not understand "cat"' in message
    assert "wan2.2-ti2v-5b" in message and "wan2.1-t2v-1.3b" in message


def test_near_words_are_taken_for_the_worlds_own(text):
    found = understand("A gigantic crimson sphere on a timber floor", text)
    assert found.known == ("floor",)
    assert found.close == {
        "gigantic": "large",
        "crimson": "red",
        "sphere": "ball",
        "timber": "wooden",
    }
    assert '"crimson" as "red"' in found.message("toybox")


def test_words_of_other_scripts_are_said_to_be_unknown(text):
    assert "шар" in understand("красный шар", text).unknown
    assert understand("一只红球", text).unknown == ("一只红球",)


def test_what_the_encoder_does_not_read_is_said(text):
    found = understand("a red ball " * 40 + "and a dragon", text)
    assert found.unread.endswith("and a dragon")
    assert found.known == ("red", "ball") and not found.unknown
    assert "longer than toybox reads" in found.message("toybox")


def test_a_prompt_of_known_words_needs_no_message(text):
    found = understand("A red ball falls and bounces on a wooden floor.", text)
    assert found.is_complete and found.message("toybox") == ""
    assert found.known == ("red", "ball", "falls", "bounces", "wooden", "floor")


def test_few_words_are_known_by_mistake():
    wrong = {"bed", "king", "bring", "glass", "cat", "dog", "sun", "car", "moon", "hers", "ring"}
    assert not wrong & KNOWN


def test_the_word_list_comes_without_the_simulator():
    code = (
        "import sys, worldreel.generate.understanding, worldreel.world.vocabulary;"
        "assert not {'mujoco', 'transformers'} & set(sys.modules), 'heavy'"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
