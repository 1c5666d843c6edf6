"""Playing: the endless canvas, and its windows in the terminal and the browser."""

import dataclasses
import http.client
import json
import os
import pty
import re
import subprocess
import sys
import termios
from pathlib import Path

import numpy as np
import pytest
from tests.tiny_model import DESCRIPTION, tiny_model

from worldreel.app.commands.play import Play
from worldreel.app.play.browser import Browser
from worldreel.app.play.console import Console
from worldreel.app.play.cue import CAMERA, SCENES, Cue
from worldreel.app.play.painter import HALF, Painter, fitted
from worldreel.app.play.player import Player
from worldreel.app.play.record import Said, record
from worldreel.app.play.terminal import Terminal
from worldreel.core.errors import UsageError
from worldreel.core.progress import silent
from worldreel.generate.endless import Endless, check_playable
from worldreel.generate.options import Options
from worldreel.media.read import probe, read_settings
from worldreel.provenance.mark import Marker

BALL, CUBE = "a red ball rolls", "a blue cube slides on grass"
WIDTH, HEIGHT = DESCRIPTION.size.default


def endless(seed: int = 0, context: int = 4, **more) -> Endless:
    options = Options(model="tiny", seed=seed, num_inference_steps=2)
    return Endless(tiny_model(), options, context=context, **more)


def noise(num_frames: int, seed: int = 0) -> np.ndarray:
    shape = (num_frames, HEIGHT, WIDTH, 3)
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


class Typist(Console):
    """A terminal of which a test holds the other end."""

    def __init__(self, columns: int = 80, rows: int = 24) -> None:
        self.master, self.slave = pty.openpty()
        termios.tcsetwinsize(self.slave, (rows, columns))
        super().__init__(self.slave, self.slave)

    def close(self) -> None:
        os.close(self.master)
        os.close(self.slave)


@pytest.fixture
def typist():
    console = Typist()
    yield console
    console.close()


def test_the_same_seed_and_prompts_make_the_same_bits_and_another_seed_does_not():
    said = [BALL, BALL, CUBE, CUBE]
    first, again, other = (endless(seed) for seed in (3, 3, 4))
    for prompt in said:
        frames = first.step(prompt)
        assert np.array_equal(frames, again.step(prompt))
        assert not np.array_equal(frames, other.step(prompt))


def test_a_new_prompt_changes_the_very_next_frames_and_none_before():
    kept, changed = endless(), endless()
    for _ in range(3):
        assert np.array_equal(kept.step(BALL), changed.step(BALL))
    before, after = kept.step(BALL), changed.step(CUBE)
    assert before.shape == after.shape == (4, HEIGHT, WIDTH, 3)
    assert all((a != b).any() for a, b in zip(before, after, strict=True))


def test_what_is_remembered_keeps_the_prompt_that_it_was_made_with():
    run = endless(context=4)
    run.step(BALL)
    spans = run.plan(CUBE).canvas.spans
    assert [(span.prompt, span.first, span.stop) for span in spans] == [(BALL, 0, 4), (CUBE, 4, 8)]


def test_the_first_step_fills_the_window_and_each_later_one_makes_a_token():
    run = endless(context=4)
    lengths = []
    for _ in range(3):
        lengths.append((run.next_length, len(run.step(BALL))))
    assert lengths == [(8, 8), (4, 4), (4, 4)]


def test_it_remembers_no_more_after_thirty_steps_than_after_three():
    run = endless(context=4)
    counts = []
    for _ in range(30):
        run.step(BALL)
        counts.append((run.num_remembered, len(run.plan(BALL).stretches[0].frames)))
    assert set(counts[2:]) == {(2 * 4 + 4, 4 + 4)}


