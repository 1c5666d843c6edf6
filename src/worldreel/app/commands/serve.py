"""``worldreel serve``: the Videos API on one port, with its workers."""

import contextlib
import fcntl
import ipaddress
import logging
import os
import signal
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from tyro.conf import arg

from worldreel.app.options import Flag, OptionalFloat, OptionalInt, OptionalText, check_at_least
from worldreel.core.errors import UsageError

if TYPE_CHECKING:
    from worldreel.app.jobs.keys import KeyStore
    from worldreel.app.jobs.settings import Settings
    from worldreel.app.server.service import Service

DATABASE_VARIABLE = "WORLDREEL_DATABASE"
KEY_VARIABLE = "WORLDREEL_API_KEY"
GIB = 2**30
GOODBYE_S = 10
BACKLOG = 2048


@dataclass(frozen=True, kw_only=True)
class Serve:
    """Serves the Studio and the Videos API on one port: code written for OpenAI's runs against it.

    The address that is printed opens the Studio signed in. The first key comes from
    WORLDREEL_API_KEY, or is made and printed once.
    """

    host: str = "127.0.0.1"
    """The address to listen on; 0.0.0.0 is every one, and needs a key to be there before."""
    port: int = 8000
    """The port; 0 takes any that is free."""
    data: Annotated[Path, arg(metavar="FOLDER")] = Path("worldreel-data")
    """The folder for videos, uploads and, with SQLite, the databases; made if missing."""
    database: Annotated[OptionalText, arg(metavar="URL", help_behavior_hint="")] = None
    """A Postgres database, postgresql://user:password@host/name, for workers on more than one
    machine; or in WORLDREEL_DATABASE. (default: SQLite in the data folder)"""
    workers: int = 1
    """Workers on this machine; 0 leaves the work to `worldreel worker` processes."""
    sora_2: Annotated[str, arg(metavar="MODEL")] = "toybox"
    """The model that serves sora-2: a name or a folder."""
    sora_2_pro: Annotated[str, arg(metavar="MODEL")] = "toybox"
    """The model that serves sora-2-pro."""
    threads: Annotated[OptionalInt, arg(help_behavior_hint="(default: the machine's)")] = None
    """Threads that compute, for each worker."""
    queue_max: int = 100
    """Videos that may wait; past it the answer is 429."""
    owner_queue_max: Annotated[OptionalInt, arg(help_behavior_hint="(default: the same)")] = None
    """Videos of one owner that may wait."""
    keep_hours: float = 168.0
    """How long a finished video's files are kept."""
    disk_quota_gib: Annotated[OptionalFloat, arg(help_behavior_hint="(default: the disk)")] = None
    """What all videos may take; past it the answer is 429."""
    upload_max_mib: int = 256
    """The largest file that may be uploaded."""
    lease_seconds: float = 20.0
    """A worker that is silent for so long is taken over."""
    drain_seconds: float = 30.0
    """When asked to stop: how long the videos in hand are gone on with."""
    deaths_max: int = 3
    """A video at which workers died so often is failed."""
    provenance: Annotated[OptionalText, arg(metavar="FILE", help_behavior_hint="")] = None
    """How videos are marked: certificate, time stamps, visible label; see docs/provenance.md.
    (default: provenance/provenance.toml in the data folder, or keys that are made there)"""
    policy: Annotated[OptionalText, arg(metavar="FILE", help_behavior_hint="")] = None
    """What may be asked for; see docs/policy.md. A file that cannot be read stops the server.
    (default: everything)"""
    plays_max: int = 1
    """Worlds that may be played at the same time; each takes a process and the model's memory."""
    cors_origin: tuple[str, ...] = ()
    """Pages of other hosts that may call the server from a browser, such as https://a.example."""
    allow_private_addresses: Flag = False
    """Let webhooks and pictures be at addresses of the own network, and at plain http."""

    def run(self) -> int:
        from worldreel.app.jobs.offered import offered_models
        from worldreel.app.jobs.settings import check_folder

        check_at_least("--workers", self.workers, 0)
        if not 0 <= self.port <= 65535:
            raise UsageError(f"--port {self.port} is none.", remedy="Choose one up to 65535.")
        settings = self._settings()
        offered_models(settings)
        check_folder(settings.data)
        check_rules(settings)
        logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(name)s: %(message)s")
        with _alone(settings), _listening(self.host, self.port) as listener:
            return self._serve(settings, listener)

    def _serve(self, settings: "Settings", listener: socket.socket) -> int:
        from worldreel.app.jobs.supervisor import Supervisor
        from worldreel.app.server.service import Service

        service = Service.open(settings)
        key = first_key(service.keys, self.host)
        supervisor = Supervisor(service.database, settings, self._words(), self.workers)
        supervisor.start()  # workers load what they need while the server loads the API
        try:
            self._answer(service, listener, key)
        finally:
            supervisor.stop()
            service.database.close()
        return 0

    def _answer(self, service: "Service", listener: socket.socket, key: str | None) -> None:
        """Says where the server is, and answers until it is stopped."""
        import uvicorn

        from worldreel.app.server.application import make_app

        app = make_app(service, cors_origins=self.cors_origin)
        config = uvicorn.Config(
            app,
            log_level="warning",
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=GOODBYE_S,
            backlog=BACKLOG,
        )
        host, port = listener.getsockname()[:2]
        print(f"worldreel serves http://{_in_url(host)}:{port}/v1", flush=True)
        if key is not None:
            print(f"The first key, shown only now: {key}", flush=True)
        studio = f"http://{_in_url(host)}:{port}/"
        if _is_loopback(host):
            studio += f"#token={service.sessions.make_token()}"
            print(f"The Studio, signed in (this address works once): {studio}", flush=True)
        else:
            print(f"The Studio, for whoever has a key: {studio}", flush=True)
        for number in (signal.SIGTERM, signal.SIGINT):
            # uvicorn raises again what it was stopped by; the workers are still to be stopped then
            signal.signal(number, lambda number, frame: None)
        stoppable(uvicorn.Server(config), app.state.stopping).run(sockets=[listener])

    def _settings(self) -> "Settings":
        from worldreel.app.jobs.settings import MIB, Settings

        quota = None if self.disk_quota_gib is None else int(self.disk_quota_gib * GIB)
        return Settings(
            data=self.data,
            database=self.database or os.environ.get(DATABASE_VARIABLE),
            aliases=(("sora-2", self.sora_2), ("sora-2-pro", self.sora_2_pro)),
            queue_max=self.queue_max,
            owner_queue_max=self.owner_queue_max,
            keep_hours=self.keep_hours,
            disk_quota_bytes=quota,
            upload_max_bytes=self.upload_max_mib * MIB,
            lease_s=self.lease_seconds,
            drain_s=self.drain_seconds,
            deaths_max=self.deaths_max,
            private_addresses=self.allow_private_addresses,
            plays_max=self.plays_max,
            provenance=None if self.provenance is None else Path(self.provenance),
            policy=None if self.policy is None else Path(self.policy),
            shared=not _is_loopback(self.host),
            threads=self.threads,
        )

    def _words(self) -> list[str]:
        """What the workers are told."""
        words = {
            "--data": str(self.data),
            "--sora-2": self.sora_2,
            "--sora-2-pro": self.sora_2_pro,
            "--lease-seconds": str(self.lease_seconds),
            "--keep-hours": str(self.keep_hours),
            "--drain-seconds": str(self.drain_seconds),
            "--deaths-max": str(self.deaths_max),
        }
        for option, file in (("--provenance", self.provenance), ("--policy", self.policy)):
            if file is not None:
                words[option] = file
        if self.threads is not None:
            words["--threads"] = str(self.threads)
        return [word for pair in words.items() for word in pair]


