"""Every verb as a job, with a tiny model: what is given stays, and what comes out is told."""

import io
import json

import numpy as np
import pytest
from PIL import Image
from tests.studio_bench import TINY, StudioBench

from worldreel.app.jobs.video import Wish
from worldreel.app.server.canvas_shapes import Move, Stroke
from worldreel.app.server.problems import ApiError
from worldreel.app.server.strokes import draw_mask
from worldreel.generate.verbs import noise_of
from worldreel.media.read import read_settings, read_video

PROMPT = "a red ball falls"
WORDS = {"prompt": PROMPT, "size": "64x32", "seed": 5, "num_inference_steps": 1}
HOW = {"seed": 1, "num_inference_steps": 2}


@pytest.fixture(scope="module")
def bench(tmp_path_factory):
    made = StudioBench(tmp_path_factory.mktemp("studio"))
    yield made
    made.close()


@pytest.fixture(scope="module")
def clip(bench):
    (video,) = bench.make({"verb": "create", **WORDS, "seconds": 1})
    return video


def pixels(bench, video):
    return read_video(bench.path(video["id"]))


def upload(bench, data, name="a.png"):
    answer = bench.client.post(
        "/v1/files", files={"file": (name, data)}, data={"purpose": "vision"}
    )
    assert answer.status_code == 200, answer.text
    return answer.json()["id"]


def png(colour, size=(64, 32)):
    file = io.BytesIO()
    Image.new("RGB", size, colour).save(file, "PNG")
    return file.getvalue()


def test_words_become_takes_with_seeds_in_a_row(bench):
    done = bench.make({"verb": "create", **WORDS, "seconds": 0.5, "takes": 3})
    assert [one["worldreel"]["seed"] for one in done] == [5, 6, 7]
    assert [one["worldreel"]["take"] for one in done] == [1, 2, 3]
    assert len({one["worldreel"]["batch_id"] for one in done}) == 1
    assert [pixels(bench, one).shape for one in done] == [(6, 32, 64, 3)] * 3
    assert not np.array_equal(pixels(bench, done[0]), pixels(bench, done[1]))
    body = bench.client.get(f"/v1/videos/{done[1]['id']}/settings").json()["body"]
    assert body["seed"] == 6
    (again,) = bench.make(body)
    assert np.array_equal(pixels(bench, again), pixels(bench, done[1]))


def test_a_picture_from_words_can_be_had_as_a_png_without_loss(bench):
    (done,) = bench.make({"verb": "image", **WORDS})
    assert done["worldreel"]["num_frames"] == 1
    answer = bench.client.get(f"/v1/videos/{done['id']}/content?variant=image")
    picture = Image.open(io.BytesIO(answer.content))
    assert answer.headers["content-type"] == "image/png" and picture.size == (64, 32)


def test_a_clip_goes_on_and_its_own_frames_stay_as_they_are(bench, clip):
    own = pixels(bench, clip)
    source = {"video_id": clip["id"]}
    (forward,) = bench.make({"verb": "extend", "source": source, "seconds": 0.5, **HOW})
    (backward,) = bench.make(
        {"verb": "extend", "source": source, "seconds": 0.5, "direction": "backward", **HOW}
    )
    assert forward["prompt"] == PROMPT  # the source's own
    assert forward["worldreel"]["parents"] == [{"video_id": clip["id"], "role": "source"}]
    assert alike(pixels(bench, forward)[:12], own) and alike(pixels(bench, backward)[6:], own)
    assert len(pixels(bench, forward)) == len(pixels(bench, backward)) == 18


def alike(one, other):
    """But for compression and the watermark."""
    assert one.shape == other.shape, (one.shape, other.shape)
    return np.abs(one.astype(int) - other).mean() < 6


def test_a_clip_becomes_a_loop_and_two_are_connected(bench, clip):
    own, source = pixels(bench, clip), {"video_id": clip["id"]}
    (loop,) = bench.make({"verb": "loop", "source": source, "seconds": 0.5, **HOW})
    assert alike(pixels(bench, loop)[:12], own) and len(pixels(bench, loop)) == 18
    second = {"video_id": clip["id"], "from_s": 0.5}
    body = {"verb": "connect", "source": source, "second": second, "seconds": 0.5, **HOW}
    (both,) = bench.make(body)
    frames = pixels(bench, both)
    assert alike(frames[:12], own) and alike(frames[18:], own[6:])
    roles = [one["role"] for one in both["worldreel"]["parents"]]
    assert roles == ["source", "second"]


