"""What a prompt may be made of."""

import unicodedata

from worldreel.core.errors import UsageError

PROMPT_MAX = 32_000


def check_text(name: str, text: str) -> None:
    """Raises UsageError where a text is too long or holds control characters; ``name`` is said."""
    if len(text) > PROMPT_MAX:
        raise UsageError(
            f"The {name} has {len(text):,} characters; at most {PROMPT_MAX:,} are allowed.",
            remedy="Shorten it: one or two sentences say most.",
        )
    for place, character in enumerate(text):
        if unicodedata.category(character) in ("Cc", "Cs") and character not in "\n\r\t":
            raise UsageError(
                f"The {name} holds the control character U+{ord(character):04X} at place "
                f"{place + 1}; text may hold none but line breaks and tabs.",
                remedy="Remove it; it often comes in by copying from a terminal.",
            )
