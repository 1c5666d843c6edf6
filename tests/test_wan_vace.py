"""VACE: a video to keep, change or follow, given to the transformer by blocks beside its own."""

import copy
import dataclasses
import json
import tempfile
from functools import lru_cache
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from tests.test_wan_pipeline import NEGATIVE, PROMPT, picture
from tests.thread_mesh import meshes, together
from tests.wan_folder import make_pipeline, randomize, save_pipeline

from worldreel.core.errors import UsageError, WorldreelError
from worldreel.generate.canvas import Canvas
from worldreel.generate.engine import generate, make_stretch
from worldreel.generate.options import Options
from worldreel.generate.plan import make_plan
from worldreel.models.vace import VaceConfig, VaceTransformer
from worldreel.models.wan_keys import from_diffusers
from worldreel.parallel.parallelize import parallelize
from worldreel.weights.load import load_model
from worldreel.weights.pipeline import describe_pipeline

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


WIDTH, HEIGHT, NUM_FRAMES, FPS = 48, 32, 9, 16


@lru_cache(maxsize=1)
def whole():
    """A pipeline of the reference, and the same weights loaded here from its folder."""
    pipeline = make_pipeline("vace")
    with tempfile.TemporaryDirectory() as place:
        folder = save_pipeline(pipeline, Path(place) / "vace")
        model = load_model(folder, torch.float32)
        model.text([PROMPT])  # its weights are read when they are needed
    pipeline.set_progress_bar_config(disable=True)
    return pipeline, model


def empty() -> Canvas:
    return Canvas(width=WIDTH, height=HEIGHT, seconds=NUM_FRAMES / FPS, fps=FPS).say(PROMPT)


def asked_of_the_reference(canvas: Canvas) -> dict:
    """The canvas as a video that is grey where it is free, and a mask that is 1 there."""
    video = torch.full((1, NUM_FRAMES, 3, HEIGHT, WIDTH), 0.5)
    mask = torch.ones_like(video)
    for placement in canvas.placements:
        for frame in range(NUM_FRAMES):
            index = placement.index_at(frame)
            if index is not None and placement.noise == 0:
                given = torch.from_numpy(placement.given_at(index))
                pixels = torch.from_numpy(placement.frames[index]).permute(2, 0, 1) / 255
                rows, columns = placement.region
                video[0, frame, :, rows, columns][:, given] = pixels[:, given]
                mask[0, frame, :, rows, columns][:, given] = 0
    pictures = [Image.fromarray(p) for reference in canvas.references for p in reference.frames]
    return dict(video=video, mask=mask, reference_images=pictures or None)


def canvases() -> dict[str, Canvas]:
    """Everything that can be given, alone and together."""
    first, last = picture(0)[None], picture(1)[None]
    clip = np.stack([picture(n) for n in range(NUM_FRAMES)])
    free = np.zeros((1, HEIGHT, WIDTH), bool)
    free[:, 5:21, 11:30] = True  # across the edges of latents
    references = np.stack([picture(3), picture(4)])
    return {
        "words": empty(),
        "first": empty().place(first),
        "ends": empty().place(first).place(last, at_s=(NUM_FRAMES - 1) / FPS),
        "hole": empty().place(clip, mask=free),
        "frame": empty().place(clip[:, 8:24, 8:40], xy=(8, 8)),
        "references": empty().refer(references),
        "all": empty().place(clip, mask=free).refer(references[:1]),
    }


