"""Requests to addresses that clients named: to the open internet only, and never onward.

The name is resolved once, every address that it has is checked, and the connection is made to
one of those checked: a name that changes its address in between gains nothing. Redirects are
not followed.
"""

import http.client
import ipaddress
import re
import socket
import ssl
import time
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from worldreel.core.errors import UsageError, WorldreelError

CHUNK = 65536
HOST = re.compile(r"[a-z0-9]([a-z0-9._-]*[a-z0-9])?\.?")
SPECIAL = (ipaddress.ip_network("192.0.0.0/24"), ipaddress.ip_network("64:ff9b:1::/48"))
"""Reserved for protocols; some versions of Python take parts of them for public."""


@dataclass(frozen=True)
class Answer:
    """What came back."""

    status: int
    content_type: str
    body: bytes


@dataclass(frozen=True)
class Address:
    """A URL whose host may be spoken to."""

    scheme: str
    host: str
    port: int
    target: str
    ips: tuple[str, ...] = ()


def parse_url(url: str, *, private: bool) -> Address:
    """The parts of an http or https URL; nothing is resolved or sent.

    Args:
        private: whether plain http and addresses inside the own network are allowed.

    Raises:
        UsageError: it is no such URL, or its host is a literal address that is not public.
    """
    shown = repr(url[:80])
    try:
        parts = urlsplit(url)
        port = parts.port
        host = (parts.hostname or "").encode("idna").decode("ascii") if parts.hostname else ""
    except (ValueError, UnicodeError):
        raise UsageError(f"{shown} is not a URL.") from None
    if any(ord(letter) <= 32 or ord(letter) == 127 for letter in url):
        raise UsageError(f"{shown} is not a URL: it holds spaces or control characters.")
    if parts.scheme not in ("http", "https") or not host:
        raise UsageError(f"{shown} is not an http or https URL.")
    if ":" not in host and not HOST.fullmatch(host.lower()):
        raise UsageError(f"{shown} is not a URL: its host is no name.")
    if parts.username or parts.password:
        raise UsageError("A URL with a user and password in it is not taken.")
    if not private:
        _refuse_private(host, shown)
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    target = target.encode("ascii", "ignore").decode() if not target.isascii() else target
    port = port or (443 if parts.scheme == "https" else 80)
    return Address(parts.scheme, host, port, target)


def resolve(address: Address, *, private: bool) -> Address:
    """The address with the IPs that may be spoken to.

    Raises:
        UsageError: one of the host's addresses is not public.
        WorldreelError: the host is not known.
    """
    try:
        found = socket.getaddrinfo(address.host, address.port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise WorldreelError(f"The host {address.host[:80]!r} is not known.") from error
    ips = tuple(dict.fromkeys(str(entry[4][0]) for entry in found))
    if not private:
        for ip in ips:
            if not is_public(ip):
                raise _not_public(address.host)
    return Address(address.scheme, address.host, address.port, address.target, ips)


def is_public(ip: str) -> bool:
    """Whether an address is one of the open internet."""
    found = ipaddress.ip_address(ip.partition("%")[0])
    if isinstance(found, ipaddress.IPv6Address):
        inner = found.ipv4_mapped or found.sixtofour
        if found.teredo is not None:
            inner = found.teredo[1]
        if found in ipaddress.ip_network("64:ff9b::/96"):
            inner = ipaddress.IPv4Address(int(found) & 0xFFFFFFFF)
        if inner is not None:
            return is_public(str(inner))
    if any(found in block for block in SPECIAL if block.version == found.version):
        return False
    return found.is_global and not found.is_multicast and not found.is_reserved


def request(
    method: str,
    url: str,
    *,
    private: bool,
    timeout_s: float,
    max_bytes: int,
    body: bytes | None = None,
    headers: Mapping[str, str] | None = None,
) -> Answer:
    """One request, within a time and a size.

    Raises:
        UsageError: the URL may not be spoken to.
        WorldreelError: no answer, one that is too slow, or one that is too large.
    """
    end = time.monotonic() + timeout_s
    address = resolve(parse_url(url, private=private), private=private)
    connection = _connect(address, timeout_s)
    try:
        sent = {"host": _host_header(address), "accept": "*/*", **(headers or {})}
        connection.request(method, address.target, body=body, headers=sent)
        answer = connection.getresponse()
        data = bytearray()
        while chunk := answer.read1(CHUNK):
            data += chunk
            if len(data) > max_bytes:
                raise WorldreelError(f"The answer of {address.host} is larger than {max_bytes:,}.")
            if time.monotonic() > end:
                raise WorldreelError(f"{address.host} takes longer than {timeout_s:g} s.")
        return Answer(answer.status, answer.headers.get("content-type", ""), bytes(data))
    except (OSError, http.client.HTTPException, ValueError) as error:
        what = type(error).__name__
        raise WorldreelError(f"{address.host} did not answer as it should ({what}).") from error
    finally:
        connection.close()


def _connect(address: Address, timeout_s: float) -> http.client.HTTPConnection:
    last: OSError | None = None
    for ip in address.ips[:3]:
        try:
            plain = socket.create_connection((ip, address.port), timeout=timeout_s)
            break
        except OSError as error:
            last = error
    else:
        raise WorldreelError(f"{address.host} cannot be reached.") from last
    if address.scheme == "https":
        try:
            context = ssl.create_default_context()
            plain = context.wrap_socket(plain, server_hostname=address.host)
        except (OSError, ValueError) as error:
            plain.close()
            raise WorldreelError(f"{address.host} has no certificate to trust.") from error
    connection = http.client.HTTPConnection(address.host, address.port, timeout=timeout_s)
    connection.sock = plain
    return connection


def _host_header(address: Address) -> str:
    host = f"[{address.host}]" if ":" in address.host else address.host
    usual = 443 if address.scheme == "https" else 80
    return host if address.port == usual else f"{host}:{address.port}"


def _refuse_private(host: str, shown: str) -> None:
    """Names that need no look-up: literal addresses in all their spellings, and local names."""
    name = host.rstrip(".").lower()
    if name == "localhost" or name.endswith((".localhost", ".local", ".internal", ".localdomain")):
        raise _not_public(host)
    if ":" in name:
        ip = name
    else:
        try:  # 127.1, 0x7f000001, 017700000001 and 2130706433 are spellings of 127.0.0.1
            ip = socket.inet_ntoa(socket.inet_aton(name))
        except OSError:
            if "." not in name:
                raise _not_public(host) from None
            return
    try:
        public = is_public(ip)
    except ValueError:
        raise UsageError(f"{shown} is not a URL.") from None
    if not public:
        raise _not_public(host)


def _not_public(host: str) -> UsageError:
    return UsageError(
        f"The host {host[:80]!r} is not one of the open internet.",
        remedy="The operator of this server may allow addresses of the own network.",
    )
