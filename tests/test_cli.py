"""The command line: every wrong request is one clear message, and leaves nothing behind."""

import contextlib
import errno
import io
import json
import os
import resource
import shlex
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from tests.tiny_model import DESCRIPTION, tiny_networks

from worldreel import __version__
from worldreel.app import display, filling, output
from worldreel.app.commands.show import Show
from worldreel.app.main import main
from worldreel.media.footage import read_footage
from worldreel.weights.save import save_model

PROMPT = "a red ball falls"


@pytest.fixture(scope="module")
def model(tmp_path_factory) -> str:
    """The folder of a model of random weights."""
    folder = tmp_path_factory.mktemp("models") / "tiny"
    transformer, autoencoder = tiny_networks()
    states = {"transformer": transformer.state_dict(), "autoencoder": autoencoder.state_dict()}
    save_model(folder, DESCRIPTION, states, {"transformer": "fp32", "autoencoder": "fp32"})
    return str(folder)


@pytest.fixture(autouse=True)
def empty_folder(tmp_path, monkeypatch) -> Path:
    """Every test works in an empty folder of its own."""
    folder = tmp_path / "here"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture
def run(capsys):
    """Runs a command: exit code, standard output, standard error."""

    def run(*words: str) -> tuple[int, str, str]:
        code = main(words)
        out, err = capsys.readouterr()
        return code, out, err

    return run


def files(folder: Path = Path()) -> list[str]:
    """Every file and folder below, hidden ones too."""
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


def assert_refused(result: tuple[int, str, str], code: int, *said: str) -> None:
    """One message with what was given and what to do; no traceback, no output, no file."""
    found, out, err = result
    assert found == code, err
    assert out == ""
    lines = [line for line in err.splitlines() if not line.startswith("{")]
    assert lines[0].startswith("Error: ")
    assert 2 <= len(lines) <= 10 and len(err) < 2000, "a message and a remedy, on one screen"
    assert "Traceback" not in err
    for words in said:
        assert words in err
    assert files() == []


def give_stdin(monkeypatch, data: bytes) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(data), encoding="utf-8"))


# requests that cannot be


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([""], ["prompt is empty"]),
        (["  \n\t"], ["prompt is empty"]),
        (["ball " * 8000], ["40,000", "32,000", "Shorten"]),
        (["a red\x1b[31m ball"], ["U+001B", "place 6", "Remove"]),
        (["a red\0 ball"], ["U+0000"]),
        (["a \udcff ball"], ["U+DCFF"]),
        ([PROMPT, "--negative-prompt", "a\x07"], ["negative prompt", "U+0007"]),
        ([PROMPT, "--size", "100x100"], ["width is 100", "from 32 to 96"]),
        ([PROMPT, "--size", "64x50"], ["height is 50", "multiple of 32", "32 or 64"]),
        ([PROMPT, "--size", "large"], ["'large'", "--size 128x128"]),
        ([PROMPT, "--size", "64"], ["'64'", "--size 128x128"]),
        ([PROMPT, "--size", "64x-32"], ["'64x-32'"]),
        ([PROMPT, "--size", "0x0"], ["0", "from 32 to 96"]),
        ([PROMPT, "--size", "99999x99999"], ["99999", "from 32 to 96"]),
        ([PROMPT, "--seconds", "0"], ["0 seconds", "up to 2 seconds"]),
        ([PROMPT, "--seconds", "-1"], ["-1 seconds", "up to 2 seconds"]),
        ([PROMPT, "--seconds", "nan"], ["nan seconds", "up to 2 seconds"]),
        ([PROMPT, "--seconds", "inf"], ["inf seconds", "up to 2 seconds"]),
        ([PROMPT, "--seconds", "10000"], ["10000 seconds", "up to 2 seconds"]),
        ([PROMPT, "--seconds", "0.3"], ["3.6 frames", "nearest"]),
        ([PROMPT, "--fps", "7"], ["7 frames per second", "1, 2, 3, 4, 6, 12"]),
        ([PROMPT, "--fps", "nan"], ["nan frames per second"]),
        ([PROMPT, "--num-inference-steps", "0"], ["steps is 0", "1 to 200"]),
        ([PROMPT, "--num-inference-steps", "1000000"], ["steps is 1000000", "1 to 200"]),
        ([PROMPT, "--guidance-scale", "-3"], ["guidance scale is -3", "0 to 20"]),
        ([PROMPT, "--guidance-scale", "nan"], ["guidance scale is nan"]),
        ([PROMPT, "--seed", "-1"], ["seed is -1"]),
        ([PROMPT, "--seed", str(2**63)], ["seed is 9223372036854775808"]),
        ([PROMPT, "--num-videos", "0"], ["--num-videos is 0", "1 or more"]),
        ([PROMPT, "--num-videos", "100000"], ["--num-videos is 100000", "1000"]),
        ([PROMPT, "--output-path", ""], ["--output-path ''"]),
        ([PROMPT, "--output-path", "a\nb.mp4"], [r"'a\nb.mp4'"]),
        ([PROMPT, "--output-path", "."], ["'.' is a folder", "video.mp4"]),
        ([PROMPT, "--output-path", "missing/a.mp4"], ["missing/a.mp4", "mkdir -p missing"]),
        ([PROMPT, "--output-path", "a.avi"], [".avi", ".mp4, .webp, .gif"]),
        ([PROMPT, "--output-path", "a"], ["no ending", ".mp4"]),
        ([PROMPT, "--output-path", "a.png"], ["a.png", "more than one frame"]),
        ([PROMPT, "--output-path", f"{'a' * 300}.mp4"], ["304 characters", "shorter"]),
        ([PROMPT, "--output-path", "/proc/a.mp4"], ["/proc/a.mp4", "hoose"]),
        ([PROMPT, "--output-path", "/dev/null"], ["'/dev/null' is a device"]),
    ],
)
def test_a_request_that_cannot_be_is_refused_with_its_value_and_a_remedy(run, model, words, said):
    assert_refused(run("generate", "--model", model, *words), 2, *said)