@pytest.mark.parametrize("name", canvases())
def test_the_latents_of_the_whole_path_are_those_of_the_reference(name):
    pipeline, model = whole()
    canvas = canvases()[name]
    options = Options(negative_prompt=NEGATIVE, seed=3, num_inference_steps=4)
    plan = make_plan(canvas, options, model.description)
    (stretch,) = plan.stretches
    num_shown = sum(len(reference.frames) for reference in canvas.references)
    assert stretch.length == 3 + num_shown
    noise = torch.randn(
        (1, *plan.latent_shape(stretch)), generator=torch.Generator().manual_seed(3)
    )
    expected = pipeline(
        prompt=PROMPT,
        negative_prompt=NEGATIVE,
        width=WIDTH,
        height=HEIGHT,
        num_frames=NUM_FRAMES,
        num_inference_steps=4,
        guidance_scale=5.0,
        latents=noise,
        max_sequence_length=512,
        output_type="latent",
        **asked_of_the_reference(canvas),
    ).frames[:, :, num_shown:]
    found = make_stretch(model, plan, 0, {})[None]
    assert found.shape == expected.shape and expected.std() > 0.3
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-4)


def test_what_is_given_changes_what_is_made_and_comes_back_as_it_was():
    _, model = whole()
    made = {}
    for name, canvas in canvases().items():
        plan = make_plan(canvas, Options(seed=3, num_inference_steps=2), model.description)
        made[name] = np.concatenate(list(generate(model, plan)))
        assert made[name].shape == (NUM_FRAMES, HEIGHT, WIDTH, 3)
    assert np.array_equal(made["ends"][0], picture(0)) and np.array_equal(
        made["ends"][8], picture(1)
    )
    assert np.array_equal(made["hole"][:, 21:], np.stack([picture(n)[21:] for n in range(9)]))
    names = list(made)
    for number, one in enumerate(names):
        for other in names[number + 1 :]:
            assert not np.array_equal(made[one][4, 8:20, 12:28], made[other][4, 8:20, 12:28])


def test_a_folder_is_told_from_others_and_takes_what_it_can(tmp_path):
    _, model = whole()
    description = model.description
    assert description.given == "control" and description.needs == ()
    assert set(description.takes) == {"text", "first_frame", "last_frame", "clip", "mask"}
    folder = save_pipeline(make_pipeline("vace"), tmp_path / "vace")
    path = folder / "transformer" / "config.json"
    config = json.loads(path.read_text())
    path.write_text(json.dumps({**config, "vace_in_channels": 40}))
    with pytest.raises(WorldreelError, match="40 channels of what is given and 4 others"):
        describe_pipeline(folder)
    path.write_text(json.dumps({**config, "_class_name": "WanTransformer3DModel"}))
    with pytest.raises(WorldreelError, match="WanVACETransformer3DModel"):
        describe_pipeline(folder)


def test_with_offload_the_latents_are_the_same(tmp_path):
    folder = save_pipeline(make_pipeline("vace"), tmp_path / "vace")
    latents = []
    for offload in (False, True):
        model = load_model(folder, torch.float32, offload=offload)
        options = Options(seed=3, num_inference_steps=2)
        plan = make_plan(canvases()["ends"], options, model.description)
        latents.append(make_stretch(model, plan, 0, {}))
        model.close()
    assert torch.equal(*latents)


def test_the_blocks_beside_cost_what_others_do():
    from worldreel.generate.estimate import estimate

    _, model = whole()
    plan = make_plan(empty(), Options(num_inference_steps=1), model.description)
    values = model.description.transformer
    more = dataclasses.replace(
        model.description, transformer={**values, "num_layers": values["num_layers"] + 2}
    )
    more.transformer.pop("vace_layers"), more.transformer.pop("vace_in_channels")
    assert plan.flops == dataclasses.replace(plan, description=more).flops
    assert estimate(plan, "cpu", torch.float32).seconds > 0


def test_references_that_cannot_be_seen_are_refused():
    _, model = whole()
    many = np.stack([picture(n) for n in range(9)])
    for canvas, says in (
        (empty().refer(many), "up to 8"),
        (empty().refer(many[:1], to_s=4 / FPS), "in all of it"),
    ):
        with pytest.raises(UsageError, match=says):
            make_plan(canvas, Options(), model.description)
    other = dataclasses.replace(model.description, given="replacement")
    with pytest.raises(UsageError, match="refers to no pictures"):
        make_plan(empty().refer(many[:1]), Options(), other)
