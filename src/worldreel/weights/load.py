"""From a model's folder to networks that are ready to run, every byte checked first."""

import contextlib
import dataclasses
import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from worldreel.core.errors import UsageError, WorldreelError
from worldreel.core.parse import parse
from worldreel.models.autoencoder import Autoencoder, AutoencoderConfig
from worldreel.models.causal_autoencoder import CausalAutoencoder
from worldreel.models.clip import ImageEncoder
from worldreel.models.experts import Experts, networks_of
from worldreel.models.int8 import can_round_to_int8, round_to_int8
from worldreel.models.text import TextEncoder, load_minilm
from worldreel.models.transformer import Transformer, TransformerConfig
from worldreel.parallel.crew import Crew
from worldreel.parallel.sizes import check_size
from worldreel.weights.catalogue import check_model, describe, find_model
from worldreel.weights.description import ModelDescription
from worldreel.weights.fit import check_memory, has_room
from worldreel.weights.load_pipeline import (
    FLOAT32_MODULES,
    load_pipeline_autoencoder,
    load_pipeline_image,
    load_pipeline_text,
    load_pipeline_transformer,
    make_ready,
)
from worldreel.weights.lora import applied
from worldreel.weights.lora_use import LoraUse
from worldreel.weights.offload import Offload

TRANSFORMER_FILE = "transformer.safetensors"
AUTOENCODER_FILE = "autoencoder.safetensors"

FOLLOWER = "worldreel.weights.follower"
"""What the processes on other devices run."""

GET_AGAIN = "Get the model's folder again; nothing of it was used."

Module = TypeVar("Module", bound=nn.Module)


@dataclass(frozen=True, eq=False)
class LoadedModel:
    """A model in memory, in evaluation mode.

    Args:
        dtype: what its large products are computed in; states, norms, and what is
            added up over steps stay in float32.
    """

    description: ModelDescription
    transformer: Transformer | Experts
    autoencoder: Autoencoder | CausalAutoencoder
    text: TextEncoder
    dtype: torch.dtype
    image: ImageEncoder | None = None
    """Of a model that is shown what is given as the states of pictures, too."""
    crew: Crew | None = None
    """Other devices that share the transformer, where there are any."""
    offload: Offload | None = None
    """What brings the transformer's blocks, where they are not kept in memory."""
    is_int8: bool = False
    """Whether the products of the transformer's blocks are made in 8 bits."""

    @property
    def device(self) -> torch.device:
        """Where the networks stand; the encoders of text and pictures stay on the CPU."""
        return next(self.autoencoder.parameters()).device

    @property
    def splits_batch(self) -> bool:
        """Whether the transformer takes two clips at a time in the time of one."""
        return self.crew is not None and self.crew.splits_batch

    @contextlib.contextmanager
    def with_loras(self, loras: Sequence[str]) -> Iterator[None]:
        """Changes the transformer inside the block, on all devices (see `LoraUse.parse`).

        Raises:
            UsageError, WorldreelError: a file that cannot be used.
        """
        with contextlib.ExitStack() as stack:
            stack.enter_context(applied(self.transformer, [LoraUse.parse(lora) for lora in loras]))
            if self.crew is not None:
                stack.enter_context(self.crew.at_work())
                if loras:
                    stack.enter_context(self.crew.entered("loras", uses=list(loras)))
            yield

    def close(self) -> None:
        """Ends the processes on other devices, if there are any."""
        if self.crew is not None:
            self.crew.close()


