"""How a LoRA is asked for, in words; no torch."""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from worldreel.core.errors import UsageError

Expert = Literal["both", "high", "low"]


@dataclass(frozen=True, kw_only=True)
class LoraUse:
    """One file, how strongly it is used, and on which of two transformers."""

    path: str
    weight: float = 1.0
    expert: Expert = "both"

    @classmethod
    def parse(cls, text: str) -> "LoraUse":
        """``FILE``, ``FILE=0.8`` or ``FILE=0.8@low``.

        Raises:
            UsageError: a weight that is no number, another expert, or no such file.
        """
        path, _, rest = text.partition("=") if ".safetensors=" in text else (text, "", "")
        weight, _, expert = rest.partition("@")
        expert = expert or "both"
        try:
            number = float(weight or 1)
        except ValueError:
            number = math.nan
        if not math.isfinite(number) or expert not in ("both", "high", "low"):
            raise UsageError(
                f"The LoRA {text!r} cannot be read.",
                remedy="Write FILE.safetensors, FILE.safetensors=0.8, or, for one of the two "
                "transformers of Wan 2.2, FILE.safetensors=0.8@high or @low.",
            )
        if not Path(path).is_file():
            raise UsageError(f"There is no LoRA file {path!r}.", remedy="Check the path.")
        return cls(path=path, weight=number, expert=expert)  # pyright: ignore[reportArgumentType]
