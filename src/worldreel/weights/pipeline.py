"""What a folder in the layout of ``diffusers`` says about its Wan model; no tensors, no torch."""

import hashlib
import json
import re
from pathlib import Path
from typing import Any

from worldreel.core.errors import WorldreelError
from worldreel.weights.description import (
    Durations,
    ModelDescription,
    Sampling,
    Sizes,
    TextEncoding,
)

INDEX_NAME = "model_index.json"
PIPELINES = {
    "WanPipeline": "WanTransformer3DModel",
    "WanImageToVideoPipeline": "WanTransformer3DModel",
    "WanVACEPipeline": "WanVACETransformer3DModel",
}
"""Those that are known, and the class of their transformers."""
TEXT_TOKENS = 512

TRANSFORMER_KEYS = {"num_attention_heads": "num_heads", "attention_head_dim": "head_dim"}
AUTOENCODER_KEYS = {"z_dim": "latent_channels", "temperal_downsample": "temporal_downsample"}
IMPLIED = ("scale_factor_temporal", "scale_factor_spatial", "in_channels", "out_channels")
"""Of an autoencoder's configuration: what follows from the rest of it."""
OTHERS = "This software runs Wan 2.1 and 2.2 in diffusers' layout; `worldreel models` names them."


def describe_pipeline(folder: Path) -> ModelDescription:
    """The description of a Wan pipeline's folder, from its configurations alone.

    Raises:
        WorldreelError: a configuration is missing, cannot be read, or is of another architecture.
    """
    index = read_json(folder / INDEX_NAME)
    if index.get("_class_name") not in PIPELINES:
        raise WorldreelError(
            f"{folder / INDEX_NAME} is of a {index.get('_class_name')!r}; expected one of "
            f"{', '.join(PIPELINES)}.",
            remedy=OTHERS,
        )
    transformer = _transformer(folder / "transformer", PIPELINES[index["_class_name"]])
    boundary = index.get("boundary_ratio") if is_there(index, "transformer_2") else None
    if is_there(index, "transformer_2"):
        low = _transformer(folder / "transformer_2", PIPELINES[index["_class_name"]])
        _check_experts(folder, transformer, low, boundary)
    autoencoder = _autoencoder(folder / "vae")
    _check_text(folder / "text_encoder", transformer)
    stride = _stride(autoencoder)
    given = _given(folder, index, transformer, stride)
    takes, needs = _takes(given, transformer, boundary)
    fps, num_frames, size = (24, 121, (1280, 704)) if stride[1] == 16 else (16, 81, (832, 480))
    width, height = size
    return ModelDescription(
        name=re.sub(r"[^A-Za-z0-9._-]", "-", folder.resolve().name) or "pipeline",
        version=_fingerprint(folder),
        license="LicenseRef-unknown",
        summary=f"A Wan model in {folder}.",
        prediction="v",
        level_channel=False,
        takes=takes,
        needs=needs,
        vocabulary="open",
        fps=fps,
        size=Sizes(default=size, min=2 * stride[1], max=1280, trained=(size, (height, width))),
        seconds=Durations(default=num_frames / fps, max=num_frames / fps),
        sampling=_sampling(folder / "scheduler", given, boundary),
        text=TextEncoding(encoder="umt5", num_tokens=TEXT_TOKENS),
        transformer=transformer,
        autoencoder=autoencoder,
        autoencoder_kind="causal",
        layout="diffusers",
        given=given,
        stride=stride,
        first_frame_alone=True,
        unlisted_bytes=sum(path.stat().st_size for path in folder.glob("*/*.safetensors")),
    )


def read_json(path: Path) -> dict[str, Any]:
    """The object in a JSON file; raises WorldreelError where there is none."""
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise WorldreelError(
            f"{path} cannot be read: {getattr(error, 'strerror', None) or error}.",
            remedy="Get the model's folder again, whole: it is a diffusers pipeline's folder with "
            "transformer, vae, text_encoder, tokenizer and scheduler.",
        ) from error
    if not isinstance(value, dict):
        raise WorldreelError(f"{path} holds no JSON object.", remedy="Get the folder again.")
    return value


def is_there(index: dict[str, Any], part: str) -> bool:
    """Whether a pipeline's index names a class for one of its parts."""
    named = index.get(part)
    return isinstance(named, list) and len(named) == 2 and named[1] is not None


def _transformer(folder: Path, name: str) -> dict[str, Any]:
    """Arguments of ``TransformerConfig``, or of ``VaceConfig``."""
    config = _of_class(folder, name)
    return {TRANSFORMER_KEYS.get(key, key): value for key, value in config.items()}


def _autoencoder(folder: Path) -> dict[str, Any]:
    """Arguments of ``CausalAutoencoderConfig``."""
    config = _of_class(folder, "AutoencoderKLWan")
    if config.pop("attn_scales", None):
        raise WorldreelError(f"{folder} has attention inside its stages.", remedy=OTHERS)
    for name in ("dropout", *IMPLIED):
        config.pop(name, None)
    if config.get("patch_size") is None:
        config["patch_size"] = 1
    return {AUTOENCODER_KEYS.get(key, key): value for key, value in config.items()}


def _of_class(folder: Path, name: str) -> dict[str, Any]:
    """A part's configuration without what only diffusers itself reads."""
    config = read_json(folder / "config.json")
    if config.get("_class_name") != name:
        raise WorldreelError(
            f"{folder / 'config.json'} is of a {config.get('_class_name')!r}; expected {name!r}.",
            remedy=OTHERS,
        )
    return {key: value for key, value in config.items() if not key.startswith("_")}


