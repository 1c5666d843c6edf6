"""Keys and certificates: made once and kept secret, or the operator's; refused with a reason."""

import datetime as dt
import stat
import threading
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
)
from cryptography.x509.oid import NameOID, ObjectIdentifier
from tests.marks_of import marks_of

from worldreel.core.errors import UsageError, WorldreelError
from worldreel.provenance.authority import (
    SIGNING_USES,
    load_signing,
    local_secret,
    local_signing,
)
from worldreel.provenance.config import PUBLIC_KEY, load_config, open_watermark_keys
from worldreel.provenance.mark import Marker
from worldreel.provenance.verify import Keys, check
from worldreel.provenance.watermark import Watermark

DAY = dt.timedelta(days=1)


def silent(told: str) -> None:
    pass


# the local authority


def test_keys_are_made_once_readable_by_nobody_else_and_told_of(tmp_path):
    told: list[str] = []
    first = local_signing(tmp_path / "keys", told.append)
    again = local_signing(tmp_path / "keys", told.append)
    assert first == again and len(told) == 1 and str(tmp_path / "keys") in told[0]
    for path in (tmp_path / "keys" / "authority").glob("*.key"):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE((tmp_path / "keys" / "authority").stat().st_mode) == 0o700
    assert "PRIVATE" not in repr(first)


