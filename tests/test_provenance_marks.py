"""Marked files: credentials, labels, and that nothing is published without them."""

import dataclasses
import json
import shutil
import struct
import subprocess
import zlib
from pathlib import Path

import numpy as np
import pytest
from tests import plain_c2pa
from tests.marks_of import marks_of

from worldreel.core.errors import UsageError, WorldreelError
from worldreel.media.footage import describe_file
from worldreel.media.limits import UPLOAD
from worldreel.media.read import read_video
from worldreel.media.sheet import save_image
from worldreel.media.write import VideoWriter
from worldreel.provenance import carriers, credentials
from worldreel.provenance.examine import examine, ingredient_of
from worldreel.provenance.labels import (
    AIGC_FIELDS,
    COMPOSITE,
    CREATED,
    Labels,
    find_labels,
    read_aigc,
)
from worldreel.provenance.mark import Marker, MarkingFailed
from worldreel.provenance.verify import Keys, check

SETTINGS = {"prompt": "a red ball", "model": "toybox", "model_version": "1", "seed": 7}
VIDEOS = (".mp4", ".webp", ".gif")
STILLS = (".png", ".jpg", ".webp")


@pytest.fixture(scope="module")
def marker() -> Marker:
    return Marker.open()


def frames(count: int = 6) -> np.ndarray:
    t, y, x = np.meshgrid(np.arange(count), np.arange(64), np.arange(64), indexing="ij")
    pixels = np.stack((2 * x + 16 * t, 3 * y, np.full_like(x, 90)), axis=-1)
    return (pixels % 256).clip(16, 235).astype(np.uint8)


def marked(marker: Marker, path: Path, **words) -> Path:
    with marker.writer(path, size=(64, 64), fps=12, settings=SETTINGS, **words) as file:
        file.write(frames(2)), file.write(frames(6)[2:])
    return path


def still(marker: Marker, path: Path) -> Path:
    plain = path.with_name(f"plain{path.suffix}")
    save_image(plain, frames(1)[0], SETTINGS)
    marker.mark(plain, path, marker.claim(SETTINGS))
    return path


# what is in a marked file


@pytest.mark.parametrize("ending", VIDEOS)
def test_a_video_carries_trusted_credentials_labels_and_its_settings(tmp_path, marker, ending):
    path = marked(marker, tmp_path / f"clip{ending}")
    found = examine(path, marker.signing.root_pem)
    assert found == marks_of(path, marker.signing.root_pem)
    assert found.credentials.state == "trusted", found.credentials
    (step,) = found.credentials.steps
    assert step.actions == ("c2pa.created",) and step.made_by_model
    assert step.model == "toybox 1"
    assert found.labels.source_type == CREATED
    assert found.labels.aigc is not None and set(found.labels.aigc) == set(AIGC_FIELDS)
    assert found.labels.aigc["Label"] == "1"
    assert found.labels.aigc["ProduceID"] == found.credentials.content_id
    info, settings = describe_file(path)
    assert settings == SETTINGS
    assert (info.num_frames, info.size) == (6, (64, 64))


@pytest.mark.parametrize("ending", STILLS)
def test_a_picture_carries_trusted_credentials_labels_and_its_settings(tmp_path, marker, ending):
    path = still(marker, tmp_path / f"picture{ending}")
    found = marks_of(path, marker.signing.root_pem)
    assert found.credentials.state == "trusted"
    assert found.labels.source_type == CREATED and found.labels.aigc is not None
    assert describe_file(path)[1] == SETTINGS


@pytest.mark.parametrize("ending", [".mp4", ".webp", ".gif"])
def test_labels_change_no_pixel(tmp_path, ending):
    plain, labelled = tmp_path / f"plain{ending}", tmp_path / f"labelled{ending}"
    with VideoWriter(plain, size=(64, 64), fps=12, settings=SETTINGS) as file:
        file.write(frames())
    labels = Labels(producer="somebody", content_id="x")
    carriers.write_labels(plain, labelled, carriers.mime_of(plain), labels)
    assert np.array_equal(read_video(plain), read_video(labelled))


