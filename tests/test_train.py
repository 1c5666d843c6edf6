import json
import math
import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from tests.tiny_model import StandInText
from tests.tiny_run import (
    clips,
    make_clip,
    make_data,
    make_task,
    tiny_autoencoder,
    tiny_recipe,
)

from worldreel.app.commands.train import measure_gate
from worldreel.core.errors import UsageError, WorldreelError
from worldreel.data.cache import cache_latents, cache_text, read_inputs
from worldreel.data.shards import write_shards
from worldreel.evaluate.autoencoder import AutoencoderFigures
from worldreel.models.autoencoder import Autoencoder
from worldreel.train.autoencoder import (
    describe_autoencoder,
    load_autoencoder,
    object_weights,
    reconstruction_loss,
    train_autoencoder,
)
from worldreel.train.card import read_log
from worldreel.train.checkpoint import (
    Checkpoint,
    list_checkpoints,
    load_checkpoint,
    load_latest,
    save_checkpoint,
)
from worldreel.train.ema import Ema
from worldreel.train.export import export_model
from worldreel.train.loop import fit
from worldreel.train.optim import Optimizer, hidden_matrices, orthogonalize, schedule_factor
from worldreel.train.recipe import (
    AutoencoderRecipe,
    OptimConfig,
    ReconstructionConfig,
    ScheduleConfig,
    load_recipe,
    recipe_from,
    recipe_values,
)
from worldreel.train.run import GateResult, ensure_autoencoder, ensure_world, train
from worldreel.train.transformer import TransformerTask, flow_matching_loss
from worldreel.weights.load import load_model

ROOT = Path(__file__).parents[1]
KINDS = ("autoencoder", "transformer")


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("data")
    make_data(folder)
    return folder


def run(kind: str, data: Path, folder: Path, /, **changes):
    recipe = tiny_recipe(kind, **changes)
    return fit(make_task(recipe, data), recipe, folder, show_progress=False)


def log_of(folder: Path) -> list[dict]:
    return [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]


def losses_of(folder: Path) -> dict[int, float]:
    return {line["step"]: line["loss"] for line in log_of(folder) if "loss" in line}


def tensors_of(folder: Path) -> dict[str, torch.Tensor]:
    return load_file(list_checkpoints(folder / "checkpoints")[-1] / "tensors.safetensors")


@pytest.mark.parametrize("kind", KINDS)
def test_a_run_that_was_killed_goes_on_with_the_same_losses_and_weights(kind, data, tmp_path):
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    run(kind, data, whole)
    died = subprocess.run(
        [sys.executable, "-m", "tests.tiny_run", kind, str(data), str(killed), "5"],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": f"{ROOT / 'src'}:{ROOT}"},
    )
    assert died.returncode == -signal.SIGKILL
    assert max(losses_of(killed)) == 5  # five steps are done, the sixth was under way
    # as if the last checkpoint had not been written: a step is made again
    last = list_checkpoints(killed / "checkpoints")[-1]
    last.rename(last.with_name(f".{last.name}.partial"))
    result = run(kind, data, killed)
    assert result.finished and result.step == 8
    assert log_of(killed)[-1]["event"] == "end"
    resumes = [line["step"] for line in log_of(killed) if line.get("event") == "resume"]
    assert resumes == [4]
    assert losses_of(killed) == losses_of(whole)
    ours, theirs = tensors_of(killed), tensors_of(whole)
    assert ours.keys() == theirs.keys()
    for name in ours.keys() - {"rng"}:
        assert torch.equal(ours[name], theirs[name]), name


class Spoiled:
    """A task whose loss is not finite, or has a gradient that is not, at some steps."""

    def __init__(self, task, steps: range, spoil: str) -> None:
        self.task, self.steps, self.spoil = task, steps, spoil
        self.module, self.blocks = task.module, task.blocks

    def loss(self, step, generator):
        loss, num_samples = self.task.loss(step, generator)
        if step in self.steps:
            if self.spoil == "loss":
                loss = loss * math.nan
            else:  # finite itself, but not its gradient
                weight = next(self.module.parameters())
                loss = loss + (weight * 0).abs().sum().sqrt()
        return loss, num_samples

    def sample(self, path):
        return {}


