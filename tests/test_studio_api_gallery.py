"""Videos as a collection: found, marked, kept, traced back, and followed as they come along."""

import asyncio
import json
import re
import threading
import time
from typing import get_args

import pytest
from tests.job_bench import new_video
from tests.live_server import ROOT
from tests.studio_bench import StudioBench

from worldreel.app.jobs import tables
from worldreel.app.jobs.folder import PREVIEW
from worldreel.app.jobs.store import insert
from worldreel.app.jobs.sweeper import Sweeper
from worldreel.app.jobs.video import Parent, Verb, new_id
from worldreel.app.server import pulls, pulse
from worldreel.app.server.application import openapi
from worldreel.app.server.canvas_shapes import CreateCanvas
from worldreel.core.errors import WorldreelError

WORDS = {"verb": "create", "prompt": "a red ball falls", "size": "64x32", "seconds": 0.5}
QUICK = {**WORDS, "num_inference_steps": 1, "seed": 1}


@pytest.fixture
def bench(tmp_path):
    made = StudioBench(tmp_path)
    yield made
    made.close()


def fill(bench, prompts, **wish):
    """Finished videos without files, the first the oldest."""
    ids = []
    with bench.service.database.write() as connection:
        for number, prompt in enumerate(prompts):
            new = new_video("alice", prompt=prompt, verb="create", **wish)
            done = {"status": "completed", "progress": 100, "completed_at": time.time()}
            done |= {"published_fence": 1, "expires_at": time.time() + 3600}
            done["facts"] = json.dumps({"num_frames": 4})
            insert(connection, new, float(number), **done)
            ids.append(new.id)
    return ids


def found(bench, **query):
    answer = bench.client.get("/v1/videos", params=query)
    assert answer.status_code == 200, answer.text
    return answer.json()


# the gallery


def test_two_thousand_videos_are_paged_through_and_counted_at_every_page(bench):
    ids = fill(bench, [f"take {number}" for number in range(2000)])
    seen, after, pages = [], {}, 0
    while True:
        page = found(bench, limit=100, **after)
        assert page["total"] == 2000
        seen += [video["id"] for video in page["data"]]
        pages += 1
        if not page["has_more"]:
            break
        after = {"after": page["last_id"]}
    assert seen == ids[::-1] and pages == 20


def test_words_are_found_in_any_order_and_case_and_signs_mean_themselves(bench):
    ids = fill(bench, ["A red BALL falls", "a blue cube", "100% red_ball", "一个红色的球落下"])
    assert [v["id"] for v in found(bench, q="ball RED")["data"]] == [ids[2], ids[0]]
    assert [v["id"] for v in found(bench, q="100%")["data"]] == [ids[2]]
    assert [v["id"] for v in found(bench, q="d_b")["data"]] == [ids[2]]
    assert [v["id"] for v in found(bench, q="红色")["data"]] == [ids[3]]
    assert found(bench, q="nothing")["total"] == 0 and found(bench, q=" ")["total"] == 4


