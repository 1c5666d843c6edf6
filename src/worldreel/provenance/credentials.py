"""Content credentials (C2PA): what is claimed of a file, signed into it, and read from any.

The only module that speaks with ``c2pa``. Files from others are read in a process of their own
(see ``examine``); nothing is fetched from a network, whatever a manifest asks for.
"""

import io
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO, Literal

from worldreel.core.errors import WorldreelError
from worldreel.provenance.authority import SIGNING_USES, Signing
from worldreel.provenance.envelope import head_sha256, is_untouched
from worldreel.provenance.labels import CREATED

State = Literal["trusted", "valid", "invalid", "none"]

SETTINGS_LABEL = "org.worldreel.making"
TOUCHED = "worldreel.envelope.changed"
"""The reason where signatures hold, and bytes that they do not cover were changed."""
OTHER_USES = ("1.3.6.1.5.5.7.3.8", "1.3.6.1.5.5.7.3.9")
"""Extended key usages of those who stamp times and who answer for certificates."""
STEPS_MAX = 64
TEXT_MAX = 300


@dataclass(frozen=True, kw_only=True)
class Ingredient:
    """What a file was made from.

    Args:
        title: what it is called, such as its file's name.
        archive: its own credentials, as ``archive_ingredient`` wrote them; None where it is of
            a format that carries none.
        sha256: of the source's bytes, hexadecimal.
        mime: its type.
    """

    title: str
    sha256: str
    mime: str
    archive: bytes | None = None


@dataclass(frozen=True, kw_only=True)
class Claim:
    """What is said of a file.

    Args:
        content_id: its number with this producer.
        model: name of the model that made it. version: of its weights.
        generator: version of worldreel.
        settings_sha256: of the settings as canonical JSON, so that prompts stay private.
        sources: clips and pictures that it was made from; empty for what is made from words.
        verb: what was done with the sources, one word.
    """

    content_id: str
    model: str
    version: str
    generator: str
    settings_sha256: str
    sources: tuple[Ingredient, ...] = ()
    verb: str = "generate"


@dataclass(frozen=True, kw_only=True)
class Step:
    """One manifest in the chain: who said what was done, the latest first."""

    issuer: str
    generator: str
    title: str
    actions: tuple[str, ...]
    made_by_model: bool
    model: str
    depth: int


@dataclass(frozen=True, kw_only=True)
class Credentials:
    """What a file's credentials say.

    Args:
        state: trusted (sound, and signed by somebody who is trusted here), valid (sound, by
            somebody unknown), invalid (there, but not sound), none.
        steps: the chain of edits, the latest first.
        reasons: codes of what is wrong, and what a person should know.
        content_id: of the latest step, if it was made by worldreel.
    """

    state: State
    steps: tuple[Step, ...] = ()
    reasons: tuple[str, ...] = ()
    content_id: str | None = None
    signed_at: str | None = None

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> "Credentials":
        """What ``dataclasses.asdict`` made of it."""
        steps = (Step(**{**step, "actions": tuple(step["actions"])}) for step in value["steps"])
        return cls(**{**value, "steps": tuple(steps), "reasons": tuple(value["reasons"])})


_STATES: dict[str, State] = {"Trusted": "trusted", "Valid": "valid"}


@dataclass
class _Chain:
    manifests: dict[str, Any]
    steps: list[Step] = field(default_factory=list)
    seen: set[str] = field(default_factory=set)


def sign(source: Path, target: Path, mime: str, claim: Claim, signing: Signing) -> None:
    """Copies a finished file with signed credentials.

    Raises:
        WorldreelError: it cannot be signed: the certificate, the time stamp or the disk failed.
    """
    import c2pa

    timestamp = None if signing.tsa_url is None else signing.tsa_url.encode()
    algorithm = getattr(c2pa.C2paSigningAlg, signing.algorithm.upper())
    info = c2pa.C2paSignerInfo(
        algorithm,
        signing.chain_pem.encode(),
        signing.key_pem.encode(),
        timestamp,  # pyright: ignore[reportArgumentType]  (None is how none is said)
    )
    try:
        with (
            _context(signing.root_pem) as context,
            c2pa.Signer.from_info(info) as signer,
            open(source, "rb") as file,
            open(target, "w+b") as out,
            c2pa.Builder.from_json(_manifest(claim, mime, file), context) as builder,
        ):
            for ingredient in claim.sources:
                if ingredient.archive is not None:
                    builder.add_ingredient_from_archive(io.BytesIO(ingredient.archive))
            builder.sign(signer, mime, file, out)
    except c2pa.C2paError as error:
        raise WorldreelError(
            f"Content credentials could not be signed: {_first_line(error)}",
            remedy="Check the certificate, the time stamping service and the disk; nothing was "
            "published.",
        ) from error


def read(file: BinaryIO, mime: str, anchors_pem: str = "") -> Credentials:
    """The credentials of an open file.

    Args:
        anchors_pem: certificates whose signers are trusted, PEM.
    """
    import c2pa

    try:
        with _context(anchors_pem) as context, c2pa.Reader(mime, file, context=context) as reader:
            state: State = _STATES.get(reader.get_validation_state() or "", "invalid")
            store = json.loads(reader.json())
    except (c2pa.C2paError, ValueError, RecursionError) as error:
        kinds: Any = c2pa.C2paError  # its kinds are set on the class when c2pa is loaded
        if isinstance(error, kinds.ManifestNotFound):
            return Credentials(state="none")
        if isinstance(error, kinds.NotSupported):
            return Credentials(state="none", reasons=("format.carriesNone",))
        return Credentials(state="invalid", reasons=(_first_line(error),))
    chain = _Chain(store.get("manifests", {}))
    _walk(chain, store.get("active_manifest"), 0)
    failures = store.get("validation_results", {}).get("activeManifest", {}).get("failure", [])
    active = chain.manifests.get(store.get("active_manifest"), {})
    making = _assertion(active, SETTINGS_LABEL)
    reasons = [str(one.get("code"))[:TEXT_MAX] for one in failures]
    if state != "invalid" and making and not is_untouched(file, mime, making):
        state = "invalid"
        reasons.append(TOUCHED)
    return Credentials(
        state=state,
        steps=tuple(chain.steps),
        reasons=tuple(dict.fromkeys(reasons)),
        content_id=_text(making.get("content_id")) or None,
        signed_at=active.get("signature_info", {}).get("time"),
    )


