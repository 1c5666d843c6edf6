"""The workflow of one video: remembered steps from claim to publication.

A step that was finished is not done again, whoever goes on with the workflow. Steps never raise:
what they return is remembered, a failure too.
"""

import contextlib
import errno
import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dbos import DBOS
from sqlalchemy.exc import DBAPIError

from worldreel.app.jobs.consents import ConsentGone
from worldreel.app.jobs.database import patiently
from worldreel.app.jobs.folder import VIDEO, Folder, published_names, sha256_of
from worldreel.app.jobs.marking import Marking
from worldreel.app.jobs.settings import Settings
from worldreel.app.jobs.stages import Maker, check
from worldreel.app.jobs.store import VideoStore
from worldreel.app.jobs.video import FAILED, Claim, LostClaim
from worldreel.app.jobs.workers import WorkerStore
from worldreel.app.policy.classifiers import NoAnswer
from worldreel.app.policy.gate import Gate, Refused
from worldreel.app.policy.policy import load_policy
from worldreel.core.errors import UsageError, WorldreelError
from worldreel.core.progress import Progress
from worldreel.generate.options import STEPS_MAX
from worldreel.weights.catalogue import describe

QUEUE = "videos"
WORKFLOW = "make_video"
REPORT_S = 0.25
"""How often a maker asks whether it should go on, and says how far it is."""

WAITING, WAIT_MAX_S = "waits for the policy", 30.0
"""The stage of a video whose classifier does not answer, and how rarely it is asked at most."""

MADE_AT, DECODED_AT = 5, 80
"""Percent at which the latents begin and the decoding begins."""

log = logging.getLogger("worldreel.jobs")

Outcome = dict[str, Any]

DISK_FULL: Outcome = {"failed": ["disk_full", "The server's disk is full. Ask again later."]}


@dataclass(eq=False)
class Workshop:
    """Everything that a worker needs to make videos, and which claims it holds."""

    settings: Settings
    folder: Folder
    store: VideoStore
    workers: WorkerStore
    maker: Maker
    worker: str
    stopping: threading.Event = field(default_factory=threading.Event)
    claims: dict[str, Claim] = field(default_factory=dict)
    running: set[str] = field(default_factory=set)
    """Videos whose workflow is executed by this process at this moment."""
    remember: Callable[[str, Callable[[], Outcome]], Outcome] = field(
        default=lambda name, act: DBOS.run_step({"name": name}, act)
    )
    """How a step's result is kept."""
    hurt: Callable[[str], None] = lambda where: None
    """Called between the moves of a job; tests put the worker's death here."""
    marking: Marking | None = None
    """What marks files before they are published; that of the data folder if None."""

    gate: Gate | None = None
    """What decides whether work may begin; that of the operator's policy if None."""

    def __post_init__(self) -> None:
        if self.marking is None:
            self.marking = Marking(self.settings.data, self.settings.provenance)
        if self.gate is None:
            policy = load_policy(self.settings.policy)
            self.gate = Gate(policy=policy, database=self.store.database)


def register(shop: Workshop) -> Callable[[str], None]:
    """The workflow of this process, made known to DBOS."""

    @DBOS.workflow(name=WORKFLOW, max_recovery_attempts=1_000_000)
    def make_video(video: str) -> None:
        if shop.stopping.is_set():
            threading.Event().wait()  # begun too late: the next worker takes it up from here
        shop.running.add(video)
        try:
            claim = patiently(lambda: shop.store.claim(video, shop.worker))
            if claim is None:
                shop.folder.remove_work(video)
                return
            make(shop, claim)
        finally:
            shop.running.discard(video)

    return make_video


def make(shop: Workshop, claim: Claim) -> None:
    """Makes a video under a claim, to its end or until the claim is lost."""
    shop.claims[claim.id] = claim
    try:
        _Job(shop, claim).run()
    except LostClaim:
        log.info("%s is no longer ours", claim.id)
    finally:
        shop.claims.pop(claim.id, None)
        _clean_up(shop, claim.id)


