"""The open models of the catalogue: where they are published, and what is known before a download.

All are Wan 2.1 or 2.2 in diffusers' layout, Apache-2.0, at a revision that is pinned here.
"""

import dataclasses
from dataclasses import dataclass
from typing import Any, Literal

from worldreel.weights.description import (
    Durations,
    ModelDescription,
    Sampling,
    Sizes,
    TextEncoding,
)

TEXT_WEIGHTS = 5_680_910_336
"""Numbers in the text encoder, UMT5-xxl, which all of them share; two bytes each in memory."""
LANDSCAPES = {480: (832, 480), 704: (1280, 704), 720: (1280, 720)}


@dataclass(frozen=True, kw_only=True)
class OpenModel:
    """One model that can be downloaded.

    Args:
        repository: on the hub, whose files are safetensors.
        revision: the commit that is taken, and no other.
        download_bytes: of what is taken of it, about.
        weights: numbers in each transformer and in the autoencoder.
        description: as it will be, but for what only the files say.
    """

    repository: str
    revision: str
    download_bytes: float
    weights: int
    autoencoder_weights: int
    description: ModelDescription

    @property
    def name(self) -> str:
        """The name in the catalogue."""
        return self.description.name

    @property
    def num_transformers(self) -> int:
        """Two where one serves high noise and the other low."""
        return 1 if self.description.sampling.boundary is None else 2

    @property
    def device_bytes(self) -> int:
        """Memory of the weights that must be beside each other to make a step, in bfloat16."""
        return 2 * (self.weights * self.num_transformers + self.autoencoder_weights)

    @property
    def offloaded_bytes(self) -> int:
        """The same where blocks are brought one by one: two of them stand for all."""
        config = self.description.transformer
        d, f = config["num_heads"] * config["head_dim"], config["ffn_dim"]
        layers = config["num_layers"] + len(config.get("vace_layers", ()))
        projections = 10 if config.get("image_dim") else 8  # of both attentions
        block = projections * d * d + 2 * d * f
        rest = self.weights - layers * block
        in_float32 = 6 * d * d + d * d + config["freq_dim"] * d  # the path of the noise level
        transformers = self.num_transformers * (rest + in_float32) + 2 * block
        return 2 * (transformers + self.autoencoder_weights)

    @property
    def step_bytes(self) -> int:
        """The widest tensors of a step at the model's own size and duration, in bfloat16."""
        config, mine = self.description.transformer, self.description
        d, f = config["num_heads"] * config["head_dim"], config["ffn_dim"]
        stride_t, stride_h, stride_w = mine.stride
        _, patch_h, patch_w = mine.patch_size
        frames = 1 + (round(mine.seconds.default * mine.fps) - 1) // stride_t
        width, height = mine.size.default
        tokens = frames * (height // stride_h // patch_h) * (width // stride_w // patch_w)
        return 2 * tokens * (10 * d + 2 * f)

    @property
    def memory_bytes(self) -> int:
        """Memory of all weights where text is encoded on the same memory, in bfloat16."""
        return self.device_bytes + 2 * TEXT_WEIGHTS

    def customise(self, found: ModelDescription) -> ModelDescription:
        """A folder's own description under this name, with what its authors recommend."""
        mine = self.description
        return dataclasses.replace(
            found,
            name=mine.name,
            version=self.revision[:12],
            license=mine.license,
            summary=mine.summary,
            size=mine.size,
            seconds=mine.seconds,
            fps=mine.fps,
            sampling=dataclasses.replace(mine.sampling, levels=found.sampling.levels),
        )


def _transformer(heads: int, ffn: int, layers: int, into: int, out: int, **more: Any) -> dict:
    return {
        "patch_size": [1, 2, 2],
        "num_heads": heads,
        "head_dim": 128,
        "in_channels": into,
        "out_channels": out,
        "text_dim": 4096,
        "freq_dim": 256,
        "ffn_dim": ffn,
        "num_layers": layers,
        **more,
    }


def _autoencoder_21() -> dict:
    return {"base_dim": 96, "latent_channels": 16}


def _autoencoder_22() -> dict:
    return {
        "base_dim": 160,
        "decoder_base_dim": 256,
        "latent_channels": 48,
        "is_residual": True,
        "patch_size": 2,
    }


SEES_IMAGES = {"image_dim": 1280, "added_kv_proj_dim": 5120}
FOURTEEN_BILLION = 14_288_491_584


def _model(
    name: str,
    repository: str,
    revision: str,
    *,
    summary: str,
    weights: int,
    download_bytes: float,
    transformer: dict,
    given: Literal["level", "channels", "replacement"],
    height: int,
    shift: float,
    steps: int = 50,
    guidance: float = 5.0,
    guidance_low: float | None = None,
    boundary: float | None = None,
    takes: tuple[str, ...],
    needs: tuple[str, ...] = (),
) -> OpenModel:
    is_22 = transformer["out_channels"] == 48
    fps, num_frames, side = (24, 121, 16) if is_22 else (16, 81, 8)
    size = LANDSCAPES[height]
    seconds = num_frames / fps
    return OpenModel(
        repository=f"Wan-AI/{repository}",
        revision=revision,
        download_bytes=download_bytes,
        weights=weights,
        autoencoder_weights=704_684_012 if is_22 else 126_892_003,
        description=ModelDescription(
            name=name,
            version=revision[:12],
            license="Apache-2.0",
            summary=summary,
            prediction="v",
            level_channel=False,
            takes=("text", *takes),
            needs=needs,
            vocabulary="open",
            fps=fps,
            size=Sizes(default=size, min=2 * side, max=1280, trained=(size, (size[1], size[0]))),
            seconds=Durations(default=seconds, max=seconds),
            sampling=Sampling(
                num_inference_steps=steps,
                guidance_scale=guidance,
                guidance_scale_low=guidance_low,
                boundary=boundary,
                shift=shift,
                levels=1000,
            ),
            text=TextEncoding(encoder="umt5", num_tokens=512),
            transformer=transformer,
            autoencoder=_autoencoder_22() if is_22 else _autoencoder_21(),
            autoencoder_kind="causal",
            layout="diffusers",
            given=given,
            stride=(4, side, side),
            first_frame_alone=True,
        ),
    )


FREE = ("first_frame", "clip", "mask")
MODELS = (
    _model(
        "wan2.1-t2v-1.3b",
        "Wan2.1-T2V-1.3B-Diffusers",
        "0fad780a534b6463e45facd96134c9f345acfa5b",
        summary="Words to video; the smallest of the family.",
        weights=1_418_996_800,
        download_bytes=28.9e9,
        transformer=_transformer(12, 8960, 30, 16, 16),
        given="replacement",
        height=480,
        shift=5.0,
        takes=FREE,
    ),
    _model(
        "wan2.1-t2v-14b",
        "Wan2.1-T2V-14B-Diffusers",
        "38ec498cb3208fb688890f8cc7e94ede2cbd7f68",
        summary="Words to video, at 480 or 720 rows.",
        weights=FOURTEEN_BILLION,
        download_bytes=80e9,
        transformer=_transformer(40, 13824, 40, 16, 16),
        given="replacement",
        height=720,
        shift=5.0,
        takes=FREE,
    ),
    _model(
        "wan2.1-i2v-14b-480p",
        "Wan2.1-I2V-14B-480P-Diffusers",
        "b184e23a8a16b20f108f727c902e769e873ffc73",
        summary="A picture begins to move, at 480 rows.",
        weights=16_394_878_784,
        download_bytes=90e9,
        transformer=_transformer(40, 13824, 40, 36, 16, **SEES_IMAGES),
        given="channels",
        height=480,
        shift=3.0,
        takes=("first_frame",),
        needs=("first_frame",),
    ),
    _model(
        "wan2.1-i2v-14b-720p",
        "Wan2.1-I2V-14B-720P-Diffusers",
        "eb849f76dfa246545b65774a9e25943ee69b3fa3",
        summary="A picture begins to move, at 720 rows.",
        weights=16_394_878_784,
        download_bytes=90e9,
        transformer=_transformer(40, 13824, 40, 36, 16, **SEES_IMAGES),
        given="channels",
        height=720,
        shift=5.0,
        takes=("first_frame",),
        needs=("first_frame",),
    ),
    _model(
        "wan2.1-flf2v-14b-720p",
        "Wan2.1-FLF2V-14B-720P-diffusers",
        "17c30769b1e0b5dcaa1799b117bf20a9c31f59d7",
        summary="What happens between a first and a last picture.",
        weights=16_395_536_704,
        download_bytes=90e9,
        transformer=_transformer(40, 13824, 40, 36, 16, **SEES_IMAGES, pos_embed_seq_len=514),
        given="channels",
        height=720,
        shift=5.0,
        takes=("first_frame", "last_frame"),
        needs=("first_frame", "last_frame"),
    ),
    _model(
        "wan2.2-ti2v-5b",
        "Wan2.2-TI2V-5B-Diffusers",
        "b8fff7315c768468a5333511427288870b2e9635",
        summary="Words, and a picture if there is one, to video of 704 rows at 24 per second.",
        weights=4_999_787_712,
        download_bytes=34.2e9,
        transformer=_transformer(24, 14336, 30, 48, 48),
        given="level",
        height=704,
        shift=5.0,
        takes=("first_frame", "clip"),
    ),
    _model(
        "wan2.2-t2v-a14b",
        "Wan2.2-T2V-A14B-Diffusers",
        "5be7df9619b54f4e2667b2755bc6a756675b5cd7",
        summary="Words to video by two transformers, one for high noise and one for low.",
        weights=FOURTEEN_BILLION,
        download_bytes=126e9,
        transformer=_transformer(40, 13824, 40, 16, 16),
        given="replacement",
        height=720,
        shift=12.0,
        steps=40,
        guidance=4.0,
        guidance_low=3.0,
        boundary=0.875,
        takes=FREE,
    ),
    _model(
        "wan2.2-i2v-a14b",
        "Wan2.2-I2V-A14B-Diffusers",
        "596658fd9ca6b7b71d5057529bbf319ecbc61d74",
        summary="A picture begins to move, by two transformers.",
        weights=14_288_901_184,
        download_bytes=126e9,
        transformer=_transformer(40, 13824, 40, 36, 16),
        given="channels",
        height=720,
        shift=5.0,
        steps=40,
        guidance=3.5,
        guidance_low=3.5,
        boundary=0.9,
        takes=("first_frame", "last_frame"),
        needs=("first_frame",),
    ),
)
OPEN_MODELS: dict[str, OpenModel] = {model.name: model for model in MODELS}
