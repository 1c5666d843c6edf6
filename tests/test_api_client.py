"""OpenAI's own client, unchanged but for its address and key, against a live server."""

import asyncio
import base64
import io
import json
import runpy
import tempfile
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import numpy as np
import openai
import pytest
from openai import AsyncOpenAI, InvalidWebhookSignatureError, OpenAI, omit
from PIL import Image
from tests.live_server import FAST, KEY, ROOT, live_server

from worldreel.media.read import read_settings, read_video

pytestmark = pytest.mark.filterwarnings("ignore:The Sora API:DeprecationWarning")

SMALL = {"model": "toybox", "size": "96x96", "seconds": "1"}
KEYS = {
    "id", "object", "model", "status", "progress", "created_at", "completed_at", "expires_at",
    "size", "seconds", "prompt", "remixed_from_video_id", "error",
}  # fmt: skip


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    folder = tmp_path_factory.mktemp("server") / "data"
    with live_server(folder, "--allow-private-addresses") as running:
        running.wait_until_ready()
        yield running


@pytest.fixture(scope="module")
def client(server):
    with OpenAI(base_url=f"{server.url}/v1", api_key=KEY, max_retries=0) as made:
        yield made


def make(client, prompt="a red ball falls", **options):
    extra = {**FAST, **options.pop("extra", {})}
    video = client.videos.create(prompt=prompt, **{**SMALL, **options}, extra_body=extra)
    video = client.videos.poll(video.id, poll_interval_ms=100)
    assert video.status == "completed", video.error
    return video


@pytest.fixture(scope="module")
def made(client):
    return make(client)


@pytest.fixture(scope="module")
def clip(client, made):
    return client.videos.download_content(made.id).read()


def test_a_created_video_has_all_thirteen_keys(client):
    video = client.videos.create(prompt="a red ball falls", **SMALL, extra_body=FAST)
    assert set(video.to_dict()) == KEYS | {"worldreel"}
    assert (video.object, video.status, video.progress) == ("video", "queued", 0)
    assert (video.model, video.size, video.seconds) == ("toybox", "96x96", "1")
    assert video.error is None and video.completed_at is None
    client.videos.delete(video.id)


def test_create_and_poll_returns_the_finished_video(client):
    video = client.videos.create_and_poll(
        prompt="a blue cube slides on snow", **SMALL, extra_body={**FAST, "seed": 7}
    )
    assert video.status == "completed" and video.progress == 100
    assert video.expires_at > video.completed_at >= video.created_at
    assert video.to_dict()["worldreel"]["seed"] == 7


def test_sora_2_and_its_defaults_work_out_of_the_box(client):
    video = client.videos.create(prompt="a red ball falls", extra_body=FAST)
    assert (video.model, video.size, video.seconds) == ("sora-2", "720x1280", "4")
    video = client.videos.poll(video.id, poll_interval_ms=200)
    frames = read_video_of(client, video)
    assert frames.shape == (48, 1280, 720, 3)
    told = video.to_dict()["worldreel"]
    assert (told["model"], told["made_size"]) == ("toybox", "128x224")
    assert any("enlarged 5.71 times to 720x1280" in note for note in told["notes"])


def read_video_of(client, video):
    with tempfile.NamedTemporaryFile(suffix=".mp4") as file:
        file.write(client.videos.download_content(video.id).read())
        file.flush()
        return read_video(file.name)


def are_alike(one, two):
    """Whether two videos show the same but for their watermarks, which name their jobs."""
    return np.abs(one.astype(int) - two).mean() < 5


def test_the_same_seed_makes_the_same_video(client):
    videos = [make(client, extra={"seed": seed}) for seed in (3, 3, 4)]
    one, two, other = (read_video_of(client, video) for video in videos)
    assert are_alike(one, two) and not are_alike(one, other)


def test_retrieve_tells_what_create_told(client, made):
    assert client.videos.retrieve(made.id).to_dict() == made.to_dict()