def test_the_prompt_is_not_in_the_credentials(tmp_path, marker):
    path = marked(marker, tmp_path / "clip.mp4")
    with open(path, "rb") as file:
        claim = credentials._manifest(marker.claim(SETTINGS), "video/mp4", file)
    assert "red ball" not in claim and marker.claim(SETTINGS).settings_sha256 in claim


def test_what_is_made_again_is_marked_the_same(tmp_path, marker):
    one, two = marked(marker, tmp_path / "1.mp4"), marked(marker, tmp_path / "2.mp4")
    assert np.array_equal(read_video(one), read_video(two))
    assert marks_of(one).credentials.content_id == marks_of(two).credentials.content_id


@pytest.mark.parametrize("ending", [*VIDEOS, ".png", ".jpg"])
def test_a_reader_that_shares_no_code_finds_the_signature_and_the_hashes_right(
    tmp_path, marker, ending
):
    path = tmp_path / f"a{ending}"
    still(marker, path) if ending in (".png", ".jpg") else marked(marker, path)
    assert "worldreel local signer" in plain_c2pa.check(path)
    data = bytearray(path.read_bytes())
    data[100 if ending == ".webp" else -1] ^= 1  # the credentials are at the end of a webp
    path.write_bytes(data)
    with pytest.raises(AssertionError, match=r"own bytes|its boxes"):
        plain_c2pa.check(path)


def test_an_independent_reader_shows_the_label_in_an_mp4(tmp_path, marker):
    import av

    path = marked(marker, tmp_path / "clip.mp4")
    with av.open(str(path)) as container:
        assert read_aigc(container.metadata["AIGC"]) is not None
        assert json.loads(container.metadata["comment"]) == {"worldreel": SETTINGS}


# what was made from something


def test_a_source_stays_in_the_chain_with_its_own_credentials(tmp_path, marker):
    first = marked(marker, tmp_path / "first.mp4")
    source = ingredient_of(first, 0)
    second = marked(marker, tmp_path / "second.mp4", sources=[source], verb="extend")
    found = marks_of(second, marker.signing.root_pem)
    assert found.credentials.state == "trusted"
    latest, origin = found.credentials.steps
    assert latest.actions == ("c2pa.opened", "c2pa.edited") and latest.depth == 0
    assert origin.actions == ("c2pa.created",) and origin.depth == 1
    assert found.labels.source_type == COMPOSITE


def test_sources_without_credentials_and_second_sources_are_named(tmp_path, marker):
    plain = tmp_path / "plain.webp"
    save_image(plain, frames(1)[0])
    first = marked(marker, tmp_path / "first.mp4")
    sources = [ingredient_of(plain, 0), ingredient_of(first, 1)]
    path = marked(marker, tmp_path / "both.mp4", sources=sources, verb="connect")
    found = marks_of(path, marker.signing.root_pem).credentials
    assert found.state == "trusted"
    assert found.steps[0].actions == ("c2pa.opened", "c2pa.placed", "c2pa.edited")
    assert [step.depth for step in found.steps] == [0, 1]


def test_a_source_whose_credentials_are_broken_does_not_make_them_sound(tmp_path, marker):
    first = marked(marker, tmp_path / "first.mp4")
    data = bytearray(first.read_bytes())
    data[data.find(b"mdat") + 50] ^= 1
    first.write_bytes(data)
    path = marked(marker, tmp_path / "second.mp4", sources=[ingredient_of(first, 0)], verb="edit")
    found = marks_of(path, marker.signing.root_pem).credentials
    assert found.state == "trusted"  # of the new file; its source is named as what it is
    assert marks_of(first, marker.signing.root_pem).credentials.state == "invalid"


# what was changed


@pytest.mark.parametrize("ending", VIDEOS)
def test_credentials_are_not_valid_after_a_byte_of_the_content_is_flipped(tmp_path, marker, ending):
    path = marked(marker, tmp_path / f"clip{ending}")
    whole = path.read_bytes()
    content = {".mp4": b"mdat", ".webp": b"ANMF", ".gif": b"\x21\xf9\x04"}[ending]
    start = whole.find(content)
    for place in np.random.default_rng(0).integers(start, start + 400, 5):
        data = bytearray(whole)
        data[place] ^= 1
        path.write_bytes(data)
        with open(path, "rb") as file:
            state = credentials.read(file, carriers.mime_of(path), marker.signing.root_pem).state
        assert state in ("invalid", "none"), place