def load_model(
    name_or_folder: str | Path,
    dtype: torch.dtype | None = None,
    device: torch.device | str = "cpu",
    *,
    num_devices: int = 1,
    offload: bool = False,
    int8: bool = False,
) -> LoadedModel:
    """Loads a model by name or folder.

    Args:
        dtype: float32 or bfloat16; by default whichever the device multiplies faster.
        device: where the networks go, such as ``cpu`` or ``cuda``.
        num_devices: how many share the transformer: the first GPUs, or processes on the CPU.
            Such a model is to be closed; it can be in memory only once.
        offload: the transformer's blocks are not kept on the device but brought one by one (see
            `worldreel.weights.offload`), and the text encoder is let go when it has read.
        int8: the products inside the transformer's blocks are made in 8 bits, on a CPU only (see
            `worldreel.models.int8`).

    Raises:
        UsageError: there is no such model, no such device, or not so many that could share it.
        WorldreelError: a file is missing, truncated, altered or not safetensors, or its
            weights do not fit the description.
    """
    folder, description = find_model(name_or_folder), describe(name_or_folder)
    device = torch.device(device)
    if device.type == "cuda" and not torch.cuda.is_available():
        raise UsageError(
            f"the device is {str(device)!r}, but torch {torch.__version__} finds none here.",
            remedy="Install torch for CUDA and its driver, or use the device cpu.",
        )
    dtype = fastest_dtype(device) if dtype is None else dtype
    assert dtype in (torch.float32, torch.bfloat16), dtype
    if offload:
        description.check_offload(num_devices)
    if int8:
        check_int8(device, dtype, alone=num_devices == 1 and not offload)
    if num_devices != 1:
        check_devices(num_devices, description, device)
        if device.type == "cpu" and description.layout == "diffusers":
            check_memory(description, dtype, device, copies=num_devices)
        return _load_shared(name_or_folder, dtype, device, num_devices)
    if description.layout == "diffusers":
        check_model(name_or_folder)
        return _load_pipeline(folder, description, dtype, device, offload=offload, int8=int8)
    for name in (TRANSFORMER_FILE, AUTOENCODER_FILE):
        if name not in description.files:
            raise WorldreelError(f"{folder / 'model.json'} does not list {name}.", remedy=GET_AGAIN)
    for name in description.files:
        check_file(folder, name, description)
    with torch.device("meta"):
        try:
            transformer = Transformer(parse(TransformerConfig, description.transformer))
            autoencoder = Autoencoder(parse(AutoencoderConfig, description.autoencoder))
        except WorldreelError as error:
            raise WorldreelError(
                f"{folder / 'model.json'} describes a network that this version does not know: "
                f"{error.message}",
                remedy="A newer version of worldreel may be needed to run this model.",
            ) from error
    _check_networks(transformer, autoencoder, description)
    transformer = _fill(transformer, folder / TRANSFORMER_FILE, dtype).to(device)
    if int8:
        round_to_int8(transformer.blocks)
    return LoadedModel(
        description,
        transformer,
        _fill(autoencoder, folder / AUTOENCODER_FILE, dtype).to(device),
        load_minilm(num_tokens=description.text.num_tokens),
        dtype,
        is_int8=int8,
    )


def check_devices(
    num_devices: int, description: ModelDescription, device: torch.device | str
) -> None:
    """Raises UsageError unless so many devices are here and can share a model's transformer."""
    there = torch.cuda.device_count()
    if torch.device(device).type == "cuda" and num_devices > there:
        raise UsageError(
            f"{num_devices} devices are asked for; this machine has {there} GPUs.",
            remedy="Use as many devices as there are GPUs, or fewer.",
        )
    check_size(num_devices, description.transformer["num_heads"])


def check_int8(device: torch.device, dtype: torch.dtype, *, alone: bool) -> None:
    """Raises UsageError where products cannot be made in 8 bits.

    Args:
        alone: whether one device has all weights in memory.
    """
    if device.type != "cpu" or dtype != torch.bfloat16 or not can_round_to_int8():
        raise UsageError(
            f"Products in 8 bits are for processors with VNNI, beside bfloat16; this is {device} "
            f"in {str(dtype).removeprefix('torch.')}.",
            remedy="Leave --int8 out.",
        )
    if not alone:
        raise UsageError(
            "Products in 8 bits go neither with offload nor with several devices.",
            remedy="Leave --int8 out, or the other one.",
        )


def _load_shared(
    name_or_folder: str | Path, dtype: torch.dtype, device: torch.device, num_devices: int
) -> LoadedModel:
    hello = {"model": str(name_or_folder), "dtype": str(dtype).removeprefix("torch.")}
    crew = Crew(num_devices, FOLLOWER, device, hello)
    try:
        model = load_model(name_or_folder, dtype, device)
        crew.lead(networks_of(model.transformer))
    except BaseException:
        crew.close()
        raise
    return dataclasses.replace(model, crew=crew)