def test_frames_that_are_taken_back_are_made_anew_from_those_before():
    run, other = endless(), endless()
    for _ in range(4):
        run.step(BALL)
    for _ in range(3):
        other.step(BALL)
    run.take_back(4)
    other.num_steps += 1  # the noise of a step is never used twice
    assert np.array_equal(run.step(CUBE), other.step(CUBE))
    run.take_back(3)
    assert run.next_length == 4, "enough is remembered behind what the next step sees"
    with pytest.raises(AssertionError):
        run.take_back(9)


def test_a_step_that_was_given_up_leaves_nothing_behind():
    run, other = endless(), endless()
    run.step(BALL)
    other.step(BALL)

    def give_up(done: int, total: int, stage: str) -> None:
        if done == 1:
            raise InterruptedError

    with pytest.raises(InterruptedError):
        run.step(CUBE, give_up)
    assert np.array_equal(run.step(BALL), other.step(BALL))


def test_after_a_cut_nothing_before_it_matters():
    run, other = endless(), endless()
    run.step(BALL)
    other.step(CUBE)
    for each in (run, other):
        each.cut()
    assert np.array_equal(run.step(BALL), other.step(BALL))


def test_a_picture_that_it_begins_with_is_given_as_it_is_and_changes_what_comes():
    plain, pictured, other = endless(), endless(begin=noise(1)), endless(begin=noise(1, seed=1))
    assert pictured.plan(BALL).stretches[0].new == (1, 8)
    assert pictured.plan(BALL).stretches[0].made_level == 0
    frames = pictured.step(BALL)
    assert len(frames) == 7 and len(plain.step(BALL)) == 8
    assert not np.array_equal(frames, other.step(BALL))
    level = pictured.plan(BALL).stretches[0].made_level
    assert level == pictured.model.description.sampling.context_level > 0
    assert endless(begin=noise(40)).next_length == 4


@pytest.mark.parametrize("context", [0, 3, 12, -4])
def test_a_context_that_does_not_fit_the_window_is_refused(context):
    with pytest.raises(UsageError, match=rf"context is {context} .* multiple of 4 from 4 to 8"):
        endless(context=context)


def test_a_model_that_makes_frames_in_groups_is_refused():
    grouped = dataclasses.replace(DESCRIPTION, stride=(4, 16, 16), first_frame_alone=True)
    with pytest.raises(UsageError, match="in groups"):
        check_playable(grouped, (64, 32), 4)


def test_a_recording_hears_each_prompt_at_the_first_step_of_its_time(tmp_path):
    path = tmp_path / "played.mp4"
    said = [Said(0, BALL), Said(0.5, CUBE)]  # the first step makes 8 frames: 0.667 s
    told = record(endless(), said, 18, path, silent, marker=Marker.open())
    info, settings = probe(path), read_settings(path)
    assert (info.num_frames, info.fps, info.size) == (18, 12, (HEIGHT, WIDTH))
    assert told["num_frames"] == 18 and told["speed"] > 0
    assert settings["played"] == [
        {"at_s": 0.0, "prompt": BALL},
        {"at_s": 0.667, "prompt": CUBE},
    ]


def test_every_frame_that_is_shown_after_a_cue_has_heard_it():
    with Player(endless(), Cue(BALL)) as player, player.watching():
        first = player.next(-1, 60)
        assert first is not None and first.prompt == BALL
        player.say(Cue(CUBE))
        last = player.next(-1, 60)  # what is on the screen may still be the one before
        assert last is not None
        for _ in range(6):
            shown = player.next(last.number, 60)
            assert shown is not None and shown.prompt == CUBE
            last = shown
        assert player.speed is not None and player.speed > 0
    assert len(player.seen) >= 7


def test_nothing_is_made_while_nobody_watches():
    run = endless()
    with Player(run, Cue(BALL)) as player:
        assert player.next(-1, 0.05) is None
    assert run.num_steps == 0


