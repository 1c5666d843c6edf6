"""Which words of a prompt a small model knows, and what it takes the others for.

First the list of the words that its captions use, then a list of synonyms, then
the distance of embeddings. A word that passes none of them still goes to the
model; the person is told.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import torch.nn.functional as F
from torch import Tensor

from worldreel.models.text import TextEncoder
from worldreel.weights.catalogue import LARGER_MODELS
from worldreel.world.vocabulary import SYNONYMS, WORDS

THRESHOLD = 0.6
"""The least cosine between two words for one to stand for the other.

Measured with all-MiniLM-L6-v2 on 102 unlisted words that mean one of the world's ("timber",
"gigantic") and 121 that mean none ("cat", "piano"): 25% of the former are accepted and 0.8% of
the latter; at 0.5 it would be 48% and 20%. A near word that is missed is only remarked upon.
"""

_STOP_WORDS = """
a about after again all along also am an and another any are as at be been before being between
both but by can could do does during each either every few for further had has have having he
her here him his how i if is it its itself just like may more most much my near nearby no nor
not now of off on once only or other our own per same scene see she should showing shown shows
so some such than that the their them there these they this those through to together too toward
towards under very via video was we were what when where which while who whose will with would
you your
"""
STOP_WORDS = frozenset(_STOP_WORDS.split())
"""Words that carry too little to be worth a remark."""

INFLECTIONS = {
    "fell": "falls",
    "fallen": "falls",
    "throw": "thrown",
    "threw": "thrown",
    "swung": "swings",
    "slid": "slides",
    "stood": "stands",
    "lay": "lies",
    "lying": "lies",
    "came": "comes",
    "1": "one",
    "2": "two",
    "3": "three",
    "big": "large",
    "grey": "gray",
}
"""What the rules of `_bases` do not find."""

_NEVER_MEANT = """
across air back comes cut down from front in into middle object objects onto out over passes shot
side still then up view
"""
NEVER_MEANT = frozenset(_NEVER_MEANT.split())
"""Words of the captions that say too little for another word to be understood as them."""

WORD = re.compile(r"[^\W_]+(?:[-'\u2019][^\W_]+)*")
SHOWN_WORDS = 12


@dataclass(frozen=True, kw_only=True)
class Understanding:
    """What a model makes of a prompt, word by word, each word once."""

    known: tuple[str, ...] = ()
    close: Mapping[str, str] = field(default_factory=dict)
    """Words that it does not know, and the word of its own that comes nearest."""
    unknown: tuple[str, ...] = ()
    unread: str = ""
    """The end of a prompt that is longer than the text encoder reads."""

    @property
    def is_complete(self) -> bool:
        """Whether every word is known."""
        return not (self.close or self.unknown or self.unread)

    def message(self, model_name: str) -> str:
        """What to tell the person, one sentence a line; empty where every word is known."""
        lines = []
        if self.unread:
            start = self.unread if len(self.unread) <= 60 else self.unread[:59] + "…"
            lines.append(f'The prompt is longer than {model_name} reads; left out: "{start}"')
        if self.close:
            pairs = [f'"{word}" as "{meant}"' for word, meant in self.close.items()]
            lines.append(f"{model_name} understood {_list(pairs)}.")
        if self.unknown:
            words = _list([f'"{word}"' for word in self.unknown])
            lines.append(f"{model_name} did not understand {words}: it was never shown that.")
            lines.append(
                "Open models trained on real footage would serve: " + ", ".join(LARGER_MODELS) + "."
            )
        return "\n".join(lines)


def understand(prompt: str, text: TextEncoder, vocabulary: str = "world") -> Understanding:
    """Sorts the words of a prompt into those of the simulated world, near ones and others.

    A model of the ``open`` vocabulary is taken to know every word that it reads.
    """
    unread = text.truncated_words(prompt)
    if vocabulary == "open":
        return Understanding(unread=unread)
    read = prompt.rstrip().removesuffix(unread)
    known: dict[str, None] = {}
    close: dict[str, str] = {}
    others: dict[str, None] = {}
    for word in _words(read):
        if _is_known(word):
            known[word] = None
        elif meant := next((MEANING[base] for base in _bases(word) if base in MEANING), None):
            close[word] = meant
        else:
            others[word] = None
    close |= _nearest(list(others), text)
    return Understanding(
        known=tuple(known),
        close=close,
        unknown=tuple(word for word in others if word not in close),
        unread=unread,
    )


def _words(prompt: str) -> Iterable[str]:
    """The words of a prompt that carry meaning, in lower case."""
    for match in WORD.finditer(prompt.lower()):
        word = re.sub(r"['\u2019]s?$", "", match.group())
        parts = [word] if _is_known(word) or word in SYNONYMS else word.split("-")
        yield from (part for part in parts if part and part not in STOP_WORDS)


def _is_known(word: str) -> bool:
    return any(base in KNOWN for base in _bases(word))


def _bases(word: str) -> list[str]:
    """The word, and what it may be an inflection of."""
    bases = [word]
    if word in INFLECTIONS:
        bases.append(INFLECTIONS[word])
    if word.endswith("s") and not word.endswith("ss") and len(word) > 3:
        bases.append(word[:-1])
        if word.endswith(("ses", "xes", "zes", "ches", "shes")):
            bases.append(word[:-2])
    for ending in ("ing", "ed"):
        stem = word.removesuffix(ending)
        if stem != word and len(stem) >= 3:
            bases += [stem, stem + "e"]
            if stem[-1] == stem[-2]:
                bases.append(stem[:-1])
    return bases


def _vocabulary() -> list[str]:
    return sorted({word for words in WORDS.values() for word in words})


KNOWN = frozenset(base for word in _vocabulary() for base in _bases(word))
"""Every word of the captions, and the forms that it may be an inflection of."""

MEANING = {base: meant for word, meant in SYNONYMS.items() for base in _bases(word)} | SYNONYMS
"""The synonyms, and the forms that they may be an inflection of."""

MEANT = [word for word in _vocabulary() if word not in NEVER_MEANT | set(WORDS["count"])]
"""The words that another may be understood as."""


def _nearest(words: list[str], text: TextEncoder) -> dict[str, str]:
    """Each word with the nearest of the world's, where that is near enough."""
    if not words:
        return {}
    cosine, place = (_embed(words, text) @ _embed(MEANT, text).T).max(dim=1)
    return {
        word: MEANT[index]
        for word, value, index in zip(words, cosine.tolist(), place.tolist(), strict=True)
        if value >= THRESHOLD
    }


def _embed(words: list[str], text: TextEncoder) -> Tensor:
    """The mean of each word's token states, of length 1: ``n d``, as MiniLM was trained."""
    states, mask = text(words)
    return F.normalize((states * mask[..., None]).sum(1) / mask.sum(1, keepdim=True), dim=1)


def _list(items: list[str]) -> str:
    more = len(items) - SHOWN_WORDS
    return ", ".join(items[:SHOWN_WORDS]) + (f" and {more} more" if more > 0 else "")
