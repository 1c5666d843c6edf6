"""Text as a reader sees it: the many ways to write a word so that a computer misses it, undone.

Letters that look alike become one, marks and invisible characters go, figures that stand for
letters become those, and words that are spelled out letter by letter are joined.
"""

import re
import unicodedata
from dataclasses import dataclass
from functools import lru_cache

from worldreel.app.policy.confusables import LOOK_ALIKE

INVISIBLE = frozenset(
    [
        *(0x00AD, 0x034F, 0x061C, 0x115F, 0x1160, 0x17B4, 0x17B5, 0x180E, 0x3164, 0xFEFF, 0xFFA0),
        *range(0x200B, 0x2010),
        *range(0x202A, 0x202F),
        *range(0x2060, 0x2070),
        *range(0xFE00, 0xFE10),
        *range(0xE0000, 0xE0200),
    ]
)
"""Characters that are not seen: joiners, direction marks, variation selectors, tags, fillers."""

FIGURES = str.maketrans("013457@$!|8€+", "oieastasiibet")
"""Figures and signs that stand for letters, where letters are beside them."""
VARIETY = re.compile(r"LATIN (?:SMALL |CAPITAL )?LETTER (?:SMALL CAPITAL )?([A-Z])(?: WITH .*)?$")
"""Unicode's names of varieties of Latin letters, such as small capitals and letters with hooks."""
TEXT_MAX = 40_000


@dataclass(frozen=True)
class Plain:
    """A text in the forms that rules are compared with.

    Args:
        words: lower case, one space between words, figures as they are.
        letters: the same with figures and signs that stand for letters read as those.
        spelled: words that were spelled out with gaps between their letters, joined.
        upright: the letters with l, i and j as one, and w as vv: they are exchanged most.
        stretches: what was spelled out, each stretch of it with no gaps: words may begin anywhere.
    """

    words: str
    letters: str
    spelled: str
    upright: str
    stretches: tuple[str, ...]

    @property
    def joined(self) -> str:
        """All letters without anything between them."""
        return self.letters.replace(" ", "")


@lru_cache(maxsize=256)
def plain(text: str) -> Plain:
    """What a text says, in all the forms that rules are compared with."""
    seen = _seen(text[:TEXT_MAX])
    words = _spaced(re.sub(r"[^\w@$!|€+]|_", " ", seen))
    letters = _spaced(re.sub(r"[^\w ]", " ", _read_figures(words)))
    spelled, stretches = _join_spelled(seen)
    return Plain(
        words=_spaced(re.sub(r"[^\w ]", " ", words)),
        letters=letters,
        spelled=spelled,
        upright=upright(spelled),
        stretches=tuple(stretches),
    )


def upright(letters: str) -> str:
    """Letters that are mere strokes as one, so that I for l and vv for w change nothing."""
    return letters.replace("l", "i").replace("j", "i").replace("w", "vv")


def _seen(text: str) -> str:
    """The text as it looks: compatible forms and look-alikes as Latin letters, marks gone."""
    shown = "".join(
        " " if unicodedata.category(c) in ("Zs", "Cc") else c
        for c in text
        if ord(c) not in INVISIBLE
    )
    folded = unicodedata.normalize("NFKD", shown)
    bare = "".join(_figure(c) for c in folded if not _is_mark(c))
    alike = "".join(_look_alike(word) for word in re.split(r"(\s+)", bare))
    return unicodedata.normalize("NFKC", alike.casefold())


def _figure(character: str) -> str:
    """A figure of any script as one of ours."""
    value = unicodedata.decimal(character, None)
    return character if value is None else str(value)


def _is_mark(character: str) -> bool:
    """Whether it is drawn on another character of Latin, Greek or Cyrillic letters."""
    return unicodedata.category(character) in ("Mn", "Me") and (
        0x0300 <= ord(character) < 0x0370
        or 0x0483 <= ord(character) < 0x048A
        or 0x1AB0 <= ord(character) < 0x1B00
        or 0x1DC0 <= ord(character) < 0x1E00
        or 0x20D0 <= ord(character) < 0x2100
    )


def _look_alike(word: str) -> str:
    """Letters of other scripts, and odd ones of our own, as the Latin ones that they look like.

    A word that is wholly of another script is kept, as it says something in its own language,
    unless all of its letters look Latin.
    """
    others = [c for c in word if not c.isascii() and (c.isalpha() or _alike(c) != c)]
    if not others:
        return word
    latin = any(c.isascii() and c.isalpha() for c in word)
    if latin or all(_alike(c) != c for c in others):
        return "".join(map(_alike, word))
    return word


@lru_cache(maxsize=4096)
def _alike(character: str) -> str:
    """The Latin letter that a character looks like, or is a variety of; itself if none."""
    if character.isascii():
        return character
    for one in (character, character.casefold()):
        if one in LOOK_ALIKE:
            return LOOK_ALIKE[one]
    variety = VARIETY.match(unicodedata.name(character, ""))
    return variety[1].lower() if variety else character


def _read_figures(text: str) -> str:
    """Figures and signs read as the letters that they stand for, where they do: in words that
    have letters or signs too, and alone."""
    return " ".join(
        word.translate(FIGURES) if len(word) == 1 or not word.isdecimal() else word
        for word in text.split(" ")
    )


def _join_spelled(seen: str) -> tuple[str, list[str]]:
    """``b o m b``, ``b.o.m.b`` and ``b-o m_b`` as ``bomb``: at least three single letters.

    Returns:
        the whole text so, and the stretches that were joined.
    """
    tokens = [t for t in re.split(r"[^\w@$!|€+]+|_+", seen) if t]
    out: list[str] = []
    stretches: list[str] = []
    run: list[str] = []
    for token in [*tokens, ""]:
        if len(token) == 1 and (token.isalnum() or token in "@$!|€+"):
            run.append(token)
            continue
        if len(run) >= 3:
            stretches.append("".join(run).translate(FIGURES))
            out.append(stretches[-1])
        else:
            out += map(_read_figures, run)
        run = []
        out.append(_read_figures(token))
    return _spaced(" ".join(out)), stretches


def _spaced(text: str) -> str:
    return " ".join(text.split())