def test_favourites_folders_and_filters_narrow_what_is_found(bench):
    ids = fill(bench, ["one", "two", "three"])
    folder = bench.client.post("/v1/folders", json={"name": "cut"}).json()
    mark = {"video_ids": [ids[0], ids[1], new_id("video")]}
    answer = bench.client.post("/v1/marks", json={**mark, "folder_id": folder["id"]}).json()
    assert [video["id"] for video in answer["data"]] == ids[:2]
    one = bench.client.post(f"/v1/videos/{ids[1]}", json={"favourite": True, "picked": True}).json()
    assert one["worldreel"]["favourite"] and one["worldreel"]["picked"]
    assert one["worldreel"]["folder_id"] == folder["id"] and one["expires_at"] is None
    assert [v["id"] for v in found(bench, favourite=True)["data"]] == [ids[1]]
    assert found(bench, picked=False)["total"] == 2
    assert found(bench, folder_id=folder["id"])["total"] == 2
    assert [v["id"] for v in found(bench, folder_id="none")["data"]] == [ids[2]]
    assert found(bench, verb="image")["total"] == 0 and found(bench, verb="create")["total"] == 3
    assert found(bench, status="completed", size=one["size"], model=one["model"])["total"] == 3
    assert bench.client.get("/v1/folders").json()["data"][0]["num_videos"] == 2
    again = bench.client.post("/v1/folders", json={"name": "cut"})
    assert again.json()["error"]["code"] == "folder_exists"
    renamed = bench.client.post(f"/v1/folders/{folder['id']}", json={"name": "final"}).json()
    assert renamed["name"] == "final" and renamed["num_videos"] == 2
    assert bench.client.delete(f"/v1/folders/{folder['id']}").json()["deleted"]
    assert found(bench, folder_id="none")["total"] == 3
    gone = bench.client.post("/v1/deletions", json={"video_ids": ids}).json()
    assert [one["id"] for one in gone["data"]] == ids and found(bench)["total"] == 0


def test_what_is_kept_does_not_expire_and_has_a_day_when_it_is_let_go(bench):
    ids = fill(bench, ["kept", "not kept"])
    with bench.service.database.write() as connection:
        connection.execute(tables.videos.update().values(expires_at=time.time() - 60))
    bench.client.post(f"/v1/videos/{ids[0]}", json={"favourite": True})
    sweeper = Sweeper(bench.service.database, bench.service.settings, bench.service.folder)
    sweeper.sweep(grace_s=-1)
    gone = [bench.service.videos.get("alice", video).files_gone for video in ids]
    assert gone == [False, True]
    one = bench.client.post(f"/v1/videos/{ids[0]}", json={"favourite": False}).json()
    assert one["expires_at"] > time.time() + 23 * 3600


@pytest.mark.parametrize(
    ("path", "body", "param"),
    [
        ("/v1/videos/ID", {"favourite": None}, "favourite"),
        ("/v1/videos/ID", {"favourite": "yes"}, "favourite"),
        ("/v1/videos/ID", {"folder_id": "none"}, "folder_id"),
        ("/v1/videos/ID", {"title": "x"}, "title"),
        ("/v1/marks", {"video_ids": []}, "video_ids"),
        ("/v1/cancellations", {}, None),
        ("/v1/cancellations", {"all": False}, "all"),
        ("/v1/cancellations", {"all": True, "batch_id": "x"}, None),
        ("/v1/folders", {"name": ""}, "name"),
    ],
)
def test_marks_that_cannot_be_are_refused(bench, path, body, param):
    (video,) = fill(bench, ["one"])
    answer = bench.client.post(path.replace("ID", video), json=body)
    assert answer.status_code in (400, 404) and answer.json()["error"]["param"] == param


# lineage


def test_a_family_is_drawn_with_those_who_are_gone(bench):
    grandparent, parent = fill(bench, ["grandparent", "parent"])
    aunt = fill(bench, ["aunt"], parents=(Parent(grandparent, "source"),))[0]
    (child,) = fill(bench, ["child"], parents=(Parent(parent, "source"), Parent(aunt, "second")))
    with bench.service.database.write() as connection:
        row = {"child": parent, "parent": grandparent, "role": "source", "owner": "alice"}
        connection.execute(tables.parents.insert().values(row))
    bench.client.delete(f"/v1/videos/{parent}")
    told = bench.client.get(f"/v1/videos/{child}/lineage").json()
    nodes = {node["id"]: node for node in told["nodes"]}
    assert set(nodes) == {child, parent, aunt, grandparent}
    assert nodes[parent] == {**nodes[parent], "status": "deleted", "prompt": None}
    assert nodes[aunt]["prompt"] == "aunt"
    edges = {(edge["parent"], edge["child"], edge["role"]) for edge in told["edges"]}
    assert edges == {
        (parent, child, "source"), (aunt, child, "second"),
        (grandparent, parent, "source"), (grandparent, aunt, "source"),
    }  # fmt: skip
    down = bench.client.get(f"/v1/videos/{grandparent}/lineage").json()
    assert {node["id"] for node in down["nodes"]} == {grandparent, parent, aunt, child}