def test_the_list_goes_over_pages_in_both_orders(client, made):
    for _ in range(3):
        client.videos.delete(client.videos.create(prompt="x", **SMALL, extra_body=FAST).id)
    make(client)
    newest_first = [video.id for video in client.videos.list(limit=1)]
    oldest_first = [video.id for video in client.videos.list(limit=2, order="asc")]
    assert made.id in newest_first and newest_first == oldest_first[::-1]
    page = client.videos.list(limit=1)
    assert page.has_more and page.last_id == page.data[-1].id == newest_first[0]


def test_a_download_has_three_variants(client, made, tmp_path):
    path = tmp_path / "video.mp4"
    client.videos.download_content(made.id).write_to_file(path)
    assert read_video(path).shape == (12, 96, 96, 3)
    assert read_settings(path)["prompt"] == "a red ball falls"
    for variant, kind in (("thumbnail", "WEBP"), ("spritesheet", "JPEG")):
        content = client.videos.download_content(made.id, variant=variant)
        assert Image.open(io.BytesIO(content.read())).format == kind


def test_a_remix_keeps_the_shape_and_names_its_source(client, made):
    video = client.videos.remix(made.id, prompt="a green ball falls", extra_body=FAST)
    assert video.remixed_from_video_id == made.id
    video = client.videos.poll(video.id, poll_interval_ms=100)
    assert video.status == "completed", video.error
    assert (video.size, video.seconds) == (made.size, made.seconds)
    assert read_video_of(client, video).shape == (12, 96, 96, 3)


def test_an_edit_takes_a_file_or_a_video_that_was_made_here(client, made, clip):
    for options in (
        {"video": ("clip.mp4", clip), "extra_body": FAST},
        {"video": omit, "extra_body": {**FAST, "video": {"id": made.id}}},
    ):
        video = client.videos.edit(prompt="a green ball falls", **options)
        video = client.videos.poll(video.id, poll_interval_ms=100)
        assert video.status == "completed", video.error
        assert (video.size, video.seconds) == ("96x96", "1")


def test_an_extension_is_stitched_to_its_source(client, made, clip):
    for options in (
        {"video": omit, "seconds": "1", "extra_body": {**FAST, "video": {"id": made.id}}},
        {"video": ("clip.mp4", clip), "seconds": "4", "extra_body": FAST},
    ):
        video = client.videos.extend(prompt="the ball bounces", **options)
        total = 1 + int(options["seconds"])
        assert video.seconds == str(total)
        video = client.videos.poll(video.id, poll_interval_ms=100)
        assert video.status == "completed", video.error
        frames = read_video_of(client, video)
        assert len(frames) == 12 * total
        source = read_video_of(client, made)
        # what was there stays, but for the codec
        assert abs(frames[:12].astype(int) - source.astype(int)).mean() < 4


def picture(size, kind="PNG"):
    data = io.BytesIO()
    Image.radial_gradient("L").convert("RGB").resize(size).save(data, kind)
    return data.getvalue()


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
def test_a_picture_is_the_first_frame(client, kind):
    given = (f"first.{kind.lower()}", picture((96, 96), kind))
    video = make(client, input_reference=given)
    first = read_video_of(client, video)[0].astype(int)
    wanted = Image.open(io.BytesIO(given[1])).convert("RGB")
    assert abs(first - np.asarray(wanted).astype(int)).mean() < 6


def test_a_picture_by_file_id_and_by_data_url_is_the_same_picture(client):
    data = picture((96, 96))
    file = client.files.create(file=("a.png", data), purpose="vision")
    assert client.files.retrieve(file.id).bytes == len(data)
    assert client.files.content(file.id).read() == data
    url = "data:image/png;base64," + base64.b64encode(data).decode()
    videos = [
        make(client, extra={"seed": 1, "input_reference": given})
        for given in ({"file_id": file.id}, {"image_url": url})
    ]
    one, two = (read_video_of(client, video) for video in videos)
    assert are_alike(one, two)
    assert [found.id for found in client.files.list()] == [file.id]
    assert client.files.delete(file.id).deleted


def test_a_picture_of_another_size_is_refused(client):
    with pytest.raises(openai.BadRequestError, match="is 64x96; it must match the size 96x96"):
        client.videos.create(prompt="x", **SMALL, input_reference=("a.png", picture((64, 96))))


