"""The server's road: every file that a job publishes is marked, or none of them is."""

import io

import numpy as np
import pytest
from tests.job_bench import OWNER, Bench
from tests.marks_of import marks_of
from tests.studio_bench import StudioBench

from worldreel.app.jobs import pictures
from worldreel.app.jobs.folder import published_names
from worldreel.app.jobs.marking import KEYS, Marking
from worldreel.app.jobs.workflow import make
from worldreel.app.policy.gate import Gate
from worldreel.app.policy.policy import Category, Policy
from worldreel.core.errors import WorldreelError
from worldreel.media.footage import describe_file
from worldreel.media.write import VideoWriter
from worldreel.provenance import carriers, credentials
from worldreel.provenance.mark import Marker
from worldreel.provenance.verify import Keys

CHECKS = "/v1/content_provenance_checks"
OTHER = "other-bench-key-0123456789"
BODY = {"prompt": "a red ball", "model": "tiny", "size": "64x64", "seconds": "0.5", "seed": 1}


@pytest.fixture(scope="module")
def bench(tmp_path_factory):
    made = StudioBench(tmp_path_factory.mktemp("server"))
    made.service.keys.add("mallory", OTHER)
    yield made
    made.close()


@pytest.fixture(scope="module")
def video(bench) -> str:
    return finished(bench, bench.client.post("/v1/videos", json=BODY))


@pytest.fixture
def jobs(tmp_path):
    made = Bench(tmp_path / "data")
    yield made
    made.database.close()


def finished(bench, answer) -> str:
    """The id of a video that was asked for, once it is made."""
    assert answer.status_code == 200, answer.text
    bench.work()
    found = bench.client.get(f"/v1/videos/{answer.json()['id']}").json()
    assert found["status"] == "completed", found
    return found["id"]


def root(bench) -> str:
    return Keys.open(bench.service.settings.data / KEYS).anchors_pem


def files(bench, video: str):
    found = bench.service.videos.get("alice", video)
    folder = bench.service.folder.published(video, found.published_fence)
    return {name: folder / name for name in published_names(folder)}


def error(answer) -> tuple[int, str]:
    return answer.status_code, answer.json()["error"]["code"]


# what is published


def test_every_file_of_a_video_is_marked(bench, video):
    found = files(bench, video)
    assert len(found) >= 4
    for name, path in found.items():
        examined = marks_of(path, root(bench))
        assert examined.credentials.state == "trusted", (name, examined)
        assert examined.credentials.content_id == video
        assert examined.labels.aigc is not None and examined.labels.say_generated, name
    settings = describe_file(found["video.mp4"])[1]
    assert settings is not None and settings["prompt"] == "a red ball"
    assert {path.name for path in found["video.mp4"].parent.iterdir()} == set(found)


def test_a_video_made_from_another_names_it_with_its_credentials(bench, video):
    body = {"prompt": "a blue ball", "video": {"id": video}}
    edited = finished(bench, bench.client.post("/v1/videos/edits", json=body))
    steps = marks_of(files(bench, edited)["video.mp4"], root(bench)).credentials.steps
    assert [(step.depth, step.title) for step in steps] == [(0, edited), (1, video)]
    assert steps[0].actions == ("c2pa.opened", "c2pa.edited")


def test_an_uploaded_clip_keeps_its_own_credentials_as_a_source(bench, tmp_path):
    marker = Marker.open(tmp_path / "keys", tell=lambda told: None)
    clip = tmp_path / "clip.mp4"
    frames = np.full((6, 64, 64, 3), 90, np.uint8)
    with marker.writer(clip, size=(64, 64), fps=12, settings={"model": "elsewhere"}) as file:
        file.write(frames)
    with open(clip, "rb") as sent:
        answer = bench.client.post(
            "/v1/videos/edits", data={"prompt": "a ball"}, files={"video": sent}
        )
    steps = marks_of(files(bench, finished(bench, answer))["video.mp4"]).credentials.steps
    assert [step.depth for step in steps] == [0, 1]
    assert steps[1].model == "elsewhere" and steps[1].issuer.startswith("worldreel local signer")