def test_a_large_family_is_cut_at_its_nearest(bench):
    (root,) = fill(bench, ["root"])
    fill(bench, [f"child {n}" for n in range(300)], parents=(Parent(root, "source"),))
    told = bench.client.get(f"/v1/videos/{root}/lineage").json()
    assert len(told["nodes"]) == 200 and told["nodes"][0]["id"] == root
    known = {node["id"] for node in told["nodes"]}
    assert all({edge["parent"], edge["child"]} <= known for edge in told["edges"])


# storyboards


def test_a_storyboard_is_kept_changed_and_comes_back_as_a_canvas_file(bench):
    shots = [{"prompt": 'a "red" ball\n', "seconds": 0.5}, {"prompt": "ein Würfel", "seconds": 1}]
    board = {"size": [64, 32], "loop": False, "shot": shots}
    made = bench.client.post("/v1/storyboards", json={"name": "first", "board": board}).json()
    assert made["board"] == board
    path = f"/v1/storyboards/{made['id']}"
    file = bench.client.get(f"{path}/file")
    assert file.headers["content-type"].startswith("application/toml")
    again = bench.client.post("/v1/storyboards", json={"name": "again", "toml": file.text}).json()
    assert again["board"] == board
    changed = bench.client.post(path, json={"board": {"shot": []}, "name": "draft"}).json()
    assert (changed["board"], changed["name"]) == ({"shot": []}, "draft")
    listed = bench.client.get("/v1/storyboards", params={"limit": 1}).json()
    assert [one["id"] for one in listed["data"]] == [made["id"]] and listed["has_more"]
    rest = bench.client.get("/v1/storyboards", params={"after": made["id"]}).json()
    assert [one["id"] for one in rest["data"]] == [again["id"]] and not rest["has_more"]
    assert bench.client.delete(path).json()["deleted"]
    assert bench.client.get(path).status_code == 404
    for body in ({"name": "x"}, {"name": "x", "board": {}, "toml": "a = 1"},
                 {"name": "x", "toml": "= 1"}, {"name": "x", "board": {"a": [1e400]}}):  # fmt: skip
        content = json.dumps(body).replace("Infinity", "1e400")
        answer = bench.client.post(
            "/v1/storyboards", content=content, headers={"content-type": "application/json"}
        )
        assert answer.status_code == 400, body


# tenants