def test_a_character_is_kept_and_can_be_shown(client, clip):
    character = client.videos.create_character(name="Ball", video=("ball.mp4", clip))
    found = client.videos.get_character(character.id)
    assert found.name == "Ball" and found.created_at == character.created_at
    make(client, extra={"characters": [{"id": character.id}]})


def test_a_deleted_video_is_gone(client):
    video = make(client)
    assert client.videos.delete(video.id).deleted
    for call in (client.videos.retrieve, client.videos.delete, client.videos.download_content):
        with pytest.raises(openai.NotFoundError) as raised:
            call(video.id)
        assert raised.value.code == "video_not_found"


def test_a_video_that_is_being_made_is_stopped_by_its_deletion(client, server):
    video = client.videos.create(prompt="x", **{**SMALL, "seconds": "20"})
    client.videos.delete(video.id)
    make(client)  # the worker is free again
    assert not list((server.data / "work").glob(f"{video.id}*"))


@pytest.mark.parametrize(
    ("options", "param"),
    [
        ({"prompt": ""}, "prompt"),
        ({"prompt": "x" * 32_001}, "prompt"),
        ({"size": "123x456"}, "size"),
        ({"seconds": "21"}, "seconds"),
        ({"model": "sora-9"}, "model"),
        ({"model": "toybox", "size": "720x1280"}, "size"),
        ({"extra_body": {"num_inference_steps": 0}}, "num_inference_steps"),
        ({"extra_body": {"colour": "red"}}, "colour"),
        ({"extra_body": {"input_reference": {"file_id": "a", "image_url": "b"}}}, None),
        ({"extra_body": {"characters": [{"id": "char_none"}]}}, "characters"),
    ],
)
def test_what_cannot_be_is_a_bad_request_that_names_its_place(client, options, param):
    with pytest.raises((openai.BadRequestError, openai.NotFoundError)) as raised:
        client.videos.create(**{"prompt": "a ball", **options})
    body = raised.value.body
    assert set(body) == {"message", "type", "param", "code"} and body["message"]
    assert body["type"] == "invalid_request_error"
    if param is not None:
        assert body["param"] == param


def test_a_wrong_key_opens_nothing(server):
    with OpenAI(base_url=f"{server.url}/v1", api_key="wrong", max_retries=0) as other:
        with pytest.raises(openai.AuthenticationError) as raised:
            other.videos.list()
        assert raised.value.code == "invalid_api_key"


def test_models_are_listed_with_what_they_can_do(client):
    names = [model.id for model in client.models.list()]
    assert {"sora-2", "sora-2-pro", "toybox"} <= set(names)
    assert client.models.retrieve("sora-2").to_dict()["worldreel"]["model"] == "toybox"


class Ear(BaseHTTPRequestHandler):
    """Remembers what is posted to it; the first message is answered with an error."""

    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"]))
        self.server.heard.append((dict(self.headers), body))
        self.send_response(500 if len(self.server.heard) == 1 else 200)
        self.end_headers()
        self.server.came.release()

    def log_message(self, *words):
        """Nothing is said."""


@pytest.fixture
def ear():
    with HTTPServer(("127.0.0.1", 0), Ear) as listening:
        listening.heard, listening.came = [], threading.Semaphore(0)
        thread = threading.Thread(target=listening.serve_forever, daemon=True)
        thread.start()
        yield listening
        listening.shutdown()


def test_a_webhook_is_signed_and_sent_again_until_it_arrives(client, server, ear):
    url = f"http://127.0.0.1:{ear.server_port}/hook"
    hook = client.webhooks.create(name="ear", url=url, event_types=["video.completed"])
    video = make(client)
    assert ear.came.acquire(timeout=30), server.log_text()
    assert ear.came.acquire(timeout=30), "it was not sent again"
    (first_headers, first), (headers, body) = ear.heard
    assert first == body and first_headers["webhook-id"] == headers["webhook-id"]
    secret = hook.signing_secret
    event = client.webhooks.unwrap(body, headers, secret=secret)
    assert (event.type, event.data.id) == ("video.completed", video.id)
    with pytest.raises(InvalidWebhookSignatureError):
        client.webhooks.unwrap(body + b" ", headers, secret=secret)
    old = {**headers, "webhook-timestamp": str(int(headers["webhook-timestamp"]) - 301)}
    with pytest.raises(InvalidWebhookSignatureError, match="too old"):
        client.webhooks.unwrap(body, old, secret=secret)
    tested = client.webhooks.test(hook.id, event_type="video.failed")
    assert tested.status_code == 200
    assert json.loads(ear.heard[-1][1])["type"] == "video.failed"
    rotated = client.webhooks.rotate_secret(hook.id)
    assert rotated.signing_secret != secret
    changed = client.webhooks.update(hook.id, name="other")
    assert changed.name == "other" and changed.url == url
    assert [one.id for one in client.webhooks.list()] == [hook.id]
    assert client.webhooks.delete(hook.id).deleted


