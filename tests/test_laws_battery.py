"""The laws as a whole: cases, columns, readings, the table, the command."""

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from worldreel.app.main import main
from worldreel.core.errors import UsageError
from worldreel.core.progress import silent
from worldreel.evaluate import suite
from worldreel.evaluate.battery import Battery, Measured, tabulate, values_of
from worldreel.evaluate.case import GROUPS, SPLITS, draw_cases, has_split
from worldreel.evaluate.columns import in_processes, nonsense, read_clip, shuffled_pairs
from worldreel.evaluate.law import Law, Metric
from worldreel.evaluate.laws import LAWS
from worldreel.evaluate.lens import guess_lens
from worldreel.evaluate.observe import observe
from worldreel.evaluate.readings import Reading
from worldreel.evaluate.results import Results
from worldreel.evaluate.studies import STUDIES
from worldreel.evaluate.suite import choose, evaluate_laws, write_prompts
from worldreel.evaluate.tracker import guess_floor
from worldreel.media.write import VideoWriter
from worldreel.weights.catalogue import describe
from worldreel.world.mirror import mirrored
from worldreel.world.render import render_clip
from worldreel.world.scene import FPS, is_held_out

SUITE = choose((1,), ("within",), num_clips=2, seed=5, num_workers=1)


def run(folder: Path, clips: Path | None) -> Results:
    return evaluate_laws(
        SUITE,
        folder,
        model=None,
        clips=clips,
        created="2026-11-22",
        versions={},
        hardware={},
        progress=silent,
    )


@pytest.fixture(scope="module")
def simulated(tmp_path_factory):
    """A folder with the simulator's clips of the suite, and what was measured of them."""
    folder = tmp_path_factory.mktemp("laws")
    shutil.rmtree(folder)
    return folder, run(folder, None)


def test_every_law_of_the_table_is_there():
    numbers = [law.number for law in LAWS]
    assert len(set(numbers)) == len(numbers)
    assert {*numbers, *(s.number for s in STUDIES)} - {0} == set(range(1, 18))


def test_the_docs_name_every_law_and_ask_its_question():
    page = (Path(__file__).parents[1] / "docs" / "laws.md").read_text("utf-8")
    for law in LAWS:
        assert f"| {law.number} | {law.name} | {law.question} |" in page


def test_the_published_table_can_be_read():
    path = Path(__file__).parents[1] / "benchmarks" / "results" / "laws-toybox-0.1.0.json"
    results = Results.read(path)
    assert {law.number for law in results.laws} == set(range(1, 18))
    blunt = {
        (law.number, metric.split)
        for law in results.laws
        for metric in law.metrics
        if not metric.is_told_apart
    }
    assert blunt == {(number, "outside") for number in (2, 3, 4, 13)}  # as the docs say


@pytest.mark.parametrize("group", GROUPS)
@pytest.mark.parametrize("split", SPLITS)
def test_cases_are_the_same_for_ever_and_belong_to_their_split(group, split):
    cases = draw_cases(group, split, 4)
    assert cases == draw_cases(group, split, 6)[: len(cases)]
    assert len(cases) == (4 if has_split(group, split) else 0)
    assert len({case.key for case in cases}) == len(cases)
    for case in cases:
        held_out = [
            is_held_out(thing.color, thing.shape, case.scene.event, case.scene.floor)
            for thing in case.scene.actors
        ]
        assert any(held_out) == (split == "unseen")


def test_the_cases_of_another_seed_are_others():
    assert draw_cases("fall", "within", 2, seed=1) != draw_cases("fall", "within", 2, seed=2)


def test_a_mirrored_pair_says_left_for_right_and_has_one_noise():
    one, other = draw_cases("mirror", "within", 2)
    swap = {"left": "right", "right": "left"}
    words = [swap.get(word, word) for word in one.prompt.replace(",", "").split()]
    assert words == other.prompt.replace(",", "").split()
    assert one.noise_seed == other.noise_seed
    assert mirrored(other.scene).things == one.scene.things
    assert mirrored(other.scene).side == one.scene.side != other.scene.side