def test_what_ends_the_making_reaches_whoever_watches(monkeypatch):
    run = endless()
    monkeypatch.setattr(run, "step", lambda prompt, progress: 1 / 0)
    with (
        Player(run, Cue(BALL)) as player,
        player.watching(),
        pytest.raises(ZeroDivisionError),
    ):
        player.next(-1, 60)


def test_what_was_seen_is_saved_with_its_prompts(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with Player(endless(seed=5), Cue(BALL)) as player:
        with pytest.raises(UsageError, match="Nothing was seen"):
            player.seen.save()
        for number, frame in enumerate(noise(6)):
            player.seen.add(frame, BALL if number < 4 else CUBE)
        path = player.seen.save()
    assert path == Path("out/a-blue-cube-slides-on-grass-5.mp4")
    settings = read_settings(path)
    assert probe(path).num_frames == 6 and settings["seed"] == 5
    assert settings["played"][1] == {"at_s": 0.333, "prompt": CUBE}


def test_only_the_last_minute_is_kept():
    player = Player(endless(), Cue(BALL))
    frame = noise(1)[0]
    for _ in range(60 * 12 + 5):
        player.seen.add(frame, BALL)
    assert len(player.seen) == 60 * 12


def test_two_pixels_become_one_half_block_and_only_changes_are_painted():
    frame = np.zeros((4, 2, 3), np.uint8)
    frame[0], frame[1] = (255, 0, 0), (0, 0, 255)
    painter = Painter()
    red_on_blue = "\x1b[38;2;255;0;0m\x1b[48;2;0;0;255m"
    black = "\x1b[38;2;0;0;0m\x1b[48;2;0;0;0m"
    assert painter.paint(frame, 2, 2) == (
        f"\x1b[1;1H{red_on_blue}{HALF}{HALF}\x1b[2;1H{black}{HALF}{HALF}\x1b[0m"
    )
    assert painter.paint(frame, 2, 2) == ""
    frame[3, 1] = (1, 2, 3)
    assert painter.paint(frame, 2, 2) == (f"\x1b[2;2H\x1b[38;2;0;0;0m\x1b[48;2;1;2;3m{HALF}\x1b[0m")
    painter.forget()
    assert painter.paint(frame, 2, 2).count(HALF) == 4


@pytest.mark.parametrize("room", [(80, 22), (1, 1), (200, 10), (10, 200)])
def test_a_picture_keeps_its_shape_within_the_room(room):
    height, width = fitted(96, 160, *room)
    assert height % 2 == 0 and 1 <= width <= room[0] and 2 <= height <= 2 * room[1]
    if min(room) > 5:
        assert width / height == pytest.approx(160 / 96, rel=0.35)


def test_raw_mode_and_the_screen_are_restored_after_an_exception(typist):
    before = termios.tcgetattr(typist.slave)
    with pytest.raises(ZeroDivisionError), typist:
        assert not termios.tcgetattr(typist.slave)[3] & termios.ICANON
        raise ZeroDivisionError
    assert termios.tcgetattr(typist.slave) == before
    written = ""
    while "\x1b[?25h\x1b[?1049l" not in written:  # the cursor, and the screen that was there
        written += os.read(typist.master, 10_000).decode()
    assert written.startswith("\x1b[?1049h\x1b[?25l")


def test_keys_are_read_as_characters_and_names(typist):
    with typist:
        os.write(typist.master, "aß\x1b[D\x1bOC\r \x7f\x1b[3~\x1b[1;5A\x03".encode())
        keys: list[str] = []
        while "quit" not in keys:
            keys += typist.keys(60)
        os.write(typist.master, b"\x1b")
        assert typist.keys(60) == ["escape"]
    assert keys == ["a", "ß", "left", "right", "enter", "space", "backspace", "up", "quit"]


def test_the_terminal_paints_takes_a_prompt_and_ends_with_q(typist):
    with Player(endless(), Cue(BALL)) as player, typist:
        os.write(typist.master, f"\x1b[D\r{CUBE}x\x7f\r".encode())
        window = Terminal(player, typist)
        painted: list[str] = []

        def write(text: str) -> None:
            painted.append(text)
            if HALF in text and player.cue == Cue(CUBE):
                os.write(typist.master, b"q")

        typist.write = write  # type: ignore[method-assign]
        window.run()
    text = "".join(painted)
    assert HALF in text and f"\x1b[24;1H\x1b[1m{CUBE} " in text
    assert "q: quit" in text and "frames/s" in text, "both fit into 80 columns"
    rows = [int(row) for row in re.findall(r"\x1b\[(\d+);\d+H", text)]
    assert min(rows) >= 1 and max(rows) == 24


def test_sigterm_leaves_the_terminal_as_it_was(typist):
    before = termios.tcgetattr(typist.slave)
    code = """
import os, signal
from worldreel.app.filling import terminated_like_interrupted
from worldreel.app.play.console import Console
with terminated_like_interrupted(), Console() as console:
    os.kill(os.getpid(), signal.SIGTERM)
    console.keys(60)
"""
    with subprocess.Popen(
        [sys.executable, "-c", code], stdin=typist.slave, stdout=typist.slave,
        stderr=subprocess.PIPE, start_new_session=True,
    ) as process:  # fmt: skip
        _, errors = process.communicate(timeout=60)
    assert b"KeyboardInterrupt" in errors
    assert termios.tcgetattr(typist.slave) == before


def test_without_a_terminal_it_says_what_else_there_is():
    done = subprocess.run(
        [sys.executable, "-m", "worldreel.app.main", "play"],
        stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 2
    assert "not a terminal" in done.stderr and "--browser" in done.stderr


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"at": ("2:x",)}, "--at says nothing without --record"),
        ({"seconds": 2.0}, "--seconds says nothing without --record"),
        ({"port": 80}, "--port says nothing without --browser"),
        ({"browser": True, "port": 70_000}, "--port is 70000"),
        ({"browser": True, "record": "x.mp4"}, "--record opens no window"),
        ({"record": "x.mp4", "seconds": 4.0, "at": ("5:x",)}, "'5:x' is not a time below 4 s"),
        ({"record": "x.mp4", "at": ("soon",)}, "'soon' is not a time"),
        ({"record": "x.mp4", "at": ("2:x", "2:y")}, "Two prompts are said at 2 s"),
        ({"record": "x.mp4", "seconds": 0.01}, "0.12 frames"),
        ({"record": "x.mp4", "context": 5}, "context is 5"),
        ({"record": "x.mp4", "prompt": "a\x07"}, "control character"),
    ],
)
def test_what_cannot_be_is_refused_before_a_model_is_loaded(options, message):
    with pytest.raises(UsageError, match=re.escape(message)):
        Play(**options).run()