def test_the_asynchronous_client_does_the_same(server):
    async def all_of_it():
        address = {"base_url": f"{server.url}/v1", "api_key": KEY, "max_retries": 0}
        async with AsyncOpenAI(**address) as client:
            video = await client.videos.create_and_poll(
                prompt="a red ball falls", **SMALL, extra_body=FAST, poll_interval_ms=100
            )
            assert video.status == "completed", video.error
            assert (await client.videos.retrieve(video.id)).id == video.id
            assert video.id in [one.id async for one in client.videos.list(limit=2)]
            contents = []
            for variant in ("video", "thumbnail", "spritesheet"):
                content = await client.videos.download_content(video.id, variant=variant)
                contents.append(content.read())
            remixed = await client.videos.remix(video.id, prompt="blue", extra_body=FAST)
            edited = await client.videos.edit(
                video=("clip.mp4", contents[0]), prompt="green", extra_body=FAST
            )
            source = {"video": {"id": video.id}, **FAST}
            extended = await client.videos.extend(
                video=omit, prompt="on", seconds="1", extra_body=source
            )
            for one in (remixed, edited, extended):
                ended = await client.videos.poll(one.id, poll_interval_ms=100)
                assert ended.status == "completed", ended.error
            character = await client.videos.create_character(
                name="Ball", video=("ball.mp4", contents[0])
            )
            assert (await client.videos.get_character(character.id)).name == "Ball"
            assert (await client.videos.delete(video.id)).deleted
            with pytest.raises(openai.NotFoundError):
                await client.videos.retrieve(video.id)
            with pytest.raises(openai.BadRequestError):
                await client.videos.create(prompt="")

    asyncio.run(all_of_it())


def test_a_canvas_is_made_as_it_says(client, made):
    canvas = {
        "size": [96, 96],
        "loop": True,
        "shot": [
            {"prompt": "a red ball falls", "seconds": 1, "clip": made.id},
            {"prompt": "it bounces", "seconds": 0.5, "transition": "blend"},
        ],
    }
    extra = {**FAST, "canvas": json.dumps(canvas)}
    video = client.videos.create(prompt="a loop", model="toybox", extra_body=extra)
    assert (video.size, video.seconds) == ("96x96", "1.5")
    video = client.videos.poll(video.id, poll_interval_ms=100)
    assert video.status == "completed", video.error
    frames, source = (read_video_of(client, one) for one in (video, made))
    assert len(frames) == 18
    assert abs(frames[:12].astype(int) - source.astype(int)).mean() < 4


@pytest.mark.parametrize(
    "canvas",
    ["size = [96", "nothing = 1", '[[place]]\nfile = "/etc/passwd"', "[[shot]]\nprompt = 1",
     {"place": [{"file": "../../x"}]}, {"size": [95, 96]}, {"seconds": 1e9}, {"shot": 1}],
)  # fmt: skip
def test_a_canvas_that_cannot_be_is_a_bad_request(client, canvas):
    with pytest.raises((openai.BadRequestError, openai.NotFoundError)):
        client.videos.create(prompt="x", model="toybox", extra_body={"canvas": canvas, **FAST})


def test_the_example_of_moved_code_runs(server, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("WORLDREEL_API_KEY", KEY)
    example = runpy.run_path(str(ROOT / "examples" / "moving_sora_code.py"))
    example["main"](str(tmp_path / "ball.mp4"), f"{server.url}/v1", **FAST)
    assert read_video(tmp_path / "ball.mp4").shape == (48, 720, 1280, 3)
    assert "enlarged" in capsys.readouterr().out
