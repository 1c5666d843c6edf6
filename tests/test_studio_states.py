"""The Studio in trouble, by keys alone, read aloud, narrow and wide, with many results."""

import itertools
import json
import re

import pytest
from playwright.sync_api import expect
from tests.live_server import LiveServer
from tests.studio_page import AXE, Studio, finished, make, needs_page, open_browser, run_prompt

pytestmark = needs_page
BALL = "a red ball falls on grass"
ON_PURPOSE = r"status of (4|5)\d\d|net::ERR_|^(401|404|429|500|503) to "


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    running = LiveServer(tmp_path_factory.mktemp("studio") / "data")
    try:
        running.wait_until_ready()
        yield running
    finally:
        running.stop()


@pytest.fixture(scope="module")
def browser():
    with open_browser() as opened:
        yield opened


@pytest.fixture(scope="module")
def takes(server):
    return make(server, BALL, takes=2, seed=3)


def refuse(page, path, status, code, message="No.", headers=None):
    """Answers a route as a server in trouble does."""
    error = {"message": message, "type": "server_error", "param": None, "code": code}
    body = json.dumps({"error": error})
    page.route(path, lambda route: route.fulfill(status=status, body=body, headers=headers or {}))


def changed(page, path, change):
    """Lets an answer of the server come through, but for what is changed in it."""

    def answer(route):
        answered = route.fetch()
        found = answered.json()
        change(found)
        route.fulfill(response=answered, json=found)

    page.route(path, answer)


@pytest.mark.parametrize(
    ("status", "code", "headers", "said"),
    [
        (429, "rate_limit_exceeded", {"retry-after": "7"}, "The queue is full. Try again in 7 s."),
        (503, "disk_full", {}, "The server's disk is full"),
    ],
)
def test_a_refusal_says_what_to_do(browser, server, status, code, headers, said):
    studio = Studio(browser, server, allowed=ON_PURPOSE)
    page = studio.go()
    refuse(page, "**/v1/canvases", status, code, headers=headers)
    run_prompt(page, "a red ball")
    notices = page.get_by_role("region", name="Messages")
    expect(notices.get_by_text(said)).to_be_visible()
    expect(page.get_by_label("What should be seen?")).to_have_value("a red ball")
    studio.close()


def test_no_model_no_disk_and_a_failed_job_have_their_words(browser, server, takes):
    studio = Studio(browser, server)
    page = studio.page

    def without_models(found):
        for model in found["data"]:
            model["worldreel"]["installed"] = False

    def fail(found):
        found["data"][0] |= {"status": "failed", "error": {"code": "out_of_memory", "message": ""}}

    changed(page, "**/v1/models", without_models)
    changed(page, "**/v1/videos?*", fail)
    studio.go()
    expect(page.get_by_text("No model is here yet")).to_be_visible()
    expect(page.get_by_text("There was not enough memory")).to_be_visible()
    expect(page.get_by_role("button", name="Run again")).to_be_visible()
    page.unroute("**/v1/models")
    changed(page, "**/v1/server", lambda found: found["disk"].update(free_bytes=1000))
    page.reload()
    expect(page.get_by_text("The server's disk is full")).to_be_visible()
    studio.close()


def test_whoever_is_signed_out_is_asked_for_the_key_once(browser, server, takes):
    studio = Studio(browser, server, signed_in=False, allowed=ON_PURPOSE)
    page = studio.go()
    page.get_by_label("API key").fill("wrong-key-0123456789")
    page.get_by_role("button", name="Enter").click()
    expect(page.get_by_role("alert")).to_contain_text("This key opens nothing here.")
    assert studio.axe() == []
    page.get_by_label("API key").fill(server.key)
    page.get_by_role("button", name="Enter").click()
    expect(finished(page, BALL).first).to_be_visible()
    page.reload()
    expect(finished(page, BALL).first).to_be_visible()
    page.goto(f"{server.url}/#/settings")
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_label("API key")).to_be_visible()
    studio.close()


STILL = """() => document.getAnimations().every(
  one => one.playState !== 'running' || one.effect.getTiming().iterations === Infinity)"""
VIEWS = {
    "reel": "#/",
    "video": "#/v/{0}",
    "compare": "#/compare/{0}/{1}",
    "storyboard": "#/storyboard",
    "play": "#/play",
    "settings": "#/settings",
}
SHOWN = {
    "reel": "article",
    "video": "video",
    "compare": "video",
    "storyboard": "[data-card]",
    "play": "textarea",
    "settings": "h3",
}


@pytest.mark.skipif(not AXE.is_file(), reason="axe-core is not installed: make studio")
@pytest.mark.parametrize(
    ("theme", "language", "width"),
    [
        ("dark", "en", 390),
        ("light", "zh", 1440),
        pytest.param("light", "zh", 390, marks=pytest.mark.slow),
        pytest.param("dark", "en", 1440, marks=pytest.mark.slow),
        pytest.param("dark", "zh", 3840, marks=pytest.mark.slow),
        pytest.param("light", "en", 3840, marks=pytest.mark.slow),
    ],
)
def test_every_view_meets_wcag_and_fits_the_window(browser, server, takes, theme, language, width):
    stored = {"theme": theme, "language": language}
    studio = Studio(browser, server, width=width, height=844, stored=stored)
    problems = []
    for name, route in VIEWS.items():
        page = studio.go(route.format(*takes))
        expect(page.locator(SHOWN[name]).first).to_be_visible()
        page.wait_for_function(STILL)
        problems += [f"{name}: {found}" for found in studio.axe()]
        problems += [f"{name} sticks out: {found}" for found in studio.overflow()]
        if language == "zh":
            problems += [f"{name} in English: {found}" for found in english_of(page)]
    assert not problems, "\n".join(problems)
    studio.close()


