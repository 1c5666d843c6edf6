"""A file's marks read in this very process: what is tested was made by worldreel itself."""

from pathlib import Path

from worldreel.provenance import carriers, credentials
from worldreel.provenance.examine import Examined


def marks_of(path: Path, anchors_pem: str = "") -> Examined:
    """What ``examine`` finds, without a process of its own."""
    mime = carriers.mime_of(path)
    with open(path, "rb") as file:
        read = credentials.read(file, mime, anchors_pem)
        labels = carriers.read_labels(file, mime)
    return Examined(mime=mime, credentials=read, labels=labels)
