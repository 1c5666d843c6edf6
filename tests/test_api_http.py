"""The server over plain HTTP: what is not the client's business, and what nobody may do."""

import concurrent.futures
import contextlib
import http.client
import io
import json
import socket
import sqlite3
import time

import pytest
from PIL import Image
from tests.hostile_requests import NAMES, URLS
from tests.live_server import FAST, KEY, LiveServer, live_server, wait_for

from worldreel.app.jobs import outward
from worldreel.app.jobs.database import Database
from worldreel.app.jobs.keys import KeyStore
from worldreel.core.errors import UsageError, WorldreelError

BODY = {"prompt": "a red ball falls", "model": "toybox", "size": "96x96", "seconds": "1", **FAST}
LONG = {**BODY, "seconds": "20", "num_inference_steps": 100}


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with live_server(tmp_path_factory.mktemp("server") / "data", "--queue-max", "12") as running:
        running.wait_until_ready()
        yield running


@pytest.fixture(scope="module")
def client(server):
    with server.http() as made:
        yield made


@pytest.fixture(scope="module")
def other(server):
    """Somebody else, with a key of their own."""
    database = Database(f"sqlite:///{server.data / 'worldreel.sqlite'}")
    key = KeyStore(database).add("mallory")
    database.close()
    with server.http(key) as made:
        yield made


@pytest.fixture(scope="module")
def made(client):
    answer = client.post("/v1/videos", json=BODY)
    assert answer.status_code == 200, answer.text
    video = wait_for(client, answer.json()["id"])
    assert video["status"] == "completed", video
    return video


def error_of(answer, status):
    assert answer.status_code == status, answer.text
    body = answer.json()["error"]
    assert set(body) == {"message", "type", "param", "code"}
    return body


# once per key


def test_the_same_key_and_body_give_the_same_video(client):
    headers = {"idempotency-key": "one"}
    first = client.post("/v1/videos", json=BODY, headers=headers)
    again = client.post("/v1/videos", json=BODY, headers=headers)
    assert first.status_code == again.status_code == 200
    assert first.json() == again.json()
    assert again.headers["idempotent-replayed"] == "true"
    assert "idempotent-replayed" not in first.headers
    reused = client.post("/v1/videos", json={**BODY, "prompt": "other"}, headers=headers)
    assert error_of(reused, 400)["code"] == "idempotency_key_reused"
    client.delete(f"/v1/videos/{first.json()['id']}")


# answers


def test_a_waiting_video_says_when_to_ask_again(client):
    video = client.post("/v1/videos", json=LONG).json()
    answer = client.get(f"/v1/videos/{video['id']}")
    assert 500 <= int(answer.headers["openai-poll-after-ms"]) <= 10_000
    assert client.delete(f"/v1/videos/{video['id']}").status_code == 200


def test_a_part_of_a_video_can_be_had(client, made):
    path = f"/v1/videos/{made['id']}/content"
    whole = client.get(path)
    assert whole.headers["content-type"] == "video/mp4" and whole.headers["accept-ranges"]
    part = client.get(path, headers={"range": "bytes=10-19"})
    assert part.status_code == 206 and part.content == whole.content[10:20]
    assert part.headers["content-range"] == f"bytes 10-19/{len(whole.content)}"
    last = client.get(path, headers={"range": "bytes=-5"})
    assert last.content == whole.content[-5:]
    assert client.get(path, headers={"range": "bytes=99999999-"}).status_code == 416


def test_cancelling_takes_effect_soon_and_frees_the_disk(client, server):
    video = client.post("/v1/videos", json=LONG).json()["id"]
    while client.get(f"/v1/videos/{video}").json()["progress"] < 6:
        time.sleep(0.05)
    began = time.monotonic()
    answer = client.post(f"/v1/videos/{video}/cancel").json()
    assert (answer["status"], answer["error"]["code"]) == ("failed", "cancelled")
    while (server.data / "work" / video).exists():
        assert time.monotonic() - began < 15
        time.sleep(0.02)
    error = error_of(client.post(f"/v1/videos/{video}/cancel"), 400)
    assert error["code"] == "video_has_ended"


def test_past_the_queues_bound_the_answer_is_429_with_a_time(client):
    accepted, refused = [], []
    for _ in range(16):
        answer = client.post("/v1/videos", json=LONG)
        if answer.status_code == 200:
            accepted.append(answer.json()["id"])
        else:
            refused.append(answer)
    assert 12 <= len(accepted) <= 13 and refused
    assert error_of(refused[0], 429)["code"] == "rate_limit_exceeded"
    assert int(refused[0].headers["retry-after"]) >= 1
    for video in accepted:
        assert client.delete(f"/v1/videos/{video}").json()["deleted"]
    assert client.post("/v1/estimates", json=BODY).json()["queue_position"] >= 1


