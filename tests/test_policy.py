# ruff: noqa: RUF001
"""The policy: what is held however it is written, what is let through, and who waits."""

import http.server
import json
import threading

import pytest
from tests.job_bench import OWNER, Bench, QuickMaker
from tests.policy_cases import IN_OTHER_LANGUAGES, REQUESTS, evasions, harmless

from worldreel.app.jobs import audit
from worldreel.app.jobs.video import Given, NewVideo, Wish
from worldreel.app.jobs.workflow import make
from worldreel.app.policy.classifiers import NoAnswer, ask
from worldreel.app.policy.gate import Gate, Refused, texts_of
from worldreel.app.policy.plain import plain
from worldreel.app.policy.policy import SAMPLE, Category, Policy, load_policy
from worldreel.core.errors import UsageError


@pytest.fixture(scope="module")
def sample() -> Policy:
    return load_policy(SAMPLE)


@pytest.fixture
def bench(tmp_path):
    made = Bench(tmp_path / "data")
    yield made
    made.database.close()


# words


def test_the_sample_policy_holds_95_of_100_evasions(sample):
    tried = evasions()
    held = [text for _, text in tried if sample.judge(text)]
    assert len(tried) >= 300 and len(held) >= 0.95 * len(tried)


def test_the_sample_policy_lets_98_of_100_harmless_requests_through(sample):
    tried = harmless()
    refused = [text for text in tried if sample.judge(text)]
    assert len(tried) >= 300 and len(refused) < 0.02 * len(tried), refused


def test_the_requests_are_held_as_they_are(sample):
    assert all(map(sample.judge, (*REQUESTS, *IN_OTHER_LANGUAGES)))


@pytest.mark.parametrize(
    "text",
    [
        *("a bomb", "b o m b", "b.o.m.b", "b\u200bomb", "вomb", "ＢＯＭＢ", "b0mb", "boooomb"),
        *("b̶o̶m̶b̶", "𝓫𝓸𝓶𝓫", "xx b o m b xx", "bo\u00admb", "ⓑⓞⓜⓑ", "ʙᴏᴍʙ"),
    ],
)
def test_a_word_is_found_however_it_is_written(text):
    assert Category(name="a", words=("bomb",)).holds(plain(text))


@pytest.mark.parametrize("text", ["bombast", "a bonbon", "tomb", "com bo", "bo at mb"])
def test_a_word_is_not_found_inside_other_words(text):
    assert not Category(name="a", words=("bomb",)).holds(plain(text))


def test_stars_patterns_and_exceptions():
    category = Category(
        name="a", words=("porn*",), patterns=(r"how to .* gun",), unless=("porno graz",)
    )
    assert category.holds(plain("pornography")) and category.holds(plain("how to buy a gun"))
    assert not category.holds(plain("the band Porno Graz")) and not category.holds(plain("a gun"))


def test_words_split_between_texts_are_found_together():
    policy = Policy(categories=(Category(name="a", words=("pipe bomb",)),))
    assert policy.judge("a pipe", "bomb") == "a" and policy.judge("a pipe", "a bomb") is None


def test_an_endless_prompt_is_judged_at_once(sample):
    assert sample.judge("a " * 500_000 + "ball") is None


# the file


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("[[category]]\nwords = ['a']", "no name"),
        ("[[category]]\nname = 'a'", "neither words nor patterns"),
        ("[[category]]\nname = 'a'\nwords = ['a']\nword = ['b']", "'word' is not known"),
        ("[[category]]\nname = 'a'\npatterns = ['(']", "pattern"),
        ("[[category]]\nname = 'a'\nwords = ['...']", "no letters"),
        ("[[category]]\nname = 'a'\nwords = [1]", "list of texts"),
        ("[[category]]\nname = 'a'\nwords = ['a']\n" * 2, "one name"),
        ("categories = []", "'categories' is not known"),
        ("people_in_pictures = 'yes'", "never, consent or always"),
        ("log_prompts = 'no'", "another kind"),
        ("classifier_timeout_s = true", "another kind"),
        ("classifiers = ['nonsense']", "neither a URL nor"),
        ("read_pictures = ['../eng']", "a language is eng"),
        ("read_pictures = 'eng'", "another kind"),
        ("=", "cannot be read"),
    ],
)
def test_a_policy_with_an_error_is_refused_and_the_place_is_named(tmp_path, text, what):
    path = tmp_path / "policy.toml"
    path.write_text(text)
    with pytest.raises(UsageError, match=what) as caught:
        load_policy(path)
    assert "policy.toml" in str(caught.value)


