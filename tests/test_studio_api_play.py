"""A world that is played over HTTP: its process, its frames, and what is said to it."""

import asyncio
import base64
import dataclasses
import io
import json
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tests.studio_bench import StudioBench
from tests.test_watermark import scene

from worldreel.app.jobs.marking import Marking
from worldreel.app.play.child import Child, Game, open_marks
from worldreel.app.policy.policy import Policy
from worldreel.app.server import playing, plays
from worldreel.media.read import read_video
from worldreel.provenance.config import PUBLIC_KEY
from worldreel.provenance.watermark import Watermark

ROOT = Path(__file__).parent.parent
CHILD = [
    sys.executable,
    "-c",
    f"import sys; sys.path[:0] = [{str(ROOT)!r}, {str(ROOT / 'src')!r}]; "
    "import runpy; runpy.run_module('tests.tiny_play', run_name='__main__')",
]
BODY = {"prompt": "a red ball rolls", "size": "64x32", "seed": 3, "context": 4}
LIMIT_S = 120


@pytest.fixture
def bench(tmp_path, monkeypatch):
    monkeypatch.setattr(playing, "CHILD", CHILD)
    made = StudioBench(tmp_path, threads=1)
    yield made
    made.app.state.plays.stop()
    made.close()


class Watcher:
    """Somebody who follows a world, one event after the other."""

    def __init__(self, play):
        self._stream = plays._frames(play, threading.Event())

    async def until(self, wanted):
        """Events up to the first that is wanted."""
        async with asyncio.timeout(LIMIT_S):
            async for text in self._stream:
                if text.startswith(":"):
                    continue
                name, data = text.strip().split("\n")
                found = name.removeprefix("event: "), json.loads(data.removeprefix("data: "))
                if wanted(*found):
                    return found
        raise AssertionError("the stream ended")

    async def close(self):
        await self._stream.aclose()


def start(bench, **more):
    answer = bench.client.post("/v1/plays", json={**BODY, **more})
    assert answer.status_code == 200, answer.text
    told = answer.json()
    return told, bench.app.state.plays.find("alice", told["id"])


def test_a_world_is_seen_hears_and_is_saved_among_the_videos(bench):
    told, play = start(bench)
    assert told["model"] == "tiny" and len(told["scenes"]) == 9 and told["actions"] == []
    path = f"/v1/plays/{told['id']}"

    async def watch():
        watcher = Watcher(play)
        _, frame = await watcher.until(lambda name, data: name == "frame")
        picture = Image.open(io.BytesIO(base64.b64decode(frame["webp"])))
        assert picture.format == "WEBP" and picture.size == (64, 32)
        assert frame["made_with"] == BODY["prompt"] and frame["fps"] == 12
        said = await asyncio.to_thread(
            bench.client.post, f"{path}/say", json={"prompt": "a blue cube"}
        )
        assert said.json() == {"prompt": "a blue cube"}
        _, heard = await watcher.until(lambda name, data: data.get("made_with") == "a blue cube")
        assert heard["delay_ms"] >= 0 and heard["number"] > frame["number"]
        said = await asyncio.to_thread(bench.client.post, f"{path}/say", json={"key": "left"})
        assert said.json()["prompt"] == "a blue cube, the camera pans left"
        await watcher.until(lambda name, data: "pans left" in data.get("made_with", ""))
        saved = await asyncio.to_thread(bench.client.post, f"{path}/save")
        await watcher.close()
        return saved

    saved = asyncio.run(watch())
    assert saved.status_code == 200, saved.text
    video = saved.json()
    bench.work()
    done = bench.client.get(f"/v1/videos/{video['id']}").json()
    assert done["status"] == "completed" and done["worldreel"]["verb"] == "play", done
    frames = read_video(bench.path(video["id"]))
    assert len(frames) == done["worldreel"]["num_frames"] >= 3
    assert frames.shape[1:] == (32, 64, 3)
    assert bench.client.delete(path).json()["deleted"]
    assert play.ended and play._process.returncode is not None
    answer = bench.client.post(f"{path}/say", json={"prompt": "x"})
    assert answer.status_code in (400, 404)