def test_keys_say_scenes_and_camera_moves_and_others_say_nothing():
    cue = Cue(BALL + ".")
    assert cue.after("left").after("up").prompt == f"{BALL}, {CAMERA['up']}"
    assert cue.after("2") == Cue(SCENES[1], take=1), "a scene begins with a cut"
    assert cue.after("x") == cue and cue.after("0") == cue
    assert cue.after("c").prompt == cue.prompt and cue.after("c") != cue


class Page:
    """What a browser does with the page, without one."""

    def __init__(self, browser: Browser) -> None:
        self.browser = browser
        self.path = f"/{browser.token}/"

    def ask(self, path: str, body: str | None = None, **headers: str):
        connection = http.client.HTTPConnection("127.0.0.1", self.browser.port, timeout=60)
        method = "GET" if body is None else "POST"
        connection.request(method, path, body, headers)
        answer = connection.getresponse()
        try:
            return answer.status, answer.headers, answer.read()
        finally:
            connection.close()


@pytest.fixture
def page():
    with Player(endless(), Cue(BALL)) as player, Browser(player) as browser:
        yield Page(browser)


def test_the_page_is_served_with_a_policy_and_without_cors(page):
    status, headers, body = page.ask(page.path)
    assert status == 200 and b"{{" not in body and CUBE.split()[0].encode() in body
    assert "default-src 'none'" in headers["Content-Security-Policy"]
    assert not [name for name in headers if name.lower().startswith("access-control")]
    assert headers["Referrer-Policy"] == "no-referrer"