def test_a_policy_that_cannot_be_read_stops_the_server(tmp_path, capsys):
    from worldreel.app.main import main

    broken = tmp_path / "policy.toml"
    broken.write_bytes(b"\xff\xfe")
    for path in (broken, tmp_path / "none.toml"):
        words = ["serve", "--port", "0", "--data", str(tmp_path / "data"), "--policy", str(path)]
        assert main(words) == 2
        assert f"The policy {path} cannot be read" in capsys.readouterr().err


def test_without_a_policy_everything_is_allowed():
    assert load_policy(None).judge(*REQUESTS) is None


# classifiers


def allow(texts, pictures):
    return None


def refuse(texts, pictures):
    return "painted" if "painted" in texts[0] else None


def fail(texts, pictures):
    raise RuntimeError("no")


def answer_oddly(texts, pictures):
    return 7


HERE = "tests.test_policy"


class Endpoint:
    """A classifier over HTTP that answers what it is told to."""

    def __init__(self, body: bytes) -> None:
        self.asked: list[dict] = []
        asked = self.asked

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                asked.append(json.loads(self.rfile.read(int(self.headers["content-length"]))))
                self.send_response(200)
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *words):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/"
        self.thread = threading.Thread(target=self.server.serve_forever)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *raised):
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()


def test_classifiers_in_python_and_over_http_are_asked(tmp_path):
    assert ask([f"{HERE}:allow"], ["a ball"], [], 5) is None
    assert ask([f"{HERE}:allow", f"{HERE}:refuse"], ["a painted ball"], [], 5) == "painted"
    with Endpoint(b'{"allowed": false, "category": "red"}') as no:
        assert ask([no.url], ["a ball"], [tmp_path / "a.png"], 5) == "red"
        assert no.asked == [{"texts": ["a ball"], "pictures": [str(tmp_path / "a.png")]}]
    with Endpoint(b'{"allowed": true}') as yes:
        assert ask([yes.url], ["a ball"], [], 5) is None


@pytest.mark.parametrize("name", ["fail", "answer_oddly", "not_there"])
def test_a_classifier_that_fails_has_not_answered(name):
    with pytest.raises(NoAnswer):
        ask([f"{HERE}:{name}"], ["a ball"], [], 5)


@pytest.mark.parametrize("body", [b"", b"yes", b"[]", b"{}", b'{"allowed": "yes"}', b'{"allowed":'])
def test_an_endpoint_that_says_nothing_clear_has_not_answered(body):
    with Endpoint(body) as endpoint, pytest.raises(NoAnswer):
        ask([endpoint.url], ["a ball"], [], 5)


def test_an_endpoint_that_is_gone_has_not_answered():
    with Endpoint(b"") as endpoint:
        url = endpoint.url
    with pytest.raises(NoAnswer):
        ask([url], ["a ball"], [], 5)


# the gate before work


def run(bench, video, gate, **fields):
    claim = bench.store.claim(video, "w")
    assert claim is not None
    make(bench.workshop("w", gate=gate, **fields), claim)
    return bench.store.get(OWNER, video)


def gate(bench, **policy) -> Gate:
    return Gate(policy=Policy(**policy), database=bench.database)


def test_a_job_waits_as_long_as_a_classifier_is_silent_and_then_is_judged(bench, monkeypatch):
    answers = [NoAnswer("down"), NoAnswer("down"), NoAnswer("down"), None]

    def answer(*asked):
        said = answers.pop(0)
        if said is not None:
            raise said

    monkeypatch.setattr("worldreel.app.policy.gate.ask", answer)
    stages: list[str] = []
    video, maker = bench.admit(), QuickMaker()

    def look(where):
        if where == "waits for the policy":
            stages.append(bench.store.get(OWNER, video).stage)
            assert maker.made == []

    found = run(bench, video, gate(bench, classifiers=("http://down",)), maker=maker, hurt=look)
    assert stages == ["waits for the policy"] * 3
    assert found.status == "completed" and maker.made == [0, 1]