def test_many_who_come_first_share_one_authority(tmp_path):
    found: list[str] = []
    threads = [
        threading.Thread(target=lambda: found.append(local_signing(tmp_path, silent).fingerprint))
        for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 8 and len(set(found)) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["authority"]


def test_a_leaf_that_is_about_to_expire_is_made_anew_under_the_same_authority(
    tmp_path, monkeypatch
):
    first = local_signing(tmp_path, silent)
    monkeypatch.setattr("worldreel.provenance.authority.RENEW_DAYS", 3700)
    monkeypatch.setattr("worldreel.provenance.authority.LEAF_DAYS", 4000)
    second = local_signing(tmp_path, silent)
    assert second.fingerprint != first.fingerprint and second.root_pem == first.root_pem


def test_a_key_that_others_may_read_is_refused(tmp_path):
    local_signing(tmp_path, silent)
    (tmp_path / "authority" / "leaf.key").chmod(0o644)
    with pytest.raises(UsageError, match="may be read by others"):
        local_signing(tmp_path, silent)


def test_a_secret_is_made_once_and_a_cut_one_is_noticed(tmp_path):
    first = local_secret(tmp_path, "watermark.key")
    assert first == local_secret(tmp_path, "watermark.key") and len(first) == 32
    assert stat.S_IMODE((tmp_path / "watermark.key").stat().st_mode) == 0o600
    (tmp_path / "watermark.key").write_bytes(first[:7])
    with pytest.raises(WorldreelError, match="7 bytes"):
        local_secret(tmp_path, "watermark.key")


def test_a_folder_that_cannot_be_made_is_named(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(WorldreelError, match="file"):
        local_signing(tmp_path / "file" / "keys", silent)


# the operator's certificate


class Issuer:
    """An authority of an operator."""

    def __init__(self) -> None:
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.name = x509.Name([x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Operator")])
        now = dt.datetime.now(dt.UTC)
        self.top = self._builder(self.name, self.key, now - DAY, now + 100 * DAY, is_top=True)

    def leaf(
        self, folder: Path, key=None, *, start=-1, end=30, uses=True, extended=True, own=False
    ):
        """A certificate and its key in files: days from now, and which usages it has."""
        key = ec.generate_private_key(ec.SECP256R1()) if key is None else key
        now = dt.datetime.now(dt.UTC)
        own_name = [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Reel Studios"),
            x509.NameAttribute(NameOID.COMMON_NAME, "Reel"),
        ]
        name = self.name if own else x509.Name(own_name)
        leaf = self._builder(
            name, key, now + start * DAY, now + end * DAY, uses=uses, extended=extended
        )
        chain = leaf.public_bytes(Encoding.PEM) + self.top.public_bytes(Encoding.PEM)
        (folder / "chain.pem").write_bytes(chain)
        write_key(folder / "key.pem", key)
        return folder / "chain.pem", folder / "key.pem"

    def _builder(self, name, key, start, end, *, is_top=False, uses=True, extended=True):
        own = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
        above = x509.AuthorityKeyIdentifier.from_issuer_public_key(self.key.public_key())
        builder = (
            x509.CertificateBuilder(issuer_name=self.name, subject_name=name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(start)
            .not_valid_after(end)
            .add_extension(x509.BasicConstraints(is_top, None), True)
            .add_extension(own, False)
            .add_extension(above, False)
        )
        if uses:
            names = ("digital_signature", "content_commitment", "key_encipherment")
            names += ("data_encipherment", "key_agreement", "key_cert_sign", "crl_sign")
            names += ("encipher_only", "decipher_only")
            wanted = "key_cert_sign" if is_top else "digital_signature"
            usage = x509.KeyUsage(**{one: one == wanted for one in names})
            builder = builder.add_extension(usage, True)
        if extended and not is_top:
            use = ObjectIdentifier(next(iter(SIGNING_USES)))
            builder = builder.add_extension(x509.ExtendedKeyUsage([use]), False)
        return builder.sign(self.key, hashes.SHA256())


def write_key(path: Path, key, encryption=None) -> None:
    data = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption or NoEncryption())
    path.write_bytes(data)
    path.chmod(0o600)


@pytest.fixture(scope="module")
def issuer() -> Issuer:
    return Issuer()


@pytest.mark.parametrize(
    "make",
    [
        lambda: ec.generate_private_key(ec.SECP256R1()),
        lambda: ec.generate_private_key(ec.SECP384R1()),
        lambda: ed25519.Ed25519PrivateKey.generate(),
        lambda: rsa.generate_private_key(65537, 2048),
    ],
)
def test_an_operators_certificate_signs_and_is_trusted_by_its_root(tmp_path, issuer, make):
    certificate, key = issuer.leaf(tmp_path, make())
    (tmp_path / "provenance.toml").write_text(
        'producer = "Reel Studios"\ncertificate = "chain.pem"\nkey = "key.pem"\n'
    )
    assert load_signing(certificate, key).fingerprint
    path = marked(Marker.open(tmp_path, tell=silent), tmp_path / "clip.mp4")
    found = marks_of(path, issuer.top.public_bytes(Encoding.PEM).decode())
    assert found.credentials.state == "trusted" and found.credentials.steps[0].issuer == "Reel"
    assert found.labels.aigc is not None
    assert found.labels.aigc["ContentProducer"] == "Reel Studios"
    assert marks_of(path).credentials.state == "valid"
    assert not (tmp_path / "authority").exists()


def marked(marker: Marker, path: Path) -> Path:
    import numpy as np

    frames = np.full((3, 64, 64, 3), 90, np.uint8)
    with marker.writer(path, size=(64, 64), fps=12, settings={"model": "toybox"}) as file:
        file.write(frames)
    return path


@pytest.mark.parametrize(
    ("how", "why"),
    [
        ({"end": -0.1, "start": -9}, "expired on"),
        ({"start": 2}, "is valid from"),
        ({"uses": False}, "digitalSignature"),
        ({"extended": False}, "extended key usage"),
        ({"own": True}, "self-signed"),
    ],
)
def test_a_certificate_that_cannot_sign_is_refused_with_the_reason(tmp_path, issuer, how, why):
    with pytest.raises(UsageError, match=why) as caught:
        load_signing(*issuer.leaf(tmp_path, **how))
    assert "chain.pem" in str(caught.value) and caught.value.remedy


def test_a_key_that_does_not_fit_or_cannot_be_read_is_refused(tmp_path, issuer):
    certificate, key = issuer.leaf(tmp_path)
    other = ec.generate_private_key(ec.SECP256R1())
    write_key(key, other)
    with pytest.raises(UsageError, match="is not the key of"):
        load_signing(certificate, key)
    write_key(key, other, BestAvailableEncryption(b"secret"))
    with pytest.raises(UsageError, match="encrypted"):
        load_signing(certificate, key)
    key.write_text("no key")
    with pytest.raises(UsageError, match="no private key"):
        load_signing(certificate, key)
    key.unlink()
    with pytest.raises(UsageError, match="cannot be read"):
        load_signing(certificate, key)
    certificate.write_text("no certificate")
    write_key(key, other)
    with pytest.raises(UsageError, match="no certificate"):
        load_signing(certificate, key)


def test_a_certificate_that_expires_while_worldreel_runs_publishes_nothing(tmp_path, issuer):
    (tmp_path / "keys").mkdir()
    issuer.leaf(tmp_path / "keys", end=-0.001, start=-9)
    from worldreel.provenance import authority

    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setattr(authority, "_check_leaf", lambda *leaf: None)
        text = 'certificate = "chain.pem"\nkey = "key.pem"\n'
        (tmp_path / "keys" / "provenance.toml").write_text(text)
        marker = Marker.open(tmp_path / "keys", tell=silent)
    with pytest.raises(WorldreelError):
        marked(marker, tmp_path / "clip.mp4")
    assert not (tmp_path / "clip.mp4").exists() and len(list(tmp_path.iterdir())) == 1


def test_a_time_stamping_service_that_does_not_answer_publishes_nothing(tmp_path):
    local_signing(tmp_path / "keys", silent)
    (tmp_path / "keys" / "provenance.toml").write_text(
        'time_stamping_url = "http://127.0.0.1:9/tsa"\n'
    )
    with pytest.raises(WorldreelError):
        marked(Marker.open(tmp_path / "keys", tell=silent), tmp_path / "clip.mp4")
    assert [path.name for path in tmp_path.iterdir()] == ["keys"]


# the operator's file


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("producer = ''", "printable"),
        ("producer = 7", "another kind"),
        ("prodcer = 'a'", "not known"),
        ("certificate = 'a.pem'", "needs its key"),
        ("visible_label = 'fr'", "en, zh or both"),
        ("visible_seconds = 1", "at least 2 s"),
        ("visible_seconds = true", "another kind"),
        ("time_stamping_url = 'ftp://a'", "http or https"),
        ("trust = 'a.pem'", "another kind"),
        ("=", "cannot be read"),
    ],
)
def test_an_operators_file_with_an_error_is_refused(tmp_path, text, why):
    (tmp_path / "provenance.toml").write_text(text)
    with pytest.raises(UsageError, match=why):
        load_config(tmp_path)


def test_a_secret_watermark_key_is_looked_for_beside_the_public_one(tmp_path):
    assert open_watermark_keys(load_config(tmp_path)) == (PUBLIC_KEY,)
    (tmp_path / "provenance.toml").write_text('watermark_key = "secret"')
    for data, why in ((None, "cannot be read"), (b"short", "5 bytes")):
        if data is not None:
            (tmp_path / "secret").write_bytes(data)
        with pytest.raises(UsageError, match=why):
            open_watermark_keys(load_config(tmp_path))
    (tmp_path / "secret").write_bytes(bytes(32))
    own, public = open_watermark_keys(load_config(tmp_path))
    assert public == PUBLIC_KEY != own


def test_the_watermark_says_the_issuer_and_the_content(tmp_path):
    import numpy as np

    marker = Marker.open(tmp_path, tell=silent)
    frames = np.random.default_rng(0).integers(60, 190, (8, 128, 128, 3)).astype(np.uint8)
    done = marker.frames((128, 128), 12, "video_1")(frames)
    reading = Watermark(PUBLIC_KEY).detect(done)
    assert reading.found and reading.payload == marker.payload("video_1")
    assert reading.payload >> 24 == int(marker.signing.fingerprint[:2], 16)


def test_the_operator_can_have_a_label_on_everything_that_people_see(tmp_path):
    import numpy as np

    (tmp_path / "provenance.toml").write_text('visible_label = "both"\nvisible_seconds = 2\n')
    frames = np.full((36, 64, 96, 3), 128, np.uint8)
    mark = Marker.open(tmp_path, tell=silent).frames((64, 96), 12, "video_1")
    shown = np.concatenate([mark(frames[:20]), mark(frames[20:])])
    spread = np.ptp(shown.astype(int), axis=(1, 2, 3))
    assert (spread[:24] > 80).all() and (spread[24:] < 40).all()


def test_keys_from_a_server_are_trusted_where_they_are_named(tmp_path):
    path = marked(Marker.open(tmp_path / "keys", tell=silent), tmp_path / "clip.mp4")
    assert check(path, Keys.open()).credentials.state == "valid"
    assert check(path, Keys.open(tmp_path / "keys")).credentials.state == "trusted"