@pytest.mark.parametrize("spoil", ["loss", "gradient"])
def test_a_step_that_is_not_finite_leaves_the_weights_untouched(spoil, data, tmp_path):
    recipe = tiny_recipe("transformer", schedule={"total_steps": 1, "cooldown_steps": 0})
    task = make_task(recipe, data)
    before = {name: tensor.clone() for name, tensor in task.module.state_dict().items()}
    result = fit(Spoiled(task, range(1), spoil), recipe, tmp_path, show_progress=False)
    assert result.bad_steps == 1
    for name, tensor in task.module.state_dict().items():
        assert torch.equal(tensor, before[name]), name
        if f"ema.{name}" in tensors_of(tmp_path):
            assert torch.equal(tensors_of(tmp_path)[f"ema.{name}"], before[name])
    state = {k: v for k, v in tensors_of(tmp_path).items() if k.startswith("optim.")}
    assert all(not tensor.any() for tensor in state.values())


def test_too_many_bad_steps_in_a_row_end_the_run_with_an_error(data, tmp_path):
    recipe = tiny_recipe("transformer", run={"max_bad_steps": 3})
    task = make_task(recipe, data)
    with pytest.raises(WorldreelError, match="3 steps in a row") as caught:
        fit(Spoiled(task, range(2, 8), "loss"), recipe, tmp_path, show_progress=False)
    assert "learning_rate" in caught.value.remedy
    assert log_of(tmp_path)[-1]["event"] == "error"


def test_bad_steps_that_are_not_in_a_row_are_counted_and_passed(data, tmp_path):
    recipe = tiny_recipe("transformer", run={"max_bad_steps": 2})
    task = make_task(recipe, data)
    result = fit(Spoiled(task, range(0, 8, 2), "loss"), recipe, tmp_path, show_progress=False)
    assert result.finished and result.bad_steps == 4


def test_one_clip_is_learnt(data, tmp_path):
    levels = {"shared": 1.0, "independent_groups": 0.0, "independent_frames": 0.0}
    levels |= {"prefix": 0.0, "suffix": 0.0, "both_ends": 0.0}
    recipe = tiny_recipe(
        "transformer",
        levels=levels,
        caption_dropout=0.0,
        stages=[{"buckets": [{"num_frames": 4, "batch_size": 8}]}],
        schedule={"total_steps": 60, "cooldown_steps": 20},
        run={"checkpoint_minutes": 60.0},
    )
    task = make_task(recipe, data)
    assert isinstance(task, TransformerTask)
    task.latents = np.repeat(task.latents[:1], len(task.latents), axis=0)
    fit(task, recipe, tmp_path, show_progress=False)
    losses = list(losses_of(tmp_path).values())
    assert np.mean(losses[-10:]) < 0.1 * np.mean(losses[:5])


def test_the_autoencoder_learns_what_it_is_shown(data, tmp_path):
    changes = {"schedule": {"total_steps": 60, "cooldown_steps": 20}, "loss": {"noise_std": 0.0}}
    changes["data"] = {"batch_size": 8}
    changes["run"] = {"checkpoint_minutes": 60.0}
    run("autoencoder", data, tmp_path, **changes)
    losses = list(losses_of(tmp_path).values())
    assert np.mean(losses[-5:]) < 0.5 * np.mean(losses[:3])


def test_a_half_written_checkpoint_is_not_seen(tmp_path):
    def checkpoint(step: int) -> Checkpoint:
        tensors = {"model.w": torch.full((2,), float(step))}
        return Checkpoint(step=step, tensors=tensors, counters={}, recipe={"seed": 0})

    save_checkpoint(checkpoint(1), tmp_path)
    half = tmp_path / ".step-00000002.partial"
    half.mkdir()
    (half / "tensors.safetensors").write_bytes(b"half")
    latest = load_latest(tmp_path)
    assert latest is not None and latest.step == 1
    save_checkpoint(checkpoint(2), tmp_path)  # what was left of the first try is replaced
    latest = load_latest(tmp_path)
    assert latest is not None and latest.part("model")["w"].tolist() == [2.0, 2.0]