def test_nobody_sees_or_touches_what_is_anothers(bench):
    (name,) = fill(bench, ["mine"])
    video = bench.client.get(f"/v1/videos/{name}").json()
    folder = bench.client.post("/v1/folders", json={"name": "mine"}).json()["id"]
    board = bench.client.post("/v1/storyboards", json={"name": "b", "board": {}}).json()["id"]
    data = {"purpose": "vision"}
    file = bench.client.post("/v1/files", files={"file": ("a", b"x")}, data=data).json()["id"]
    mallory = bench.as_owner(bench.service.keys.add("mallory"))
    (own,) = [one["id"] for one in mallory.post("/v1/canvases", json=QUICK).json()["data"]]
    calls = [
        ("POST", f"/v1/videos/{name}", {"favourite": True}),
        ("GET", f"/v1/videos/{name}/lineage", None),
        ("GET", f"/v1/videos/{name}/settings", None),
        ("GET", f"/v1/videos/{name}/preview", None),
        ("POST", "/v1/canvases", {**QUICK, "verb": "create", "image": {"video_id": name}}),
        ("POST", "/v1/canvases", {**QUICK, "image": {"file_id": file}}),
        ("POST", "/v1/canvases", {**QUICK, "folder_id": folder}),
        ("POST", "/v1/plays", {"context": 4, "image": {"video_id": name}}),
        ("POST", f"/v1/videos/{own}", {"folder_id": folder}),
        ("POST", f"/v1/folders/{folder}", {"name": "theirs"}),
        ("DELETE", f"/v1/folders/{folder}", None),
        ("GET", f"/v1/storyboards/{board}", None),
        ("GET", f"/v1/storyboards/{board}/file", None),
        ("POST", f"/v1/storyboards/{board}", {"name": "theirs"}),
        ("DELETE", f"/v1/storyboards/{board}", None),
        ("GET", f"/v1/storyboards?after={board}", None),
        ("GET", f"/v1/files/{file}/settings", None),
        ("GET", f"/v1/files/{file}/thumbnail", None),
    ]
    for method, path, body in calls:
        answer = mallory.request(method, path, **({"json": body} if body is not None else {}))
        assert answer.status_code == 404, (method, path, answer.text)
    for path in ("/v1/marks", "/v1/deletions", "/v1/cancellations"):
        body = {"video_ids": [name], **({"picked": True} if path == "/v1/marks" else {})}
        assert mallory.post(path, json=body).json()["data"] == []
    assert mallory.get("/v1/folders").json()["data"] == []
    assert bench.client.get(f"/v1/videos/{name}").json() == video


# events


class Page:
    """A page that follows the events of its owner."""

    def __init__(self, bench, owner="alice"):
        self._stream = pulse._stream(
            bench.service, bench.app.state.pulse, owner, bench.app.state.stopping
        )

    async def until(self, wanted):
        """Every event up to the first of a name."""
        seen = []
        async with asyncio.timeout(60):
            async for text in self._stream:
                if not text.startswith(":"):
                    name, data = text.strip().split("\n")
                    seen.append((name.removeprefix("event: "), json.loads(data[6:])))
                    if seen[-1][0] == wanted:
                        return seen
        raise AssertionError(seen)


def test_one_stream_tells_of_all_of_an_owners_videos(bench):
    body = {**QUICK, "takes": 2}
    first, second = (v["id"] for v in bench.client.post("/v1/canvases", json=body).json()["data"])
    others = bench.as_owner(bench.service.keys.add("bob")).post("/v1/canvases", json=QUICK)

    async def follow():
        page = Page(bench)
        seen = await page.until("ready")
        assert [(name, data["id"]) for name, data in seen[:-1]] == [
            ("video", first), ("video", second),
        ]  # fmt: skip
        assert [data["worldreel"]["queue_position"] for _, data in seen[:-1]] == [1, 2]
        work = bench.service.folder.work(first)
        work.mkdir(parents=True, exist_ok=True)
        (work / PREVIEW).write_bytes(b"webp")
        with bench.service.database.write() as connection:
            mine = tables.videos.c.id == first
            connection.execute(
                tables.videos.update().where(mine).values(previews=4, status="in_progress")
            )
        seen = await page.until("preview")
        assert seen[-1][1] == {
            "id": first, "previews": 4, "image_url": "data:image/webp;base64,d2VicA==",
        }  # fmt: skip
        assert bench.client.get(f"/v1/videos/{first}/preview").content == b"webp"
        bench.client.delete(f"/v1/videos/{second}")
        seen = await page.until("deleted")
        assert seen[-1][1] == {"id": second}
        bench.client.post(f"/v1/videos/{first}/cancel")
        done = (await page.until("done"))[-1][1]
        assert (done["id"], done["error"]["code"]) == (first, "cancelled")
        newer = bench.client.post("/v1/canvases", json=QUICK).json()["data"][0]["id"]
        assert (await page.until("video"))[-1][1]["id"] == newer
        bench.app.state.stopping.set()
        assert [text async for text in page._stream] == []
        assert not bench.app.state.pulse._owners

    asyncio.run(follow())
    assert others.json()["data"][0]["id"] not in (first, second)