@pytest.mark.parametrize(("verb", "more"), [("edit", {}), ("upscale", {"size": "96x64"})])
def test_strength_is_the_noise_at_which_the_clip_is_given(bench, clip, verb, more):
    body = {"verb": verb, "prompt": "snow", "source": {"video_id": clip["id"]}, **more, **HOW}
    (video,) = bench.make({**body, "strength": 0.6})
    assert video["worldreel"]["strength"] == 0.6 and video["prompt"] == "snow"
    row = bench.service.videos.get("alice", video["id"])
    (place,) = json.loads(Wish.from_json(row.wish).canvas)["place"]
    assert place["noise"] == pytest.approx(noise_of(0.6, TINY.sampling.shift))
    assert len(pixels(bench, video)) == 12


def test_strokes_that_move_free_what_is_under_them_and_nothing_else(bench, clip):
    own, source = pixels(bench, clip).astype(int), {"video_id": clip["id"]}
    # a dot that goes from the left half into the right half within the second
    moves = [{"at_s": 0, "dx": 0, "dy": 0}, {"at_s": 11 / 12, "dx": 0.5, "dy": 0}]
    stroke = {"points": [[0.25, 0.5]], "radius": 0.2, "moves": moves}
    body = {"verb": "erase", "source": source, "mask": {"strokes": [stroke]}, **HOW}
    (video,) = bench.make(body)
    changed = np.abs(pixels(bench, video) - own).mean(axis=3)
    assert changed[0, 12:20, 12:20].mean() > 2 * changed[0, :, 40:].mean()
    assert changed[-1, 12:20, 44:52].mean() > 2 * changed[-1, :, :24].mean()


def test_a_mask_may_be_a_picture_of_the_sources_shape(bench, clip):
    own = pixels(bench, clip).astype(int)
    mask = Image.new("L", (128, 64))
    mask.paste(255, (0, 0, 64, 64))
    file = io.BytesIO()
    mask.save(file, "PNG")
    given = {"file_id": upload(bench, file.getvalue())}
    body = {"verb": "replace", "prompt": "a cube", "source": {"video_id": clip["id"]}, **HOW}
    (video,) = bench.make({**body, "mask": given})
    changed = np.abs(pixels(bench, video) - own).mean(axis=(0, 1, 3))
    assert changed[:28].mean() > 2 * changed[36:].mean()
    given = {"file_id": upload(bench, png("white", (64, 64)))}
    answer = bench.client.post("/v1/canvases", json={**body, "mask": given})
    assert answer.status_code == 400 and answer.json()["error"]["param"] == "mask"


def test_a_clip_lies_inside_of_a_larger_picture(bench, clip):
    own, source = pixels(bench, clip), {"video_id": clip["id"]}
    (video,) = bench.make({"verb": "expand", "source": source, "size": "96x64", **HOW})
    assert pixels(bench, video).shape == (12, 64, 96, 3) and video["size"] == "96x64"
    body = {"verb": "expand", "source": source, "size": "96x64", "box": [16, 16, 64, 32], **HOW}
    (video,) = bench.make(body)
    assert alike(pixels(bench, video)[:, 16:48, 16:80], own)


def test_a_clip_is_enlarged_recut_and_shown_faster(bench, clip):
    own, source = pixels(bench, clip), {"video_id": clip["id"]}
    (large,) = bench.make({"verb": "upscale", "source": source, "size": "96x32", **HOW})
    assert large["size"] == "96x32"
    body = {"verb": "recut", "source": source, "from_s": 0.25, "to_s": 0.75, "after": 0.5, **HOW}
    (cut,) = bench.make(body)
    assert alike(pixels(bench, cut)[:6], own[3:9]) and len(pixels(bench, cut)) == 12
    (smooth,) = bench.make({"verb": "interpolate", "source": source, "fps": 24, **HOW})
    frames = pixels(bench, smooth)
    assert len(frames) == 23 and smooth["worldreel"]["fps"] == 24
    assert alike(frames[::2], own)


