"""Who may ask: browsers with a session, pages of other servers, keys that make keys."""

import re
import signal
import time

import httpx2
import pytest
import sqlalchemy as sa
from tests.live_server import live_server
from tests.studio_bench import KEY, StudioBench

from worldreel.app.jobs import audit, tables
from worldreel.app.jobs.keys import KeyStore
from worldreel.app.jobs.sessions import SessionStore
from worldreel.app.server.page import Page

ORIGIN = "http://127.0.0.1:8000"
SAME = {"sec-fetch-site": "same-origin", "origin": ORIGIN}


@pytest.fixture
def bench(tmp_path):
    made = StudioBench(tmp_path)
    yield made
    made.close()


@pytest.fixture
def browser(bench):
    """A browser that is signed in; what it must send with changes is in its headers."""
    client = bench.as_owner(None)
    answer = client.post("/v1/session", headers={"authorization": f"Bearer {KEY}", **SAME})
    assert answer.status_code == 200, answer.text
    client.headers["x-csrf-token"] = answer.json()["csrf_token"]
    return client


def code_of(answer, status):
    assert answer.status_code == status, answer.text
    return answer.json()["error"]["code"]


def test_a_key_becomes_a_cookie_that_no_script_can_read(bench):
    client = bench.as_owner(None)
    answer = client.post("/v1/session", headers={"authorization": f"Bearer {KEY}"})
    cookie = answer.headers["set-cookie"]
    assert cookie.startswith("worldreel-8000=")
    assert "HttpOnly" in cookie and "SameSite=strict" in cookie and "Path=/" in cookie
    assert KEY not in cookie and KEY not in answer.text
    assert answer.json()["owner"] == "alice" and answer.json()["admin"]
    told = client.get("/v1/session", headers=SAME).json()
    assert told["csrf_token"] == answer.json()["csrf_token"]
    assert told["expires_at"] > time.time() + 20 * 24 * 3600
    secret = client.cookies["worldreel-8000"]
    with bench.service.database.read() as connection:
        stored = str(connection.execute(sa.select(tables.sessions)).all())
    assert secret not in stored


def test_a_cookie_reads_at_once_and_changes_with_its_token_alone(browser):
    assert browser.get("/v1/videos").status_code == 200
    assert browser.get("/v1/videos", headers=SAME).status_code == 200
    answer = browser.post("/v1/folders", json={"name": "a"}, headers=SAME)
    assert answer.status_code == 200, answer.text
    del browser.headers["x-csrf-token"]
    answer = browser.post("/v1/folders", json={"name": "b"}, headers=SAME)
    assert code_of(answer, 403) == "csrf_token_missing"
    wrong = {**SAME, "x-csrf-token": "0" * 40}
    answer = browser.post("/v1/folders", json={"name": "b"}, headers=wrong)
    assert code_of(answer, 403) == "csrf_token_wrong"
    assert code_of(browser.delete("/v1/session", headers=SAME), 403) == "csrf_token_missing"


@pytest.mark.parametrize(
    "headers",
    [
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},  # another port of this machine
        {"origin": "http://evil.example"},
        {"origin": "http://127.0.0.1:9999"},
        {"origin": "null"},
    ],
)
def test_a_page_of_another_server_gets_nothing_with_the_cookie(browser, headers):
    assert code_of(browser.get("/v1/videos", headers=headers), 403) == "cross_origin"
    answer = browser.post("/v1/folders", json={"name": "x"}, headers=headers)
    assert code_of(answer, 403) == "cross_origin"
    sign_in = {"authorization": f"Bearer {KEY}", **headers}
    assert code_of(browser.post("/v1/session", headers=sign_in), 403) == "cross_origin"
    # a key in the header is no browser's to send by itself
    assert browser.get("/v1/videos", headers=sign_in).status_code == 200


def test_a_one_time_token_opens_one_session(bench):
    token = bench.service.sessions.make_token()
    header = {"authorization": f"Bearer {token}"}
    client = bench.as_owner(None)
    assert code_of(client.get("/v1/videos", headers=header), 401) == "invalid_api_key"
    told = client.post("/v1/session", headers=header).json()
    assert told["owner"] == "default" and told["admin"]
    assert client.get("/v1/videos").status_code == 200
    again = bench.as_owner(None).post("/v1/session", headers=header)
    assert code_of(again, 401) == "invalid_api_key"
    # another process knows nothing of it
    assert SessionStore(bench.service.database).take_token(token) is None


def test_signing_out_ends_the_session_wherever_its_cookie_went(bench, browser):
    stolen = bench.as_owner(None)
    stolen.cookies.set("worldreel-8000", browser.cookies["worldreel-8000"])
    assert stolen.get("/v1/videos").status_code == 200
    assert browser.delete("/v1/session").json()["deleted"]
    assert code_of(stolen.get("/v1/videos"), 401) == "invalid_session"
    assert browser.get("/v1/videos").status_code == 401


