"""Whether a file says that it was made by a model, by whom and from what; and what that means."""

import itertools
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from worldreel.core.errors import WorldreelError
from worldreel.media.guard import guarded
from worldreel.media.limits import Limits
from worldreel.provenance.authority import home, load_signing
from worldreel.provenance.config import (
    PUBLIC_KEY,
    load_config,
    open_anchors,
    open_watermark_keys,
)
from worldreel.provenance.credentials import Credentials
from worldreel.provenance.examine import examine
from worldreel.provenance.labels import FoundLabels

if TYPE_CHECKING:
    from worldreel.provenance.watermark import Reading

FRAMES_MAX = 96
"""Frames that the watermark is looked for in, from the beginning: averaging more gains little."""
GROUP = 8
"""Frames that are in memory at a time."""


@dataclass(frozen=True, kw_only=True)
class WatermarkFound:
    """What became of the search for the watermark.

    Args:
        state: found, not_found, or not_searched (no frames could be read).
        false_alarm: probability that an unmarked file scores as high; None without a search.
        payload: its bits as a number, if they could be read. num_bits: how many those are.
        is_public: whether it is the pattern of the key that every worldreel knows.
    """

    state: str
    false_alarm: float | None = None
    payload: int | None = None
    num_bits: int = 0
    is_public: bool = False


@dataclass(frozen=True, kw_only=True)
class Report:
    """What a file says of where it comes from."""

    file: str
    mime: str
    credentials: Credentials
    labels: FoundLabels
    watermark: WatermarkFound
    words: tuple[str, ...]

    @property
    def says_generated(self) -> bool:
        """Whether any mark says that a model made the file, or a part of it."""
        sound = self.credentials.state in ("trusted", "valid")
        by_model = sound and any(step.made_by_model for step in self.credentials.steps)
        return by_model or self.labels.say_generated or self.watermark.state == "found"

    def to_json(self) -> dict[str, Any]:
        """The report in JSON types."""
        return {**asdict(self), "says_generated": self.says_generated}


@dataclass(frozen=True, kw_only=True)
class Keys:
    """What a check trusts and looks for: certificates in PEM, and watermark keys."""

    anchors_pem: str
    watermark: tuple[bytes, ...]

    @classmethod
    def open(cls, folder: Path | None = None, config: Path | None = None) -> "Keys":
        """Those of a folder of keys, of which nothing is made; errors as of the operator's file."""
        folder = home() if folder is None else folder
        said = load_config(folder, config)
        own = folder / "authority" / "authority.pem"
        signing = None
        if said.certificate is not None and said.key is not None:
            signing = load_signing(said.certificate, said.key)
        anchors = open_anchors(said, signing)
        if own.is_file():
            anchors += "\n" + own.read_text("ascii")
        return cls(anchors_pem=anchors, watermark=open_watermark_keys(said))


def check(path: str | Path, keys: Keys, limits: Limits | None = None) -> Report:
    """Reads every mark of a file; both readers are processes of their own, within limits.

    Raises:
        WorldreelError: no such file, no video or picture, or one that is made to harm.
    """
    examined = examine(path, keys.anchors_pem, limits)
    watermark = find_watermark(path, keys, limits)
    report = Report(
        file=str(path),
        mime=examined.mime,
        credentials=examined.credentials,
        labels=examined.labels,
        watermark=watermark,
        words=(),
    )
    words = (
        *_of_credentials(report.credentials),
        *_of_labels(report.labels),
        *_of_watermark(report.watermark),
        _in_all(report),
    )
    return Report(**{**vars(report), "words": words})


def find_watermark(path: str | Path, keys: Keys, limits: Limits | None = None) -> WatermarkFound:
    """Looks for the pattern of each key in the first frames of a file; memory stays constant."""
    from worldreel.provenance.watermark import FALSE_ALARM, Watermark

    best: tuple[Reading, bytes] | None = None
    for key in keys.watermark:
        try:
            reading = Watermark(key).detect(_groups(path, limits or Limits()))
        except _NoFrames:
            return WatermarkFound(state="not_searched")
        if best is None or reading.false_alarm < best[0].false_alarm:
            best = reading, key
    assert best is not None
    reading, key = best
    chance = min(1.0, reading.false_alarm * len(keys.watermark))
    if not reading.found or chance > FALSE_ALARM * len(keys.watermark):
        return WatermarkFound(state="not_found", false_alarm=chance)
    return WatermarkFound(
        state="found",
        false_alarm=chance,
        payload=reading.payload,
        num_bits=reading.num_bits,
        is_public=key == PUBLIC_KEY,
    )