def test_the_last_two_checkpoints_are_kept(data, tmp_path):
    run("transformer", data, tmp_path)
    names = [path.name for path in list_checkpoints(tmp_path / "checkpoints")]
    assert names == ["step-00000007", "step-00000008"]
    left = {path.name for path in (tmp_path / "checkpoints").iterdir()}
    assert left == set(names)


def test_a_damaged_checkpoint_is_an_error_that_names_it(data, tmp_path):
    run("transformer", data, tmp_path)
    path = list_checkpoints(tmp_path / "checkpoints")[-1]
    whole = (path / "tensors.safetensors").read_bytes()
    (path / "tensors.safetensors").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(WorldreelError, match=path.name):
        load_checkpoint(path)


def test_a_checkpoint_holds_the_resolved_recipe(data, tmp_path):
    run("transformer", data, tmp_path)
    checkpoint = load_latest(tmp_path / "checkpoints")
    assert checkpoint is not None
    assert recipe_from(checkpoint.recipe) == tiny_recipe("transformer")
    assert checkpoint.recipe["caption_dropout"] == 0.1  # a default


@pytest.mark.parametrize("kind", KINDS)
def test_a_finished_run_is_extended_by_a_new_total(kind, data, tmp_path):
    run(kind, data, tmp_path)
    result = run(kind, data, tmp_path, schedule={"total_steps": 10, "cooldown_steps": 3})
    assert result.step == 10
    resume = [line for line in log_of(tmp_path) if line.get("event") == "resume"][-1]
    assert resume["changes"] == {"schedule.total_steps": [8, 10]}


def test_a_run_refuses_to_go_on_as_another_model(data, tmp_path):
    run("transformer", data, tmp_path)
    with pytest.raises(UsageError, match=r"model\.ffn_dim = 48, not 96"):
        recipe = tiny_recipe("transformer")
        values = recipe_values(recipe)
        values["model"]["ffn_dim"] = 96
        other = recipe_from(values)
        fit(make_task(other, data), other, tmp_path, show_progress=False)


def test_a_signal_ends_the_run_after_its_step_with_a_checkpoint(data, tmp_path):
    recipe = tiny_recipe("transformer", run={"checkpoint_minutes": 60.0})
    task = make_task(recipe, data)
    loss = task.loss

    def loss_and_signal(step, generator):
        if step == 3:
            os.kill(os.getpid(), signal.SIGTERM)
        return loss(step, generator)

    task.loss = loss_and_signal
    handler = signal.getsignal(signal.SIGTERM)
    result = fit(task, recipe, tmp_path, show_progress=False)
    assert (result.step, result.finished) == (4, False)
    assert signal.getsignal(signal.SIGTERM) == handler
    assert [p.name for p in list_checkpoints(tmp_path / "checkpoints")] == ["step-00000004"]


def test_a_time_budget_begins_the_cool_down_in_time(data, tmp_path):
    schedule = {"total_steps": 10**6, "warmup_steps": 0, "cooldown_steps": 4}
    changes = {"schedule": schedule, "run": {"max_minutes": 1e-6, "checkpoint_minutes": 60.0}}
    result = run("transformer", data, tmp_path, **changes)
    assert (result.step, result.finished) == (5, True)  # one step, then the cool-down
    rates = [line["lr"] for line in log_of(tmp_path) if "lr" in line]
    assert rates == pytest.approx([0.02, 0.02, 0.015, 0.01, 0.005])
    again = run("transformer", data, tmp_path, **changes)
    assert again.step == 5  # the decision is part of the checkpoint


def test_the_schedule_warms_up_stays_and_cools_down():
    config = ScheduleConfig(total_steps=20, warmup_steps=3, cooldown_steps=5, final_factor=0.1)
    factors = [schedule_factor(step, config) for step in range(20)]
    assert factors[:4] == [0.25, 0.5, 0.75, 1.0]
    assert set(factors[3:16]) == {1.0}
    assert factors[16:] == pytest.approx([0.82, 0.64, 0.46, 0.28])