@pytest.mark.parametrize("part", ["labels", "credentials", "check", "keys"])
def test_where_marking_fails_nothing_is_published_and_the_job_says_so(jobs, monkeypatch, part):
    def broken(*words, **named):
        raise WorldreelError("broken")

    where, name = {
        "labels": (carriers, "write_labels"),
        "credentials": (credentials, "sign"),
        "check": (Marker, "_check"),
        "keys": (Marking, "open"),
    }[part]
    monkeypatch.setattr(where, name, broken)
    video = jobs.admit()
    make(jobs.workshop("w"), jobs.store.claim(video, "w"))
    found = jobs.store.get(OWNER, video)
    assert (found.status, found.error_code) == ("failed", "marking_failed"), found
    assert jobs.published(video) == [] and not jobs.folder.work(video).exists()


def test_what_an_older_version_decoded_without_a_watermark_is_decoded_anew(jobs):
    kept: dict = {}

    def recall(name, act):
        if name not in kept:
            kept[name] = act()
            if name == "decode":
                del kept[name]["facts"]["watermarked"]
        return kept[name]

    video = jobs.admit()
    shop = jobs.workshop("w", remember=recall)
    make(shop, jobs.store.claim(video, "w"))
    assert jobs.store.get(OWNER, video).status == "completed"
    assert shop.maker.decoded == 2


# checks


def test_a_file_and_a_video_are_checked_and_the_answers_agree(bench, video):
    path = files(bench, video)["video.mp4"]
    by_file = bench.client.post(CHECKS, files={"file": path.read_bytes()})
    by_id = bench.client.post(CHECKS, json={"video": {"id": video}})
    assert by_file.status_code == 200 and by_file.json() == by_id.json()
    told = by_id.json()
    assert told["credentials"]["state"] == "trusted" and told["says_generated"]
    assert told["credentials"]["content_id"] == video
    assert told["watermark"]["state"] in ("found", "not_found")
    assert any("In all" in line for line in told["words"])


def test_a_clean_clip_says_that_absence_proves_nothing(bench, tmp_path):
    with VideoWriter(tmp_path / "clip.mp4", size=(64, 64), fps=12, settings={}) as file:
        file.write(np.full((4, 64, 64, 3), 90, np.uint8))
    sent = {"file": (tmp_path / "clip.mp4").read_bytes()}
    told = bench.client.post(CHECKS, files=sent).json()
    assert told["credentials"]["state"] == "none" and not told["says_generated"]
    assert "proves nothing" in " ".join(told["words"])


def test_nobody_checks_the_videos_of_others(bench, video):
    asked = {"video": {"id": video}}
    other = bench.as_owner(OTHER)
    assert error(other.post(CHECKS, json=asked)) == (404, "video_not_found")
    assert bench.as_owner(None).post(CHECKS, json=asked).status_code == 401


@pytest.mark.parametrize("data", [b"", b"no video", b"\0" * 1000])
def test_what_is_no_video_is_refused(bench, data):
    assert error(bench.client.post(CHECKS, files={"file": data})) == (400, "invalid_media")


def test_a_file_without_frames_is_checked_for_what_it_can_be(bench):
    told = bench.client.post(CHECKS, files={"file": b"\x89PNG\r\n\x1a\n"}).json()
    assert told["watermark"]["state"] == "not_searched" and not told["says_generated"]


def test_exactly_one_of_file_and_video_is_checked(bench, video):
    assert error(bench.client.post(CHECKS, json={})) == (400, "missing_required_parameter")
    both = {"data": {"video[id]": video}, "files": {"file": b"a"}}
    assert error(bench.client.post(CHECKS, **both)) == (400, "missing_required_parameter")
    odd = {"video": {"id": "video_\u0000"}}
    assert bench.client.post(CHECKS, json=odd).status_code in (400, 404)


