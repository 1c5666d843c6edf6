"""Who signs: a local authority that is made at first use, or the operator's own certificate."""

import datetime as dt
import logging
import os
import secrets
import shutil
import stat
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from worldreel.core.errors import UsageError, WorldreelError
from worldreel.media.atomic import disk_errors

if TYPE_CHECKING:
    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes

HOME_VARIABLE = "WORLDREEL_HOME"
AUTHORITY_DAYS, LEAF_DAYS = 20 * 365, 10 * 365
RENEW_DAYS = 30
"""A leaf of the local authority with less time left is made anew."""

C2PA_SIGNING = "1.3.6.1.4.1.62558.2.1"
SIGNING_USES = {
    C2PA_SIGNING: "C2PA claim signing",
    "1.3.6.1.5.5.7.3.4": "e-mail protection",
    "1.3.6.1.5.5.7.3.36": "document signing",
}
"""Extended key usages that readers of content credentials take for signing."""

Tell = Callable[[str], None]
log = logging.getLogger("worldreel.provenance")


@dataclass(frozen=True, kw_only=True)
class Signing:
    """What content credentials are signed with.

    Args:
        chain_pem: the leaf's certificate and those above it.
        key_pem: the leaf's private key, unencrypted; never shown.
        algorithm: C2PA's name: ES256, ES384, ES512, PS256 or Ed25519.
        root_pem: the certificate that this machine trusts for what is signed so.
        fingerprint: SHA-256 of the leaf's public key, hexadecimal.
        tsa_url: an RFC 3161 time stamping service; None for none.
    """

    chain_pem: str
    key_pem: str
    algorithm: str
    root_pem: str
    fingerprint: str
    tsa_url: str | None = None

    def __repr__(self) -> str:
        return f"Signing({self.algorithm}, {self.fingerprint[:16]})"


def home() -> Path:
    """The user's folder for keys: WORLDREEL_HOME, or worldreel in the folder for user data."""
    if given := os.environ.get(HOME_VARIABLE):
        return Path(given)
    base = os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share"
    return Path(base) / "worldreel"


def local_signing(folder: Path, tell: Tell = log.warning, tsa_url: str | None = None) -> Signing:
    """The signing of the local authority in ``folder/authority``, made if it is missing.

    Args:
        tell: told once, in one sentence, that keys were made and where they are.

    Raises:
        WorldreelError: the folder cannot be written, or what is there cannot be read.
    """
    place = folder / "authority"
    if not place.exists():
        _make_authority(place)
        tell(
            f"worldreel made keys of its own in {place} (readable by you alone): they sign the "
            "content credentials of what it publishes. Others trust them only if they are given "
            "authority.pem; an operator's own certificate is a setting."
        )
    signing = load_signing(
        place / "leaf.pem", place / "leaf.key", root=place / "authority.pem", tsa_url=tsa_url
    )
    if _days_left(signing) < RENEW_DAYS:
        _renew_leaf(place)
        return local_signing(folder, tell, tsa_url)
    return signing


def load_signing(
    certificate: Path, key: Path, *, root: Path | None = None, tsa_url: str | None = None
) -> Signing:
    """A certificate and its key from files, checked for what signing needs.

    Args:
        certificate: PEM: the leaf, then those above it.
        key: PEM, unencrypted, readable by nobody else.
        root: PEM of the certificate at the end of the chain; the chain's last if None.

    Raises:
        UsageError: unreadable, expired, not yet valid, not for signing, or not a pair.
    """
    from cryptography import x509
    from cryptography.hazmat.primitives import serialization

    chain_pem, key_pem = _read(certificate), _read_secret(key)
    try:
        chain = x509.load_pem_x509_certificates(chain_pem)
    except ValueError as error:
        raise _unusable(certificate, "is no certificate in PEM") from error
    try:
        private = serialization.load_pem_private_key(key_pem, password=None)
    except TypeError as error:
        raise _unusable(key, "is encrypted; a key without a password is needed") from error
    except Exception as error:
        raise _unusable(key, "is no private key in PEM") from error
    leaf = chain[0]
    if _public(leaf.public_key()) != _public(private.public_key()):
        raise _unusable(key, f"is not the key of the certificate {certificate}")
    _check_leaf(leaf, certificate)
    top = _read(root) if root is not None else _pem(chain[-1])
    return Signing(
        chain_pem=chain_pem.decode("ascii"),
        key_pem=key_pem.decode("ascii"),
        algorithm=_algorithm(private, key),
        root_pem=top.decode("ascii"),
        fingerprint=_fingerprint(leaf),
        tsa_url=tsa_url,
    )