@pytest.mark.parametrize("shape", [(3, 16, 16), (2, 8, 24), (2, 24, 8)])
def test_orthogonalize_brings_singular_values_near_one_and_keeps_directions(shape):
    matrices = torch.randn(shape, generator=torch.Generator().manual_seed(0))
    out = orthogonalize(matrices).float()
    values = torch.linalg.svdvals(out)
    assert out.shape == shape
    assert values.max() < 1.3 and values.mean() > 0.7
    u, _, vh = torch.linalg.svd(matrices, full_matrices=False)
    middle = torch.einsum("nij,nik,nlk->njl", u, out, vh)  # nearly diagonal, all above 0
    assert (middle.diagonal(dim1=1, dim2=2) > 0).all()
    assert (middle - torch.diag_embed(middle.diagonal(dim1=1, dim2=2))).abs().max() < 0.1


def test_matrices_orthogonalized_together_are_the_same_as_alone():
    matrices = torch.randn(5, 12, 20, generator=torch.Generator().manual_seed(1))
    alone = torch.cat([orthogonalize(matrix[None]) for matrix in matrices])
    assert torch.allclose(orthogonalize(matrices).float(), alone.float(), atol=0.02)


def test_muon_takes_the_hidden_matrices_and_adamw_the_rest(data):
    task = make_task(tiny_recipe("transformer"), data)
    muon = hidden_matrices(task.module, "blocks.")
    assert muon and all(name.startswith("blocks.") for name in muon)
    assert not any("table" in name or "norm" in name for name in muon)
    optimizer = Optimizer(task.module, OptimConfig())
    assert set(optimizer.momentum) == muon
    assert set(optimizer.adamw_names) | muon == {n for n, _ in task.module.named_parameters()}


def test_the_average_forgets_the_first_weights_and_is_swapped_in_and_out():
    module = torch.nn.Linear(1, 1, bias=False)
    with torch.no_grad():
        module.weight.fill_(100.0)
    ema = Ema(module, decay=0.999)
    with torch.no_grad():
        module.weight.fill_(1.0)
    for _ in range(60):
        ema.update()
    average = float(ema.averages["weight"])
    assert 1.0 < average < 1.1
    with ema.swapped_in():
        assert float(module.weight.detach()) == average
    assert float(module.weight.detach()) == 1.0


def write_recipe(folder: Path, text: str) -> Path:
    path = folder / "recipe.toml"
    path.write_text(text)
    return path


AUTOENCODER_TOML = 'kind = "autoencoder"\nname = "a"\n[schedule]\ntotal_steps = 5\n'


def test_an_unknown_key_of_a_recipe_is_an_error_with_a_suggestion(tmp_path):
    path = write_recipe(tmp_path, AUTOENCODER_TOML + "[optim]\nlearning_rat = 0.1\n")
    with pytest.raises(UsageError, match=r"unknown key optim\.learning_rat") as caught:
        load_recipe(path)
    assert caught.value.remedy == "Did you mean optim.learning_rate?"


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("optim.grad_clip=-1", r"optim.*grad_clip is -1\.0; it is from"),
        ("schedule.total_steps=2.5", r"schedule\.total_steps is 2\.5; it must be a whole number"),
        ("run.autocast=1", r"run\.autocast is 1; it must be true or false"),
        ("optim.betas=[0.9]", r"optim\.betas .* a list of 2"),
        ("schedule.cooldown_steps=9", r"cooldown_steps is 9; it is from 0 to 5"),
        ("scedule.total_steps=9", "unknown key scedule"),
        ("kind=upscaler", "kind is 'upscaler'"),
        ("name=a/b", "name is 'a/b'"),
        ("no equals sign", r"not of the form a\.b=value"),
    ],
)
def test_a_bad_value_is_an_error_with_value_and_range(tmp_path, override, message):
    path = write_recipe(tmp_path, AUTOENCODER_TOML)
    with pytest.raises(UsageError, match=message):
        load_recipe(path, [override])


def test_overrides_reach_into_tables_and_lists():
    path = ROOT / "recipes" / "toybox.toml"
    recipe = load_recipe(path, ["stages.0.steps=7", "optim.betas=[0.5, 0.6]", "name=other"])
    values = recipe_values(recipe)
    assert (values["stages"][0]["steps"], values["name"]) == (7, "other")
    assert values["optim"]["betas"] == [0.5, 0.6]