def _load_pipeline(
    folder: Path,
    description: ModelDescription,
    dtype: torch.dtype,
    device: torch.device,
    *,
    offload: bool,
    int8: bool,
) -> LoadedModel:
    check_memory(description, dtype, device, offload=offload)
    bringing = Offload(device, dtype, keeps=has_room(description, dtype)) if offload else None
    transformer = load_pipeline_transformer(folder, description, dtype, bringing).to(device)
    if int8:
        for network in networks_of(transformer):
            round_to_int8(network.blocks)
    if bringing is None:
        make_ready(transformer)
    return LoadedModel(
        description,
        transformer,
        load_pipeline_autoencoder(folder, description, dtype).to(device),
        load_pipeline_text(folder, description, dtype, keeps=not offload),
        dtype,
        load_pipeline_image(folder, description, dtype),
        offload=bringing,
        is_int8=int8,
    )


def check_file(folder: Path, name: str, description: ModelDescription) -> None:
    """Raises WorldreelError unless a file is, byte for byte, the one that was described."""
    path, expected = folder / name, description.files[name]
    try:
        size_bytes = path.stat().st_size
        if size_bytes != expected.size_bytes:
            state = "truncated" if size_bytes < expected.size_bytes else "too long"
            raise WorldreelError(
                f"{path} is {state}: it has {size_bytes} bytes, expected {expected.size_bytes}.",
                remedy=GET_AGAIN,
            )
        with open(path, "rb") as file:
            sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    except FileNotFoundError as error:
        raise WorldreelError(f"{path} is missing.", remedy=GET_AGAIN) from error
    except OSError as error:
        raise WorldreelError(
            f"{path} cannot be read: {error.strerror or error}.", remedy=GET_AGAIN
        ) from error
    if sha256 != expected.sha256:
        raise WorldreelError(
            f"{path} was altered: its sha256 is {sha256[:12]}…, expected {expected.sha256[:12]}….",
            remedy=GET_AGAIN,
        )


def fastest_dtype(device: torch.device | str = "cpu") -> torch.dtype:
    """bfloat16 where the device has hardware for its products, otherwise float32."""
    if torch.device(device).type != "cpu":
        return torch.bfloat16
    has_bf16 = torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()
    return torch.bfloat16 if has_bf16 else torch.float32


def _fill(module: Module, path: Path, dtype: torch.dtype) -> Module:
    """Gives a module without storage the weights of a file that was checked."""
    try:
        state = load_file(path)
    except SafetensorError as error:
        raise WorldreelError(
            f"{path} is not a safetensors file: {error}.",
            remedy=f"Only safetensors is ever loaded. {GET_AGAIN}",
        ) from error
    module = module.to_empty(device="cpu")
    _check_state(module.state_dict(), state, path)
    module.load_state_dict(state)  # copies into float32, keeping each tensor's memory format
    if dtype is not torch.float32:
        for name, part in module.named_modules():
            if isinstance(part, nn.Linear | nn.Conv2d) and not name.startswith(FLOAT32_MODULES):
                part.to(dtype)
    return module.eval().requires_grad_(False)


def _check_state(wanted: dict[str, Tensor], found: dict[str, Tensor], path: Path) -> None:
    missing, surplus = wanted.keys() - found.keys(), found.keys() - wanted.keys()
    if missing or surplus:
        what = f"lacks {sorted(missing)[0]}" if missing else f"holds {sorted(surplus)[0]} as well"
        raise WorldreelError(
            f"{path} does not fit the description beside it: it {what} "
            f"({len(missing)} missing, {len(surplus)} too many).",
            remedy=GET_AGAIN,
        )
    for name, tensor in wanted.items():
        if found[name].shape != tensor.shape:
            raise WorldreelError(
                f"{path} does not fit the description beside it: {name} has shape "
                f"{tuple(found[name].shape)}, expected {tuple(tensor.shape)}.",
                remedy=GET_AGAIN,
            )


def _check_networks(
    transformer: Transformer, autoencoder: Autoencoder, description: ModelDescription
) -> None:
    channels = autoencoder.latent_channels
    wanted = {
        "stride": (tuple(autoencoder.stride), description.stride),
        "first_frame_alone": (autoencoder.first_frame_alone, description.first_frame_alone),
        "transformer.out_channels": (channels, transformer.config.out_channels),
        "transformer.in_channels": (
            channels + description.level_channel + 3 * description.position_channels,
            transformer.config.in_channels,
        ),
    }
    for name, (expected, found) in wanted.items():
        if expected != found:
            raise WorldreelError(
                f"The description of {description.name} says {name} {found}; "
                f"with its autoencoder it must be {expected}.",
                remedy=GET_AGAIN,
            )