def test_an_estimate_says_what_it_costs_and_runs_nothing(client):
    before = len(client.get("/v1/videos").json()["data"])
    small = client.post("/v1/estimates", json=BODY).json()
    large = client.post("/v1/estimates", json={"prompt": "a ball", "seconds": "20"}).json()
    assert large["work_seconds"] > 5 * small["work_seconds"] > 0
    assert small["memory_bytes"] > 10**9 and small["queue_position"] >= 1
    assert large["worldreel"]["made_size"] == "128x224"
    assert len(client.get("/v1/videos").json()["data"]) == before


def test_events_tell_the_progress_to_the_end(client):
    video = client.post("/v1/videos", json=BODY).json()["id"]
    events = []
    with client.stream("GET", f"/v1/videos/{video}/events") as stream:
        assert stream.headers["content-type"].startswith("text/event-stream")
        for line in stream.iter_lines():
            name, _, value = line.partition(": ")
            if name == "event":
                events.append([value, None])
            elif name == "data":
                events[-1][1] = json.loads(value)
    assert events[-1][0] == "done" and events[-1][1]["status"] == "completed"
    percents = [data["progress"] for name, data in events if name == "progress"]
    assert percents == sorted(percents) and percents[-1] == 100


def test_health_readiness_and_metrics_need_no_key(server, made):
    with server.http("no-key") as anyone:
        assert anyone.get("/healthz").json() == {"status": "ok"}
        ready = anyone.get("/readyz").json()
        assert ready["ready"] and ready["workers"] == 1
        text = anyone.get("/metrics").text
    assert 'worldreel_videos{status="completed"}' in text
    assert 'worldreel_requests_total{method="GET",route="/healthz",status="200"}' in text
    assert made["prompt"] not in text and made["id"] not in text


# bodies


@pytest.mark.parametrize(
    ("headers", "content", "status"),
    [
        ({"content-type": "application/json"}, b"{", 400),
        ({"content-type": "application/json"}, b"[1]", 400),
        ({"content-type": "application/json"}, b'{"prompt": NaN}', 400),
        ({"content-type": "application/json"}, b"\xff\xfe", 400),
        ({"content-type": "application/json"}, b'{"prompt": "\\ud800"}', 400),
        ({"content-type": "application/json"}, b'{"prompt": "a\\u0000b"}', 400),
        ({"content-type": "application/json"}, b"[" * 100_000, 400),
        ({"content-type": "text/plain"}, b"hello", 415),
        ({}, b"", 415),
        ({"content-type": "multipart/form-data"}, b"x", 400),
        ({"content-type": "multipart/form-data; boundary=x"}, b"--x\r\n\r\n", 400),
        ({"content-type": "multipart/form-data; boundary=x"}, b"--x--", 400),
        ({"content-type": "application/x-www-form-urlencoded"}, b"a[b=1", 400),
        ({"content-type": "application/x-www-form-urlencoded"}, b"a[b][c][d][e][f]=1", 400),
        ({"content-type": "application/x-www-form-urlencoded"}, b"prompt=a&prompt=b", 400),
    ],
)
def test_a_body_that_cannot_be_read_is_a_bad_request(client, headers, content, status):
    error_of(client.post("/v1/videos", content=content, headers=headers), status)


def test_a_body_that_says_it_is_too_large_is_refused_before_it_is_sent(server):
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=10)
    connection.putrequest("POST", "/v1/videos")
    connection.putheader("Authorization", f"Bearer {KEY}")
    connection.putheader("Content-Type", "multipart/form-data; boundary=x")
    connection.putheader("Content-Length", str(10**12))
    connection.endheaders()
    answer = connection.getresponse()
    assert answer.status == 413
    assert json.loads(answer.read())["error"]["code"] == "request_too_large"
    connection.close()


def test_a_body_that_grows_too_large_on_its_way_is_cut_off(server):
    with socket.create_connection(("127.0.0.1", server.port), timeout=20) as connection:
        head = f"POST /v1/videos HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {KEY}\r\n"
        head += "Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
        connection.sendall(head.encode())
        piece = b"100000\r\n" + b" " * 0x100000 + b"\r\n"
        with contextlib.suppress(OSError):
            for _ in range(40):
                connection.sendall(piece)
        answered = connection.recv(200)
    assert b" 413 " in answered


