"""The one road on which files are published: watermarked frames, labels, signed credentials.

Frames are watermarked while they are written; the finished file then gets its labels and its
credentials, is read back, and only then its name. Whatever fails on the way leaves no file.
"""

import hashlib
import json
import secrets
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from worldreel import __version__
from worldreel.core.errors import WorldreelError
from worldreel.media.atomic import atomic_target, disk_errors
from worldreel.provenance import carriers, credentials
from worldreel.provenance.authority import Signing, Tell, home, log
from worldreel.provenance.config import (
    MarkConfig,
    load_config,
    open_signing,
    open_watermark_keys,
)
from worldreel.provenance.credentials import Claim, Ingredient
from worldreel.provenance.labels import COMPOSITE, CREATED, Labels

if TYPE_CHECKING:
    from worldreel.provenance.watermark import Watermark

ISSUER_BITS, JOB_BITS = 8, 24


class MarkingFailed(WorldreelError):
    """A file could not be marked, and was therefore not published."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Marker:
    """How this installation marks what it publishes.

    Args:
        signing: what credentials are signed with.
        watermark: the pattern.
        config: the operator's word.
    """

    signing: Signing
    watermark: "Watermark"
    config: MarkConfig

    @classmethod
    def open(
        cls, folder: Path | None = None, config: Path | None = None, tell: Tell = log.warning
    ) -> "Marker":
        """The marker of a folder of keys, which are made if they are missing.

        Args:
            folder: the user's own if None (see ``authority.home``).
            config: the operator's file; ``provenance.toml`` of the folder, if there, for None.
            tell: told once that keys were made.

        Raises:
            WorldreelError: the certificate, a key or the operator's file cannot be used.
        """
        from worldreel.provenance.watermark import Watermark

        folder = home() if folder is None else folder
        said = load_config(folder, config)
        signing = open_signing(said, folder, tell)
        return cls(signing=signing, watermark=Watermark(open_watermark_keys(said)[0]), config=said)

    def claim(
        self,
        settings: Mapping[str, Any],
        *,
        sources: Sequence[Ingredient] = (),
        verb: str = "generate",
        content_id: str | None = None,
    ) -> Claim:
        """What is said of a file that was made with these settings.

        Args:
            settings: as they are embedded in the file; JSON types.
            content_id: its number; derived from settings and sources if None, so that what is
                made again is marked the same.
        """
        canonical = json.dumps(settings, sort_keys=True, separators=(",", ":"))
        digest = hashlib.sha256(canonical.encode()).hexdigest()
        if content_id is None:
            parts = [digest, *(source.sha256 for source in sources), self.signing.fingerprint]
            content_id = "wr_" + hashlib.sha256("".join(parts).encode()).hexdigest()[:32]
        return Claim(
            content_id=content_id,
            model=str(settings.get("model", "worldreel")),
            version=str(settings.get("model_version", "")),
            generator=__version__,
            settings_sha256=digest,
            sources=tuple(sources),
            verb=verb,
        )

    def payload(self, content_id: str) -> int:
        """The watermark's 32 bits: 8 of the issuer, 24 of the content's number."""
        issuer = int(self.signing.fingerprint[:2], 16)
        job = int.from_bytes(hashlib.sha256(content_id.encode()).digest()[: JOB_BITS // 8], "big")
        return issuer << JOB_BITS | job

    def frames(
        self, size: tuple[int, int], fps: float | Fraction, content_id: str
    ) -> "FrameMarker":
        """What marks the frames of one file while they are written; ``size`` is height, width."""
        return FrameMarker(self, size, float(fps), self.payload(content_id))

    def picture(self, pixels: NDArray[np.uint8], content_id: str) -> NDArray[np.uint8]:
        """A still with its marks, uint8 ``h w 3``."""
        size = pixels.shape[0], pixels.shape[1]
        return self.frames(size, 1, content_id)(pixels[None])[0]

    def writer(
        self,
        path: str | Path,
        *,
        size: tuple[int, int],
        fps: float | Fraction,
        settings: Mapping[str, Any],
        sources: Sequence[Ingredient] = (),
        verb: str = "generate",
    ) -> "MarkedWriter":
        """A writer of one marked video: as ``VideoWriter``, whose errors it has."""
        claim = self.claim(settings, sources=sources, verb=verb)
        return MarkedWriter(self, Path(path), size=size, fps=fps, settings=settings, claim=claim)

    def mark(self, finished: Path, target: Path, claim: Claim) -> None:
        """Gives a finished file its labels and credentials, under another name or its own.

        Its frames were watermarked before, by `frames`.

        Raises:
            UsageError: a format that carries no marks.
            MarkingFailed: a label, the signature or the check of them failed.
            WorldreelError: the disk is full. Whatever is raised, ``target`` is as it was.
        """
        mime = carriers.mime_of(target)
        with atomic_target(target) as part:
            self.mark_into(finished, part, mime, claim)

    def try_out(self) -> None:
        """Marks a small picture that nobody gets: raises at once what publishing would raise."""
        from worldreel.media.sheet import save_image

        with tempfile.TemporaryDirectory() as folder:
            plain = Path(folder) / "plain.png"
            save_image(plain, np.zeros((8, 8, 3), np.uint8))
            self.mark(plain, Path(folder) / "marked.png", self.claim({}))

    def mark_into(self, finished: Path, part: Path, mime: str, claim: Claim) -> None:
        """The same into a file that has no name yet, which may be ``finished`` itself."""
        labels = Labels(
            producer=self.config.producer,
            content_id=claim.content_id,
            source_type=COMPOSITE if claim.sources else CREATED,
        )
        labelled = part.with_name(f".worldreel-{secrets.token_hex(6)}.part")
        try:
            with disk_errors(part):
                carriers.write_labels(finished, labelled, mime, labels)
                credentials.sign(labelled, part, mime, claim, self.signing)
                self._check(part, mime, labels)
        finally:
            labelled.unlink(missing_ok=True)

    def _check(self, part: Path, mime: str, labels: Labels) -> None:
        """Raises MarkingFailed unless what was just written is what a reader finds."""
        with open(part, "rb") as file:
            read = credentials.read(file, mime, self.signing.root_pem)
            found = carriers.read_labels(file, mime)
        if read.state != "trusted" or read.content_id != labels.content_id:
            raise MarkingFailed(
                f"The content credentials of the new file are {read.state} "
                f"({', '.join(read.reasons) or 'no reason given'}): it was not published.",
                remedy="Check the certificate and its chain: they must be valid, and fit for C2PA.",
            )
        aigc = found.aigc or {}
        if aigc.get("ProduceID") != labels.content_id or found.source_type != labels.source_type:
            raise MarkingFailed("The labels of the new file cannot be read: it was not published.")


class FrameMarker:
    """Marks the frames of one file, group by group; the same whatever the groups."""

    def __init__(self, marker: Marker, size: tuple[int, int], fps: float, payload: int) -> None:
        from worldreel.provenance.watermark import capacity

        self._config = marker.config
        self._fps = fps
        self._count = 0
        self._embed = None
        num_bits = capacity(*size)
        if num_bits > 0:  # smaller pictures carry labels and credentials alone
            self._embed = marker.watermark.embedder(*size, payload % 2**num_bits)

    def __call__(self, frames: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """The next frames, uint8 ``t h w 3``, with their marks."""
        frames = self._labelled(frames)
        self._count += len(frames)
        return frames if self._embed is None else self._embed(frames)

    def _labelled(self, frames: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """The frames with the label that people see, where the operator wants one."""
        config = self._config
        if config.visible_label is None:
            return frames
        from worldreel.provenance.visible import draw_label

        return draw_label(
            frames, self._fps, config.visible_label, config.visible_seconds, start=self._count
        )


class MarkedWriter:
    """A ``VideoWriter`` whose file is marked before it gets its name."""

    def __init__(
        self,
        marker: Marker,
        path: Path,
        *,
        size: tuple[int, int],
        fps: float | Fraction,
        settings: Mapping[str, Any],
        claim: Claim,
    ) -> None:
        from worldreel.media.write import VideoWriter

        self._mark = marker.frames(size, fps, claim.content_id)
        mime = carriers.mime_of(path)

        def seal(part: Path) -> None:
            marker.mark_into(part, part, mime, claim)

        self._writer: VideoWriter = VideoWriter(
            path, size=size, fps=fps, settings=settings, seal=seal
        )

    def __enter__(self) -> "MarkedWriter":
        self._writer.__enter__()
        return self

    def __exit__(self, *raised: Any) -> None:
        self._writer.__exit__(*raised)

    def write(self, frames: NDArray[np.uint8]) -> None:
        """Append frames: uint8 ``t h w 3``, RGB, of the writer's size."""
        self._writer.write(self._mark(frames))


def with_visible_label(marker: Marker, language: Any) -> Marker:
    """The same marker, which also shows people a label; the operator's own wish stays."""
    if marker.config.visible_label is not None or language is None:
        return marker
    return replace(marker, config=replace(marker.config, visible_label=language))