def test_a_mirrored_scene_looks_like_its_mirror_image():
    scene = draw_cases("mirror", "within", 1)[0].scene
    seen, turned = (
        render_clip(replace(one, num_frames=24)).truth["masks"] for one in (scene, mirrored(scene))
    )
    assert np.mean(seen != turned[:, :, ::-1]) < 0.01


def test_beyond_the_training_is_faster_larger_or_higher_and_the_prompt_says_so():
    for group in ("fall", "roll", "swing"):
        for case in draw_cases(group, "outside", 8):
            actor = case.things[0]
            assert case.prompt.endswith(
                {"fall": "high up", "roll": "fast", "swing": "swings"}[group]
            )
            match group:
                case "fall":
                    assert actor.position[2] - actor.radius > 1.9
                case "roll":
                    assert abs(actor.velocity[0]) > 0.85
                    assert abs(actor.spin[1]) * actor.radius == pytest.approx(
                        abs(actor.velocity[0])
                    )
                case "swing":
                    assert abs(actor.string_angle) > 0.95


def test_every_clip_is_paired_with_another_of_its_kind():
    cases = [
        case
        for group in ("fall", "roll")
        for split in ("within", "unseen")
        for case in draw_cases(group, split, 5)
    ]
    pairs = shuffled_pairs(cases, 0)
    assert sorted(pairs) == sorted(pairs.values())
    for key, other in pairs.items():
        assert key != other and key[:-4] == other[:-4]