@pytest.mark.parametrize("name", ["sora", "", "no/such/folder", "a\0b", "x" * 5000])
def test_an_unknown_model_is_refused(run, name):
    assert_refused(run("generate", PROMPT, "--model", name), 2, "no model", repr(name[:60])[:-1])


def test_a_folder_without_a_description_is_no_model(run, tmp_path):
    (tmp_path / "empty").mkdir()
    result = run("generate", PROMPT, "--model", str(tmp_path / "empty"))
    assert_refused(result, 2, "holds no model.json")


@pytest.mark.parametrize(
    "words",
    [
        ["generate", PROMPT, "--second", "3"],
        ["generate", PROMPT, "--seconds", "three"],
        ["generate", PROMPT, "--seed", "1.5"],
        ["generate", PROMPT, "another"],
        ["generate", PROMPT, "--seconds"],
        ["genrate", PROMPT],
        ["show"],
        [],
    ],
)
def test_words_that_are_no_command_are_usage_errors(run, words):
    code, out, err = run(*words)
    assert (code, out) == (2, "")
    assert "Traceback" not in err and len(err.splitlines()) < 40
    assert "--help" in err
    assert files() == []


def test_an_existing_file_is_overwritten_only_when_asked(run, model):
    Path("a.mp4").write_text("precious")
    words = ["generate", PROMPT, "--model", model, "--output-path", "a.mp4", "--seed", "1"]
    code, _, err = run(*words)
    assert code == 2 and "'a.mp4' already exists" in err and "--overwrite" in err
    assert Path("a.mp4").read_text() == "precious" and files() == ["a.mp4"]
    code, _, err = run(*words, "--overwrite")
    assert code == 0, err
    assert Path("a.mp4").stat().st_size > 1000 and files() == ["a.mp4"]


def test_a_prompt_on_a_terminal_that_was_not_given_is_asked_for(run, monkeypatch):
    give_stdin(monkeypatch, b"")
    monkeypatch.setattr(sys.stdin, "isatty", lambda: True, raising=False)
    assert_refused(run("generate"), 2, "no prompt", "worldreel generate")


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "prompt is empty"),
        (b"a \xff ball", "not UTF-8: byte 2 is 0xFF"),
        (b"ball " * 8000, "39,999"),
        (b"ball " * 400_000, "more than 1,000,000 bytes"),
    ],
)
def test_a_wrong_prompt_from_standard_input_is_refused(run, model, monkeypatch, data, said):
    give_stdin(monkeypatch, data)
    assert_refused(run("generate", "-", "--model", model), 2, said)