@pytest.mark.parametrize("name", ["toybox.toml", "toybox-autoencoder.toml"])
def test_the_recipes_of_the_repository_are_valid_and_survive_a_round_trip(name):
    recipe = load_recipe(ROOT / "recipes" / name)
    values = json.loads(json.dumps(recipe_values(recipe)))
    assert recipe_from(values) == recipe


def test_stages_follow_one_another_and_mix_their_buckets_by_weight(data):
    task = make_task(tiny_recipe("transformer"), data)
    assert isinstance(task, TransformerTask)
    assert [task.bucket_at(step)[0].num_frames for step in range(3)] == [4, 4, 4]
    drawn = [task.bucket_at(step)[0].num_frames for step in range(3, 203)]
    assert 60 < drawn.count(8) < 140
    assert task.bucket_at(3)[2] == 0  # a stage counts its own steps


def test_neither_held_out_clips_nor_their_mirror_images_are_trained_on(data, tmp_path):
    latents = cache_latents(data / "world", tiny_autoencoder(), tmp_path / "latents", mirror=True)
    captions = json.loads((latents / "captions.json").read_text())
    text = cache_text([c for words in captions for c in words], StandInText(), tmp_path / "text")
    recipe = tiny_recipe("transformer", data={"mirror": True})
    task = TransformerTask(recipe, latents, text, tiny_autoencoder())  # pyright: ignore
    seen: list[int] = []
    clips_at = task._clips

    def watched(indices, num_frames):
        seen.extend(indices.tolist())
        return clips_at(indices, num_frames)

    task._clips = watched
    for step in range(40):
        task.loss(step, torch.Generator().manual_seed(step))
    held_out = {8, 9, 18, 19}  # the last two of ten clips, and their mirror images
    assert set(seen) == set(range(20)) - held_out
    seen.clear()
    task.held_out_loss()
    assert set(seen) == {8, 9}


def test_latents_that_are_not_mirrored_as_the_recipe_says_are_refused(data):
    with pytest.raises(UsageError, match=r"data\.mirror is true, but .* without mirror images"):
        make_task(tiny_recipe("transformer", data={"mirror": True}), data)


def test_given_clean_frames_have_no_loss():
    def denoiser(x, level, text):
        return torch.zeros_like(x)

    denoiser.prediction = "v"  # pyright: ignore
    denoiser.t_min = 0.02  # pyright: ignore
    generator = torch.Generator().manual_seed(0)
    x_0, eps = torch.randn(2, 2, 3, 4, 2, 2, generator=generator)
    level = torch.tensor([[0.0, 0.5, 0.0, 0.7], [0.9, 0.0, 0.0, 0.0]])
    loss = flow_matching_loss(denoiser, x_0, eps, level, x_0, min_level=0.05)  # pyright: ignore
    per_frame = (eps - x_0).square().mean(dim=(1, 3, 4))
    expected = per_frame[level > 0].mean()
    assert torch.allclose(loss, expected)
    x_0[:, :, 2] = 1e6  # a given frame may be anything
    assert torch.allclose(
        flow_matching_loss(denoiser, x_0, eps, level, x_0, min_level=0.05),  # pyright: ignore
        expected,
    )


def test_objects_count_more_and_the_weights_have_a_mean_of_one():
    masks = torch.zeros(1, 8, 8, dtype=torch.bool)
    masks[0, 4, 4] = True
    weights = object_weights(masks, ReconstructionConfig(object_weight=3.0, dilate=1))
    assert weights.mean().item() == pytest.approx(1.0)
    assert (weights[0, 3:6, 3:6] / weights[0, 0, 0]).flatten().tolist() == pytest.approx([3.0] * 9)
    assert (weights > weights[0, 0, 0]).sum() == 9


def test_a_perfect_reconstruction_has_no_loss():
    frames = torch.rand(2, 3, 8, 8) * 2 - 1
    masks = torch.zeros(2, 8, 8, dtype=torch.bool)
    config = ReconstructionConfig(kl=0.0)
    assert reconstruction_loss(frames, frames, masks, frames, config) == 0