@pytest.mark.parametrize("count", [4, 5, 6, 64])
def test_no_clip_is_paired_with_its_mirrored_twin(count):
    cases = draw_cases("mirror", "within", count)
    for seed in range(20):
        pairs = shuffled_pairs(cases, seed)
        assert sorted(pairs) == sorted(pairs.values()) == [case.key for case in cases]
        assert all(int(key[-4:]) // 2 != int(other[-4:]) // 2 for key, other in pairs.items())


def test_a_mirrored_pair_alone_has_no_floor():
    for count in (2, 3):
        cases = draw_cases("mirror", "within", count)
        assert shuffled_pairs(cases, 0) == {case.key: case.key for case in cases}


def refuse(value: int) -> None:
    raise UsageError(f"{value} is too much.", remedy="Ask for less.")


def test_an_error_from_another_process_keeps_its_remedy_and_its_exit_code():
    with pytest.raises(UsageError) as caught:
        in_processes(refuse, [(1,), (2,)], 2, silent, "asking")
    assert caught.value.remedy == "Ask for less."
    assert str(caught.value) == f"{caught.value.message}\nAsk for less."
    assert caught.value.exit_code == 2


FOR_EVER = """
import threading
from worldreel.core.progress import silent
from worldreel.evaluate.columns import in_processes

def wait(number):
    print("waiting", flush=True)
    threading.Event().wait()

if __name__ == "__main__":
    in_processes(wait, [(1,), (2,), (3,)], 2, silent, "waiting")
"""


def test_no_process_outlives_the_one_that_is_killed(tmp_path):
    script = tmp_path / "waits.py"
    script.write_text(FOR_EVER)
    words = [sys.executable, str(script)]
    with subprocess.Popen(words, stdout=subprocess.PIPE, start_new_session=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"waiting\n"
        process.kill()
        try:
            process.communicate(timeout=30)  # until the last one that could write is gone
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)


def count(number: int, folder: Path) -> None:
    (folder / str(number)).touch()
    if number == 0:
        refuse(number)


def test_an_error_does_not_wait_for_all_the_other_calls(tmp_path):
    with pytest.raises(UsageError):
        in_processes(count, [(n, tmp_path) for n in range(20_000)], 2, silent, "counting")
    assert len(list(tmp_path.iterdir())) < 20_000


def test_nonsense_has_the_frames_of_the_clip():
    frames = np.random.default_rng(0).integers(0, 255, (6, 4, 4, 3)).astype(np.uint8)
    assert (nonsense(frames, "frozen", 0) == frames[:1]).all()
    assert (nonsense(frames, "reversed", 0)[::-1] == frames).all()
    shuffled = nonsense(frames, "shuffled_frames", 0)
    assert not (shuffled == frames).all()
    assert sorted(f.tobytes() for f in shuffled) == sorted(f.tobytes() for f in frames)


def test_the_lens_finds_pitch_and_distance():
    pitch, distance = [], []
    for case in draw_cases("roll", "within", 4):
        clip = render_clip(replace(case.scene, num_frames=4))
        lens = guess_lens(clip.frames, guess_floor(clip.frames))
        pitch.append(np.degrees(lens.pitch[0]) + case.scene.shots[0].camera.elevation)
        seen = observe(clip.frames, FPS)
        thing = case.things[0]
        lifted = lens.lift_ball(seen.tracks[thing.color], thing.radius)
        view, place = clip.truth["world_to_camera"][0], clip.truth["positions"][:, 0]
        true = np.linalg.norm(place @ view[:3, :3].T + view[:3, 3], axis=1)
        distance.append(np.nanmedian(np.linalg.norm(lifted, axis=1) / true))
    assert np.abs(pitch).max() < 1.5
    assert np.abs(np.array(distance) - 1).max() < 0.08


def test_what_is_lifted_projects_back():
    clip = render_clip(replace(draw_cases("fall", "within", 1)[0].scene, num_frames=3))
    lens = guess_lens(clip.frames, guess_floor(clip.frames))
    x, y = np.array([20.0, 64.0, 100.0]), np.array([70.0, 90.0, 110.0])
    back = lens.project(lens.lift_to_floor(x, y, 1.6))
    np.testing.assert_allclose(back, np.stack([x, y], axis=1), atol=1e-9)


def test_failures_count_as_worst_and_are_never_dropped():
    (case,) = draw_cases("fall", "within", 1)
    metric = Metric(name="m", label="", perfect=0.0, worst=100.0, floor="frozen")

    def reading(figures):
        return Reading(key=case.key, law=1, column="generated", figures=figures)

    found = [{"m": 3.0}, {"m": None}, None, {"m": 1e9}, {"m": -5.0}, {}]
    values, failed = values_of([reading(f) for f in found], metric, {case.key: case})
    assert values == [3.0, 100.0, 100.0, 100.0, 0.0]  # {} says that nothing could be measured
    assert failed == 2


def test_the_worst_clips_come_from_every_split_in_turn():
    splits = ("within", "outside", "unseen")
    cases = [case for split in splits for case in draw_cases("fall", split, 2)]
    law = Law(
        number=1,
        name="",
        question="",
        groups=("fall",),
        metrics=(Metric(name="m", label="", perfect=0.0, worst=9.0, floor="frozen"),),
        measure=lambda case, seen: None,
    )
    readings = [
        Reading(key=case.key, law=1, column="generated", figures={"m": value})
        for case, value in zip(cases, (1.0, 2.0, None, 8.0, 5.0, 4.0), strict=True)
    ]

    def worst(*splits):
        kept = [case for case in cases if case.split in splits]
        seen = [reading for reading in readings if reading.key in {case.key for case in kept}]
        measured = Measured(cases=kept, readings=seen, columns=("generated",))
        (result,) = tabulate(Battery(laws=(law,), splits=splits), measured)
        return [(clip.split, clip.value) for clip in result.worst]

    assert worst(*splits) == [("within", 2.0), ("outside", None), ("unseen", 5.0)]
    assert worst("within", "outside") == [("within", 2.0), ("outside", None), ("within", 1.0)]


def test_the_simulators_own_clips_score_one(simulated, tmp_path):
    folder, before = simulated
    clips = tmp_path / "clips"
    clips.mkdir()
    for path in (folder / "simulator").glob("*.mp4"):
        frames = read_clip(folder / "simulator", path.stem)
        large = frames.repeat(2, axis=1).repeat(2, axis=2).repeat(2, axis=0)  # 256x256, 24 fps
        with VideoWriter(clips / path.name, size=large.shape[1:3], fps=24, settings={}) as file:
            file.write(large)
    shutil.copytree(folder / "simulator", tmp_path / "out" / "simulator")
    results = run(tmp_path / "out", clips)
    (law,) = (law for law in results.laws if law.number == 1)
    metric = law.metric("g_error_pct", "within")
    assert metric is not None and metric.score == pytest.approx(1, abs=0.1)
    assert metric.columns["simulator"] == before.laws[0].metrics[0].columns["simulator"]
    assert metric.columns["round_trip"] is None


def test_the_same_seed_gives_the_same_table_to_the_digit(simulated):
    folder, before = simulated
    again = run(folder, None)
    assert replace(again, seconds={}) == replace(before, seconds={})


def test_a_folder_of_other_clips_is_refused(simulated, tmp_path):
    folder, _ = simulated
    clips = shutil.copytree(folder / "simulator", tmp_path / "clips")
    with pytest.raises(UsageError, match="another source"):
        run(folder, clips)


def test_clips_belong_to_a_models_weights_and_not_to_what_is_said_of_it(tmp_path, monkeypatch):
    battery = replace(SUITE.battery, laws=())
    toybox = describe("toybox")

    def evaluate() -> Results:
        return evaluate_laws(
            replace(SUITE, battery=battery, studies=()),
            tmp_path,
            model="toybox",
            clips=None,
            created="2026-11-22",
            versions={},
            hardware={},
            progress=silent,
        )

    evaluate()
    monkeypatch.setattr(suite, "describe", lambda name: replace(toybox, summary="Another."))
    evaluate()
    sampling = replace(toybox.sampling, num_inference_steps=7)
    monkeypatch.setattr(suite, "describe", lambda name: replace(toybox, sampling=sampling))
    with pytest.raises(UsageError, match="another source"):
        evaluate()


def test_a_missing_clip_is_named(tmp_path):
    with pytest.raises(UsageError, match=r"lacks 4 of 4 clips, first fall-within-0000\.mp4"):
        run(tmp_path / "out", tmp_path)
    assert not (tmp_path / "out").exists()


def test_a_clip_of_another_rate_or_shape_is_refused(tmp_path):
    for place, (size, fps) in enumerate(((128, 25), (96, 12))):
        clips = tmp_path / str(place)
        clips.mkdir()
        for case in SUITE.battery.cases():
            path = clips / f"{case.key}.mp4"
            with VideoWriter(path, size=(size, size), fps=fps, settings={}) as file:
                file.write(np.zeros((8, size, size, 3), np.uint8))
        with pytest.raises(UsageError, match="25 frames per second" if fps == 25 else "96x96"):
            run(tmp_path / "out", clips)
    assert not (tmp_path / "out").exists()


def test_prompts_are_written_for_a_model_elsewhere(tmp_path):
    path = tmp_path / "prompts.jsonl"
    assert write_prompts(SUITE, path) == 4
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert [line["key"] for line in lines] == [case.key for case in SUITE.battery.cases()]
    assert set(lines[0]) == {"key", "prompt", "seed", "size", "fps", "seconds"}


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["--law", "99"], "no law 99"),
        (["--split", "nowhere"], "nowhere"),
        (["--num-clips", "1"], "--num-clips is 1"),
        (["--workers", "0"], "--workers is 0"),
        (["--clips", "no-such-folder"], "is not a folder"),
        (["--clips", ".", "--model", "toybox"], "both given"),
        (["--model", "sora"], "no model 'sora'"),
    ],
)
def test_what_cannot_be_measured_is_refused(words, expected, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(["evaluate", "laws", *words]) == 2
    assert expected in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_prompts_alone_are_written_without_a_model(tmp_path, capsys):
    folder = tmp_path / "laws"
    words = ["--law", "8", "--split", "within", "--num-clips", "2", "--workers", "1"]
    prompts = tmp_path / "prompts.jsonl"
    assert main(["evaluate", "laws", *words, "--prompts-to", str(prompts)]) == 0
    assert not folder.exists() and prompts.exists()


def test_the_command_writes_the_table_and_the_report(tmp_path, capsys):
    folder = tmp_path / "laws"
    words = ["--law", "5", "--split", "within", "--num-clips", "2", "--workers", "1"]
    assert main(["evaluate", "laws", *words, "--out", str(folder)]) == 0
    shown = capsys.readouterr().out
    assert "5 pendulum" in shown and str(folder / "report.html") in shown
    results = Results.read(folder / "laws.json")
    (law,) = results.laws
    period = law.metric("period_error_pct", "within")
    assert period is not None and all(period.columns.values())
    assert period.columns["simulator"].mean < 5  # per cent
    page = (folder / "report.html").read_text()
    assert "toybox" in page and page.count("data:image/webp") >= 2  # the worst beside the truth
