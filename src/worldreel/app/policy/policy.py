"""An operator's policy: a TOML file of categories with words, phrases and patterns.

The file is the operator's word, so it is read strictly: a key or a pattern that cannot be is an
error that stops the server, and never a rule that silently is none.
"""

import re
import tomllib
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from worldreel.app.policy.plain import Plain, plain, upright
from worldreel.core.errors import UsageError

SAMPLE = Path(__file__).parent / "sample.toml"
PATTERN_MAX = 500
SHORTEST_JOINED = 6
"""Words of fewer letters are not sought across the gaps between words: too many words contain
them by chance."""


@dataclass(frozen=True, kw_only=True)
class Category:
    """What is not to be asked for.

    Args:
        name: as clients are told it.
        words: words and phrases, in any language; ``*`` at an end stands for any letters.
        patterns: regular expressions, compared with the text in plain letters.
        unless: words beside which a word of this category is harmless.
    """

    name: str
    words: tuple[str, ...] = ()
    patterns: tuple[str, ...] = ()
    unless: tuple[str, ...] = ()

    @cached_property
    def _in_words(self) -> "list[_Word]":
        return [_Word.of(word, plain(word.strip("*")).letters) for word in self.words]

    @cached_property
    def _upright(self) -> "list[_Word]":
        return [_Word.of(word, plain(word.strip("*")).upright) for word in self.words]

    @cached_property
    def _exceptions(self) -> list[re.Pattern[str]]:
        return [re.compile(_bounded(word, plain(word.strip("*")).letters)) for word in self.unless]

    @cached_property
    def _patterns(self) -> list[re.Pattern[str]]:
        return [re.compile(pattern) for pattern in self.patterns]

    @cached_property
    def _letters(self) -> list[str]:
        return [plain(word.strip("*")).joined for word in self.words]

    def holds(self, said: Plain) -> bool:
        """Whether a text asks for it."""
        words, letters, spelled = (
            self._without_exceptions(form) for form in (said.words, said.letters, said.spelled)
        )
        for form in {words, letters, spelled}:
            if _any(self._in_words, form) or any(one.search(form) for one in self._patterns):
                return True
        if _any(self._upright, upright(spelled)):
            return True
        if any(word in stretch for stretch in said.stretches for word in self._letters):
            return True
        joined = letters.replace(" ", "")
        return any(word in joined for word in self._letters if len(word) >= SHORTEST_JOINED)

    def _without_exceptions(self, form: str) -> str:
        for exception in self._exceptions:
            form = exception.sub(" ", form)
        return form


@dataclass(frozen=True)
class _Word:
    """A word or phrase, and the letters without which a text cannot hold it."""

    pattern: re.Pattern[str]
    letters: frozenset[str]

    @classmethod
    def of(cls, word: str, letters: str) -> "_Word":
        """A rule's word, in one of the forms of a text."""
        return cls(re.compile(_bounded(word, letters)), frozenset(letters))


def _any(words: list[_Word], text: str) -> bool:
    """Whether one of the words is in a text."""
    there = frozenset(text)
    tokens = "\n".join(dict.fromkeys(text.split(" ")))  # each once: most words come often
    return any(
        word.letters <= there and word.pattern.search(text if " " in word.letters else tokens)
        for word in words
    )


@dataclass(frozen=True, kw_only=True)
class Policy:
    """What may be asked for, and of whom.

    Args:
        categories: what is refused.
        classifiers: addresses, or ``module:function``, that are asked about every request.
        classifier_timeout_s: how long each may take; after that it has not answered.
        log_prompts: whether the record of decisions holds the texts.
        consent_for_characters: whether a character needs a recorded consent.
        people_in_pictures: whether a picture of a person may be made to move: never, with an
            attested consent, or always.
        read_pictures: languages of Tesseract's in which words in given pictures are read and
            judged; none is no reading.
    """

    categories: tuple[Category, ...] = ()
    classifiers: tuple[str, ...] = ()
    classifier_timeout_s: float = 10.0
    log_prompts: bool = False
    consent_for_characters: bool = False
    people_in_pictures: str = "always"
    read_pictures: tuple[str, ...] = ()

    def judge(self, *texts: str) -> str | None:
        """The name of the first category that one of the texts, or all together, ask for."""
        for text in dict.fromkeys((*texts, " ".join(texts))):
            said = plain(text)
            for category in self.categories:
                if category.holds(said):
                    return category.name
        return None