def test_a_trained_autoencoder_is_calibrated_and_comes_back(data, tmp_path):
    recipe = tiny_recipe("autoencoder", schedule={"total_steps": 2, "cooldown_steps": 0})
    train_autoencoder(recipe, data / "world", tmp_path)  # pyright: ignore[reportArgumentType]
    autoencoder = load_autoencoder(tmp_path)
    frames = np.load(data / "frames" / "frames.npy")[:-4]
    video = torch.from_numpy(frames).permute(3, 0, 1, 2)[None].float() / 127.5 - 1
    latents = autoencoder.encode(video)
    assert latents.mean(dim=(0, 2, 3, 4)).abs().max() < 1e-3
    assert (latents.std(dim=(0, 2, 3, 4)) - 1).abs().max() < 1e-2
    (tmp_path / "autoencoder.safetensors").write_bytes(b"altered")
    with pytest.raises(WorldreelError, match="missing or is not what"):
        load_autoencoder(tmp_path)


def test_an_autoencoder_below_its_gate_stops_the_run_and_is_not_trained_again(data, tmp_path):
    recipe = tiny_recipe("autoencoder", schedule={"total_steps": 2, "cooldown_steps": 0})
    for _ in range(2):
        with pytest.raises(WorldreelError, match=r"missed its gate: psnr is .* of at least 31"):
            ensure_autoencoder(recipe, data / "world", tmp_path)  # pyright: ignore
    assert [line["event"] for line in log_of(tmp_path) if "event" in line].count("start") == 1
    about = describe_autoencoder(tmp_path)
    assert about is not None and about["finished"]
    ensure_autoencoder(low_gate(), data / "world", tmp_path)


def low_gate() -> AutoencoderRecipe:
    recipe = tiny_recipe(
        "autoencoder",
        schedule={"total_steps": 2, "cooldown_steps": 0},
        gate={"psnr": 0.0, "psnr_objects": 0.0, "num_clips": 3},
    )
    assert isinstance(recipe, AutoencoderRecipe)
    return recipe


def test_weights_that_passed_the_further_gate_are_not_measured_again(data, tmp_path):
    asked: list[int] = []

    def gate(autoencoder: Autoencoder, num_clips: int) -> GateResult:
        asked.append(num_clips)
        missed = ["colour is 9.0, at most 5"] if len(asked) == 1 else []
        return GateResult(figures={"colour": 9.0}, missed=missed)

    with pytest.raises(WorldreelError, match=r"gate: colour is 9\.0, at most 5") as caught:
        ensure_autoencoder(low_gate(), data / "world", tmp_path, gate)
    assert "Train it longer" in caught.value.remedy
    for _ in range(3):
        ensure_autoencoder(low_gate(), data / "world", tmp_path, gate)
    assert asked == [3, 3]  # missed once, passed once
    noted = json.loads((tmp_path / "gate.json").read_text())
    noted["sha256"] = "other weights"
    (tmp_path / "gate.json").write_text(json.dumps(noted))
    ensure_autoencoder(low_gate(), data / "world", tmp_path, gate)
    assert asked == [3, 3, 3]


def test_the_command_line_holds_the_autoencoder_to_the_limits_of_evaluate(monkeypatch):
    figures = AutoencoderFigures(
        psnr_db=40.0,
        psnr_moving_db=25.0,
        color_delta_e=1.0,
        tracker_raw_px=0.4,
        tracker_px=0.45,
        num_clips=2,
    )
    monkeypatch.setattr(
        "worldreel.evaluate.autoencoder.evaluate_autoencoder",
        lambda autoencoder, num_clips, progress: replace(figures, num_clips=num_clips),
    )
    result = measure_gate(tiny_autoencoder(), 2)
    assert result.figures["num_clips"] == 2
    assert result.missed == ["psnr_moving_db is 25.00, at least 26"]


def toml(values: dict) -> str:
    """Values as TOML, all tables inline."""

    def show(value) -> str:
        if isinstance(value, dict):
            return "{" + ", ".join(f"{key} = {show(item)}" for key, item in value.items()) + "}"
        if isinstance(value, list):
            return "[" + ", ".join(map(show, value)) + "]"
        return json.dumps(value)

    return "\n".join(f"{key} = {show(value)}" for key, value in values.items())