def test_a_request_that_cannot_be_is_refused_before_torch_is_loaded(model):
    requests = [
        ["generate", ""],
        ["generate", "a ball", "--size", "100x100"],
        ["generate", "a ball", "--seconds", "10000"],
        ["generate", "a ball", "--model", "sora"],
        ["generate", "a ball", "--output-path", "missing/a.mp4"],
        ["generate", "a ball", "--output-path", "a.avi"],
    ]
    code = (
        "import sys\nfrom worldreel.app.main import main\n"
        f"codes = [main([*words, *([] if '--model' in words else ['--model', {model!r}])])"
        f" for words in {requests!r}]\n"
        "print(codes, 'torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == f"{[2] * len(requests)} False", done.stderr


# a model that is not what it was, a disk that is full


@pytest.fixture
def own_model(model, tmp_path) -> Path:
    """A copy of the model that a test may break."""
    return Path(shutil.copytree(model, tmp_path / "broken"))


def truncate(folder: Path) -> None:
    path = folder / "transformer.safetensors"
    path.write_bytes(path.read_bytes()[:-100])


def alter(folder: Path) -> None:
    path = folder / "autoencoder.safetensors"
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)


def remove(folder: Path) -> None:
    (folder / "transformer.safetensors").unlink()


def break_description(folder: Path) -> None:
    (folder / "model.json").write_text("{")


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (truncate, ["transformer.safetensors is truncated", "bytes", "Get the model"]),
        (alter, ["autoencoder.safetensors was altered", "sha256", "Get the model"]),
        (remove, ["transformer.safetensors is missing", "Get the model"]),
        (break_description, ["model.json is not JSON", "Get the model"]),
    ],
)
def test_weights_that_are_not_what_they_were_are_refused(run, own_model, damage, said):
    damage(own_model)
    assert_refused(run("generate", PROMPT, "--model", str(own_model)), 1, *said)


def test_a_disk_that_gets_full_leaves_no_file(run, model, monkeypatch):
    def full(self, frames):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("worldreel.media.write.VideoWriter.write", full)
    code, out, err = run("generate", PROMPT, "--model", model, "--output-path", "a.mp4")
    assert (code, out) == (1, "")
    assert "The disk is full" in err and "Free some space" in err and "Traceback" not in err
    assert files() == []