def test_a_job_that_waits_can_be_cancelled(bench, monkeypatch):
    def silent(*asked):
        raise NoAnswer("down")

    monkeypatch.setattr("worldreel.app.policy.gate.ask", silent)
    video, maker = bench.admit(), QuickMaker()

    def cancel(where):
        bench.store.cancel(OWNER, video)

    found = run(bench, video, gate(bench, classifiers=("http://down",)), maker=maker, hurt=cancel)
    assert (found.status, found.error_code, maker.made) == ("failed", "cancelled", [])


def test_what_a_classifier_refuses_is_not_made_and_the_log_holds_no_text(bench):
    video, maker = bench.admit(prompt="a painted ball"), QuickMaker()
    found = run(bench, video, gate(bench, classifiers=(f"{HERE}:refuse",)), maker=maker)
    assert found.error_code == "content_policy_violation" and maker.made == []
    (entry,) = audit.entries(bench.database)
    assert entry.kind == "policy.refused" and entry.subject == video
    assert json.loads(entry.content)["category"] == "painted" and "ball" not in entry.content


def test_the_log_holds_texts_where_the_operator_says_so(bench):
    run(bench, bench.admit(), gate(bench, classifiers=(f"{HERE}:allow",), log_prompts=True))
    (entry, _) = audit.entries(bench.database)
    assert json.loads(entry.content)["texts"] == ["a red ball falls"]


def test_a_queued_job_is_judged_by_the_policy_that_holds_when_it_begins(bench):
    video = bench.admit(prompt="a red ball")
    found = run(bench, video, gate(bench, categories=(Category(name="red", words=("red",)),)))
    assert found.error_code == "content_policy_violation" and "(red)" in found.error_message


def test_the_words_of_a_canvas_are_judged_and_what_should_not_be_seen_is_not():
    canvas = json.dumps({"shot": [{"prompt": "one"}, {"prompt": "two", "image": "naked.png"}]})
    wish = wish_of(prompt="zero", negative_prompt="naked", canvas=canvas)
    assert list(texts_of(wish)) == ["zero", "one", "two"]


def wish_of(**values) -> Wish:
    usual = {"kind": "create", "model": "toybox", "prompt": "a ball", "seed": 1, "num_frames": 4}
    sizes = dict.fromkeys(("width", "height", "shown_width", "shown_height"), 96)
    return Wish(**{**usual, **sizes, "fps": 12.0, **values})  # pyright: ignore


GIVEN = (Given(role="first_frame", file="first.png"),)


@pytest.mark.parametrize(
    ("rule", "says", "code"),
    [
        ("always", {}, None),
        ("consent", {}, "attestation_required"),
        ("consent", {"shows_person": False}, None),
        ("consent", {"shows_person": True}, "person_refused"),
        ("consent", {"shows_person": True, "consent": "consent_1"}, None),
        ("never", {"shows_person": True, "consent": "consent_1"}, "person_refused"),
        ("never", {"shows_person": False}, None),
    ],
)
def test_pictures_of_people_need_what_the_policy_says(bench, tmp_path, rule, says, code):
    wish = wish_of(given=GIVEN, **says)
    judge = gate(bench, people_in_pictures=rule)
    if code is None:
        judge.check_request(OWNER, "video_1", wish, tmp_path)
    else:
        with pytest.raises(Refused) as caught:
            judge.check_request(OWNER, "video_1", wish, tmp_path)
        assert caught.value.code == code
    judge.check_request(OWNER, "video_1", wish_of(), tmp_path)  # words alone show nobody


def test_a_character_needs_a_consent_where_the_policy_says_so(bench):
    gate(bench).check_character(None)
    with pytest.raises(Refused, match="consent"):
        gate(bench, consent_for_characters=True).check_character(None)


def test_a_video_can_be_admitted_with_what_is_attested(bench):
    new = NewVideo(
        id="video_" + "0" * 32,
        owner=OWNER,
        wish=wish_of(shows_person=False),
        model="toybox",
        size="96x96",
        seconds="1",
    )
    bench.store.admit([new], None, new.id)
    found = bench.store.get(OWNER, new.id)
    assert found is not None and Wish.from_json(found.wish).shows_person is False