@pytest.fixture
def whole_run(tmp_path, monkeypatch):
    """Recipes of both networks, and a world that needs no renderer; what was rendered."""
    rendered: list[tuple[str, int, int]] = []

    def render(folder, num_clips, seed, num_workers, progress):
        rendered.append((folder.name, num_clips, seed))
        write_shards(map(make_clip, range(seed, seed + num_clips)), folder)

    monkeypatch.setattr("worldreel.train.run.render_shards", render)
    for module in ("models.text", "weights.load"):
        monkeypatch.setattr(f"worldreel.{module}.load_minilm", lambda num_tokens: StandInText())
    inner = recipe_values(low_gate())
    inner["world"] = {"num_clips": 6, "seed": 100}
    (tmp_path / "inner.toml").write_text(toml(inner))
    values = recipe_values(
        tiny_recipe(
            "transformer",
            autoencoder="inner.toml",
            data={"mirror": True},
            schedule={"total_steps": 2, "cooldown_steps": 0},
            release={"size_min": 16, "summary": "Squares."},
        )
    )
    del values["model"]["image_dim"], values["model"]["added_kv_proj_dim"]
    del values["model"]["pos_embed_seq_len"]
    (tmp_path / "outer.toml").write_text(toml(values))
    return tmp_path / "outer.toml", rendered


def test_a_whole_run_trains_its_autoencoder_on_the_autoencoders_own_world(whole_run, tmp_path):
    path, rendered = whole_run
    gate = GateResult(figures={"psnr_db": 33.25}, missed=[])
    out = train(path, [], tmp_path / "run", gate=lambda autoencoder, num_clips: gate)
    assert out == tmp_path / "run" / "model"
    assert rendered == [("autoencoder-world", 6, 100), ("world", 10, 0)]
    assert len(np.load(tmp_path / "run" / "autoencoder" / "frames" / "masks.npy")) == 6 * 4
    assert len(np.load(tmp_path / "run" / "latents" / "latents.npy")) == 2 * 10
    model = load_model(out)
    assert model.description.name == "tiny"

    card = (out / "README.md").read_text()
    assert card.startswith("---\nlicense: apache-2.0\nlanguage:\n- en\n")
    for fact in (
        "Squares.",
        "10 clips",
        "The last 2 clips were held out",
        "seen in a mirror",
        "| transformer | 2 |",
        "| psnr_db (3 new clips) | 33.25 |",
        f"{torch.get_num_threads()} threads, torch {torch.__version__}",
        "- place: left, right\n",
        '"caption_dropout": 0.1',
        '"noise_std": 0.1',
        model.description.files["transformer.safetensors"].sha256,
    ):
        assert fact in card, fact
    assert "not recorded" not in card.replace("a processor whose name is not recorded", "")
    assert {path.stat().st_mode & 0o777 for path in out.iterdir()} == {0o644}

    rendered.clear()
    again = train(path, [], tmp_path / "run", gate=lambda autoencoder, num_clips: gate)
    assert again == out and rendered == []


def test_a_card_says_what_a_log_does_not(tmp_path):
    assert read_log(tmp_path).step is None
    lines = ['{"event": "start", "step": 0}', '{"step": 3, "samples": 6}', '{"event": "en']
    (tmp_path / "log.jsonl").write_text("\n".join(lines))
    facts = read_log(tmp_path)
    assert (facts.step, facts.samples, facts.seconds) == (3, 6, None)
    assert (facts.machines, facts.num_unrecorded) == ((), 1)