@pytest.mark.parametrize(
    ("path", "headers", "status"),
    [
        ("/", {}, 403),
        ("/wrong/", {}, 403),
        ("/wrong/frames", {}, 403),
        ("TOKEN", {"Host": "evil.example"}, 403),
        ("TOKEN", {"Host": "127.0.0.1"}, 403),
        ("TOKENframes", {"Origin": "http://evil.example"}, 403),
        ("TOKENnothing", {}, 404),
        ("TOKEN../page.html", {}, 404),
    ],
)
def test_a_wrong_token_host_or_origin_gets_nothing(page, path, headers, status):
    answer = page.ask(path.replace("TOKEN", page.path), **headers)
    assert answer[0] == status and b"<html" not in answer[2]


def test_a_prompt_is_said_only_with_the_token_and_as_json(page):
    cue = page.browser.player.cue
    say = page.path + "say"
    for path, body, headers, status in [
        ("/wrong/say", json.dumps({"prompt": CUBE}), {}, 403),
        (say, json.dumps({"prompt": CUBE}), {"Origin": "null"}, 403),
        (say, json.dumps({"prompt": CUBE}), {"Host": "localhost.evil.example:80"}, 403),
        (say, "no json", {}, 400),
        (say, "[]", {}, 400),
        (say, json.dumps({"prompt": " "}), {}, 400),
        (say, json.dumps({"prompt": "a\x07"}), {}, 400),
        (say, "x" * 200_001, {}, 413),
    ]:
        assert page.ask(path, body, **headers)[0] == status, (path, body[:20], headers)
        assert page.browser.player.cue == cue
    assert page.ask(say, json.dumps({"prompt": CUBE}))[0] == 200
    assert json.loads(page.ask(say, json.dumps({"key": "left"}))[2]) == {
        "prompt": f"{CUBE}, {CAMERA['left']}"
    }


def test_frames_come_as_events_while_the_page_is_open(page):
    connection = http.client.HTTPConnection("127.0.0.1", page.browser.port, timeout=60)
    connection.request("GET", page.path + "frames")
    answer = connection.getresponse()
    assert answer.headers["Content-Type"] == "text/event-stream"
    numbers = []
    while len(numbers) < 3:
        line = answer.readline().decode()
        if line.startswith("data: "):
            told = json.loads(line.removeprefix("data: "))
            if "webp" in told:
                assert told["webp"].startswith("UklGR") and told["made_with"] == BALL  # RIFF
                numbers.append(told["number"])
    assert numbers == sorted(set(numbers))
    connection.close()


def test_a_taken_port_is_refused(page):
    with pytest.raises(UsageError, match=f"Port {page.browser.port} cannot be used"):
        Browser(page.browser.player, page.browser.port)


@pytest.mark.parametrize("size", [(1, 1), (3, 2), (10, 3), (300, 80)])
def test_any_size_of_the_terminal_is_painted_within_its_bounds(size):
    columns, rows = size
    console = Typist(columns, rows)
    try:
        with Player(endless(), Cue("球 " + BALL)) as player, console:
            painted: list[str] = []

            def write(text: str) -> None:
                painted.append(text)
                if HALF in text:
                    os.write(console.master, b"q")

            console.write = write  # type: ignore[method-assign]
            Terminal(player, console).run()
    finally:
        console.close()
    places = re.findall(r"\x1b\[(\d+);(\d+)H", "".join(painted))
    assert places and all(
        1 <= int(row) <= rows and 1 <= int(column) <= columns for row, column in places
    )