def test_a_wrong_path_and_a_wrong_method_are_answered_in_the_same_shape(client):
    assert error_of(client.get("/v1/nothing"), 404)["code"] == "unknown_url"
    assert error_of(client.put("/v1/videos"), 405)["code"] == "method_not_allowed"


def test_no_page_of_another_host_may_call_without_being_named(client):
    headers = {"origin": "https://evil.example"}
    answer = client.get("/v1/models", headers=headers)
    assert not [name for name in answer.headers if name.startswith("access-control")]


# two tenants


def test_what_belongs_to_another_owner_does_not_exist(client, other, made):
    video = made["id"]
    picture = io.BytesIO()
    Image.new("RGB", (96, 96)).save(picture, "PNG")
    files = {"file": ("a.png", picture.getvalue())}
    file = client.post("/v1/files", files=files, data={"purpose": "vision"}).json()["id"]
    clip = client.get(f"/v1/videos/{video}/content").content
    character = client.post(
        "/v1/videos/characters", files={"video": ("a.mp4", clip)}, data={"name": "Ball"}
    ).json()["id"]
    hook = client.post(
        "/v1/webhook_endpoints",
        json={"name": "a", "url": "https://a.example", "event_types": ["video.failed"]},
    ).json()["id"]
    ours = [video, file, character, hook]
    calls = [
        ("GET", f"/v1/videos/{video}", None),
        ("DELETE", f"/v1/videos/{video}", None),
        ("GET", f"/v1/videos/{video}/content", None),
        ("GET", f"/v1/videos/{video}/events", None),
        ("POST", f"/v1/videos/{video}/cancel", None),
        ("POST", f"/v1/videos/{video}/remix", {"prompt": "x"}),
        ("POST", "/v1/videos/edits", {"prompt": "x", "video": {"id": video}}),
        ("POST", "/v1/videos/extensions", {"prompt": "x", "seconds": "1", "video": {"id": video}}),
        ("GET", f"/v1/videos?after={video}", None),
        ("GET", f"/v1/videos/characters/{character}", None),
        ("POST", "/v1/videos", {**BODY, "characters": [{"id": character}]}),
        ("POST", "/v1/videos", {**BODY, "input_reference": {"file_id": file}}),
        ("POST", "/v1/estimates", {**BODY, "input_reference": {"file_id": file}}),
        ("GET", f"/v1/files/{file}", None),
        ("GET", f"/v1/files/{file}/content", None),
        ("DELETE", f"/v1/files/{file}", None),
        ("GET", f"/v1/files?after={file}", None),
        ("GET", f"/v1/webhook_endpoints/{hook}", None),
        ("POST", f"/v1/webhook_endpoints/{hook}", {"name": "mine"}),
        ("DELETE", f"/v1/webhook_endpoints/{hook}", None),
        ("POST", f"/v1/webhook_endpoints/{hook}/test", {"event_type": "video.failed"}),
        ("POST", f"/v1/webhook_endpoints/{hook}/rotate_secret", {}),
        ("GET", f"/v1/webhook_endpoints?after={hook}", None),
    ]
    for method, path, body in calls:
        answer = other.request(method, path, **({"json": body} if body is not None else {}))
        assert answer.status_code == 404, (method, path, answer.text)
    for path in ("/v1/videos", "/v1/files", "/v1/webhook_endpoints"):
        listed = other.get(path)
        assert listed.json()["data"] == [] and not any(name in listed.text for name in ours)
    assert client.get(f"/v1/videos/{video}").json() == made
    assert client.get(f"/v1/webhook_endpoints/{hook}").json()["name"] == "a"
    client.delete(f"/v1/webhook_endpoints/{hook}")


@pytest.mark.parametrize("header", [{}, {"authorization": "Basic eDp5"}, {"authorization": KEY}])
def test_every_route_of_v1_needs_a_key(server, header):
    with server.http() as anyone:
        document = anyone.get("/openapi.json").json()
        del anyone.headers["authorization"]
        tried = 0
        for path, operations in document["paths"].items():
            for method in operations:
                if path.startswith("/v1/"):
                    tried += 1
                    answer = anyone.request(method.upper(), path, headers=header)
                    assert answer.status_code == 401, (method, path)
                    assert answer.headers["www-authenticate"] == "Bearer"
    assert tried > 25


