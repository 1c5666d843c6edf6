"""The shape of a transformer of Wan's architecture, checked when it is said."""

from dataclasses import dataclass

from worldreel.core.errors import UsageError


@dataclass(frozen=True, kw_only=True)
class TransformerConfig:
    """The shape of one transformer; names and defaults follow Wan's published configurations.

    ``qk_norm`` is ``"rms_norm_across_heads"`` or None. ``image_dim`` and ``added_kv_proj_dim``
    come together: image states of width ``image_dim`` are embedded to the model's width, which
    ``added_kv_proj_dim`` repeats. ``pos_embed_seq_len`` gives the image states learned positions
    and fixes their number.

    Raises:
        UsageError: a value outside its range.
    """

    patch_size: tuple[int, int, int] = (1, 2, 2)
    num_heads: int
    head_dim: int
    in_channels: int
    out_channels: int
    text_dim: int
    freq_dim: int = 256
    ffn_dim: int
    num_layers: int
    cross_attn_norm: bool = True
    qk_norm: str | None = "rms_norm_across_heads"
    eps: float = 1e-6
    image_dim: int | None = None
    added_kv_proj_dim: int | None = None
    rope_max_seq_len: int = 1024
    pos_embed_seq_len: int | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "patch_size", tuple(self.patch_size))  # JSON and TOML give lists
        if len(self.patch_size) != 3 or any(size < 1 for size in self.patch_size):
            raise UsageError(
                f"patch_size is {self.patch_size}; it must be three numbers of at least 1.",
                remedy="Give the patch along time, height and width, for instance [1, 2, 2].",
            )
        positive = ("num_heads", "in_channels", "out_channels", "text_dim", "ffn_dim")
        for name in (*positive, "num_layers", "rope_max_seq_len"):
            if getattr(self, name) < 1:
                raise UsageError(
                    f"{name} is {getattr(self, name)}; it must be at least 1.",
                    remedy=f"Set {name} in the model's description or recipe.",
                )
        for name, least in (("head_dim", 6), ("freq_dim", 2)):
            if getattr(self, name) < least or getattr(self, name) % 2:
                raise UsageError(
                    f"{name} is {getattr(self, name)}; it must be even and at least {least}.",
                    remedy=f"Take an even {name}: its channels are turned or waved in pairs.",
                )
        if self.qk_norm not in (None, "rms_norm_across_heads"):
            raise UsageError(
                f'qk_norm is "{self.qk_norm}"; it must be "rms_norm_across_heads" or null.',
                remedy="Other normalisations of queries and keys are not part of this family.",
            )
        if not self.eps > 0:
            raise UsageError(
                f"eps is {self.eps}; it must be above 0.", remedy="1e-6 is what Wan uses."
            )
        if (self.image_dim is None) != (self.added_kv_proj_dim is None):
            raise UsageError(
                f"image_dim is {self.image_dim} and added_kv_proj_dim is "
                f"{self.added_kv_proj_dim}; both must be set, or neither.",
                remedy="Set both for a model that sees image states, neither for text alone.",
            )
        if self.added_kv_proj_dim not in (None, self.dim):
            raise UsageError(
                f"added_kv_proj_dim is {self.added_kv_proj_dim}; it must be "
                f"num_heads * head_dim = {self.dim}, the width of the embedded image states.",
                remedy=f"Set added_kv_proj_dim to {self.dim}.",
            )
        if self.pos_embed_seq_len is not None and self.image_dim is None:
            raise UsageError(
                f"pos_embed_seq_len is {self.pos_embed_seq_len} but image_dim is not set.",
                remedy="Learned positions belong to image states: set image_dim, or drop them.",
            )

    @property
    def dim(self) -> int:
        """Width of a token inside the network."""
        return self.num_heads * self.head_dim

    @property
    def all_channels(self) -> int:
        """Of the input: the noisy latents, and what the model is told beside them."""
        return self.in_channels