@pytest.mark.parametrize("ending", [*VIDEOS, ".png", ".jpg"])
def test_credentials_are_not_valid_after_any_byte_is_flipped(tmp_path, marker, ending):
    """In the credentials themselves too, where C2PA's own hashes leave out a thousand bytes."""
    path = tmp_path / f"a{ending}"
    still(marker, path) if ending in (".png", ".jpg") else marked(marker, path)
    data = bytearray(path.read_bytes())
    mime, root = carriers.mime_of(path), marker.signing.root_pem
    assert state_of(data, mime, root, path) == "trusted"
    step = max(1, len(data) // 150)
    for place in range(0, len(data), step):
        data[place] ^= 1 << place % 8
        assert state_of(data, mime, root, path) in ("invalid", "none"), place
        data[place] ^= 1 << place % 8


def state_of(data: bytearray, mime: str, root: str, path: Path) -> str:
    path.write_bytes(data)
    with open(path, "rb") as file:
        return credentials.read(file, mime, root).state


def test_a_file_written_anew_has_no_credentials_and_verify_says_what_that_means(tmp_path, marker):
    path = marked(marker, tmp_path / "clip.mp4")
    with VideoWriter(tmp_path / "stripped.mp4", size=(64, 64), fps=12, settings={}) as file:
        file.write(read_video(path))
    report = check(tmp_path / "stripped.mp4", Keys.open())
    assert report.credentials.state == "none" and report.labels.aigc is None
    assert not report.labels.say_generated
    # what is left is the watermark, if so few and small frames are enough for it
    assert report.says_generated == (report.watermark.state == "found")
    assert report.words[-1].startswith("In all: ")


def test_somebody_elses_signature_is_valid_and_not_trusted(tmp_path, marker):
    other = Marker.open(tmp_path / "other", tell=lambda told: None)
    path = marked(other, tmp_path / "clip.mp4")
    assert marks_of(path, marker.signing.root_pem).credentials.state == "valid"
    assert marks_of(path, other.signing.root_pem).credentials.state == "trusted"
    assert marks_of(path).credentials.state == "valid"


# what fails publishes nothing


@pytest.mark.parametrize("part", ["write_labels", "sign", "read", "disk"])
def test_a_part_of_the_marking_that_fails_leaves_no_file(tmp_path, marker, monkeypatch, part):
    def broken(*words, **named):
        raise OSError(28, "No space left") if part == "disk" else WorldreelError("broken")

    where = carriers if part in ("write_labels", "disk") else credentials
    monkeypatch.setattr(where, "write_labels" if part == "disk" else part, broken)
    with pytest.raises(WorldreelError, match="disk is full" if part == "disk" else "broken"):
        marked(marker, tmp_path / "clip.mp4")
    assert list(tmp_path.iterdir()) == []


def test_an_older_file_stays_where_marking_a_new_one_fails(tmp_path, marker, monkeypatch):
    path = tmp_path / "clip.mp4"
    path.write_text("older")

    def unsigned(source, target, *rest):
        target.write_bytes(source.read_bytes())

    monkeypatch.setattr(credentials, "sign", unsigned)
    with pytest.raises(MarkingFailed, match="none"):
        marked(marker, path)
    assert path.read_text() == "older" and len(list(tmp_path.iterdir())) == 1


def test_labels_that_do_not_arrive_are_noticed(tmp_path, marker, monkeypatch):
    def unlabelled(source, target, *rest):
        target.write_bytes(source.read_bytes())

    monkeypatch.setattr(carriers, "write_labels", unlabelled)
    with pytest.raises(MarkingFailed, match="labels"):
        marked(marker, tmp_path / "clip.mp4")
    assert list(tmp_path.iterdir()) == []


def test_a_format_that_carries_no_marks_is_refused(tmp_path, marker):
    with pytest.raises(UsageError, match=r"\.avi"):
        marker.mark(tmp_path / "a.mp4", tmp_path / "a.avi", marker.claim(SETTINGS))


# files that are made to harm


@pytest.mark.parametrize("ending", [*VIDEOS, ".png", ".jpg"])
def test_broken_files_break_no_reader(tmp_path, marker, ending):
    path = tmp_path / f"a{ending}"
    still(marker, path) if ending in (".png", ".jpg") else marked(marker, path)
    whole = path.read_bytes()
    random = np.random.default_rng(1)
    for _ in range(12):
        data = bytearray(whole[: int(random.integers(1, len(whole)))])
        for place in random.integers(0, len(data), 5):
            data[place] = int(random.integers(256))
        path.write_bytes(data)
        with open(path, "rb") as file:
            mime = carriers.mime_of(path)
            assert credentials.read(file, mime, marker.signing.root_pem).state != "trusted"
            carriers.read_labels(file, mime)


def nested(depth: int) -> bytes:
    """Boxes of a manifest inside each other, and nothing in them."""
    return b"".join(struct.pack(">I4s", 8 * (depth - n), b"jumb") for n in range(depth))


@pytest.mark.parametrize("manifest", [bytes(8_000_000), nested(50_000), b"\xff" * 4 + b"jumb"])
def test_a_giant_or_endless_manifest_is_unsound_and_breaks_no_reader(tmp_path, manifest):
    plain = tmp_path / "plain.png"
    save_image(plain, frames(1)[0])
    data, body = plain.read_bytes(), b"caBX" + manifest
    chunk = struct.pack(">I", len(manifest)) + body + struct.pack(">I", zlib.crc32(body))
    plain.write_bytes(data[:33] + chunk + data[33:])
    assert examine(plain, limits=UPLOAD).credentials.state == "invalid"


def test_labels_in_hostile_xml_are_passed_by():
    bomb = b'<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>'
    assert find_labels([bomb, b"<", b"\xff"], ["{", "[]", '{"Label": 1}' * 9]).aigc is None


def test_labels_of_other_producers_are_read():
    packet = (
        '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-'
        'syntax-ns#"><rdf:Description rdf:about="" Iptc4xmpExt:DigitalSourceType='
        f'"{CREATED}" xmlns:Iptc4xmpExt="http://iptc.org/std/Iptc4xmpExt/2008-02-29/"/>'
        "</rdf:RDF></x:xmpmeta>"
    )
    wrapped = '{"AIGC": {"Label": "2", "ContentProducer": "somebody", "Other": 1}}'
    found = find_labels([packet.encode()], [wrapped])
    assert found.source_type == CREATED
    assert found.aigc == {"Label": "2", "ContentProducer": "somebody"}


def test_the_settings_and_labels_take_any_text(tmp_path, marker):
    odd = dataclasses.replace(marker.config, producer="<&\"'> 公司 é")
    path = marked(dataclasses.replace(marker, config=odd), tmp_path / "clip.gif")
    aigc = marks_of(path).labels.aigc
    assert aigc is not None and aigc["ContentProducer"] == odd.producer


# the command


def test_verify_prints_its_findings(tmp_path, marker, capsys):
    from worldreel.app.main import main

    path = marked(marker, tmp_path / "clip.mp4")
    assert main(["verify", str(path), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["credentials"]["state"] == "trusted" and told["says_generated"]
    assert main(["verify", str(path)]) == 0
    assert "Content credentials: trusted" in capsys.readouterr().out


def test_verify_refuses_what_is_no_video(tmp_path, capsys):
    from worldreel.app.main import main

    (tmp_path / "a.mp4").write_text("no video")
    assert main(["verify", str(tmp_path / "a.mp4")]) == 1
    assert "a.mp4" in capsys.readouterr().err


@pytest.mark.parametrize("ending", VIDEOS)
def test_exiftool_agrees_where_it_is_installed(tmp_path, marker, ending):
    tool = shutil.which("exiftool")
    if tool is None:
        pytest.skip("no exiftool here")
    path = marked(marker, tmp_path / f"clip{ending}")
    words = [tool, "-j", "-AIGC", "-XMP-TC260:all", "-DigitalSourceType", str(path)]
    (told,) = json.loads(subprocess.run(words, capture_output=True, check=True).stdout)
    assert told["DigitalSourceType"] == CREATED
    value = told.get("Aigc") or told["AIGC"]
    aigc = value if isinstance(value, dict) else read_aigc(value)
    assert aigc is not None and aigc["Label"] in ("1", 1)