def test_pictures_that_were_uploaded_are_the_first_and_last_frame(bench):
    red, blue = upload(bench, png("red", (96, 96))), upload(bench, png("blue"))
    body = {"verb": "create", **WORDS, "seconds": 1, "image": {"file_id": red}}
    (video,) = bench.make({**body, "last_image": {"file_id": blue}})
    frames = pixels(bench, video).astype(int)
    assert frames[0, ..., 0].mean() > 200 > 60 > frames[0, ..., 2].mean()
    assert frames[-1, ..., 2].mean() > 200 > 60 > frames[-1, ..., 0].mean()


def test_a_clip_that_was_uploaded_tells_its_settings_and_is_gone_on_from(bench, clip):
    data = bench.client.get(f"/v1/videos/{clip['id']}/content").content
    file = upload(bench, data, "clip.mp4")
    told = bench.client.get(f"/v1/files/{file}/settings").json()
    assert (told["kind"], told["width"], told["height"]) == ("video", 64, 32)
    assert told["settings"]["prompt"] == PROMPT and told["body"]["seed"] == 5
    (again,) = bench.make(told["body"] | {"model": "tiny"})
    assert np.array_equal(pixels(bench, again), pixels(bench, clip)) or alike(
        pixels(bench, again), pixels(bench, clip)
    )
    picture = bench.client.get(f"/v1/files/{file}/thumbnail")
    assert Image.open(io.BytesIO(picture.content)).size == (64, 32)
    body = {"verb": "extend", "source": {"file_id": file}, "seconds": 0.5, **HOW}
    (video,) = bench.make(body)
    assert video["prompt"] == PROMPT and len(pixels(bench, video)) == 18


