"""Open models from the hub: what is there, what is missing, every byte checked when it has come."""

import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from worldreel.core.errors import UsageError, WorldreelError
from worldreel.core.progress import Progress, silent
from worldreel.media.atomic import atomic_target
from worldreel.weights.open_models import OpenModel

PARTS = (
    "transformer",
    "transformer_2",
    "vae",
    "text_encoder",
    "tokenizer",
    "scheduler",
    "image_encoder",
    "image_processor",
)
ENDINGS = (".json", ".safetensors")
SPARE_BYTES = 1_000_000_000
"""Left on the disk beside a download."""
CHUNK_BYTES = 1 << 22
AGAIN = "Run `worldreel pull` again: what has come is kept, and only the rest is fetched."


@dataclass(frozen=True, kw_only=True)
class HubFile:
    """One file of a repository.

    Args:
        digest: of its content: ``sha256:…``, or ``git:…`` for a small file that git keeps itself.
    """

    path: str
    size_bytes: int
    digest: str


@dataclass(frozen=True, kw_only=True)
class Pulled:
    """A model that is here whole.

    Args:
        folder: in diffusers' layout.
        modified_ns: when each file was last written, by its path, when it was checked.
    """

    revision: str
    folder: str
    files: tuple[HubFile, ...]
    modified_ns: dict[str, int]


def cache_folder() -> Path:
    """Where the hub's downloads are kept: ``HF_HUB_CACHE``, or ``hub`` in ``HF_HOME``."""
    home = os.environ.get("HF_HOME") or Path(
        os.environ.get("XDG_CACHE_HOME") or "~/.cache", "huggingface"
    )
    return Path(os.environ.get("HF_HUB_CACHE") or Path(home, "hub")).expanduser()


def find_pulled(model: OpenModel, cache: Path | None = None) -> Pulled | None:
    """What `pull` wrote down of a model; None if it has not been pulled at this revision."""
    path = _note(model, cache or cache_folder())
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
        files = tuple(HubFile(**file) for file in values.pop("files"))
        pulled = Pulled(files=files, **values)
    except (OSError, ValueError, TypeError, KeyError):
        return None
    is_same = pulled.revision == model.revision and Path(pulled.folder).is_dir()
    return pulled if is_same else None


def check_pulled(pulled: Pulled) -> None:
    """Reads again what was written since it was checked.

    Raises:
        WorldreelError: a file is missing or is not as it was published.
    """
    for file in pulled.files:
        path = Path(pulled.folder, file.path)
        try:
            state = path.stat()
        except OSError as error:
            raise WorldreelError(f"{path} is missing.", remedy=AGAIN) from error
        if (state.st_size, state.st_mtime_ns) != (
            file.size_bytes,
            pulled.modified_ns.get(file.path),
        ):
            _check(path, file)


def pull(
    model: OpenModel,
    progress: Progress = silent,
    *,
    cache: Path | None = None,
    endpoint: str | None = None,
) -> Path:
    """Downloads a model at its pinned revision; what is here already is not fetched again.

    Args:
        progress: bytes that have come, in stage ``download``, then bytes read in ``check``.
        cache: of the hub's downloads; `cache_folder` by default.
        endpoint: of the hub; that of ``HF_ENDPOINT``, or the public one, by default.

    Returns:
        The model's folder.

    Raises:
        UsageError: offline, and not all of it is here.
        WorldreelError: the hub cannot be reached, does not have it, the disk is too small, or
            what came is not what was published.
    """
    cache = cache or cache_folder()
    if (here := find_pulled(model, cache)) is not None:
        check_pulled(here)
        return Path(here.folder)
    files = list_files(model, endpoint)
    folder = cache / f"models--{model.repository.replace('/', '--')}"
    _check_disk(model, files, folder)
    total = sum(file.size_bytes for file in files)
    done = 0
    progress(0, total, "download")

    def came(count: int) -> None:
        nonlocal done
        done = min(done + count, total)
        progress(done, total, "download")

    snapshot = Path()
    before = 0
    for file in files:
        path = _download(model, file, cache, endpoint, came)
        snapshot = Path(path.removesuffix(file.path))
        before += file.size_bytes
        came(before - done)  # what was here already
    checked = 0
    progress(0, total, "check")
    for file in files:
        _check(snapshot / file.path, file)
        checked += file.size_bytes
        progress(checked, total, "check")
    modified = {file.path: (snapshot / file.path).stat().st_mtime_ns for file in files}
    pulled = Pulled(
        revision=model.revision, folder=str(snapshot), files=tuple(files), modified_ns=modified
    )
    note = _note(model, cache)
    note.parent.mkdir(parents=True, exist_ok=True)
    with atomic_target(note) as part:
        part.write_text(json.dumps(asdict(pulled), indent=1), encoding="utf-8")
    return snapshot