class _NoFrames(Exception):
    """Nothing of a file could be decoded."""


def _groups(path: str | Path, limits: Limits) -> Iterator[NDArray[np.uint8]]:
    """The first frames of a file as they are, a few at a time: uint8 ``t h w 3``."""
    count = 0
    shape: tuple[int, ...] | None = None
    group: list[NDArray[np.uint8]] = []
    try:
        with guarded(path, limits) as decoding:
            for frame in itertools.islice(decoding.frames(), FRAMES_MAX):
                pixels = frame.upright()[..., :3]
                shape = shape or pixels.shape
                if pixels.shape != shape:
                    break  # the picture changes its size: what comes after is another one
                group.append(pixels)
                count += 1
                if len(group) == GROUP:
                    yield np.stack(group)
                    group = []
    except WorldreelError as error:
        if count == 0:
            raise _NoFrames from error
    if group:
        yield np.stack(group)


def _of_credentials(found: Credentials) -> list[str]:
    words = {
        "trusted": "Content credentials: trusted. The file is as it was signed, by somebody whose "
        "certificate is trusted here.",
        "valid": "Content credentials: valid. The file is as it was signed, but nobody here knows "
        "who signed it: anyone can make such a signature under any name.",
        "invalid": "Content credentials: invalid. There are some, but they do not fit the file: it "
        "or they were changed, or damaged. Believe nothing that they say.",
        "none": "Content credentials: none. They are lost whenever a file is sent through services "
        "that write it anew.",
    }
    lines = [words[found.state]]
    if found.state == "invalid" and found.reasons:
        lines.append(f"Why: {', '.join(found.reasons[:5])}.")
    if found.state in ("trusted", "valid"):
        for step in found.steps:
            made = "made by a model" if step.made_by_model else "no model is named"
            what = ", ".join(action.removeprefix("c2pa.") for action in step.actions) or "unknown"
            by = f"{step.generator.strip()}{f' ({step.model})' if step.model else ''}"
            lines.append(
                f"{'  ' * step.depth}- {what}: {made}; with {by}, signed by {step.issuer}."
            )
    return lines


def _of_labels(found: FoundLabels) -> list[str]:
    if found.aigc is None and found.source_type is None:
        return ["Labels: none. They are lost as easily as credentials."]
    lines = []
    if found.aigc is not None:
        meaning = {"1": "is", "2": "may be", "3": "is suspected to be"}.get(
            found.aigc.get("Label", ""), "is said to be something about"
        )
        producer = found.aigc.get("ContentProducer") or "nobody named"
        lines.append(
            f"Label (GB 45438-2025): the content {meaning} generated, by {producer}; number "
            f"{found.aigc.get('ProduceID') or 'none'}. Anyone can write or remove such a label."
        )
    if found.source_type is not None:
        kind = found.source_type.rsplit("/", 1)[-1]
        lines.append(f"Label (IPTC digital source type): {kind}.")
    return lines


def _of_watermark(found: WatermarkFound) -> list[str]:
    if found.state == "not_searched":
        return ["Watermark: not looked for, because no frame could be read."]
    assert found.false_alarm is not None
    if found.state == "not_found":
        return [
            "Watermark: not found. That proves nothing: other programs leave other watermarks or "
            "none, and strong changes remove this one."
        ]
    whose = "every worldreel" if found.is_public else "this installation"
    lines = [
        f"Watermark: found, with the key of {whose}. A file without it would look like this with "
        f"a probability of {found.false_alarm:.0e}."
    ]
    if found.payload is not None and found.num_bits:
        digits = -(-found.num_bits // 4)
        lines.append(f"It says {found.payload:0{digits}x} ({found.num_bits} bits).")
    if found.is_public:
        lines.append(
            "Whoever knows the public key, which is everyone, can also put it into other pictures."
        )
    return lines


def _in_all(report: Report) -> str:
    if report.says_generated:
        return "In all: a mark says that a model made this file, or a part of it."
    return (
        "In all: no mark says that a model made this file. The absence of marks proves nothing: it "
        "is no sign that a camera took it."
    )