def test_a_session_ends_with_its_key_and_in_its_time(bench, browser):
    key = bench.service.keys.all()[0]
    assert bench.service.keys.revoke(key.id)
    fresh = SessionStore(bench.service.database)
    assert fresh.find(browser.cookies["worldreel-8000"]) is None
    with bench.service.database.write() as connection:
        connection.execute(tables.keys.update().values(revoked_at=None))
    assert fresh.find(browser.cookies["worldreel-8000"]) is not None
    with bench.service.database.write() as connection:
        connection.execute(tables.sessions.update().values(expires_at=1.0))
    assert fresh.find(browser.cookies["worldreel-8000"]) is None


def test_an_administrators_key_makes_and_revokes_keys_and_no_other_does(bench):
    made = bench.client.post("/v1/keys", json={"owner": "bob"}).json()
    assert made["secret"].startswith("wr-") and not made["admin"]
    bob = bench.as_owner(made["secret"])
    assert bob.get("/v1/server").json()["owner"] == "bob"
    for answer in (
        bob.get("/v1/keys"),
        bob.post("/v1/keys", json={"owner": "bob", "admin": True}),
        bob.delete(f"/v1/keys/{made['id']}"),
    ):
        assert code_of(answer, 403) == "admin_only"
    listed = bench.client.get("/v1/keys").json()["data"]
    assert [key["owner"] for key in listed] == ["alice", "bob"]
    assert made["secret"] not in str(listed)
    own = listed[0]["id"]
    assert code_of(bench.client.delete(f"/v1/keys/{own}"), 400) == "own_key"
    assert bench.client.delete(f"/v1/keys/{made['id']}").json()["deleted"]
    assert KeyStore(bench.service.database).owner_of(made["secret"]) is None
    assert bench.client.delete(f"/v1/keys/{made['id']}").status_code == 404
    recorded = [(entry.kind, entry.subject) for entry in audit.entries(bench.service.database)]
    assert recorded == [("key.made", made["id"]), ("key.revoked", made["id"])]
    answer = bench.client.post("/v1/keys", json={"owner": "not a name!"})
    assert answer.status_code == 400 and answer.json()["error"]["param"] == "owner"


# the page


def test_the_page_may_run_nothing_but_its_own_scripts(bench, tmp_path):
    folder = tmp_path / "studio"
    (folder / "assets").mkdir(parents=True)
    bench.app.state.page = Page(folder)
    anyone = bench.as_owner(None)
    told = anyone.get("/")
    assert "make studio" in told.text and told.headers["cache-control"] == "no-cache"
    (folder / "index.html").write_text("<!doctype html><title>studio</title>")
    (folder / "favicon.svg").write_text("<svg xmlns='http://www.w3.org/2000/svg'/>")
    (folder / "assets" / "main-1a2b.js").write_text("const a = 1;\n" * 1000)
    (tmp_path / "secret.txt").write_text("root:")
    page = anyone.get("/")
    assert page.text.endswith("<title>studio</title>")
    assert page.headers["content-type"].startswith("text/html")
    policy = page.headers["content-security-policy"]
    assert "default-src 'none'" in policy and "script-src 'self'" in policy
    assert "unsafe" not in policy and "http" not in policy and "frame-ancestors 'none'" in policy
    script = anyone.get("/assets/main-1a2b.js")
    assert script.headers["content-type"].startswith("text/javascript")
    assert (
        script.headers["content-encoding"] == "gzip"
        and "immutable" in script.headers["cache-control"]
    )
    assert script.headers["x-content-type-options"] == "nosniff"
    plain = anyone.get("/assets/main-1a2b.js", headers={"accept-encoding": "identity"})
    assert "content-encoding" not in plain.headers and plain.text == script.text
    assert anyone.get("/favicon.svg").headers["content-type"] == "image/svg+xml"
    for name in ("/assets/../../secret.txt", "/..%2fsecret.txt", "/assets/%2e%2e/%2e%2e/secret.txt",
                 "/secret.txt", "/assets/", "/nothing"):  # fmt: skip
        answer = anyone.get(name)
        assert answer.status_code in (404, 200) and "root:" not in answer.text
    assert code_of(anyone.get("/nothing"), 404) == "unknown_url"


# the first minute


def test_the_printed_address_opens_signed_in_and_a_page_does_not_hold_up_the_end(tmp_path):
    with live_server(tmp_path / "data", workers=0) as server:
        assert server.process.stdout is not None
        line = server.process.stdout.readline().decode()
        found = re.search(r"(http://127\.0\.0\.1:\d+/)#token=(once-\S+)$", line.strip())
        assert found is not None, line
        url, token = found.groups()
        assert url == f"{server.url}/"
        with httpx2.Client(base_url=server.url, timeout=60) as browser:
            assert browser.get("/").headers["content-security-policy"]
            signed = browser.post("/v1/session", headers={"authorization": f"Bearer {token}"})
            assert signed.status_code == 200 and signed.json()["owner"] == "default"
            with browser.stream("GET", "/v1/events") as stream:
                lines = stream.iter_lines()
                assert next(lines) == "event: ready"
                server.process.send_signal(signal.SIGTERM)
                assert [line for line in lines if line.startswith("event: ")] == []
        assert server.process.wait(60) == 0