def list_files(model: OpenModel, endpoint: str | None = None) -> list[HubFile]:
    """What is taken of a model's repository: configurations and safetensors; errors as `pull`."""
    from huggingface_hub import HfApi
    from huggingface_hub.hf_api import RepoFile

    with _explained(model):
        found = list(
            HfApi(endpoint=endpoint).list_repo_tree(
                model.repository, recursive=True, revision=model.revision
            )
        )
    files = []
    for entry in found:
        part, _, rest = entry.path.partition("/")
        is_ours = entry.path == "model_index.json" or (part in PARTS and rest)
        if isinstance(entry, RepoFile) and is_ours and entry.path.endswith(ENDINGS):
            lfs = entry.lfs
            digest = f"git:{entry.blob_id}" if lfs is None else f"sha256:{lfs.sha256}"
            files.append(HubFile(path=entry.path, size_bytes=entry.size, digest=digest))
    if not any(file.path.endswith(".safetensors") for file in files):
        raise WorldreelError(
            f"{model.repository} at {model.revision[:12]} holds no safetensors.",
            remedy="Pickles are never loaded. Report this: the catalogue names a wrong repository.",
        )
    return sorted(files, key=lambda file: file.size_bytes)


def _download(
    model: OpenModel,
    file: HubFile,
    cache: Path,
    endpoint: str | None,
    came: Callable[[int], None],
) -> str:
    from huggingface_hub import hf_hub_download
    from tqdm.auto import tqdm

    class Bar(tqdm):
        """Shows nothing, and tells how much came."""

        def __init__(self, *args: Any, **named: Any) -> None:
            named.pop("name", None)
            super().__init__(*args, **{**named, "disable": True})
            came(int(named.get("initial") or 0))

        def update(self, n: float | None = 1) -> bool | None:
            came(int(n or 0))
            return None

    with _explained(model):
        return hf_hub_download(
            model.repository,
            file.path,
            revision=model.revision,
            cache_dir=cache,
            endpoint=endpoint,
            tqdm_class=Bar,
        )


def _check_disk(model: OpenModel, files: list[HubFile], folder: Path) -> None:
    """Raises WorldreelError where what is missing does not fit on the disk."""
    missing = 0
    for file in files:
        blob = folder / "blobs" / file.digest.partition(":")[2]
        part = blob.with_name(f"{blob.name}.incomplete")
        if not blob.exists():
            missing += file.size_bytes - (part.stat().st_size if part.exists() else 0)
    there = next(path for path in (folder, *folder.parents) if path.exists())
    free = shutil.disk_usage(there).free
    if missing and free < missing + SPARE_BYTES:
        raise WorldreelError(
            f"{model.name} needs {missing / 1e9:.1f} GB more in {folder.parent}, and "
            f"{SPARE_BYTES / 1e9:.0f} GB to spare; {free / 1e9:.1f} GB are free.",
            remedy="Free some space, or set HF_HOME to a folder on a larger disk.",
        )


def _check(path: Path, file: HubFile) -> None:
    """Raises WorldreelError unless a file is, byte for byte, the one that was published."""
    kind, _, expected = file.digest.partition(":")
    digest = hashlib.sha256() if kind == "sha256" else hashlib.sha1(usedforsecurity=False)
    if kind == "git":
        digest.update(f"blob {file.size_bytes}\0".encode())
    try:
        with open(path, "rb") as content:
            while chunk := content.read(CHUNK_BYTES):
                digest.update(chunk)
    except OSError as error:
        raise WorldreelError(f"{path} cannot be read: {error.strerror}.", remedy=AGAIN) from error
    if digest.hexdigest() != expected:
        path.resolve().unlink(missing_ok=True)  # or it would be taken for whole next time
        path.unlink(missing_ok=True)
        raise WorldreelError(
            f"{path} is not as it was published: its hash is {digest.hexdigest()[:12]}…, expected "
            f"{expected[:12]}…. It was removed.",
            remedy=AGAIN,
        )


def _note(model: OpenModel, cache: Path) -> Path:
    return cache / "worldreel" / f"{model.name}.json"


class _explained:
    """Turns what the hub's client raises into what a person can act on."""

    def __init__(self, model: OpenModel) -> None:
        self.model = model

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: Any, error: BaseException | None, trace: Any) -> None:
        if error is None or not isinstance(error, Exception):
            return
        from huggingface_hub.errors import (
            GatedRepoError,
            LocalEntryNotFoundError,
            OfflineModeIsEnabled,
            RepositoryNotFoundError,
            RevisionNotFoundError,
        )

        where = f"{self.model.repository} at {self.model.revision[:12]}"
        for cause in _causes(error):
            if isinstance(cause, OfflineModeIsEnabled):
                raise UsageError(
                    f"{self.model.name} is not here whole, and HF_HUB_OFFLINE forbids to fetch it.",
                    remedy="Unset HF_HUB_OFFLINE, or point HF_HOME to where it is.",
                ) from error
        if isinstance(error, (RepositoryNotFoundError, RevisionNotFoundError, GatedRepoError)):
            raise WorldreelError(
                f"The hub does not give {where}: {str(error).splitlines()[0]}",
                remedy="If it needs an account, set HF_TOKEN; if it is gone, take another model.",
            ) from error
        if isinstance(error, OSError) and error.errno is not None:
            raise  # the disk's own words, which `main` explains
        named = "" if isinstance(error, LocalEntryNotFoundError) else f"{type(error).__name__}: "
        raise WorldreelError(
            f"{where} could not be fetched: {named}{(str(error).splitlines() or [''])[0][:200]}",
            remedy=f"Check the network (HF_ENDPOINT names another hub). {AGAIN}",
        ) from error


def _causes(error: BaseException) -> Iterator[BaseException]:
    seen: BaseException | None = error
    while seen is not None:
        yield seen
        seen = seen.__cause__ or seen.__context__