def test_a_new_world_of_the_same_owner_ends_the_older_one_and_others_must_wait(bench):
    _, first = start(bench)
    _, second = start(bench)
    assert first.ended and not second.ended
    last = first.next(-1, LIMIT_S)
    assert last.name == "stopped" and last.told == {"reason": "replaced"}
    secret = bench.service.keys.add("bob")
    bob = bench.as_owner(secret)
    answer = bob.post("/v1/plays", json=BODY)
    assert answer.status_code == 429 and answer.json()["error"]["code"] == "plays_full"
    assert bob.get(f"/v1/plays/{second.id}/frames").status_code == 404
    for path in ("say", "save"):
        answer = bob.post(f"/v1/plays/{second.id}/{path}", json={"prompt": "x"})
        assert answer.status_code == 404
    assert bob.delete(f"/v1/plays/{second.id}").status_code == 404
    assert list(bench.service.folder.aside.iterdir()) in ([], [second._folder])


def test_no_world_begins_or_hears_while_what_judges_requests_is_silent(bench):
    judge = bench.service.gate
    silent = dataclasses.replace(judge, policy=Policy(classifiers=("tests.test_policy:fail",)))
    told, play = start(bench)
    path = f"/v1/plays/{told['id']}"
    bench.app.state.service = bench.service = dataclasses.replace(bench.service, gate=silent)
    for answer in (
        bench.client.post("/v1/plays", json=BODY),
        bench.client.post(f"{path}/say", json={"prompt": "a blue cube"}),
    ):
        assert answer.status_code == 503 and "retry-after" in answer.headers
        assert answer.json()["error"]["code"] == "policy_unavailable"
    assert not play.ended, "the older world was ended for one that may not begin"
    assert list(bench.service.folder.aside.iterdir()) == [play._folder]


def game(bench, **more):
    kinds = {"model": "tiny", "prompt": "a ball", "width": 128, "height": 128, "seed": 1}
    return Game(**kinds, data=str(bench.service.settings.data), content_id="play_x", **more)


def test_frames_that_are_shown_carry_the_watermark_of_the_world(bench):
    shown = Child(None, open_marks(game(bench), 12.0), io.BytesIO(), io.BytesIO())
    pictures = [shown._webp(frame) for frame in scene()]
    frames = np.stack([np.asarray(Image.open(io.BytesIO(picture))) for picture in pictures])
    reading = Watermark(PUBLIC_KEY).detect(frames)
    marker = Marking(bench.service.settings.data).open()
    assert reading.found and reading.payload == marker.payload("play_x")


def test_frames_show_the_label_that_the_operator_wants(bench, tmp_path):
    config = tmp_path / "provenance.toml"
    config.write_text('visible_label = "en"')
    (frame,) = scene(num_frames=1)
    one, other = (
        open_marks(game(bench, provenance=given), 12.0)(frame[None])
        for given in (None, str(config))
    )
    assert np.abs(one.astype(int) - other).max() > 60


def test_a_world_whose_frames_cannot_be_marked_shows_none(bench, tmp_path):
    config = tmp_path / "provenance.toml"
    config.write_text('visible_label = "nobody can read this"')
    bench.service.settings = dataclasses.replace(bench.service.settings, provenance=config)
    _, play = start(bench)
    event, seen = play.next(-1, LIMIT_S), []
    while event is not None and event.name != "failed":
        seen.append(event.name)
        event = play.next(event.number, LIMIT_S)
    assert event is not None and "visible_label" in event.told["error"], event
    assert set(seen) <= {"state"}


def test_a_world_whose_process_dies_says_so(bench):
    _, play = start(bench)
    play._process.kill()
    event = play.next(0, LIMIT_S)
    assert event.name == "stopped" and play.ended
    play._reader.join(LIMIT_S)
    assert not play._folder.exists()
    _, again = start(bench)
    assert not again.ended


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"size": "65x32"}, "size"),
        ({"size": "big"}, "size"),
        ({"context": 5}, "size"),
        ({"model": "gpt"}, "model"),
        ({"prompt": ""}, "prompt"),
        ({"image": {}}, "image"),
        ({"image": {"file_id": "file_x"}}, "image.file_id"),
    ],
)
def test_what_cannot_be_played_starts_nothing(bench, body, param):
    answer = bench.client.post("/v1/plays", json={**BODY, **body})
    assert answer.status_code in (400, 404), answer.text
    assert answer.json()["error"]["param"] == param, answer.text
    assert not bench.app.state.plays._plays and not list(bench.service.folder.aside.iterdir())
