"""The Studio against a live server with the default model: what a person can do, point by point."""

import re

import pytest
from PIL import Image
from playwright.sync_api import expect
from tests.live_server import live_server
from tests.studio_page import Studio, finished, make, needs_page, open_browser, run_prompt

pytestmark = needs_page
BALL = "a red ball falls on grass"


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with live_server(tmp_path_factory.mktemp("studio") / "data") as running:
        running.wait_until_ready()
        yield running


@pytest.fixture(scope="module")
def browser():
    with open_browser() as opened:
        yield opened


@pytest.fixture
def studio(browser, server):
    opened = Studio(browser, server)
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def takes(server):
    return make(server, BALL, takes=2, seed=3)


def test_a_prompt_becomes_takes_that_survive_a_reload_and_play_under_the_pointer(studio):
    page = studio.go()
    page.get_by_label("What should be seen?").fill("a blue cube slides on snow")
    expect(page.get_by_label("Estimate")).to_contain_text(re.compile(r"about .* (MB|GB)"))
    run_prompt(page, "a blue cube slides on snow", takes=3)
    expect(page.locator("article")).to_have_count(3)
    page.reload()
    cards = finished(page, "a blue cube slides on snow")
    expect(cards).to_have_count(3)
    cards.first.hover()
    film = page.locator("article video")
    expect(film).to_have_js_property("paused", False)
    assert film.evaluate("film => film.currentSrc").endswith("variant=video")


def test_one_take_and_all_takes_can_be_cancelled(browser, server):
    studio = Studio(browser, server, stored={"wish": {"seconds": 60, "steps": 60, "takes": 4}})
    page = studio.go()
    run_prompt(page, "a slow green cone")
    waiting = page.get_by_role("link", name=re.compile("^a slow green cone .*left$"))
    expect(waiting).to_have_count(4)
    expect(waiting.first).to_have_accessible_name(re.compile(r"Place|Next|made"))
    page.get_by_role("button", name="Cancel", exact=True).first.click()
    expect(waiting).to_have_count(3)
    expect(page.get_by_text("Cancelled")).to_have_count(1)
    page.get_by_role("button", name="Cancel all").click()
    expect(waiting).to_have_count(0)
    expect(page.get_by_text("Cancelled")).to_have_count(4)
    studio.close()


def test_a_result_is_stepped_frame_by_frame_looped_slowed_and_compared(studio, takes):
    page = studio.go(f"#/v/{takes[0]}")
    page.get_by_role("button", name="Pause").click()
    page.keyboard.press("Home")
    expect(page.get_by_text("frame 1 of 12")).to_be_visible()
    page.keyboard.press(".")
    page.keyboard.press(".")
    expect(page.get_by_text("0:00.167 · frame 3 of 12")).to_be_visible()
    film = page.locator("video")
    assert film.evaluate("film => Math.floor(film.currentTime * 12)") == 2
    page.keyboard.press("l")
    expect(film).to_have_js_property("loop", False)
    page.keyboard.press("l")
    page.get_by_label("Speed").select_option("0.5")
    expect(film).to_have_js_property("playbackRate", 0.5)
    page.get_by_role("link", name="Compare").click()
    films = page.locator("video")
    expect(films).to_have_count(2)
    page.get_by_role("button", name=re.compile("Pause|Play")).click()
    page.keyboard.press("Home")
    for _ in range(3):
        page.keyboard.press(".")
    page.wait_for_function(
        "() => { const [a, b] = document.querySelectorAll('video');"
        " return a.paused && b.paused && Math.abs(a.currentTime - b.currentTime) < 1 / 24"
        " && Math.floor(a.currentTime * 12) === 3 }"
    )
    page.get_by_role("slider", name="Where the wipe stands").fill("20")
    assert "20%" in films.nth(1).evaluate("film => film.style.clipPath")
    page.get_by_role("button", name="Pick").last.click()
    expect(page.get_by_role("button", name="Picked")).to_have_count(1)
    with studio.server.http() as client:
        picked = client.get("/v1/videos?picked=true").json()["data"]
    assert [video["id"] for video in picked] == [takes[1]]