# policy and consent over HTTP


@pytest.fixture
def strict(bench, monkeypatch):
    """The server with a policy."""
    words = (Category(name="red", words=("red",)),)
    policy = Policy(categories=words, consent_for_characters=True, people_in_pictures="consent")
    gate = Gate(policy=policy, database=bench.service.database)
    monkeypatch.setattr(bench.service, "gate", gate)
    return bench


def test_what_the_policy_holds_is_refused_at_once_and_leaves_nothing(strict):
    before = set(strict.service.folder.work_root.iterdir())
    answer = strict.client.post("/v1/videos", json=BODY)
    assert error(answer) == (400, "content_policy_violation")
    assert "(red)" in answer.json()["error"]["message"]
    assert set(strict.service.folder.work_root.iterdir()) == before
    fine = strict.client.post("/v1/videos", json={**BODY, "prompt": "a blue ball"})
    assert fine.status_code == 200
    strict.work()


def test_a_picture_needs_a_word_about_people(strict):
    from PIL import Image

    data = io.BytesIO()
    Image.new("RGB", (64, 64), (90, 90, 90)).save(data, "PNG")
    body = {key: str(value) for key, value in {**BODY, "prompt": "a ball"}.items()}

    def ask(**more):
        sent = {"input_reference": ("a.png", data.getvalue(), "image/png")}
        return strict.client.post("/v1/videos", data={**body, **more}, files=sent)

    assert error(ask()) == (400, "attestation_required")
    assert error(ask(shows_person="true")) == (400, "person_refused")
    assert error(ask(shows_person="true", consent="consent_1")) == (400, "consent_gone")
    consent = agree(strict)
    assert ask(shows_person="false").status_code == 200
    assert ask(shows_person="true", consent=consent).status_code == 200
    strict.work()


def agree(bench) -> str:
    answer = bench.client.post("/v1/consents", json={"person": "Ada", "purpose": "a film"})
    assert answer.status_code == 200, answer.text
    return answer.json()["id"]


def test_a_character_needs_a_consent_and_a_revoked_one_ends_its_use(strict, video):
    clip = files(strict, video)["video.mp4"].read_bytes()

    def make_character(**fields):
        answer = strict.client.post(
            "/v1/videos/characters", data={"name": "Ada", **fields}, files={"video": clip}
        )
        return answer

    assert error(make_character()) == (400, "consent_required")
    assert error(make_character(consent="consent_1")) == (400, "consent_gone")
    consent = agree(strict)
    character = make_character(consent=consent)
    assert character.status_code == 200, character.text
    body = {**BODY, "prompt": "a ball", "characters": [{"id": character.json()["id"]}]}
    queued = strict.client.post("/v1/videos", json={**body, "shows_person": False})
    assert queued.status_code == 200, queued.text
    assert strict.client.post(f"/v1/consents/{consent}/revoke").json()["revoked_at"]
    refused = strict.client.post("/v1/videos", json={**body, "shows_person": False})
    assert error(refused) == (400, "consent_gone")
    shop = strict._shop
    assert shop.store.claim(queued.json()["id"], "worker") is None
    found = strict.client.get(f"/v1/videos/{queued.json()['id']}").json()
    assert found["error"]["code"] == "consent_gone"


def test_consents_are_their_owners_alone(strict):
    consent = agree(strict)
    other = strict.as_owner(OTHER)
    assert error(other.get(f"/v1/consents/{consent}")) == (404, "consent_not_found")
    assert error(other.post(f"/v1/consents/{consent}/revoke")) == (404, "consent_not_found")
    assert other.get("/v1/consents").json()["data"] == []
    page = strict.client.get("/v1/consents", params={"limit": 1}).json()
    assert page["data"][0]["id"] == consent and page["data"][0]["revoked_at"] is None
    rest = strict.client.get("/v1/consents", params={"after": page["last_id"]}).json()
    assert consent not in [one["id"] for one in rest["data"]]