def local_secret(folder: Path, name: str, num_bytes: int = 32) -> bytes:
    """Random bytes that are kept in a file of a folder (mode 600), made if they are missing."""
    path = folder / name
    with disk_errors(path):
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        part = folder / f".{name}-{secrets.token_hex(6)}.part"
        try:
            if not path.exists():
                _write_secret(part, secrets.token_bytes(num_bytes))
                os.link(part, path)  # who comes second keeps what the first one made
        except FileExistsError:
            pass
        finally:
            part.unlink(missing_ok=True)
        found = path.read_bytes()
    if len(found) != num_bytes:
        raise WorldreelError(
            f"{path} has {len(found)} bytes; a key of {num_bytes} was expected.",
            remedy="Restore it from a copy, or remove it: a new one is made, and what the old "
            "one marked is no longer recognised.",
        )
    return found


def _make_authority(place: Path) -> None:
    """Makes an authority and a leaf beside their place and moves both there at once."""
    from cryptography.hazmat.primitives.asymmetric import ec

    aside = place.parent / f".authority-{secrets.token_hex(6)}"
    with disk_errors(place):
        place.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        aside.mkdir(mode=0o700)
        try:
            top_key = ec.generate_private_key(ec.SECP256R1())
            top = _certificate(top_key.public_key(), top_key, None)
            _write_secret(aside / "authority.key", _key_pem(top_key))
            (aside / "authority.pem").write_bytes(_pem(top))
            _issue_leaf(aside, top, top_key)
            try:
                os.rename(aside, place)
            except OSError:
                if not place.exists():
                    raise  # otherwise another process was first, and its authority is taken
        finally:
            shutil.rmtree(aside, ignore_errors=True)


def _renew_leaf(place: Path) -> None:
    from cryptography import x509
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    top = x509.load_pem_x509_certificate(_read(place / "authority.pem"))
    top_key = serialization.load_pem_private_key(_read_secret(place / "authority.key"), None)
    assert isinstance(top_key, ec.EllipticCurvePrivateKey), type(top_key)
    with disk_errors(place):
        _issue_leaf(place, top, top_key)


def _issue_leaf(
    folder: Path, top: "x509.Certificate", top_key: "ec.EllipticCurvePrivateKey"
) -> None:
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    leaf = _certificate(key.public_key(), top_key, top)
    for name, data in (("leaf.key", _key_pem(key)), ("leaf.pem", _pem(leaf) + _pem(top))):
        part = folder / f".{name}.part"
        _write_secret(part, data)
        os.replace(part, folder / name)