class _Job:
    """One execution of the workflow, under one claim."""

    def __init__(self, shop: Workshop, claim: Claim) -> None:
        self.shop = shop
        self.claim = claim
        self.wish = claim.wish
        self.work = shop.folder.work(claim.id)
        self.facts = claim.facts
        self.began = time.monotonic()

    def run(self) -> None:
        outcome = self._step("check", self._check)
        if "num_stretches" not in (outcome := self._go_on(outcome, "plan", self._plan)):
            return
        count = outcome["num_stretches"]
        notes = outcome["notes"]
        made: list[Path] = []
        for number in range(count):
            target = self.work / f"stretch-{number}.safetensors"
            act = self._stretch(number, count, list(made), target)
            outcome = self._go_on(outcome, f"stretch {number + 1} of {count}", act)
            if "failed" in outcome:
                return
            if not target.exists():  # remembered, but the disk lost it
                self._do(f"stretch {number + 1} of {count}", act)
            made.append(target)
        decoded = self._go_on(outcome, "decode", lambda: self._decode(made))
        if "failed" not in decoded and not (self._is_whole(decoded) and _has_watermark(decoded)):
            # the disk lost it, or it was decoded by a version that marked nothing
            decoded = self._do("decode", lambda: self._decode(made))
        marked = self._go_on(decoded, "mark", lambda: self._mark(decoded))
        if "failed" not in marked and not self._is_whole(marked):
            marked = self._do("mark", lambda: self._mark(decoded))
        if "failed" not in marked:
            self._publish(marked, notes)

    def _go_on(self, before: Outcome, name: str, act: Callable[[], Outcome]) -> Outcome:
        return before if "failed" in before else self._step(name, act)

    def _step(self, name: str, act: Callable[[], Outcome]) -> Outcome:
        """A step's result, remembered or new; a failure ends the video."""
        kept = self.shop.remember(name.split()[0], lambda: self._try(name, act))
        return self._settle(kept)

    def _do(self, name: str, act: Callable[[], Outcome]) -> Outcome:
        """The same without memory, for work whose files were lost."""
        return self._settle(self._try(name, act))

    def _settle(self, outcome: Outcome) -> Outcome:
        if "lost" in outcome:
            raise LostClaim(self.claim.id)
        if "failed" in outcome:
            code, message = outcome["failed"]
            self._patiently(lambda: self.shop.store.fail(self.claim, code, message))
        return outcome

    def _try(self, name: str, act: Callable[[], Outcome]) -> Outcome:
        store = self.shop.store
        try:
            self._patiently(lambda: store.report(self.claim, stage=name))
            outcome = act()
            self.shop.hurt(name)
            self._patiently(lambda: store.stage_done(self.claim))
            return outcome
        except LostClaim:
            return {"lost": True}
        except WorldreelError as error:
            code = "invalid_request" if isinstance(error, UsageError) else "generation_failed"
            if name == "mark":
                code = "marking_failed"
            if isinstance(error, ConsentGone):
                code = "consent_gone"
            if isinstance(error, Refused):
                code = error.code
            if _is_full(error):
                return dict(DISK_FULL)  # the error's own words name files of the server
            return {"failed": [code, str(error).replace("\n", " ")]}
        except OSError as error:
            if error.errno not in (errno.ENOSPC, errno.EDQUOT):
                return self._broke(name, error)
            return dict(DISK_FULL)
        except MemoryError:
            return {"failed": ["out_of_memory", "There is not enough memory for this video."]}
        except Exception as error:
            return self._broke(name, error)

    def _broke(self, name: str, error: Exception) -> Outcome:
        log.error("stage %s of %s failed", name, self.claim.id, exc_info=error)
        what = type(error).__name__
        return {"failed": ["internal_error", f"Making the video failed in {name} ({what})."]}

    def _check(self) -> Outcome:
        missing = [g.file for g in self.wish.given if not (self.work / g.file).is_file()]
        if missing:
            return {"failed": ["input_lost", "What was given with the video is gone."]}
        self._pass_gate()
        check(self.wish, self.work, describe(self.wish.model))
        return {}

    def _pass_gate(self) -> None:
        """Returns once the policy has allowed the work; waits as long as a classifier is silent.

        Raises:
            Refused: it is not allowed.
            LostClaim: it was cancelled, or taken over, while it waited.
        """
        assert self.shop.gate is not None
        owner = self.shop.store.owner(self.claim)
        pause_s = self.shop.settings.poll_s
        while True:
            try:
                self.shop.gate.check_work(owner, self.claim.id, self.wish, self.work)
                return
            except NoAnswer as error:
                log.warning("%s waits: %s", self.claim.id, error)
            self._patiently(lambda: self.shop.store.report(self.claim, stage=WAITING))
            self.shop.hurt(WAITING)
            self.shop.stopping.wait(pause_s)
            if self.shop.stopping.is_set():
                threading.Event().wait()  # the next worker asks again
            pause_s = min(2 * pause_s, WAIT_MAX_S)

    def _plan(self) -> Outcome:
        return self.shop.maker.plan(self.wish, self.work)

    def _stretch(
        self, number: int, count: int, before: list[Path], target: Path
    ) -> Callable[[], Outcome]:
        share = (DECODED_AT - MADE_AT) / count

        def act() -> Outcome:
            progress = self._progress(MADE_AT + share * number, share)

            def previewed(done: int) -> None:
                at = number * STEPS_MAX + done
                self._patiently(lambda: self.shop.store.report(self.claim, previews=at))

            self.shop.maker.stretch(
                self.wish, self.work, number, before, target, progress, previewed
            )
            previewed(STEPS_MAX)
            return {"sha256": sha256_of(target)}

        return act

    def _decode(self, made: list[Path]) -> Outcome:
        folder = self.work / f"decoded-{self.claim.fence}"
        progress = self._progress(DECODED_AT, 99 - DECODED_AT)
        began = time.time()
        facts = self.shop.maker.decode(self.wish, self.work, made, folder, progress)
        facts["decode_s"] = round(time.time() - began, 3)
        files = {name: sha256_of(folder / name) for name in published_names(folder)}
        return {"facts": facts, "folder": folder.name, "files": files}

    def _mark(self, decoded: Outcome) -> Outcome:
        """Gives the decoded files their credentials and labels; where one fails, none is kept."""
        if not _has_watermark(decoded):
            return {"failed": ["marking_failed", "The video could not be watermarked."]}
        assert self.shop.marking is not None
        folder = self.work / f"marked-{self.claim.fence}"
        facts = dict(decoded["facts"])
        settings = facts.pop("settings", {})
        made = self.work / decoded["folder"]
        self.shop.marking.mark(self.claim.id, self.wish, self.work, settings, made, folder)
        files = {name: sha256_of(folder / name) for name in published_names(folder)}
        return {"facts": facts, "folder": folder.name, "files": files}

    def _publish(self, marked: Outcome, notes: list[str]) -> None:
        """Renames the files to their published name, and commits it: not a remembered step, as
        each claim publishes under a name of its own."""
        shop, claim = self.shop, self.claim
        shop.hurt("before publish")
        try:
            shop.store.check(claim)
            published = shop.folder.publish(claim.id, claim.fence, self.work / marked["folder"])
        except WorldreelError as error:
            log.error("%s was not published: %s", claim.id, error)
            not_written = ["internal_error", "The video's files could not be written."]
            self._settle(dict(DISK_FULL) if _is_full(error) else {"failed": not_written})
            return
        shop.hurt("between rename and commit")
        facts = {**self.facts, **marked["facts"], "notes": notes}
        size_bytes = sum((published / name).stat().st_size for name in published_names(published))
        told = {"size_bytes": size_bytes, "sha256": marked["files"][VIDEO], "facts": facts}
        try:
            self._patiently(lambda: shop.store.publish(claim, **told))
        except ConsentGone as error:
            self._settle({"failed": ["consent_gone", str(error)]})
            return
        shop.hurt("after publish")
        self._learn()

    def _learn(self) -> None:
        """Compares the work with what it was reckoned to be, if nobody did a part of it before."""
        if self.claim.fence != 1:
            return
        took_s = time.monotonic() - self.began
        with contextlib.suppress(WorldreelError, DBAPIError):
            reckoned = check(self.wish, self.work, describe(self.wish.model))
            self.shop.workers.learn(self.shop.worker, took_s / max(reckoned.work_s, 1e-3))

    def _progress(self, start: float, share: float) -> Progress:
        """Says how far the job is, and stops it where it was cancelled, deleted or taken over."""
        reported, at = -1, 0.0

        def report(done: int, total: int, stage: str) -> None:
            nonlocal reported, at
            self.shop.hurt(stage)
            now = time.monotonic()
            if now - at < REPORT_S and done < total:
                return
            at = now
            percent = int(start + share * done / max(1, total))
            if percent != reported:
                reported = percent
                self._patiently(lambda: self.shop.store.report(self.claim, progress=percent))
            else:
                self._patiently(lambda: self.shop.store.check(self.claim))

        return report

    def _is_whole(self, outcome: Outcome) -> bool:
        """Whether the files that a stage made are there, as it left them."""
        folder = self.work / outcome["folder"]
        return all(
            (folder / name).is_file() and sha256_of(folder / name) == sha256
            for name, sha256 in outcome["files"].items()
        )

    def _patiently(self, act: Callable[[], None]) -> None:
        patiently(act, give_up=self.shop.stopping.is_set)


def _has_watermark(decoded: Outcome) -> bool:
    return bool(decoded["facts"].get("watermarked"))


def _is_full(error: WorldreelError) -> bool:
    return "disk is full" in error.message


def _clean_up(shop: Workshop, video: str) -> None:
    """Frees the disk once a video has ended or is gone."""
    standing = patiently(lambda: shop.store.standing([video])).get(video)
    if standing is None or standing.status == FAILED:
        shop.folder.remove(video)
    elif standing.ended:
        shop.folder.remove_work(video)