def begin(studio, verb, act=lambda form: None):
    """Runs a verb from its form; what was sent and the video that it began."""
    page = studio.page
    page.get_by_role("button", name=verb, exact=True).click()
    form = page.get_by_role("form", name=verb)
    act(form)
    with page.expect_response(lambda answer: answer.url.endswith("/v1/canvases")) as told:
        form.get_by_role("button", name="Run").click()
    return told.value.request.post_data_json, told.value.json()["data"][0]


def paint_and_follow(page):
    """Paints a stroke, and moves it to the right eight frames later."""
    area = page.get_by_role("application").bounding_box()
    page.mouse.move(area["x"] + area["width"] * 0.3, area["y"] + area["height"] * 0.3)
    page.mouse.down()
    page.mouse.move(area["x"] + area["width"] * 0.6, area["y"] + area["height"] * 0.5, steps=5)
    page.mouse.up()
    page.get_by_role("slider", name="Position").fill("8")
    page.get_by_role("radio", name="Move", exact=True).check(force=True)
    page.get_by_role("application").press("ArrowRight")


def test_a_mask_is_painted_over_time_and_the_lineage_leads_back(studio, takes):
    page = studio.go(f"#/v/{takes[0]}")
    sent, child = begin(studio, "Erase", lambda form: paint_and_follow(page))
    moves = sent["mask"]["strokes"][0]["moves"]
    assert [move["at_s"] for move in moves] == [0, pytest.approx(8 / 12)]
    assert moves[0]["dx"] == 0 and moves[1]["dx"] == pytest.approx(0.02)
    assert [parent["video_id"] for parent in child["worldreel"]["parents"]] == [takes[0]]
    page.get_by_role("button", name="Show", exact=True).click()
    expect(page.get_by_role("button", name="Pick", exact=True)).to_be_visible()
    tree = page.get_by_role("navigation", name="Lineage")
    expect(tree.locator("[aria-current=page]")).to_have_accessible_name(re.compile("^Erase: "))
    tree.get_by_role("link", name=re.compile("^From words: ")).first.click()
    expect(page).to_have_url(re.compile(f"{takes[0]}$"))


def test_every_verb_is_accepted_as_its_form_sends_it(studio, takes):
    page = studio.go(f"#/v/{takes[0]}")
    forms = {
        "Remix": lambda form: form.get_by_label("Words").fill("a blue ball falls on grass"),
        "Extend": lambda form: form.get_by_role("radio", name="Before").check(force=True),
        "Re-cut": lambda form: None,
        "Expand": lambda form: None,
        "Smooth": lambda form: None,
        "Loop": lambda form: None,
        "Upscale": lambda form: None,
        "Replace": lambda form: paint_and_follow(page),
    }
    sent = {verb: begin(studio, verb, act) for verb, act in forms.items()}
    with studio.server.http() as client:
        assert client.post("/v1/cancellations", json={"all": True}).status_code == 200
    for verb, (_, child) in sent.items():
        assert child["worldreel"]["parents"] == [{"video_id": takes[0], "role": "source"}], verb
    assert sent["Remix"][0]["strength"] == 0.5
    assert sent["Extend"][0]["direction"] == "backward"
    assert sent["Re-cut"][0]["to_s"] == 1 and sent["Re-cut"][0]["after"] == 1
    assert sent["Smooth"][0]["fps"] == 24
    assert sent["Loop"][0]["seconds"] > 0
    assert sent["Upscale"][0]["size"] == "160x160"


def test_two_videos_chosen_on_the_wall_are_blended(studio, takes):
    page = studio.go()
    for video in takes:
        card = page.locator("article", has=page.locator(f"a[href='#/v/{video}']"))
        card.hover()
        card.get_by_role("button", name="Select").click()
    page.get_by_role("toolbar").get_by_role("button", name="Blend").click()
    with page.expect_response(lambda answer: answer.url.endswith("/v1/canvases")) as told:
        page.get_by_role("form", name="Blend").get_by_role("button", name="Run").click()
    child = told.value.json()["data"][0]
    assert {parent["video_id"] for parent in child["worldreel"]["parents"]} == set(takes)


