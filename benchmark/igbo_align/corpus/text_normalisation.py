"""Text as the benchmark compares and encodes it: `igbo-align-text-1` (docs/protocol.md). Every diacritic stays."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass

from ..problems import problem

NORMALISER = "igbo-align-text-1"

_DOT_BELOW = "\u0323"
_LOOK_ALIKE_BELOW_VOWEL = re.compile("([aeiouAEIOU])([\u0300-\u0304\u030c]*)[\u0329\u0331]")
_APOSTROPHES = str.maketrans({"\u2019": "'", "\u02bc": "'"})
_BRACKETED_TAG = re.compile(r"\[[^\[\]]*\]|<[^<>]*>")
_INVISIBLE_CATEGORIES = {"Cc", "Cf", "Co", "Cs", "Cn"}
#: What `text_variant` can take away, from nothing to every mark.
TEXT_VARIANTS = ("as-is", "no-tone", "no-dots", "ascii")
_DOTS = {"\u0307", _DOT_BELOW}
_TONE_MARKS = {"\u0300", "\u0301", "\u0302", "\u0304", "\u030c"}
_DOTTED = re.compile(f"[aeiouAEIOU][\u0300-\u0304\u030c]*{_DOT_BELOW}|[aeiouAEIOU]{_DOT_BELOW}|[nN]\u0307")


@dataclass(frozen=True)
class TextStatistics:
    """What a transcript carries.

    Attributes:
        n_words: words of the normalised text, split at white space.
        n_chars: code points of the normalised text (NFC).
        n_digits: decimal digits.
        n_capitalised: words of the original text, after the first, that start with a capital letter.
        n_tone_marks: tone marks (grave, acute, circumflex, macron, caron).
        n_dotted: vowels with a dot below, and n with a dot above.
    """

    n_words: int
    n_chars: int
    n_digits: int
    n_capitalised: int
    n_tone_marks: int
    n_dotted: int


def normalise_text(text: str) -> str:
    """Normalise a transcript.

    NFC; look-alike marks and apostrophes mapped; bracketed tags and invisible characters dropped; white space
    collapsed; lower case. Tone marks and dots are phonemes and stay.
    """
    decomposed = unicodedata.normalize("NFD", text.translate(_APOSTROPHES))
    mapped = _LOOK_ALIKE_BELOW_VOWEL.sub(rf"\1{_DOT_BELOW}\2", decomposed)
    untagged = _BRACKETED_TAG.sub(" ", mapped)
    spaced = " ".join(untagged.split())
    visible = "".join(c for c in spaced if unicodedata.category(c) not in _INVISIBLE_CATEGORIES)
    return unicodedata.normalize("NFC", " ".join(visible.lower().split()))


def require_variant(variant: str) -> None:
    """A problem that lists the variants where this is none of them (`usage`)."""
    if variant not in TEXT_VARIANTS:
        expected = f"one of {', '.join(TEXT_VARIANTS)}"
        raise problem("usage", "--text-variant", found=repr(variant), expected=expected, mend="Check the spelling.")


def text_variant(text: str, variant: str) -> str:
    """A normalised text without some of its diacritics, the usual fate of Igbo online.

    Args:
        text: from `normalise_text`.
        variant: `as-is`; `no-tone` without tone marks; `no-dots` without dots below and above; `ascii` without any mark
            and without every character that has no ASCII letter under its marks.

    Returns:
        NFC. A text of nothing but such characters would be empty and stays as it is.
    """
    decomposed = unicodedata.normalize("NFD", text)
    if variant == "ascii":
        kept = "".join(c for c in decomposed if c.isascii())
    else:
        dropped = {"as-is": set(), "no-tone": _TONE_MARKS, "no-dots": _DOTS}[variant]
        kept = "".join(c for c in decomposed if c not in dropped)
    return unicodedata.normalize("NFC", " ".join(kept.split())) or text


def skeleton(text: str) -> str:
    """A normalised text without tone marks and dots: what minimal pairs share.

    Args:
        text: from `normalise_text`.

    Returns:
        NFC. Letters that have no ASCII letter under their marks stay, unlike in the variant `ascii`.
    """
    kept = "".join(c for c in unicodedata.normalize("NFD", text) if c not in _TONE_MARKS | _DOTS)
    return unicodedata.normalize("NFC", " ".join(kept.split()))


def text_statistics(original: str, normalised: str) -> TextStatistics:
    """Count what the two forms of one transcript carry."""
    decomposed = unicodedata.normalize("NFD", normalised)
    return TextStatistics(
        n_words=len(normalised.split()),
        n_chars=len(normalised),
        n_digits=sum(c.isdecimal() for c in normalised),
        n_capitalised=sum(word[0].isupper() for word in original.split()[1:]),
        n_tone_marks=sum(c in _TONE_MARKS for c in decomposed),
        n_dotted=len(_DOTTED.findall(decomposed)),
    )