def load_policy(path: Path | None, *, shared: bool = False) -> Policy:
    """The policy in a file; without one everything is allowed but, on a shared server, pictures
    of people without their consent.

    Raises:
        UsageError: the file cannot be read, or says what it cannot say; the place is named.
    """
    if path is None:
        return Policy(people_in_pictures="consent" if shared else "always")
    try:
        values = tomllib.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise UsageError(
            f"The policy {path} cannot be read: {error}",
            remedy="Mend it; without a policy that can be read nothing is served.",
        ) from error
    try:
        return _policy(values)
    except _Wrong as error:
        raise UsageError(
            f"The policy {path}: {error}", remedy="Mend it; sample.toml shows what it can say."
        ) from None


class _Wrong(Exception):
    """A value in the file that cannot be."""


def _policy(values: dict[str, Any]) -> Policy:
    kinds: dict[str, type | tuple[type, ...]] = {
        "classifiers": list,
        "classifier_timeout_s": (int, float),
        "log_prompts": bool,
        "consent_for_characters": bool,
        "people_in_pictures": str,
        "read_pictures": list,
        "category": list,
    }
    for name, value in values.items():
        if name not in kinds:
            raise _Wrong(f"{name!r} is not known; it can say {', '.join(kinds)}.")
        if not isinstance(value, kinds[name]) or (
            kinds[name] is not bool and isinstance(value, bool)
        ):
            raise _Wrong(f"{name} is {value!r}, which is of another kind.")
    if values.get("people_in_pictures", "always") not in ("never", "consent", "always"):
        raise _Wrong("people_in_pictures can be never, consent or always.")
    if not 0 < values.get("classifier_timeout_s", 1.0) <= 600:
        raise _Wrong("classifier_timeout_s must be above 0 and at most 600.")
    classifiers = _texts(values.get("classifiers", []), "classifiers")
    for name in classifiers:
        if not re.fullmatch(r"https?://\S+|[\w.]+:\w+", name):
            raise _Wrong(f"the classifier {name!r} is neither a URL nor module:function.")
    languages = _texts(values.get("read_pictures", []), "read_pictures")
    for name in languages:
        if not re.fullmatch(r"[A-Za-z]{3}(_[A-Za-z]+)*", name):
            raise _Wrong(f"read_pictures names {name!r}; a language is eng, deu, chi_sim, ...")
    categories = tuple(_category(entry) for entry in values.pop("category", []))
    names = [category.name for category in categories]
    if len(set(names)) != len(names):
        raise _Wrong("two categories have one name.")
    lists = {"classifiers": classifiers, "read_pictures": languages, "categories": categories}
    return Policy(**{**values, **lists})


def _category(entry: Any) -> Category:
    if not isinstance(entry, dict) or not isinstance(entry.get("name"), str) or not entry["name"]:
        raise _Wrong("a category has no name.")
    known = {"name", "words", "patterns", "unless"}
    if unknown := set(entry) - known:
        raise _Wrong(f"category {entry['name']!r}: {sorted(unknown)[0]!r} is not known.")
    lists = {key: _texts(entry.get(key, []), key) for key in ("words", "patterns", "unless")}
    if not lists["words"] and not lists["patterns"]:
        raise _Wrong(f"category {entry['name']!r} has neither words nor patterns.")
    for pattern in lists["patterns"]:
        try:
            re.compile(pattern)
        except re.error as error:
            raise _Wrong(f"category {entry['name']!r}: the pattern {pattern!r}: {error}") from None
        if len(pattern) > PATTERN_MAX or pattern == "":
            raise _Wrong(f"category {entry['name']!r}: a pattern is empty or too long.")
    for word in (*lists["words"], *lists["unless"]):
        if not plain(word.strip("*")).letters:
            raise _Wrong(f"category {entry['name']!r}: the word {word!r} has no letters.")
    return Category(name=entry["name"], **lists)


def _texts(value: Any, name: str) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(one, str) and one for one in value):
        raise _Wrong(f"{name} must be a list of texts.")
    return tuple(value)


def _bounded(word: str, letters: str) -> str:
    """A pattern for a word or phrase in which letters may be drawn out; in scripts that put no
    spaces between words it may stand anywhere."""
    body = "".join(" " if c == " " else re.escape(c) + "+" for c in letters)
    if any(_has_no_spaces(c) for c in letters):
        return body
    start = r"\w*" if word.startswith("*") else r"(?<!\w)"
    end = r"\w*" if word.endswith("*") else r"(?!\w)"
    return start + body + end


def _has_no_spaces(character: str) -> bool:
    """Whether it is of a script without spaces between words: Chinese, Japanese, Thai, ..."""
    return "\u0e00" <= character < "\u1100" or character >= "\u2e80"