def _check_experts(folder: Path, high: dict[str, Any], low: dict[str, Any], boundary: Any) -> None:
    if low != high:
        name = next(key for key in {**high, **low} if high.get(key) != low.get(key))
        raise WorldreelError(
            f"The two transformers in {folder} differ in {name}: {high.get(name)!r} and "
            f"{low.get(name)!r}.",
            remedy="Both are made for the same latents; get the folder again.",
        )
    if not isinstance(boundary, float) or not 0 < boundary < 1:
        raise WorldreelError(
            f"{folder / INDEX_NAME} has two transformers and the boundary_ratio {boundary!r}; it "
            "must be a number between 0 and 1.",
            remedy="0.875 for Wan2.2-T2V-A14B, 0.9 for Wan2.2-I2V-A14B.",
        )


def _check_text(folder: Path, transformer: dict[str, Any]) -> None:
    config = read_json(folder / "config.json")
    if config.get("model_type") != "umt5":
        raise WorldreelError(
            f"{folder / 'config.json'} is of model type {config.get('model_type')!r}; expected "
            "'umt5'.",
            remedy=OTHERS,
        )
    if config.get("d_model") != transformer.get("text_dim"):
        raise WorldreelError(
            f"The text encoder in {folder} says {config.get('d_model')} numbers a token; the "
            f"transformer beside it takes {transformer.get('text_dim')}.",
            remedy="They belong to different models; get the folder again.",
        )


def _stride(autoencoder: dict[str, Any]) -> tuple[int, int, int]:
    halvings = len(autoencoder.get("dim_mult", (1, 2, 4, 4))) - 1
    side = autoencoder["patch_size"] * 2**halvings
    return 2 ** sum(autoencoder.get("temporal_downsample", (False, True, True))), side, side


def _given(
    folder: Path, index: dict[str, Any], transformer: dict[str, Any], stride: tuple[int, int, int]
) -> Any:
    """How it is told what is given: seen by its channels, or said in the index."""
    stride_t, *sides = stride
    into, out = transformer.get("in_channels"), transformer.get("out_channels")
    if not isinstance(into, int) or not isinstance(out, int):
        raise WorldreelError(
            f"{folder}/transformer/config.json has no in_channels or no out_channels.",
            remedy="Get the folder again.",
        )
    if "vace_layers" in transformer:
        beside, wanted = transformer.get("vace_in_channels"), 2 * out + sides[0] * sides[1]
        if into == out and beside == wanted:
            return "control"
        raise WorldreelError(
            f"The transformer in {folder} has vace_layers, {beside} channels of what is given and "
            f"{into} others; known are {wanted} (latents of what is kept and of what is changed, "
            f"and a mask) and {out}.",
            remedy=OTHERS,
        )
    if into == 2 * out + stride_t:
        return "channels"
    if into == out:
        return "level" if index.get("expand_timesteps") else "replacement"
    raise WorldreelError(
        f"The transformer in {folder} has {into} input channels for {out} of output; known are "
        f"{out} (text) and {2 * out + stride_t} (pictures at the ends).",
        remedy=OTHERS,
    )


def _takes(
    given: str, transformer: dict[str, Any], boundary: float | None
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """What it can be given, and what it must be."""
    if given == "replacement":
        return ("text", "first_frame", "clip", "mask"), ()
    if given == "control":
        return ("text", "first_frame", "last_frame", "clip", "mask"), ()
    if given == "level":
        return ("text", "first_frame", "clip"), ()
    if transformer.get("pos_embed_seq_len") is not None:
        ends = ("first_frame", "last_frame")
        return ("text", *ends), ends
    more = () if transformer.get("image_dim") is not None else ("last_frame",)
    return ("text", "first_frame", *more), ("first_frame",)


def _sampling(folder: Path, given: str, boundary: float | None) -> Sampling:
    """As the scheduler beside it says, with the steps and guidance that Wan's authors name."""
    config = read_json(folder / "scheduler_config.json")
    name = config.get("_class_name")
    if name == "UniPCMultistepScheduler":
        flow = (config.get("use_flow_sigmas"), config.get("prediction_type"))
        if flow != (True, "flow_prediction") or config.get("solver_order", 2) != 2:
            raise WorldreelError(
                f"{folder / 'scheduler_config.json'} describes no flow of order 2 (use_flow_sigmas "
                f"{flow[0]}, prediction_type {flow[1]!r}).",
                remedy=OTHERS,
            )
    elif name != "FlowMatchEulerDiscreteScheduler":
        raise WorldreelError(
            f"{folder / 'scheduler_config.json'} is of a {name!r}, which is not known here.",
            remedy="Known are UniPCMultistepScheduler and FlowMatchEulerDiscreteScheduler.",
        )
    scale, low = (5.0, None) if boundary is None else (4.0, 3.0)
    if boundary is not None and given == "channels":
        scale, low = 3.5, 3.5
    return Sampling(
        num_inference_steps=50 if boundary is None else 40,
        guidance_scale=scale,
        guidance_scale_low=low,
        boundary=boundary,
        shift=float(config.get("flow_shift", config.get("shift", 1.0))),
        solver="unipc" if name == "UniPCMultistepScheduler" else "euler",
        levels=int(config.get("num_train_timesteps", 1000)),
    )


def _fingerprint(folder: Path) -> str:
    """Of its files' names and sizes and its configurations: another download, another version."""
    digest = hashlib.sha256()
    for path in sorted([*folder.glob("*.json"), *folder.glob("*/*")]):
        digest.update(f"{path.relative_to(folder)} {path.stat().st_size}\n".encode())
        if path.suffix == ".json" and path.stat().st_size < 100_000:
            digest.update(path.read_bytes())
    return digest.hexdigest()[:12]
