"""The labels that machines read: the AIGC object of GB 45438-2025, and IPTC's source type in XMP.

The AIGC object is Annex E's string of JSON. The practice guides of TC260 say where it lies: in
pictures as ``TC260:AIGC`` in XMP, in mp4 under the key ``AIGC`` of ``moov.udta.meta``. The source
type is ``Iptc4xmpExt:DigitalSourceType``, a URI of IPTC's vocabulary.
"""

import json
import xml.etree.ElementTree as ET
from collections.abc import Iterable
from dataclasses import dataclass
from xml.sax.saxutils import escape

GENERATED = "1"
"""The attribute of Annex E for "is generated"; 2 is "may be", 3 "is suspected to be"."""
XMP_MAX_BYTES = 1_000_000
AIGC_FIELDS = (
    *("Label", "ContentProducer", "ProduceID", "ReservedCode1"),
    *("ContentPropagator", "PropagateID", "ReservedCode2"),
)

_SOURCE_TYPES = "http://cv.iptc.org/newscodes/digitalsourcetype/"
CREATED = _SOURCE_TYPES + "trainedAlgorithmicMedia"
COMPOSITE = _SOURCE_TYPES + "compositeWithTrainedAlgorithmicMedia"
MADE_BY_MODELS = (CREATED, COMPOSITE)

_RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
_IPTC = "http://iptc.org/std/Iptc4xmpExt/2008-02-29/"
_TC260 = "http://www.tc260.org.cn/ns/AIGC/1.0/"


@dataclass(frozen=True, kw_only=True)
class Labels:
    """What a file says of itself.

    Args:
        producer: who made it: a name or code of the service; at most 256 characters.
        content_id: the content's number with that producer.
        source_type: a URI of IPTC's digital source types.
    """

    producer: str
    content_id: str
    source_type: str = CREATED

    def to_aigc(self) -> str:
        """The object of GB 45438-2025 as one line of JSON, plain ASCII."""
        values = dict.fromkeys(AIGC_FIELDS, "")
        values |= {"Label": GENERATED, "ContentProducer": self.producer}
        return json.dumps(values | {"ProduceID": self.content_id}, separators=(",", ":"))

    def to_xmp(self) -> bytes:
        """An XMP packet with both labels, UTF-8."""
        return (
            '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>'
            '<x:xmpmeta xmlns:x="adobe:ns:meta/">'
            f'<rdf:RDF xmlns:rdf="{_RDF}"><rdf:Description rdf:about=""'
            f' xmlns:Iptc4xmpExt="{_IPTC}" xmlns:TC260="{_TC260}">'
            f"<Iptc4xmpExt:DigitalSourceType>{escape(self.source_type)}"
            "</Iptc4xmpExt:DigitalSourceType>"
            f"<TC260:AIGC>{escape(self.to_aigc())}</TC260:AIGC>"
            '</rdf:Description></rdf:RDF></x:xmpmeta><?xpacket end="w"?>'
        ).encode()


@dataclass(frozen=True, kw_only=True)
class FoundLabels:
    """The labels in a file.

    Args:
        aigc: the object of GB 45438-2025, or None.
        source_type: the digital source type in XMP, or None.
    """

    aigc: dict[str, str] | None = None
    source_type: str | None = None

    @property
    def say_generated(self) -> bool:
        """Whether one of them says that a model made the file, or a part of it."""
        aigc = self.aigc is not None and self.aigc.get("Label") in ("1", "2", "3")
        return aigc or self.source_type in MADE_BY_MODELS


def find_labels(packets: Iterable[bytes], values: Iterable[str]) -> FoundLabels:
    """The labels in XMP packets, and in values of the key ``AIGC``; what is broken is passed by."""
    aigc, source_type = None, None
    for value in values:
        aigc = aigc or read_aigc(value)
    for packet in packets:
        for tag, text in _fields(packet):
            if tag == f"{{{_TC260}}}AIGC":
                aigc = aigc or read_aigc(text)
            elif tag in (f"{{{_IPTC}}}DigitalSourceType", f"{{{_IPTC}}}DigitalSourcetype"):
                source_type = source_type or text.strip()[:200]
    return FoundLabels(aigc=aigc, source_type=source_type)


def read_aigc(text: str) -> dict[str, str] | None:
    """The AIGC object in a text, as such or inside ``{"AIGC": ...}``; None if it is none."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return None
    inner = value.get("AIGC", value) if isinstance(value, dict) else None
    if not isinstance(inner, dict) or "Label" not in inner:
        return None
    return {name: str(inner[name])[:256] for name in AIGC_FIELDS if name in inner}


def _fields(packet: bytes) -> list[tuple[str, str]]:
    """Every element and attribute of an XMP packet: name with namespace, and text."""
    if len(packet) > XMP_MAX_BYTES or b"<!DOCTYPE" in packet or b"<!ENTITY" in packet:
        return []
    try:
        root = ET.fromstring(packet.strip(b"\0 \r\n\t\xef\xbb\xbf"))
    except (ET.ParseError, ValueError, LookupError):
        return []
    found: list[tuple[str, str]] = []
    for element in root.iter():
        found += [(name, text) for name, text in element.attrib.items()]
        resource = element.attrib.get(f"{{{_RDF}}}resource")
        text = resource if resource is not None else element.text
        if isinstance(element.tag, str) and text:
            found.append((element.tag, text))
    return found