def test_a_consent_that_ends_before_it_begins_is_refused(strict):
    body = {"person": "Ada", "purpose": "a film", "given_at": 10, "expires_at": 5}
    assert error(strict.client.post("/v1/consents", json=body)) == (400, "invalid_value")


def test_a_shared_server_wants_a_word_about_people_without_a_policy(bench):
    from worldreel.app.policy.policy import load_policy

    assert load_policy(None, shared=True).people_in_pictures == "consent"
    assert load_policy(None).people_in_pictures == "always"
    assert not bench.service.settings.shared  # a server that this machine alone reaches


def test_the_routes_are_in_the_document(bench):
    paths = bench.client.get("/openapi.json").json()["paths"]
    assert {CHECKS, "/v1/consents", "/v1/consents/{consent_id}/revoke"} <= set(paths)


def test_a_picture_out_of_a_clip_names_the_clip(bench, video):
    body = {"verb": "create", "prompt": "a ball", "size": "64x64", "seconds": 0.5}
    (made,) = bench.make({**body, "image": {"video_id": video}})
    steps = marks_of(files(bench, made["id"])["video.mp4"], root(bench)).credentials.steps
    assert [(step.depth, step.title) for step in steps] == [(0, made["id"]), (1, video)]


def test_a_clip_under_a_verb_is_named_once(bench, video):
    body = {"verb": "extend", "source": {"video_id": video}, "seconds": 0.5, "prompt": "a ball"}
    (made,) = bench.make(body)
    steps = marks_of(files(bench, made["id"])["video.mp4"], root(bench)).credentials.steps
    assert [(step.depth, step.title) for step in steps] == [(0, made["id"]), (1, video)]


def test_masks_of_a_canvas_are_no_source(tmp_path):
    from worldreel.app.jobs.marking import sources_of
    from worldreel.app.jobs.video import Wish

    for name in ("canvas-500.mp4", "canvas-501.mask", "canvas-500.mp4.origin", "stretch-0.part"):
        (tmp_path / name).touch()
    with VideoWriter(tmp_path / "canvas-500.mp4", size=(64, 64), fps=12, settings={}) as file:
        file.write(np.full((2, 64, 64, 3), 90, np.uint8))
    (tmp_path / "canvas-500.mp4.origin").unlink()
    sizes = dict.fromkeys(("width", "height", "shown_width", "shown_height"), 64)
    wish = Wish(
        kind="create", model="tiny", prompt="a", seed=1, num_frames=2, fps=12, canvas="{}", **sizes
    )
    assert [source.title for source in sources_of(wish, tmp_path)] == ["canvas-500"]


def test_pictures_of_a_video_on_its_way_are_marked_and_where_that_fails_nothing_is_shown(
    bench, monkeypatch
):
    shown: list[np.ndarray] = []
    monkeypatch.setattr(pictures, "save_small", lambda path, frame: shown.append(frame))
    maker = bench._shop.maker
    for marking in (maker._marking, None):
        monkeypatch.setattr(maker, "_marking", marking)
        assert bench.client.post("/v1/videos", json=BODY).status_code == 200
        bench.work()
    marked, plain = shown
    difference = np.abs(marked.astype(int) - plain)
    assert 0 < difference.mean() < 4

    def fail(*asked):
        raise WorldreelError("no")

    monkeypatch.setattr(maker, "_marking", Marking(bench.service.settings.data))
    monkeypatch.setattr(Marker, "picture", fail)
    failing = bench.client.post("/v1/videos", json=BODY).json()["id"]
    bench.work()
    assert bench.client.get(f"/v1/videos/{failing}").json()["status"] == "failed"
    assert len(shown) == 2
