"""The gate before work: rules, classifiers, and what a policy wants of those who are shown.

Rules are asked when a request comes, so that it is refused at once, and again with the
classifiers when the work begins: what is made is judged by the policy that then holds.
"""

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from worldreel.app.jobs import audit
from worldreel.app.jobs.database import Database
from worldreel.app.jobs.video import Wish
from worldreel.app.policy.classifiers import ask
from worldreel.app.policy.policy import Policy
from worldreel.app.policy.reading import words_in
from worldreel.core.errors import UsageError

SAID = ("prompt", "text", "name")
"""Keys of a canvas whose values are words that are followed."""


class Refused(UsageError):
    """The policy does not allow what is asked for.

    Args:
        category: which of its categories it is.
        code: for clients.
    """

    def __init__(self, message: str, *, category: str, code: str, remedy: str = "") -> None:
        super().__init__(message, remedy=remedy)
        self.category = category
        self.code = code


@dataclass(frozen=True, kw_only=True)
class Gate:
    """Decides about requests and records the decisions."""

    policy: Policy
    database: Database

    def check_request(self, owner: str, subject: str, wish: Wish, inputs: Path) -> None:
        """Judges a request when it comes: rules, and what is said of those who are shown.

        Raises:
            Refused: it is not allowed, with what would be.
        """
        texts = list(texts_of(wish))
        if (category := self.policy.judge(*texts)) is not None:
            self._refuse(owner, subject, texts, category, "rule")
        self._check_people(owner, subject, wish, inputs)

    def check_work(self, owner: str, subject: str, wish: Wish, inputs: Path) -> None:
        """Judges work that is about to begin: rules, people, words in pictures, classifiers.

        Raises:
            Refused: it is not allowed.
            NoAnswer: a classifier, or what reads pictures, did not answer: the work must wait.
            WorldreelError: a picture whose words are to be read cannot be decoded.
        """
        self.check_request(owner, subject, wish, inputs)
        policy = self.policy
        texts = list(texts_of(wish))
        pictures = [inputs / name for name in _given(wish, inputs)]
        if policy.read_pictures:
            for path in pictures:
                texts.append(words_in(path, policy.read_pictures, policy.classifier_timeout_s))
            if (category := policy.judge(*texts)) is not None:
                self._refuse(owner, subject, texts, category, "words in a picture")
        self._ask(owner, subject, texts, pictures)

    def check_text(self, owner: str, subject: str, *texts: str) -> None:
        """Judges words alone, such as a character's name, by the rules; raises Refused."""
        if (category := self.policy.judge(*texts)) is not None:
            self._refuse(owner, subject, list(texts), category, "rule")

    def check_said(self, owner: str, subject: str, *texts: str) -> None:
        """Judges words that are followed at once, by rules and classifiers.

        Raises:
            Refused: they are not allowed.
            NoAnswer: a classifier did not answer: they must not be followed.
        """
        self.check_text(owner, subject, *texts)
        self._ask(owner, subject, list(texts), [])

    def _ask(self, owner: str, subject: str, texts: list[str], pictures: list[Path]) -> None:
        policy = self.policy
        if not policy.classifiers:
            return
        category = ask(policy.classifiers, texts, pictures, policy.classifier_timeout_s)
        if category is not None:
            self._refuse(owner, subject, texts, category, "classifier")
        self._record(owner, subject, texts, None, "classifier")

    def check_character(self, consent: str | None) -> None:
        """Raises Refused where a character would need a consent and names none."""
        if self.policy.consent_for_characters and consent is None:
            raise Refused(
                "A character needs a recorded consent here.",
                category="likeness",
                code="consent_required",
                remedy="Record one with POST /v1/consents, and give its id as consent.",
            )

    def _check_people(self, owner: str, subject: str, wish: Wish, inputs: Path) -> None:
        rule = self.policy.people_in_pictures
        from_here = bool(wish.parents) and wish.shows_person is None
        if rule == "always" or from_here or not list(_given(wish, inputs)):
            return
        if wish.shows_person is None:
            raise Refused(
                "Say whether a person is in the picture or clip that is given.",
                category="likeness",
                code="attestation_required",
                remedy="Send shows_person: false, or true with the id of a consent.",
            )
        if not wish.shows_person:
            return
        if rule == "never" or wish.consent is None:
            what = "Pictures of people are not made to move here."
            remedy = "" if rule == "never" else "They are with the id of a consent, as consent."
            self._record(owner, subject, [], "likeness", "attestation")
            raise Refused(what, category="likeness", code="person_refused", remedy=remedy)

    def _refuse(
        self, owner: str, subject: str, texts: Sequence[str], category: str, by: str
    ) -> None:
        self._record(owner, subject, texts, category, by)
        raise Refused(
            f"The policy of this server does not allow what is asked for ({category}).",
            category=category,
            code="content_policy_violation",
            remedy="Ask for something else, or ask the operator of the server.",
        )

    def _record(
        self, owner: str, subject: str, texts: Sequence[str], category: str | None, by: str
    ) -> None:
        kind = "policy.allowed" if category is None else "policy.refused"
        digest = hashlib.sha256("\n".join(texts).encode()).hexdigest()
        told: dict[str, Any] = {"category": category, "by": by, "texts_sha256": digest}
        if self.policy.log_prompts:
            told["texts"] = list(texts)
        audit.record(self.database, kind, owner, subject, **told)


def texts_of(wish: Wish) -> Iterator[str]:
    """The words that a wish follows; what should not be seen is not among them."""
    yield wish.prompt
    if wish.canvas is not None:
        try:
            yield from _words_in(json.loads(wish.canvas))
        except ValueError:
            yield wish.canvas


def _words_in(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for key, inner in value.items():
            if key in SAID and isinstance(inner, str):
                yield inner
            else:
                yield from _words_in(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _words_in(inner)


def _given(wish: Wish, inputs: Path) -> Iterator[str]:
    """The names of the pictures and clips that a wish begins from."""
    yield from (given.file for given in wish.given)
    if wish.canvas is not None and inputs.is_dir():
        yield from sorted(path.name for path in inputs.glob("canvas-*") if path.suffix)