@contextlib.contextmanager
def small_files_only():
    """The system itself refuses files over 2,000 bytes; the test's own log may be longer."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2000, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.parametrize("ending", ["mp4", "webp", "gif"])
def test_a_file_that_the_system_cuts_short_is_removed(run, model, ending):
    with small_files_only():
        result = run("generate", PROMPT, "--model", model, "--output-path", f"a.{ending}")
    assert_refused(result, 1, f"a.{ending} was not written", "ulimit -f")


# stopped


@pytest.mark.parametrize("stop", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("stage", ["load", "denoise", "decode"])
def test_a_stopped_command_leaves_no_file(run, model, monkeypatch, stop, stage):
    @contextlib.contextmanager
    def stopping(*, as_json):
        def progress(done, total, now):
            if now == stage and done > 0:
                os.kill(os.getpid(), stop)

        yield progress

    monkeypatch.setattr(filling, "progress_display", stopping)
    code, out, err = run("generate", PROMPT, "--model", model, "--output-path", "a.mp4")
    assert (code, out) == (130, "")
    assert "Stopped" in err and "Traceback" not in err
    assert files() == []
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL


def test_a_reader_that_has_gone_ends_the_command_quietly():
    command = subprocess.Popen(
        [sys.executable, "-m", "worldreel.app.main", "--help"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert command.stdout and command.stderr
    command.stdout.close()
    with command:
        assert command.stderr.read() == b""
        assert command.wait() == 141


def test_a_full_disk_under_standard_output_is_one_message():
    with open("/dev/full", "w") as full:
        command = [sys.executable, "-m", "worldreel.app.main", "--version"]
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True)
    assert done.returncode == 1
    assert done.stderr.startswith("Error: The disk is full") and "Traceback" not in done.stderr


def test_a_bug_is_one_line_to_report_and_a_traceback_only_when_asked(run, monkeypatch):
    def fail(self):
        raise RuntimeError("boom\nbang")

    monkeypatch.setattr(Show, "run", fail)
    code, out, err = run("show", "a.mp4")
    assert (code, out) == (1, "")
    assert "RuntimeError: boom" in err and "report" in err and "Traceback" not in err
    monkeypatch.setenv("WORLDREEL_DEBUG", "1")
    code, _, err = run("show", "a.mp4")
    assert code == 1 and "Traceback" in err and "RuntimeError: boom" in err


# what is made


def test_a_video_is_made_shown_and_made_again(run, model):
    code, out, err = run("generate", PROMPT, "--model", model, "--seed", "7")
    assert code == 0, err
    path, facts, *_ = out.splitlines()
    assert path == "out/a-red-ball-falls-7.mp4"
    assert facts.startswith("seed 7, made in ") and " s " in facts
    first = read_footage(path).frames

    code, out, _ = run("show", path)
    assert code == 0
    assert "64x32, 9 frames, 12 frames per second" in out
    assert PROMPT in out and "num_inference_steps" in out

    code, out, _ = run("show", path, "--json")
    shown = json.loads(out)
    assert shown["settings"]["seed"] == 7
    assert (shown["width"], shown["height"], shown["num_frames"]) == (64, 32, 9)
    name, *words = shlex.split(shown["command"])
    assert name == "worldreel"
    code, out, _ = run(*words)
    assert code == 0
    again = out.splitlines()[0]
    assert again == "out/a-red-ball-falls-7-2.mp4", "nothing is overwritten"
    assert np.array_equal(read_footage(again).frames, first)  # only its signature is another


def test_several_videos_are_numbered_and_told_as_json(run, model, monkeypatch):
    give_stdin(monkeypatch, "a zebra \N{EM DASH} a ball\n".encode())
    words = ["--num-videos", "2", "--seed", "5", "--output-path", "a.webp", "--json"]
    code, out, err = run("generate", "--model", model, "--size", "32x32", *words)
    assert code == 0, err
    first, second = (json.loads(line) for line in out.splitlines())
    assert (first["path"], first["seed"]) == ("a-1.webp", 5)
    assert (second["path"], second["seed"]) == ("a-2.webp", 6)
    assert first["not_understood"] == ["zebra"] and "zebra" in first["message"]
    assert files() == ["a-1.webp", "a-2.webp"]
    assert Path("a-1.webp").read_bytes() != Path("a-2.webp").read_bytes()
    stages = {json.loads(line)["stage"] for line in err.splitlines()}
    assert stages == {"load", "denoise", "decode"}


def test_one_frame_is_a_picture_and_a_prompt_may_begin_with_a_dash(run, model):
    prompt = "--a red ball, 'quoted'\non two lines"
    options = ["--seconds", "0.0833333", "--output-path", "a.png", "--guidance-scale", "1"]
    options += ["--negative-prompt=-x", "--num-inference-steps", "1"]
    code, out, err = run("generate", "--model", model, *options, "--", prompt)
    assert code == 0, err
    _, out, _ = run("show", "a.png", "--json")
    shown = json.loads(out)
    assert shown["settings"]["prompt"] == prompt and shown["num_frames"] == 1
    _, command, *words = shlex.split(shown["command"])
    code, out, err = run(command, "--output-path", "b.png", *words)
    assert code == 0, err
    assert np.array_equal(read_footage("a.png").frames, read_footage("b.png").frames)


def test_show_tells_what_a_foreign_file_is_and_that_it_has_no_settings(run):
    from PIL import Image

    Image.new("RGB", (6, 4)).save("foreign.png")
    code, out, err = run("show", "foreign.png")
    assert code == 1
    assert "6x4, 1 frames" in out
    assert "foreign.png carries no settings" in err and "Traceback" not in err


@pytest.mark.parametrize("name", ["missing.mp4", ".", "text.mp4", "empty.mp4"])
def test_show_refuses_what_is_no_video(run, name):
    Path("text.mp4").write_text("words " * 100)
    Path("empty.mp4").touch()
    code, out, err = run("show", name)
    assert (code, out) == (1, "")
    assert name in err and len(err.splitlines()) == 2 and "Traceback" not in err


# the other commands


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["train", "missing.toml"], ["missing.toml"]),
        (["train", "missing.toml", "--set", "a.b=1", "c=2", "--set", "d=3"], ["missing.toml"]),
        (["world", "sheet", "--out", "a.txt"], ["'a.txt'", ".png"]),
        (["world", "sheet", "--out", "missing/a.png"], ["missing/a.png", "mkdir -p missing"]),
        (["world", "sheet", "--out", "a.png", "--num-clips", "0"], ["--num-clips is 0", "1"]),
        (["world", "render", "--out", "clips", "--num-clips", "-5"], ["--num-clips is -5", "1"]),
        (["world", "render", "--out", "clips", "--workers", "0"], ["--workers is 0", "1"]),
        (["evaluate", "autoencoder", "--num-clips", "0"], ["--num-clips is 0", "1"]),
        (["evaluate", "autoencoder", "--model", "sora"], ["no model 'sora'"]),
    ],
)
def test_the_other_commands_refuse_what_cannot_be(run, words, said):
    assert_refused(run(*words), 2, *said)


def test_overrides_reach_the_training_in_their_order(run, monkeypatch):
    import worldreel.train.run

    called = []

    def train(recipe, overrides, out_dir, *, gate, progress):
        called.append((recipe, overrides, out_dir))
        return Path("runs/x/model")

    monkeypatch.setattr(worldreel.train.run, "train", train)
    words = ["--set", "a.b=1", "c=2", "--set", "d=3", "--out-dir", "runs/x"]
    assert run("train", "r.toml", *words) == (0, "runs/x/model\n", "")
    assert called == [("r.toml", ["a.b=1", "c=2", "d=3"], "runs/x")]


def test_a_sheet_of_the_simulated_world_is_drawn(run):
    pytest.importorskip("mujoco")
    words = ["--num-clips", "1", "--num-frames", "2", "--seed", "3"]
    code, out, err = run("world", "sheet", "--out", "sheet.png", *words)
    assert (code, out) == (0, "sheet.png\n"), err
    assert files() == ["sheet.png"]


# names


@pytest.mark.parametrize(
    ("prompt", "name"),
    [
        ("A red ball, falling!", "a-red-ball-falling"),
        ("Ein grüner Würfel", "ein-gruner-wurfel"),
        ("../../etc/passwd", "etc-passwd"),
        ("\N{CJK UNIFIED IDEOGRAPH-7403}", "video"),
        ("word " * 100, "word-word-word-word-word-word-word-word-word"),
        ("x" * 400, "x" * output.SLUG_MAX),
    ],
)
def test_a_prompt_becomes_a_short_plain_file_name(prompt, name):
    assert output.slug(prompt) == name


# progress


def test_progress_lines_are_few_and_hold_the_first_and_last_step_and_the_time_left():
    out = io.StringIO()
    lines = display.JsonLines(out)
    for done in range(1001):
        lines(done, 1000, "denoise")
    lines(0, 2, "decode")
    written = [json.loads(line) for line in out.getvalue().splitlines()]
    assert [line["done"] for line in written if line["stage"] == "denoise"][:1] == [0]
    assert len(written) < 20
    assert written[-2] == {"stage": "denoise", "done": 1000, "total": 1000, "seconds_left": 0.0}
    assert written[-1] == {"stage": "decode", "done": 0, "total": 2, "seconds_left": None}


def test_a_terminal_gets_bars(monkeypatch):
    terminal = io.StringIO()
    monkeypatch.setattr(terminal, "isatty", lambda: True, raising=False)
    monkeypatch.setattr("sys.stderr", terminal)
    with display.progress_display(as_json=False) as progress:
        for stage in ("denoise", "decode"):
            for done in range(3):
                progress(done, 2, stage)
    shown = terminal.getvalue()
    assert "denoise" in shown and "decode" in shown and "2/2" in shown


# help and the machine


def test_help_answers_in_less_than_two_fifths_of_a_second_of_processor_time():
    seconds = []
    for _ in range(3):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        command = [sys.executable, "-m", "worldreel.app.main", "generate", "--help"]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        seconds.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    assert min(seconds) < 0.4, seconds


def test_the_version_is_printed(run):
    assert run("--version") == (0, f"worldreel {__version__}\n", "")


def test_doctor_tells_what_is_wrong_with_a_model(run, own_model, monkeypatch):
    stub_slow_checks(monkeypatch, {"tiny": own_model})
    code, out, _ = run("doctor")
    assert code == 0 and "hashes right" in out and "can run `worldreel generate`" in out
    alter(own_model)
    code, out, _ = run("doctor")
    assert code == 1 and "was altered" in out and "cannot run" in out and "Get the model" in out
    code, out, _ = run("doctor", "--json")
    report = json.loads(out)
    assert code == 1 and report["can_generate"] is False
    assert report["machine"]["cores"] >= 1 and report["machine"]["memory_free_bytes"] > 0


def test_doctor_without_any_model_says_what_to_do(run, monkeypatch):
    stub_slow_checks(monkeypatch, {})
    code, out, _ = run("doctor")
    assert code == 1 and "Install worldreel again" in out


def stub_slow_checks(monkeypatch, models: dict[str, Path]) -> None:
    from worldreel.app.commands import doctor

    fine = doctor.Check(name="stub", state="ok", found="")
    monkeypatch.setattr(doctor, "check_rendering", lambda: fine)
    monkeypatch.setattr(doctor, "check_text_encoder", lambda: fine)
    monkeypatch.setattr("worldreel.app.machine.GEMM_SECONDS", 0.01)
    monkeypatch.setattr("worldreel.weights.catalogue.packaged_models", lambda: models)
