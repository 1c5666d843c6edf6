"""Consents: what rests on them, and that a revoked one is used by nothing afterwards."""

import threading
import time

import pytest
from tests.job_bench import OWNER, Bench, QuickMaker
from tests.own_postgres import own_postgres, why_not

from worldreel.app.jobs import audit
from worldreel.app.jobs.consents import ConsentGone, ConsentStore
from worldreel.app.jobs.video import Parent
from worldreel.app.jobs.workflow import make


@pytest.fixture
def bench(tmp_path):
    made = Bench(tmp_path / "data")
    made.consents = ConsentStore(made.database)  # pyright: ignore[reportAttributeAccessIssue]
    yield made
    made.database.close()


def agreed(bench, **values) -> str:
    """A consent and the character that rests on it; the consent's id is in the character's."""
    consent = bench.consents.add(OWNER, person="Ada", purpose="a film", **values)
    bench.consents.bind_character(OWNER, f"char_{consent.id}", consent.id)
    return consent.id


def with_character(bench, consent: str, **wish) -> str:
    return bench.admit(characters=(f"char_{consent}",), **wish)


def run(bench, video, **fields):
    claim = bench.store.claim(video, "w")
    if claim is not None:
        make(bench.workshop("w", **fields), claim)
    return bench.store.get(OWNER, video)


def kinds(bench) -> list[str]:
    return [entry.kind for entry in audit.entries(bench.database)]


def test_a_video_of_somebody_who_agreed_is_made(bench):
    assert run(bench, with_character(bench, agreed(bench))).status == "completed"
    assert kinds(bench) == ["consent.recorded", "consent.used", "video.published"]


def test_a_queued_video_is_not_begun_after_the_consent_was_revoked(bench):
    consent = agreed(bench)
    video = with_character(bench, consent)
    assert bench.consents.revoke(OWNER, consent)
    maker = QuickMaker()
    found = run(bench, video, maker=maker)
    assert (found.status, found.error_code) == ("failed", "consent_gone")
    assert "revoked" in found.error_message and maker.made == []


@pytest.mark.parametrize("where", ["denoise", "stretch 1 of 2", "decode", "mark", "before publish"])
def test_a_video_in_the_making_is_not_published_after_the_consent_was_revoked(bench, where):
    consent = agreed(bench)
    video = with_character(bench, consent)

    def revoke(at):
        if at == where:
            bench.consents.revoke(OWNER, consent)

    found = run(bench, video, hurt=revoke)
    assert (found.status, found.error_code) == ("failed", "consent_gone")
    assert bench.published(video) == [] and "video.published" not in kinds(bench)


def test_an_expired_consent_is_used_by_nothing(bench):
    consent = agreed(bench, expires_at=time.time() + 1000)
    video = with_character(bench, consent)
    with bench.database.write() as connection:
        connection.exec_driver_sql("UPDATE consents SET expires_at = 1")
    assert run(bench, video).error_code == "consent_gone"
    with pytest.raises(ConsentGone, match="expired"):
        with_character(bench, consent)


def test_nothing_new_is_accepted_after_a_revocation_and_nothing_else_is_touched(bench):
    consent, other = agreed(bench), agreed(bench)
    bench.consents.revoke(OWNER, consent)
    with pytest.raises(ConsentGone, match="revoked"):
        with_character(bench, consent)
    assert run(bench, with_character(bench, other)).status == "completed"
    assert run(bench, bench.admit()).status == "completed"


def test_what_is_made_from_a_video_rests_on_the_same_consents(bench):
    consent = agreed(bench)
    first = with_character(bench, consent)
    assert run(bench, first).status == "completed"
    second = bench.admit(parents=(Parent(first, "source"),))
    bench.consents.revoke(OWNER, consent)
    assert run(bench, second).error_code == "consent_gone"
    with pytest.raises(ConsentGone):
        bench.admit(parents=(Parent(first, "source"),))


def test_a_consent_of_another_owner_or_of_nobody_is_none(bench):
    foreign = bench.consents.add("bob", person="Bob", purpose="a film")
    for consent in (foreign.id, "consent_0"):
        with pytest.raises(ConsentGone, match="no consent"):
            bench.admit(consent=consent)
        with pytest.raises(ConsentGone, match="no consent"):
            bench.consents.bind_character(OWNER, "char_1", consent)
    assert bench.consents.get(OWNER, foreign.id) is None
    assert not bench.consents.revoke(OWNER, foreign.id)
    still = bench.consents.get("bob", foreign.id)
    assert still is not None and still.holds(time.time())


def race(bench, moment: int) -> tuple[bool, list[str]]:
    """A video is made while another thread revokes its consent, from a moment of the making on.

    Returns:
        whether it was published, and each use that began after the revocation was answered.
    """
    consent = agreed(bench)
    video = with_character(bench, consent)
    answered: list[float] = []
    used: list[str] = []
    moments, due = iter(range(1000)), threading.Event()

    def pass_moment(where):
        if next(moments) == moment:
            due.set()

    shop = bench.workshop("w", hurt=pass_moment)
    store, report, publish = shop.store, shop.store.report, shop.store.publish

    def watch(name, act):
        def call(claim, **values):
            began = time.monotonic()
            act(claim, **values)
            what = values.get("stage", name if name == "publish" else None)
            if what is not None and answered and began > answered[0]:
                used.append(what)

        return call

    store.report, store.publish = watch("report", report), watch("publish", publish)

    def revoke():
        due.wait()
        bench.consents.revoke(OWNER, consent)
        answered.append(time.monotonic())

    thread = threading.Thread(target=revoke)
    thread.start()
    try:
        claim = store.claim(video, "w")
        if claim is not None:
            make(shop, claim)
        due.set()
        thread.join()
    finally:
        store.report, store.publish = report, publish
    found = bench.store.get(OWNER, video)
    assert found is not None
    return found.status == "completed", used


def test_no_use_begins_after_a_revocation_was_answered(bench):
    published = 0
    for number in range(16):
        was_published, used = race(bench, moment=number)
        assert used == []
        published += was_published
    log = list(audit.entries(bench.database))
    assert audit.find_break(log) is None
    assert sum(entry.kind == "video.published" for entry in log) == published


@pytest.mark.skipif(why_not() is not None, reason=str(why_not()))
def test_no_use_begins_after_a_revocation_on_postgres(tmp_path):
    with own_postgres() as url:
        bench = Bench(tmp_path / "data", database=url)
        bench.consents = ConsentStore(bench.database)  # pyright: ignore[reportAttributeAccessIssue]
        try:
            assert [race(bench, moment=number)[1] for number in (3, 9, 15, 19, 20, 21)] == [[]] * 6
            assert audit.find_break(audit.entries(bench.database)) is None
        finally:
            bench.database.close()