def test_a_storyboard_is_rendered_with_files_that_are_ids(bench, clip):
    shots = [
        {"prompt": "a ball", "seconds": 0.5, "clip": clip["id"], "clip_to_s": 0.25},
        {"prompt": "a cube", "seconds": 0.5, "transition": "blend"},
    ]
    board = {"size": [64, 32], "shot": shots}
    (video,) = bench.make({"verb": "storyboard", "board": board, **HOW})
    frames = pixels(bench, video)
    assert len(frames) == 12 and alike(frames[:3], pixels(bench, clip)[:3])
    assert video["worldreel"]["parents"] == [{"video_id": clip["id"], "role": "board"}]
    settings = read_settings(bench.path(video["id"]))
    assert settings["verb"] == "storyboard"


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"verb": "dance"}, "verb"),
        ({"prompt": "x"}, "verb"),
        ({"verb": "create"}, "prompt"),
        ({"verb": "create", "prompt": "x", "takes": 17}, "takes"),
        ({"verb": "create", "prompt": "x", "size": "65x32"}, "size"),
        ({"verb": "create", "prompt": "x", "seconds": 1e9}, "seconds"),
        ({"verb": "create", "prompt": "x", "seconds": 0.51}, "seconds"),
        ({"verb": "create", "prompt": "x", "folder_id": "none"}, "folder_id"),
        ({"verb": "create", "prompt": "x", "model": "gpt"}, "model"),
        ({"verb": "extend", "source": {}, "seconds": 1}, "source"),
        ({"verb": "extend", "source": {"video_id": "video_x"}, "seconds": 1}, "source.video_id"),
        ({"verb": "extend", "source": {"file_id": "file_x"}, "seconds": 1}, "source.file_id"),
        ({"verb": "erase", "source": "CLIP", "mask": {"strokes": []}}, "mask.strokes"),
        (
            {"verb": "erase", "source": "CLIP",
             "mask": {"strokes": [{"points": [[1.5, 1.5]], "radius": 0.01}]}},
            "mask",
        ),
        (
            {"verb": "erase", "source": "CLIP",
             "mask": {"strokes": [{"points": [[0.5, 0.5]], "radius": 2}]}},
            "mask",
        ),
        ({"verb": "recut", "source": "CLIP", "from_s": 0.5, "to_s": 0.5}, "from_s"),
        ({"verb": "recut", "source": "CLIP", "to_s": 0.77}, "source.to_s"),
        ({"verb": "recut", "source": "CLIP", "to_s": 7}, "source.to_s"),
        ({"verb": "interpolate", "source": "CLIP", "fps": 30}, "fps"),
        ({"verb": "expand", "source": "CLIP", "size": "96x64", "box": [0, 0, 3, 3]}, "box"),
        ({"verb": "storyboard", "board": {"shot": [{"prompt": "x"}]}}, "board"),
        ({"verb": "storyboard", "board": "no = toml = here"}, "board"),
        ({"verb": "storyboard", "board": {"place": [{"file": "../etc/passwd"}]}}, "board"),
        ({"verb": "storyboard", "board": {"shot": [{"prompt": "x", "seconds": 1,
          "clip": "video_x", "clip_from_s": "a"}]}}, "board"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_refused_with_the_field_and_leaves_nothing(bench, clip, body, param):
    if body.get("source") == "CLIP":
        body = {**body, "source": {"video_id": clip["id"]}}
    for path in ("/v1/canvases", "/v1/canvases/estimates"):
        answer = bench.client.post(path, json=body)
        assert answer.status_code in (400, 404), answer.text
        assert answer.json()["error"]["param"] == param, answer.text
    assert list(bench.service.folder.work_root.iterdir()) == []
    assert list(bench.service.folder.aside.iterdir()) == []


def test_strokes_that_would_take_long_to_draw_are_refused_at_once():
    moves = [Move(at_s=0, dx=0, dy=0), Move(at_s=100, dx=1, dy=0)]
    corners = [[number % 2, number // 2 % 2] for number in range(20_000)]
    slow = Stroke(points=corners, radius=0.1, moves=moves)
    whole = {"source": (128, 128), "size": (128, 128), "num_frames": 1440, "fps": 12}
    with pytest.raises(ApiError, match="takes too long"):
        draw_mask([slow], **whole)


def test_points_under_the_brush_of_the_one_before_change_nothing_of_note():
    line = [[0.2 + 0.6 * number / 5000, 0.5] for number in range(5001)]
    whole = {"source": (128, 64), "size": (128, 64), "num_frames": 1, "fps": 12}
    many = draw_mask([Stroke(points=line, radius=0.1)], **whole)
    few = draw_mask([Stroke(points=[line[0], line[-1]], radius=0.1)], **whole)
    edge = 0.6 * 128  # pixels of one row along the line
    assert (many != few).sum() <= edge and few.sum() > 500
    erased = Stroke(points=[line[0], line[-1]], radius=0.2, erase=True)
    assert not draw_mask([Stroke(points=line, radius=0.1), erased], **whole).any()


def test_an_estimate_counts_all_takes_and_what_waits(bench):
    body = {"verb": "create", **WORDS, "seconds": 1}
    one = bench.client.post("/v1/canvases/estimates", json=body).json()
    assert one["takes"] == 1 and one["num_frames"] == 12 and one["size"] == "64x32"
    assert one["queue_position"] == 1 and one["wait_seconds"] == 0
    first = bench.client.post("/v1/canvases", json={**body, "takes": 2}).json()
    four = bench.client.post("/v1/canvases/estimates", json={**body, "takes": 4}).json()
    assert four["queue_position"] == 3 and four["wait_seconds"] > 0
    assert four["work_seconds"] == pytest.approx(4 * one["work_seconds"], rel=0.1)
    ids = [video["id"] for video in first["data"]]
    second = bench.client.get(f"/v1/videos/{ids[1]}").json()["worldreel"]
    assert second["queue_position"] == 2 and second["seconds_left"] >= 0
    stopped = bench.client.post("/v1/cancellations", json={"batch_id": first["batch_id"]}).json()
    assert [video["id"] for video in stopped["data"]] == ids
    assert {video["error"]["code"] for video in stopped["data"]} == {"cancelled"}


def test_the_same_key_gives_the_same_takes(bench):
    body = {"verb": "create", **WORDS, "seconds": 1, "takes": 2}
    headers = {"idempotency-key": "takes"}
    first = bench.client.post("/v1/canvases", json=body, headers=headers)
    again = bench.client.post("/v1/canvases", json=body, headers=headers)
    assert again.json() == first.json() and again.headers["idempotent-replayed"] == "true"
    assert len(list(bench.service.folder.work_root.iterdir())) == 0
    bench.client.post("/v1/cancellations", json={"all": True})


def test_takes_that_do_not_fit_the_queue_are_refused_together(tmp_path):
    small = StudioBench(tmp_path, queue_max=3)
    body = {"verb": "create", **WORDS, "seconds": 1}
    answer = small.client.post("/v1/canvases", json={**body, "takes": 4})
    assert answer.status_code == 429 and int(answer.headers["retry-after"]) >= 1
    assert small.client.get("/v1/videos").json()["total"] == 0
    assert small.client.post("/v1/canvases", json={**body, "takes": 3}).status_code == 200
    small.close()