def test_the_server_tells_what_it_is_and_models_what_they_can(bench):
    told = bench.client.get("/v1/server").json()
    assert told["ready"] and told["workers"] == 1 and told["default_model"] == "tiny"
    assert told["limits"]["takes_max"] == 16 and told["disk"]["free_bytes"] > 0
    assert told["memory"]["total_bytes"] >= told["memory"]["free_bytes"] > 0
    models = {
        model["id"]: model["worldreel"] for model in bench.client.get("/v1/models").json()["data"]
    }
    tiny = models["tiny"]
    assert tiny["is_default"] and not tiny["official_sizes"] and models["sora-2"]["official_sizes"]
    assert tiny["size"]["multiple"] == [32, 32] and tiny["fps"] == 12
    assert tiny["takes"] == ["text", "first_frame", "last_frame", "clip"] and tiny["actions"] == []


def test_an_open_model_is_fetched_while_the_server_runs(bench, monkeypatch, tmp_path):
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
    come, asked = threading.Event(), threading.Event()

    def pull(model, progress):
        progress(1, 10, "download")
        asked.set()
        assert come.wait(60)
        progress(10, 10, "check")
        raise WorldreelError("The disk is too small.")

    monkeypatch.setattr(pulls.hub, "pull", pull)
    listed = bench.client.get("/v1/models", params={"all": True}).json()["data"]
    far = [model["id"] for model in listed if not model["worldreel"]["installed"]]
    assert far and all(model["worldreel"]["downloadable"] for model in listed if model["id"] in far)
    path = f"/v1/models/{far[0]}/pull"
    assert bench.client.get(path).json()["status"] == "none"
    bob = bench.as_owner(bench.service.keys.add("bob"))
    assert bob.post(path).json()["error"]["code"] == "admin_only"
    assert bench.client.post(path).json()["status"] == "running"
    assert asked.wait(60)
    told = bob.get(path).json()
    assert (told["status"], told["done_bytes"], told["total_bytes"]) == ("running", 1, 10)
    come.set()
    until(lambda: bench.client.get(path).json()["status"] == "failed")
    assert bench.client.get(path).json()["error"] == "The disk is too small."
    come.clear()
    asked.clear()
    bench.client.post(path)
    assert asked.wait(60) and bench.client.delete(path).status_code == 200
    come.set()
    until(lambda: bench.client.get(path).json()["status"] == "cancelled")
    assert bench.client.delete(path).json()["error"]["code"] == "no_pull"
    assert bench.client.get("/v1/models/tiny/pull").status_code == 404


def until(holds):
    end = time.monotonic() + 60
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.01)


# the docs

PAGE = (ROOT / "docs" / "studio-api.md").read_text("utf-8")


def test_every_route_of_the_page_is_one():
    paths = openapi()["paths"]
    found = re.findall(r"`(GET|POST|DELETE) (/v1/[^`\s?]*)`", PAGE)
    assert len(found) > 30
    for method, path in found:
        assert method.lower() in paths.get(path, {}), (method, path)


def test_every_body_of_the_page_is_one():
    bodies = re.findall(r"^```json\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    verbs = [CreateCanvas.model_validate_json(body, strict=True).root.verb for body in bodies]
    assert verbs == ["create", "extend", "erase"]
    named = set(re.findall(r"^\| ((?:`[a-z]+`(?:, )?)+) \|", PAGE, re.MULTILINE))
    told = {verb for row in named for verb in re.findall("[a-z]+", row)}
    assert told == {*get_args(Verb)} - {"play"}


def test_however_many_pages_follow_one_reader_reads(bench):
    async def follow():
        pages = [asyncio.create_task(Page(bench).until("ready")) for _ in range(20)]
        await asyncio.gather(*pages)
        readers = [task for task in asyncio.all_tasks() if "Pulse._read" in repr(task)]
        assert len(readers) == 1

    asyncio.run(follow())