def archive_ingredient(file: BinaryIO, mime: str, title: str, number: int) -> bytes | None:
    """An open file's own credentials, packed so that a later claim can name it as a source.

    Returns:
        None where the format carries none, or they are broken beyond reading.
    """
    import c2pa

    out = io.BytesIO()
    name = f"source-{number}"
    words = {"title": title, "relationship": _relationship(number), "label": name}
    try:
        with _context("") as context, c2pa.Builder.from_json("{}", context) as builder:
            builder.add_ingredient(words, mime, file)
            builder.write_ingredient_archive(name, out)
    except c2pa.C2paError:
        return None
    return out.getvalue()


def _context(anchors_pem: str) -> Any:
    import c2pa

    trust = {"trust_config": "\n".join((*SIGNING_USES, *OTHER_USES))}
    if anchors_pem:
        trust["trust_anchors"] = anchors_pem
    return c2pa.Context.from_dict(
        {
            "version": 1,
            "verify": {
                "verify_after_sign": False,  # the marker reads the file back itself
                "verify_trust": True,
                "remote_manifest_fetch": False,
                "ocsp_fetch": False,
            },
            "builder": {"thumbnail": {"enabled": False}},
            "trust": trust,
        }
    )


def _manifest(claim: Claim, mime: str, file: BinaryIO) -> str:
    agent = {"name": f"worldreel {claim.model}", "version": claim.version}
    names = [f"source-{number}" for number in range(len(claim.sources))]
    actions: list[dict[str, Any]] = []
    if claim.sources:
        for number, name in enumerate(names):
            what = "c2pa.placed" if number else "c2pa.opened"
            actions.append({"action": what, "parameters": {"ingredientIds": [name]}})
        composite = CREATED.replace("trained", "compositeWithTrained")
        edited = {"action": "c2pa.edited", "softwareAgent": agent, "digitalSourceType": composite}
        actions.append({**edited, "parameters": {"description": f"worldreel {claim.verb}"}})
    else:
        created = {"action": "c2pa.created", "digitalSourceType": CREATED}
        actions.append({**created, "softwareAgent": agent})
    bare = [
        {
            "title": source.title,
            "format": source.mime,
            "relationship": _relationship(number),
            "label": name,
            "instance_id": f"sha256:{source.sha256}",
        }
        for number, (name, source) in enumerate(zip(names, claim.sources, strict=True))
        if source.archive is None
    ]
    making = {
        "content_id": claim.content_id,
        "model": claim.model,
        "model_version": claim.version,
        "settings_sha256": claim.settings_sha256,
        "sources_sha256": [source.sha256 for source in claim.sources],
        "verb": claim.verb,
        "head_sha256": head_sha256(file, mime),
    }
    file.seek(0)
    manifest = {
        "claim_generator_info": [{"name": "worldreel", "version": claim.generator}],
        "title": claim.content_id,
        "format": mime,
        "ingredients": bare,
        "assertions": [
            {"label": "c2pa.actions.v2", "data": {"actions": actions}},
            {"label": SETTINGS_LABEL, "data": making},
        ],
    }
    return json.dumps(manifest)


def _relationship(number: int) -> str:
    return "componentOf" if number else "parentOf"  # a file has one parent at most


def _walk(chain: _Chain, name: Any, depth: int) -> None:
    """Adds a manifest and those of its ingredients, each once."""
    manifest = chain.manifests.get(name)
    if not isinstance(manifest, dict) or name in chain.seen or len(chain.steps) >= STEPS_MAX:
        return
    chain.seen.add(name)
    made, source_types = _actions(manifest)
    making = _assertion(manifest, SETTINGS_LABEL)
    generators = manifest.get("claim_generator_info") or [{}]
    signature = manifest.get("signature_info") or {}
    chain.steps.append(
        Step(
            issuer=_text(signature.get("common_name") or signature.get("issuer")),
            generator=f"{_text(generators[0].get('name'))} {_text(generators[0].get('version'))}",
            title=_text(manifest.get("title")),
            actions=tuple(made),
            made_by_model=any("rainedAlgorithmicMedia" in one for one in source_types),
            model=f"{_text(making.get('model'))} {_text(making.get('model_version'))}".strip(),
            depth=depth,
        )
    )
    for ingredient in manifest.get("ingredients", []):
        _walk(chain, ingredient.get("active_manifest"), depth + 1)


def _actions(manifest: dict[str, Any]) -> tuple[list[str], list[str]]:
    made: list[str] = []
    source_types: list[str] = []
    for label in ("c2pa.actions.v2", "c2pa.actions"):
        for action in _assertion(manifest, label).get("actions", []):
            made.append(_text(action.get("action")))
            source_types.append(_text(action.get("digitalSourceType")))
    return made, source_types


def _assertion(manifest: dict[str, Any], label: str) -> dict[str, Any]:
    for assertion in manifest.get("assertions", []):
        data = assertion.get("data")
        if assertion.get("label") == label and isinstance(data, dict):
            return data
    return {}


def _text(value: Any) -> str:
    return str(value)[:TEXT_MAX] if value is not None else ""


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:TEXT_MAX]