HOLDER = """
import sys
from dataclasses import replace
from pathlib import Path
from worldreel.train.lock import locked
with locked(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_a_second_process_is_kept_out_of_a_run_until_the_first_has_died(data, tmp_path):
    recipe = tiny_recipe("transformer", schedule={"total_steps": 1, "cooldown_steps": 0})
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(tmp_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(ROOT / "src")},
    )
    with holder:
        assert holder.stdout is not None and holder.stdout.readline() == b"held\n"
        with pytest.raises(WorldreelError, match=rf"process \({holder.pid}\) is train") as caught:
            fit(make_task(recipe, data), recipe, tmp_path, show_progress=False)
        assert "another folder" in caught.value.remedy
        assert not (tmp_path / "checkpoints").exists()
        holder.kill()
    assert fit(make_task(recipe, data), recipe, tmp_path, show_progress=False).finished


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is such a device here")
def test_a_device_that_is_not_there_is_refused(data):
    with pytest.raises(UsageError, match=r"run\.device is 'cuda'") as caught:
        make_task(tiny_recipe("transformer", run={"device": "cuda"}), data)
    assert "run.device=cpu" in caught.value.remedy


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs CUDA")
@pytest.mark.parametrize("kind", KINDS)
def test_a_run_goes_on_on_another_device(kind, data, tmp_path):
    schedule = {"total_steps": 4, "cooldown_steps": 0}
    run(kind, data, tmp_path, schedule=schedule, run={"device": "cuda"})
    losses = losses_of(tmp_path)
    result = run(kind, data, tmp_path)
    assert result.finished and result.step == 8
    run(kind, data, tmp_path / "cpu", schedule=schedule)
    assert list(losses.values()) == pytest.approx(
        list(losses_of(tmp_path / "cpu").values()), rel=0.05
    )


def test_a_world_that_is_not_the_recipes_is_refused(tmp_path):
    write_shards(clips(3), tmp_path)
    world = tiny_recipe("autoencoder", world={"num_clips": 2}).world
    with pytest.raises(WorldreelError, match="holds 3 clips, the recipe says 2"):
        ensure_world(world, tmp_path)
    world = tiny_recipe("autoencoder", world={"num_clips": 3}).world
    assert ensure_world(world, tmp_path) == tmp_path


def test_a_contact_sheet_is_made_of_captions_that_are_not_trained_on(data, tmp_path):
    run("transformer", data, tmp_path, run={"sample_every": 4})
    names = sorted(path.name for path in (tmp_path / "samples").iterdir())
    assert names == ["step-00000004.png", "step-00000008.png"]
    sample = [line for line in log_of(tmp_path) if line.get("event") == "sample"][-1]
    assert math.isfinite(sample["held_out_loss"])


def test_a_trained_model_is_exported_with_its_averaged_weights(data, tmp_path, monkeypatch):
    run("transformer", data, tmp_path / "run", release={"size_min": 16, "dtype": "fp32"})
    num_tokens = read_inputs(data / "text")["num_tokens"]
    autoencoder = low_gate()
    train_autoencoder(autoencoder, data / "world", tmp_path / "autoencoder")
    runs = tmp_path / "run", tmp_path / "autoencoder"
    export_model(*runs, data / "world", num_tokens, tmp_path / "model")
    monkeypatch.setattr("worldreel.weights.load.load_minilm", lambda num_tokens: StandInText())
    model = load_model(tmp_path / "model", torch.float32)
    assert model.description.fps == 12
    assert model.description.size.default == (32, 32)
    checkpoint = load_latest(tmp_path / "run" / "checkpoints")
    assert checkpoint is not None
    averages = checkpoint.part("ema")
    for name, tensor in model.transformer.state_dict().items():
        assert torch.equal(tensor, averages[name]), name


def test_emphasis_moves_the_loss_to_its_positions_and_keeps_its_scale():
    class Blind:
        prediction = "v"

        def __call__(self, x, level, text):
            return torch.zeros_like(x)

    x_0 = torch.zeros(1, 1, 1, 2, 2)
    eps = torch.tensor([[3.0, 1.0], [1.0, 1.0]]).view(1, 1, 1, 2, 2)
    level = torch.full((1, 1), 0.5)

    def loss(emphasis):
        return float(
            flow_matching_loss(Blind(), x_0, eps, level, x_0, 0.05, emphasis)  # pyright: ignore
        )

    assert loss(None) == pytest.approx((9 + 3) / 4)
    assert loss(torch.full((1, 1, 2, 2), 5.0)) == pytest.approx((9 + 3) / 4)
    there = torch.tensor([[4.0, 1.0], [1.0, 1.0]]).view(1, 1, 2, 2)
    assert loss(there) == pytest.approx((4 * 9 + 3) / 7)