def english_of(page):
    """Words of the page that are English though it speaks Chinese; names and prompts aside."""
    texts = page.evaluate(
        """() => {
          const found = [];
          const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
          while (walk.nextNode()) {
            const element = walk.currentNode.parentElement;
            if (element.closest('[lang=en], .script, kbd, code, option, script, style')) continue;
            found.push(walk.currentNode.data);
          }
          for (const element of document.querySelectorAll('[aria-label], [placeholder], [title]'))
            if (!element.closest('[lang=en], a, [data-card], li button, video'))
              for (const name of ['aria-label', 'placeholder', 'title'])
                found.push(element.getAttribute(name) ?? '');
          return found;
        }"""
    )
    known = r"worldreel|toybox|[AM]?GB|MB|kB|English|Apache-2\.0|administrator's|default|A"
    words = (re.sub(rf"\b({known})\b", "", text) for text in texts)
    return [word for word in words if re.search(r"[A-Za-z]{3,}", word)]


def test_a_video_is_made_and_opened_by_keys_alone(browser, server, takes):
    studio = Studio(browser, server)
    page = studio.go()
    expect(page.get_by_label("What should be seen?")).to_be_visible()
    page.keyboard.press("n")
    expect(page.get_by_label("What should be seen?")).to_be_focused()
    page.keyboard.type("a white cylinder rests on sand")
    page.keyboard.press("Enter")
    expect(finished(page, "a white cylinder rests on sand")).to_have_count(1)
    page.keyboard.press("Escape")
    page.keyboard.press("?")
    expect(page.get_by_role("dialog", name="Keyboard shortcuts")).to_be_visible()
    page.keyboard.press("Escape")
    cards = page.locator("article a")
    page.get_by_label("What should be seen?").focus()
    for _ in range(20):
        page.keyboard.press("Shift+Tab")
        if cards.first.evaluate("card => card === document.activeElement"):
            break
    expect(cards.first).to_be_focused()
    outline = cards.first.evaluate("card => getComputedStyle(card).outlineWidth")
    assert outline == "2px"
    page.keyboard.press("ArrowRight")
    expect(cards.nth(1)).to_be_focused()
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("a white cylinder rests on sand")
    page.keyboard.press("f")
    expect(page.get_by_role("button", name="Favourite")).to_have_attribute("aria-pressed", "true")
    page.keyboard.press("Escape")
    expect(page.get_by_label("What should be seen?")).to_be_visible()
    studio.close()


def test_the_policy_lets_no_inline_script_and_no_stranger_in(browser, server):
    studio = Studio(browser, server, allowed="Content Security Policy")
    page = studio.go()
    expect(page.get_by_label("What should be seen?")).to_be_visible()
    page.evaluate(
        "() => { const s = document.createElement('script'); s.textContent = 'window.got = 1';"
        " document.head.append(s) }"
    )
    assert page.evaluate("() => window.got") is None
    assert page.evaluate("() => fetch('https://example.org').then(() => 1, () => 0)") == 0
    studio.context.close()


def test_two_thousand_results_scroll_with_a_few_rows_in_the_page(browser, server, takes):
    studio = Studio(browser, server)
    page = studio.page
    with server.http() as client:
        one = client.get(f"/v1/videos/{takes[0]}").json()
    sizes = itertools.cycle(["128x128", "192x112", "96x160", "160x112"])
    every = [one | {"id": f"video_{n:032x}", "size": next(sizes)} for n in range(2000)]
    stopped = {"status": "failed", "error": {"code": "cancelled", "message": ""}}
    every = [video | (stopped if n % 25 else {}) for n, video in enumerate(every)]

    def answer(route):
        after = re.search(r"after=video_([0-9a-f]+)", route.request.url)
        start = int(after[1], 16) + 1 if after else 0
        data = every[start : start + 100]
        more = start + 100 < len(every)
        found = {"object": "list", "data": data, "first_id": data[0]["id"]}
        route.fulfill(json=found | {"last_id": data[-1]["id"], "has_more": more, "total": 2000})

    page.route("**/v1/videos?*", answer)
    with server.http() as client:
        small = client.get(f"/v1/videos/{takes[0]}/content?variant=small").read()
    page.route("**/content?variant=small", lambda route: route.fulfill(body=small))
    studio.go()
    expect(page.get_by_text("2,000 videos").or_(page.get_by_text("2000 videos"))).to_be_visible()
    frame = page.locator("div:has(> search)")
    most = 0
    while not page.locator("[data-item='1999']").count():
        frame.evaluate("frame => frame.scrollTo(0, frame.scrollHeight)")
        page.evaluate(
            "() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))"
        )
        most = max(most, page.locator("article").count())
    assert most < 120
    studio.close()


def test_a_server_that_goes_and_comes_back_loses_no_job(browser, server, takes):
    studio = Studio(
        browser, server, allowed=ON_PURPOSE, stored={"wish": {"seconds": 8, "size": "96x96"}}
    )
    page = studio.go()
    run_prompt(page, "a long blue cube")
    expect(page.get_by_role("link", name=re.compile("^a long blue cube .*left$"))).to_be_visible()
    server.stop()
    expect(page.get_by_role("alert")).to_be_visible()
    assert studio.axe() == []
    again = LiveServer(server.data, "--port", str(server.port))
    try:
        assert again.port == server.port
        expect(page.get_by_role("alert")).to_have_count(0)
        expect(finished(page, "a long blue cube")).to_have_count(1)
        studio.close()
    finally:
        server.__dict__ = again.__dict__