def stoppable(server: Any, stopping: threading.Event) -> Any:
    """A uvicorn server that tells its streams to end when it is asked to: it waits for them."""
    handle_exit = server.handle_exit

    def told(number: int, frame: Any) -> None:
        stopping.set()
        handle_exit(number, frame)

    server.handle_exit = told
    return server


def check_rules(settings: "Settings") -> None:
    """Makes the keys that are missing, and reads what the operator has said.

    Raises:
        WorldreelError: a key, certificate, policy or what it names cannot be used: nothing is
            served then.
    """
    from worldreel.app.jobs.marking import Marking
    from worldreel.app.policy.classifiers import check_classifiers
    from worldreel.app.policy.policy import load_policy
    from worldreel.app.policy.reading import check_reading

    Marking(settings.data, settings.provenance).open().try_out()
    policy = load_policy(settings.policy)
    check_classifiers(policy.classifiers)
    check_reading(policy.read_pictures)


def first_key(keys: "KeyStore", host: str) -> str | None:
    """Sees to it that there is a key; returns one that was made, to be shown.

    Raises:
        UsageError: there is none, and others than this machine could reach the server.
    """
    from worldreel.app.jobs.keys import DEFAULT_OWNER

    if given := os.environ.get(KEY_VARIABLE):
        keys.add(DEFAULT_OWNER, given, admin=True)
        return None
    if keys.any():
        return None
    if not _is_loopback(host):
        raise UsageError(
            f"The server would listen on {host}, where others reach it, without any key.",
            remedy=f"Make a key first (worldreel keys add NAME), or set {KEY_VARIABLE}.",
        )
    return keys.add(DEFAULT_OWNER, admin=True)


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


@contextlib.contextmanager
def _alone(settings: "Settings") -> Iterator[None]:
    """Holds the data folder, where SQLite is in it: one server at a time."""
    if not settings.is_sqlite:
        yield
        return
    with open(settings.data / "server.lock", "w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise UsageError(
                f"Another server uses the data folder {settings.data}.",
                remedy="Stop it, choose another folder, or use Postgres for several servers.",
            ) from error
        yield


@contextlib.contextmanager
def _listening(host: str, port: int) -> Iterator[socket.socket]:
    """A socket that listens."""
    try:
        family, kind, _, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listener = socket.socket(family, kind)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(BACKLOG)  # who comes before the server is ready waits
    except OSError as error:
        raise UsageError(
            f"The server cannot listen on {host}, port {port}: {error.strerror or error}.",
            remedy="Choose another --port or --host.",
        ) from error
    with listener:
        yield listener


def _in_url(host: str) -> str:
    return f"[{host}]" if ":" in host else host
