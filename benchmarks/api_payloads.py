"""Hostile addresses and names asked of a live server, with every packet that it sends counted.

    python benchmarks/api_payloads.py --out benchmarks/results/api-payloads.json

Runs as root in a network namespace of its own: a pair of virtual cables is the way to the rest of
the world, and what arrives at its far end, or anywhere on the loopback but at the server's own
port, is an outbound packet. Three packets are sent on purpose first, so that the count can fail.
"""

import argparse
import collections
import json
import os
import socket
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import httpx2

ROOT = Path(__file__).parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "src")]

from tests.hostile_requests import NAMES, URLS  # noqa: E402
from tests.live_server import FAST, LiveServer  # noqa: E402

BODY = {"prompt": "x", "model": "toybox", "size": "96x96", "seconds": "1", **FAST}
INSIDE = "WORLDREEL_BENCHMARK_NAMESPACE"
NETWORK = """
set -e
ip link set lo up
ip link add near type veth peer name far
ip link set near up && ip link set far up
ip addr add 10.77.0.2/24 dev near
ip route add default via 10.77.0.1 dev near
ip neigh add 10.77.0.1 lladdr 02:00:00:00:00:01 dev near nud permanent
ip -6 addr add fd77::2/64 dev near nodad
ip -6 route add default via fd77::1 dev near
ip -6 neigh add fd77::1 lladdr 02:00:00:00:00:01 dev near nud permanent
"""
SECRETS = ("root:", "WORLDREEL_API_KEY")
ANY, IPV4, IPV6 = 0x0003, 0x0800, 0x86DD
HOP_BY_HOP, ICMP6 = 0, 58
"""Headers of the kernel's own questions for neighbours, which nobody asked for."""


class Packets(threading.Thread):
    """Packets that left for another host, or for another port of this one."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.allowed: set[int] = set()
        self.seen: collections.Counter[str] = collections.Counter()
        self.sockets = [socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ANY))]

    def run(self) -> None:
        while True:
            data, (device, protocol, kind, *_) = self.sockets[0].recvfrom(65536)
            if device == "far" and kind != socket.PACKET_OUTGOING:
                if protocol == IPV6 and data[20] in (HOP_BY_HOP, ICMP6):
                    continue
                self.seen[f"to the world, protocol {protocol:#06x}"] += 1
            elif device == "lo" and protocol == IPV4:
                start = 14 + 4 * (data[14] & 15)
                ports = {int.from_bytes(data[start + k : start + k + 2]) for k in (0, 2)}
                if data[23] not in (6, 17) or not ports & self.allowed:
                    self.seen[f"loopback, ports {sorted(ports)}"] += 1


def prove(packets: Packets) -> int:
    """Sends three packets that must be seen; returns how many were."""
    probe = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    probe.sendto(b"x", ("93.184.215.14", 9))
    probe.sendto(b"x", ("127.0.0.1", 9))
    socket.socket(socket.AF_INET6, socket.SOCK_DGRAM).sendto(b"x", ("2606:2800:21f::1", 9))
    time.sleep(1)
    ways = (f"{IPV4:#06x}", f"{IPV6:#06x}", "loopback")
    seen = sum(any(way in key for key in packets.seen) for way in ways)
    packets.seen.clear()
    return seen


def requests():
    """Every payload with the requests that carry it: method, path, body."""
    for url in URLS:
        hook = {"name": "x", "url": url, "event_types": ["video.failed"]}
        yield (
            url,
            [
                ("POST", "/v1/videos", {**BODY, "input_reference": {"image_url": url}}),
                ("POST", "/v1/webhook_endpoints", hook),
            ],
        )
    for name in NAMES:
        paths = ("videos/{}", "videos/{}/content", "files/{}/content", "models/{}")
        yield (
            name,
            [
                *(("GET", "/v1/" + path.format(name), None) for path in paths),
                ("DELETE", f"/v1/videos/{name}", None),
                ("POST", "/v1/videos", {**BODY, "input_reference": {"file_id": name}}),
                ("POST", "/v1/videos", {**BODY, "characters": [{"id": name}]}),
                ("POST", "/v1/videos", {**BODY, "model": name}),
                ("POST", "/v1/videos/edits", {"prompt": "x", "video": {"id": name}}),
            ],
        )


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    if INSIDE not in os.environ:
        words = ["unshare", "--net", sys.executable, *sys.argv]
        return subprocess.run(words, env={**os.environ, INSIDE: "1"}).returncode
    subprocess.run(["bash", "-c", NETWORK], check=True)
    packets = Packets()
    packets.start()
    proved = prove(packets)
    assert proved == 3, f"{proved} of 3 packets sent on purpose were seen"
    place = Path(tempfile.mkdtemp(prefix="api-payloads-"))
    server = LiveServer(place / "data", "--queue-max", "100000", workers=0)
    packets.allowed.add(server.port)
    answers: collections.Counter[int] = collections.Counter()
    wrong, not_sent, payloads = [], 0, 0
    try:
        with server.http() as client:
            client.get("/healthz")
            for payload, calls in requests():
                payloads += 1
                for method, path, body in calls:
                    try:
                        answer = client.request(method, path, json=body)
                    except (httpx2.InvalidURL, httpx2.UnsupportedProtocol):
                        not_sent += 1  # no URL for any client
                        continue
                    answers[answer.status_code] += 1
                    is_list = payload in (".", "..") and answer.status_code == 200
                    leaked = any(secret in answer.text for secret in SECRETS)
                    refused = 400 <= answer.status_code < 500
                    if leaked or not (refused or is_list):
                        wrong.append([payload, method, path[:80], answer.status_code])
    finally:
        server.stop()
    result = {
        "payloads": payloads,
        "requests": answers.total(),
        "no_url_for_the_client": not_sent,
        "answers": {str(code): count for code, count in sorted(answers.items())},
        "wrong": len(wrong),
        "examples": wrong[:10],
        "outbound_packets": packets.seen.total(),
        "outbound": dict(packets.seen),
        "tracebacks": num_tracebacks(place),
    }
    text = json.dumps(result, indent=2)
    print(text)
    if options.out:
        options.out.write_text(text + "\n")
    return 1 if wrong or packets.seen else 0


def num_tracebacks(place: Path) -> int:
    return (place / "data.log").read_text("utf-8", "replace").count("Traceback")


if __name__ == "__main__":
    sys.exit(main())