def _certificate(
    public: "ec.EllipticCurvePublicKey",
    signer: "ec.EllipticCurvePrivateKey",
    issuer: "x509.Certificate | None",
) -> "x509.Certificate":
    """A certificate in the profile of C2PA: an authority where ``issuer`` is None, or a leaf."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes
    from cryptography.x509.oid import NameOID, ObjectIdentifier

    is_authority = issuer is None
    common = "worldreel local authority" if is_authority else "worldreel local signer"
    number = secrets.token_hex(4)
    own = x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, "worldreel (made on this machine)"),
            x509.NameAttribute(NameOID.COMMON_NAME, f"{common} {number}"),
        ]
    )
    now = dt.datetime.now(dt.UTC)
    days = AUTHORITY_DAYS if issuer is None else LEAF_DAYS
    uses = {
        name: name == ("key_cert_sign" if is_authority else "digital_signature")
        for name in (
            *("digital_signature", "content_commitment", "key_encipherment", "data_encipherment"),
            *("key_agreement", "key_cert_sign", "crl_sign", "encipher_only", "decipher_only"),
        )
    }
    above = x509.SubjectKeyIdentifier.from_public_key(signer.public_key())
    builder = (
        x509.CertificateBuilder()
        .subject_name(own)
        .issuer_name(own if issuer is None else issuer.subject)
        .public_key(public)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(hours=1))  # clocks differ
        .not_valid_after(now + dt.timedelta(days=days))
        .add_extension(x509.BasicConstraints(is_authority, 0 if is_authority else None), True)
        .add_extension(x509.KeyUsage(**uses), True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(above), False)
    )
    if not is_authority:
        wanted = [ObjectIdentifier(C2PA_SIGNING), ObjectIdentifier("1.3.6.1.5.5.7.3.4")]
        builder = builder.add_extension(x509.ExtendedKeyUsage(wanted), False)
    return builder.sign(signer, hashes.SHA256())


def _check_leaf(leaf: "x509.Certificate", path: Path) -> None:
    from cryptography import x509

    now = dt.datetime.now(dt.UTC)
    if now > leaf.not_valid_after_utc:
        raise _unusable(path, f"expired on {leaf.not_valid_after_utc:%Y-%m-%d}")
    if now < leaf.not_valid_before_utc:
        raise _unusable(path, f"is valid from {leaf.not_valid_before_utc:%Y-%m-%d} only")
    try:
        uses = leaf.extensions.get_extension_for_class(x509.KeyUsage).value
        may_sign = uses.digital_signature
    except x509.ExtensionNotFound:
        may_sign = False
    if not may_sign:
        raise _unusable(path, "lacks the key usage digitalSignature")
    try:
        wanted = leaf.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
        names = {use.dotted_string for use in wanted}
    except x509.ExtensionNotFound:
        names = set()
    if not names & set(SIGNING_USES):
        allowed = ", ".join(f"{name} ({use})" for use, name in SIGNING_USES.items())
        raise _unusable(path, f"lacks an extended key usage for signing: one of {allowed}")
    if leaf.subject == leaf.issuer:
        raise _unusable(path, "is self-signed; readers want a leaf below an authority")


def _algorithm(key: "PrivateKeyTypes", path: Path) -> str:
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

    if isinstance(key, ec.EllipticCurvePrivateKey):
        found = {"secp256r1": "ES256", "secp384r1": "ES384", "secp521r1": "ES512"}
        if key.curve.name in found:
            return found[key.curve.name]
    if isinstance(key, ed25519.Ed25519PrivateKey):
        return "Ed25519"
    if isinstance(key, rsa.RSAPrivateKey) and key.key_size >= 2048:
        return "PS256"
    raise _unusable(path, "is of a kind that C2PA does not know: EC P-256, Ed25519 and RSA do")


def _days_left(signing: Signing) -> float:
    from cryptography import x509

    leaf = x509.load_pem_x509_certificates(signing.chain_pem.encode())[0]
    return (leaf.not_valid_after_utc - dt.datetime.now(dt.UTC)) / dt.timedelta(days=1)


def _fingerprint(leaf: "x509.Certificate") -> str:
    import hashlib

    return hashlib.sha256(_public(leaf.public_key())).hexdigest()


def _public(key: "object") -> bytes:
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    return key.public_bytes(  # pyright: ignore[reportAttributeAccessIssue]
        Encoding.DER, PublicFormat.SubjectPublicKeyInfo
    )


def _pem(certificate: "x509.Certificate") -> bytes:
    from cryptography.hazmat.primitives.serialization import Encoding

    return certificate.public_bytes(Encoding.PEM)


def _key_pem(key: "ec.EllipticCurvePrivateKey") -> bytes:
    from cryptography.hazmat.primitives.serialization import (
        Encoding,
        NoEncryption,
        PrivateFormat,
    )

    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise _unusable(path, f"cannot be read ({error.strerror})") from error


def _read_secret(path: Path) -> bytes:
    data = _read(path)
    if stat.S_IMODE(path.stat().st_mode) & 0o077:
        raise UsageError(f"The key {path} may be read by others.", remedy=f"Run chmod 600 {path}.")
    return data


def _write_secret(path: Path, data: bytes) -> None:
    path.unlink(missing_ok=True)
    handle = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    with open(handle, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def _unusable(path: Path, why: str) -> UsageError:
    return UsageError(
        f"{path} {why}: it cannot sign content credentials.",
        remedy="Give another file, or leave the setting out to sign with worldreel's own keys.",
    )
