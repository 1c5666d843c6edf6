"""Pipelines of diffusers with a few thousand random weights, saved as folders."""

import json
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer, models, pre_tokenizers, processors

TEXT_DIM = 24
IMAGE_DIM = 20
NUM_IMAGE_STATES = 5  # four patches and one for the whole

KINDS = ("t2v", "i2v", "flf2v", "ti2v", "t2v-a14b", "i2v-a14b")


def randomize(network: torch.nn.Module, seed: int) -> None:
    """Weights of which none is zero or one, and whose outputs stay near 1."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, parameter in sorted(network.named_parameters()):
            noise = torch.randn(parameter.shape, generator=generator)
            if name.endswith("gamma") or (parameter.ndim == 1 and "norm" in name):
                parameter.copy_(1 + 0.1 * noise)
            elif parameter.ndim == 1 or "table" in name:
                parameter.copy_(0.2 * noise)
            else:
                parameter.copy_(noise * parameter[0].numel() ** -0.5)


def save_tokenizer(folder: Path) -> None:
    """A word a token, then the end; as Wan's tokenizer it has no start token."""
    words = ["<pad>", "</s>", "<unk>", "a", "red", "ball", "rolls", "on", "grass"]
    words += ["blurry", "blue", "cube"]
    tokenizer = Tokenizer(models.WordLevel({w: n for n, w in enumerate(words)}, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="$A </s>", special_tokens=[("</s>", 1)]
    )
    folder.mkdir(parents=True)
    tokenizer.save(str(folder / "tokenizer.json"))
    special = {"eos_token": "</s>", "pad_token": "<pad>", "unk_token": "<unk>"}
    (folder / "tokenizer_config.json").write_text(
        json.dumps({"tokenizer_class": "PreTrainedTokenizerFast", **special})
    )


def make_pipeline(kind: str) -> Any:
    """A pipeline of diffusers of one of `KINDS`, or of VACE, in evaluation mode."""
    import tempfile

    from diffusers import (
        AutoencoderKLWan,
        UniPCMultistepScheduler,
        WanImageToVideoPipeline,
        WanPipeline,
        WanTransformer3DModel,
        WanVACEPipeline,
        WanVACETransformer3DModel,
    )
    from transformers import PreTrainedTokenizerFast, UMT5Config, UMT5EncoderModel

    is_22_5b, is_image, two = kind == "ti2v", kind in ("i2v", "flf2v"), kind.endswith("a14b")
    channels = 6 if is_22_5b else 4
    vae = AutoencoderKLWan(
        base_dim=4,
        decoder_base_dim=8 if is_22_5b else None,
        z_dim=channels,
        dim_mult=[1, 2, 2, 2],
        num_res_blocks=1,
        temperal_downsample=[False, True, True],
        latents_mean=[0.1 * n for n in range(channels)],
        latents_std=[1 + 0.1 * n for n in range(channels)],
        is_residual=is_22_5b,
        in_channels=12 if is_22_5b else 3,
        out_channels=12 if is_22_5b else 3,
        patch_size=2 if is_22_5b else None,
        scale_factor_spatial=16 if is_22_5b else 8,
    )

    def transformer() -> torch.nn.Module:
        kind_of, more = WanTransformer3DModel, {}
        if kind == "vace":
            kind_of = WanVACETransformer3DModel
            more = dict(vace_layers=[0, 1], vace_in_channels=2 * channels + 64)
        return kind_of(
            patch_size=(1, 2, 2),
            num_attention_heads=2,
            attention_head_dim=12,
            in_channels=2 * channels + 4 if kind in ("i2v", "flf2v", "i2v-a14b") else channels,
            out_channels=channels,
            text_dim=TEXT_DIM,
            freq_dim=32,
            ffn_dim=32,
            num_layers=2,
            image_dim=IMAGE_DIM if is_image else None,
            added_kv_proj_dim=24 if is_image else None,
            pos_embed_seq_len=2 * NUM_IMAGE_STATES if kind == "flf2v" else None,
            **more,
        )

    text = UMT5EncoderModel(
        UMT5Config(
            vocab_size=16,
            d_model=TEXT_DIM,
            d_kv=8,
            d_ff=32,
            num_layers=2,
            num_heads=2,
            feed_forward_proj="gated-gelu",
            dropout_rate=0.0,
        )
    )
    with tempfile.TemporaryDirectory() as place:
        save_tokenizer(Path(place) / "tokenizer")
        tokenizer = PreTrainedTokenizerFast.from_pretrained(Path(place) / "tokenizer")
    scheduler = UniPCMultistepScheduler(
        prediction_type="flow_prediction", use_flow_sigmas=True, flow_shift=3.0
    )
    parts = dict(tokenizer=tokenizer, text_encoder=text, vae=vae, scheduler=scheduler)
    networks = [transformer(), *([transformer()] if two else [])]
    parts |= dict(zip(("transformer", "transformer_2"), networks, strict=False))
    if two:
        parts["boundary_ratio"] = 0.875 if kind == "t2v-a14b" else 0.9
    for seed, part in enumerate((vae, text, *networks)):
        randomize(part.eval(), seed)
    if is_22_5b:
        parts["expand_timesteps"] = True
    if kind in ("t2v", "t2v-a14b", "ti2v"):
        return WanPipeline(**parts)
    if kind == "vace":
        return WanVACEPipeline(**parts)
    if is_image:
        parts |= _image_parts()
    return WanImageToVideoPipeline(**parts)


def _image_parts() -> dict[str, Any]:
    from transformers import CLIPVisionConfig, CLIPVisionModel
    from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil

    encoder = CLIPVisionModel(
        CLIPVisionConfig(
            hidden_size=IMAGE_DIM,
            intermediate_size=32,
            num_hidden_layers=3,
            num_attention_heads=2,
            image_size=16,
            patch_size=8,
        )
    ).eval()
    randomize(encoder, 9)
    processor = CLIPImageProcessorPil(
        size={"shortest_edge": 16}, crop_size={"height": 16, "width": 16}
    )
    return dict(image_encoder=encoder, image_processor=processor)


def save_pipeline(pipeline: Any, folder: Path, **how: Any) -> Path:
    """Saves it as the published ones are saved: configurations, safetensors, indices."""
    pipeline.save_pretrained(folder, **how)
    return folder
