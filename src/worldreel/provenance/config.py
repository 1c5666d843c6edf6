"""How this installation marks: whose name, which keys, and whether people are shown a label.

An operator's ``provenance.toml`` says it; without one, worldreel's own keys are made and used.
"""

import hashlib
import tomllib
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Literal, get_args

from worldreel.core.errors import UsageError
from worldreel.provenance.authority import (
    Signing,
    Tell,
    load_signing,
    local_signing,
    log,
)

CONFIG_NAME = "provenance.toml"
PUBLIC_KEY = hashlib.sha256(b"worldreel public watermark key 1").digest()
"""The key that every worldreel knows, so that anyone can check a file for the watermark."""
PRODUCER_MAX = 120

Language = Literal["en", "zh", "both"]


@dataclass(frozen=True, kw_only=True)
class MarkConfig:
    """What an operator's file may say; paths in it are relative to its own folder.

    Args:
        producer: the name or code that labels give.
        certificate: PEM, the leaf and those above it. key: its private key, mode 600.
        time_stamping_url: an RFC 3161 service.
        watermark_key: a file of 32 bytes or more that keeps the watermark's pattern secret;
            then only those who have it find the watermark.
        visible_label: a text that people see, in this language, on everything.
        visible_seconds: how long it is shown from the beginning; None is throughout.
        trust: PEM files of authorities whose credentials count as trusted here.

    Raises:
        UsageError: a value that cannot be.
    """

    producer: str = "worldreel"
    certificate: Path | None = None
    key: Path | None = None
    time_stamping_url: str | None = None
    watermark_key: Path | None = None
    visible_label: Language | None = None
    visible_seconds: float | None = None
    trust: tuple[Path, ...] = ()

    def __post_init__(self) -> None:
        if not 0 < len(self.producer) <= PRODUCER_MAX or not self.producer.isprintable():
            raise UsageError(
                f"producer is {self.producer[:40]!r}; it must be a name of 1 to {PRODUCER_MAX}"
                " printable characters."
            )
        if (self.certificate is None) != (self.key is None):
            raise UsageError(
                "A certificate needs its key, and a key its certificate.",
                remedy="Set both, or neither to sign with worldreel's own keys.",
            )
        if self.visible_label is not None and self.visible_label not in get_args(Language):
            raise UsageError(f"visible_label is {self.visible_label!r}; it can be en, zh or both.")
        if self.visible_seconds is not None and not self.visible_seconds >= 2:
            raise UsageError(
                f"visible_seconds is {self.visible_seconds:g}; a label is seen for at least 2 s."
            )
        url = self.time_stamping_url
        if url is not None and not url.startswith(("http://", "https://")):
            raise UsageError(f"time_stamping_url is {url!r}; it must be an http or https URL.")


def load_config(folder: Path, path: Path | None = None) -> MarkConfig:
    """The operator's file, or what holds without one.

    Args:
        path: the file; ``provenance.toml`` of the folder, if it is there, for None.

    Raises:
        UsageError: the file cannot be read, or says what it cannot say.
    """
    if path is None:
        path = folder / CONFIG_NAME
        if not path.exists():
            return MarkConfig()
    try:
        values = tomllib.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise UsageError(
            f"{path} cannot be read: {error}", remedy="Mend it, or remove it."
        ) from error
    return MarkConfig(**_converted(values, path))


def open_signing(config: MarkConfig, folder: Path, tell: Tell = log.warning) -> Signing:
    """The operator's certificate, or the local authority's; errors as of both."""
    if config.certificate is not None and config.key is not None:
        return load_signing(config.certificate, config.key, tsa_url=config.time_stamping_url)
    return local_signing(folder, tell, tsa_url=config.time_stamping_url)


def open_watermark_keys(config: MarkConfig) -> tuple[bytes, ...]:
    """The keys that are looked for; files are marked with the first.

    Raises:
        UsageError: the operator's key cannot be read, or is too short.
    """
    if config.watermark_key is None:
        return (PUBLIC_KEY,)
    try:
        key = config.watermark_key.read_bytes()
    except OSError as error:
        raise UsageError(
            f"The watermark key {config.watermark_key} cannot be read ({error.strerror})."
        ) from error
    if len(key) < 32:
        raise UsageError(
            f"The watermark key {config.watermark_key} has {len(key)} bytes; 32 are needed.",
            remedy=f"Make one: head -c 32 /dev/urandom > {config.watermark_key}",
        )
    return (hashlib.sha256(key).digest(), PUBLIC_KEY)


def open_anchors(config: MarkConfig, signing: Signing | None) -> str:
    """The certificates that are trusted here, PEM: the own root, and those of the file."""
    found = [] if signing is None else [signing.root_pem]
    for path in config.trust:
        try:
            found.append(path.read_text("ascii"))
        except (OSError, ValueError) as error:
            raise UsageError(f"The certificate {path} cannot be read: {error}") from error
    return "\n".join(found)


def _converted(values: dict[str, Any], path: Path) -> dict[str, Any]:
    """The values with their paths resolved; raises UsageError for names and kinds unknown."""
    kinds: dict[str, tuple[type, ...]] = {
        "visible_seconds": (int, float),
        "trust": (list,),
    }
    known = {field.name for field in fields(MarkConfig)}
    converted: dict[str, Any] = {}
    for name, value in values.items():
        if name not in known:
            raise UsageError(f"{path}: {name!r} is not known; it can say {', '.join(known)}.")
        if isinstance(value, bool) or not isinstance(value, kinds.get(name, (str,))):
            raise UsageError(f"{path}: {name} is {value!r}, which is of another kind.")
        if name in ("certificate", "key", "watermark_key"):
            value = path.parent / value
        elif name == "trust":
            value = tuple(path.parent / str(one) for one in value)
        converted[name] = value
    return converted