def test_settings_of_a_result_come_back_with_its_seed(studio, takes):
    page = studio.go(f"#/v/{takes[0]}")
    page.get_by_role("button", name="Reuse settings").click()
    expect(page.get_by_label("What should be seen?")).to_have_value(BALL)
    page.get_by_role("button", name="Fine settings").click()
    expect(page.get_by_label("Seed", exact=True)).to_have_value("3")


def test_a_dropped_result_brings_its_settings_and_a_picture_begins_to_move(studio, takes, tmp_path):
    with studio.server.http() as client:
        clip = client.get(f"/v1/videos/{takes[0]}/content").read()
    (tmp_path / "ours.mp4").write_bytes(clip)
    Image.new("RGB", (96, 96), (200, 40, 30)).save(tmp_path / "still.png")
    page = studio.go()
    expect(page.get_by_label("What should be seen?")).to_be_visible()
    page.get_by_test_id("drop").set_input_files(tmp_path / "ours.mp4")
    sheet = page.get_by_role("dialog")
    expect(sheet.get_by_text("Its settings are inside:")).to_be_visible()
    film = sheet.locator("video")
    expect(film).to_have_js_property("videoWidth", 96)
    sheet.get_by_role("button", name="Reuse settings").click()
    expect(page.get_by_label("What should be seen?")).to_have_value(BALL)
    page.get_by_test_id("drop").set_input_files(tmp_path / "still.png")
    page.get_by_role("dialog", name="A picture").get_by_role("button", name="Animate").click()
    expect(page.get_by_text("Begins with")).to_be_visible()
    run_prompt(page, "a red ball rolls away")
    expect(finished(page, "a red ball rolls away")).to_have_count(1)


def test_a_storyboard_is_paced_split_saved_loaded_and_made(studio, tmp_path):
    page = studio.go("#/storyboard")
    page.get_by_label("Words", exact=True).fill("a red ball rests on snow")
    page.get_by_role("button", name="Add a shot").click()
    page.get_by_label("Words", exact=True).fill("a blue cube rests on snow")
    cards = page.locator("[data-card]")
    expect(cards).to_have_count(2)
    first, second = cards.nth(0).bounding_box(), cards.nth(1).bounding_box()
    # the edge between the two is dragged one second to the left: the pacing changes, the end stays
    page.mouse.move(second["x"] - 2, second["y"] + 50)
    page.mouse.down()
    page.mouse.move(second["x"] - 98, second["y"] + 50, steps=6)
    page.mouse.up()
    expect(cards.nth(0)).to_contain_text("1.00 s")
    expect(cards.nth(1)).to_contain_text("3.00 s")
    assert first["width"] > 150
    cards.nth(1).press("Alt+ArrowLeft")
    expect(cards.nth(0)).to_contain_text("a blue cube rests on snow")
    axis = page.get_by_role("region", name="Time axis").bounding_box()
    page.mouse.click(axis["x"] + 16 + 96, axis["y"] + 12)
    page.get_by_role("button", name="Split here").click()
    expect(cards).to_have_count(3)
    cards.nth(1).click()
    page.get_by_role("button", name="Remove the shot").click()
    expect(cards).to_have_count(2)
    page.get_by_label("Size").select_option("96x160")
    expect(page.get_by_text("saved", exact=True)).to_be_visible()
    page.get_by_role("button", name="Canvas file").click()
    with page.expect_download() as saved:
        page.get_by_role("menuitem", name="Save the canvas file").click()
    file = tmp_path / "board.toml"
    saved.value.save_as(file)
    assert 'prompt = "a blue cube rests on snow"' in file.read_text("utf-8")
    page.get_by_test_id("board-file").set_input_files(file)
    expect(page.get_by_label("Name of the storyboard")).to_have_value("board")
    expect(cards).to_have_count(2)
    page.get_by_role("button", name="Run", exact=True).click()
    film = page.get_by_role("region", name="The whole").locator("video")
    expect(film).to_have_js_property("videoWidth", 96)