# hostile requests


def test_no_hostile_address_is_spoken_to(client, monkeypatch):
    def spoken(*words, **options):
        raise AssertionError(f"a packet to {words}")

    monkeypatch.setattr(socket, "create_connection", spoken)
    monkeypatch.setattr(outward, "_connect", spoken)
    refused = 0
    for url in URLS:
        with pytest.raises((UsageError, WorldreelError)):
            outward.resolve(outward.parse_url(url, private=False), private=False)
        refused += 1
    assert refused >= 100


@pytest.mark.parametrize("number", range(0, len(URLS), 4))
def test_a_hostile_address_is_a_bad_request(client, number):
    url = URLS[number]
    body = {**BODY, "input_reference": {"image_url": url}}
    error_of(client.post("/v1/videos", json=body), 400)
    hook = {"name": "x", "url": url, "event_types": ["video.failed"]}
    error_of(client.post("/v1/webhook_endpoints", json=hook), 400)


@pytest.mark.parametrize("name", NAMES)
def test_a_hostile_name_reads_nothing(client, server, name):
    for path in (
        f"/v1/videos/{name}",
        f"/v1/videos/{name}/content",
        f"/v1/files/{name}/content",
        f"/v1/models/{name}",
    ):
        try:
            answer = client.get(path)
        except Exception as error:
            assert type(error).__module__.startswith("httpx2"), error  # no URL for any client
            continue
        # a client takes /. and /.. away by itself, and asks for the list
        allowed = (200,) if name in (".", "..") else (400, 404)
        if name == "files/../../keys":  # or for the keys, with an administrator's as here
            allowed = (200, 405)
        assert answer.status_code in (*allowed, 404), (path, answer.status_code)
        assert "root:" not in answer.text
    for body in (
        {**BODY, "input_reference": {"file_id": name}},
        {**BODY, "characters": [{"id": name}]},
        {**BODY, "model": name},
        {"prompt": "x", "video": {"id": name}},
    ):
        path = "/v1/videos/edits" if "video" in body else "/v1/videos"
        answer = client.post(path, json=body)
        assert answer.status_code in (400, 404), (body, answer.text)
    files = {"file": (name, b"x")}
    answer = client.post("/v1/files", files=files, data={"purpose": "user_data"})
    if len(name) > 4000:
        error_of(answer, 400)
        return
    assert answer.status_code == 200, answer.text
    shown = answer.json()["filename"]
    assert "/" not in shown and "\\" not in shown
    stored = {path.parent for path in server.data.rglob("file_*")}
    assert stored == {server.data / "uploads"}
    client.delete(f"/v1/files/{answer.json()['id']}")


@pytest.mark.parametrize(
    "data",
    [b"", b"not media", b"#EXTM3U\nfile:///etc/passwd\n", b"\x89PNG\r\n\x1a\n" + b"\0" * 100,
     b"ffconcat version 1.0\nfile /etc/passwd\n", b"<svg xmlns='x'/>", b"GIF89a" + b"\xff" * 50],
)  # fmt: skip
def test_what_is_no_media_is_a_bad_request(client, data):
    form = {key: str(value) for key, value in BODY.items()}
    answer = client.post("/v1/videos", data=form, files={"input_reference": ("a.png", data)})
    error_of(answer, 400)
    answer = client.post(
        "/v1/videos/characters", data={"name": "x"}, files={"video": ("a.mp4", data)}
    )
    error_of(answer, 400)


def test_what_was_refused_leaves_nothing_behind(server):
    time.sleep(0.2)
    assert list((server.data / "aside").iterdir()) == []
    with sqlite3.connect(server.data / "worldreel.sqlite") as database:
        known = {row[0] for row in database.execute("select id from videos")}
    assert {path.name for path in (server.data / "work").iterdir()} <= known


def test_the_data_folder_is_for_its_owner_alone(server):
    assert server.data.stat().st_mode & 0o077 == 0


def test_many_at_once_are_answered(client, server):
    def ask(number):
        with server.http() as own:
            return own.get("/v1/videos").status_code

    with concurrent.futures.ThreadPoolExecutor(30) as pool:
        assert set(pool.map(ask, range(60))) == {200}


def test_a_second_server_on_the_same_folder_is_refused(server):
    with pytest.raises(AssertionError, match="Another server uses"):
        LiveServer(server.data)


def test_nothing_wrong_was_logged(server):
    text = server.log_text()
    assert "Traceback" not in text, text[-3000:]