def test_a_running_world_hears_words_and_keys_and_is_kept(studio):
    page = studio.go("#/play")
    page.get_by_label("How it begins").fill("a red ball rolls on grass")
    page.get_by_role("button", name="Begin").click()
    rate = page.get_by_label("Speed of the world")
    expect(rate).to_have_text(re.compile(r"^[\d.]+ of 12 frames/s"))
    page.get_by_label("What comes next?").fill("a red ball rests on snow")
    page.get_by_role("button", name="Say it").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("a red ball rests on snow")
    expect(rate).to_have_text(re.compile(r"frames/s · \d+ ms delay$"))
    page.get_by_role("heading", level=1).click()
    with page.expect_response(lambda answer: answer.url.endswith("/say")) as told:
        page.keyboard.press("ArrowLeft")
    assert "left" in told.value.json()["prompt"]
    page.get_by_role("button", name="Save the last minute").click()
    page.get_by_role("link", name="Show").click()
    expect(page.get_by_role("button", name="Pick", exact=True)).to_be_visible()


def test_the_gallery_is_searched_marked_and_sorted_into_folders(studio, takes):
    page = studio.go()
    cards = finished(page, BALL)
    expect(cards.first).to_be_visible()
    page.get_by_label("Search by words").fill("grass nothing-like-it")
    expect(page.get_by_text("Nothing matches")).to_be_visible()
    page.get_by_label("Search by words").fill("GRASS falls")
    expect(cards.first).to_be_visible()
    cards.first.hover()
    page.get_by_role("button", name="Favourite").first.click()
    page.get_by_role("radio", name="Favourites").check(force=True)
    expect(page.locator("article")).to_have_count(1)
    page.reload()
    expect(page.locator("article")).to_have_count(1)
    page.get_by_role("radio", name="All", exact=True).check(force=True)
    page.get_by_role("button", name="Folders").click()
    page.get_by_label("Name of the new folder").fill("Best")
    page.get_by_role("button", name="Make", exact=True).click()
    expect(page.get_by_label("Rename Best")).to_be_visible()
    page.keyboard.press("Escape")
    cards.first.click()
    page.get_by_label("Folder", exact=True).select_option("Best")
    page.goto(f"{studio.server.url}/#/")
    page.get_by_label("Folder", exact=True).select_option(label="Best (1)")
    expect(page.locator("article")).to_have_count(1)


def test_keys_are_made_and_revoked_and_the_language_changes(studio):
    page = studio.go("#/settings")
    expect(page.get_by_role("heading", name="toybox")).to_be_visible()
    page.get_by_label("Whose key").fill("bob")
    page.get_by_role("button", name="Make a key").click()
    expect(page.get_by_text("This key is shown once.")).to_be_visible()
    page.get_by_role("button", name="Revoke the key of bob").click()
    expect(page.get_by_text("revoked")).to_be_visible()
    page.get_by_role("radio", name="中文").check(force=True)
    expect(page.get_by_role("heading", name="设置")).to_be_visible()
    expect(page.locator("html")).to_have_attribute("lang", "zh-CN")


def test_a_model_is_pulled_with_its_progress_and_the_pull_can_be_stopped_or_fail(studio):
    page = studio.page
    told = {
        "object": "model.pull",
        "model": "any",
        "stage": "download",
        "done_bytes": 4_200_000_000,
        "total_bytes": 17_000_000_000,
        "error": None,
    }
    asked: list[str] = []
    shown = {"status": "none"}

    def answer(route):
        method = route.request.method
        if method != "GET":
            asked.append(method)
            shown["status"] = {"POST": "running", "DELETE": "cancelled"}[method]
        failed = {"error": "The hub does not answer."} if shown["status"] == "failed" else {}
        route.fulfill(json={**told, **shown, **failed})

    page.route(re.compile("/v1/models/[^/]+/pull$"), answer)
    studio.go("#/settings")
    pull, come = page.get_by_role("button", name="Pull").first, page.get_by_text("4.2 GB of 17 GB")
    pull.click()
    expect(come.first).to_be_visible()
    page.get_by_role("button", name="Cancel", exact=True).first.click()
    expect(pull).to_be_visible()
    assert asked == ["POST", "DELETE"]
    pull.click()
    expect(come.first).to_be_visible()
    shown["status"] = "failed"
    failure = page.get_by_text("The pull failed. Try again. The hub does not answer.")
    expect(failure.first).to_be_visible()
