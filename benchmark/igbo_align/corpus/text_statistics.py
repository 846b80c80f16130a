"""What each transcript of a release carries, as counts: `text_statistics.parquet`, which holds no transcript."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

import pyarrow as pa

from ..protocol.drawing import text_groups
from .text_normalisation import skeleton

_ACUTE, _GRAVE, _MACRON = "\u0301", "\u0300", "\u0304"
_DOT_BELOW, _DOT_ABOVE = "\u0323", "\u0307"
#: Circumflex and caron: falling and rising tones.
_CONTOURS = "\u0302\u030c"
_MARKS = f"{_ACUTE}{_GRAVE}{_MACRON}{_CONTOURS}{_DOT_BELOW}{_DOT_ABOVE}"
#: A nasal with its marks, and what follows it: a glide, a vowel, both or neither.
_NASAL = re.compile(f"([mn])([{_MARKS}]*+)(?=([wy]?)([aeiou]?))")
_DOTTED_VOWEL = re.compile(f"[aeiou][{_MARKS}]*?{_DOT_BELOW}")
_DOTTED_N = re.compile(f"n[{_MARKS}]*?{_DOT_ABOVE}")
#: ISO 639-3 codes under which the rule of `count_syllabic_nasals` is applied: Igbo, and texts of no stated language.
_IGBO = {"ibo", "und"}


def text_statistics_table(ids: Sequence[str], texts: Sequence[str], language: str) -> pa.Table:
    """One row a pair, in the order given.

    Args:
        ids: of the pairs.
        texts: normalised, one a pair.
        language: of the specification, codes joined by `+`; syllabic nasals are null where none of them is Igbo.

    Returns:
        `id`; `n_words`; tone marks by kind, `n_acute` (high), `n_grave` (low), `n_macron` (downstep) and
        `n_contour_marks`; `n_dotted_vowels`; `n_dotted_n`; `n_syllabic_nasals`; and `skeleton_group`, a label that
        texts share which differ in tone marks and dots alone.
    """
    decomposed = [unicodedata.normalize("NFD", text) for text in texts]
    is_igbo = not _IGBO.isdisjoint(language.split("+"))
    nasals = [count_syllabic_nasals(text) if is_igbo else None for text in texts]
    groups = text_groups([skeleton(text) for text in texts])
    counts = {
        "n_words": [len(text.split()) for text in texts],
        "n_acute": [text.count(_ACUTE) for text in decomposed],
        "n_grave": [text.count(_GRAVE) for text in decomposed],
        "n_macron": [text.count(_MACRON) for text in decomposed],
        "n_contour_marks": [sum(map(text.count, _CONTOURS)) for text in decomposed],
        "n_dotted_vowels": [len(_DOTTED_VOWEL.findall(text)) for text in decomposed],
        "n_dotted_n": [len(_DOTTED_N.findall(text)) for text in decomposed],
        "n_syllabic_nasals": nasals,
    }
    columns = {name: pa.array(values, pa.int32()) for name, values in counts.items()}
    return pa.table({"id": ids} | columns | {"skeleton_group": [f"s{group:04d}" for group in groups]})


def count_syllabic_nasals(text: str) -> int:
    """Nasals that are a syllable of their own, as far as Igbo spelling shows them.

    A syllable of Igbo is a vowel, a consonant with a vowel, or a nasal (Emenanjo 1978, Elements of Modern Igbo Grammar;
    Ikekeonwu 1999, Handbook of the International Phonetic Association, pp. 108-110). No consonant closes a syllable
    and none follows another, so an m, n or n with a dot that no vowel follows can only be a syllable: the first letter
    of mba, nne and mmiri, the last of nkem, the pronoun m. In nwa and anya the letters nw and ny are one consonant,
    which a vowel follows; in nnwa and nnyocha another nasal stands before it. An acute, grave, circumflex or caron
    makes any nasal a syllable; a macron does not, because some write it for the dot.

    Spelling only approximates sound. The n of n'anya counts, as school grammars divide it, though speakers may run it
    into the vowel. Names and loans that close a syllable, such as London, count too many.

    Args:
        text: normalised.
    """
    return sum(map(_is_syllable, _NASAL.findall(unicodedata.normalize("NFD", text))))


def _is_syllable(nasal: tuple[str, str, str, str]) -> bool:
    letter, marks, glide, vowel = nasal
    bears_tone = not {_ACUTE, _GRAVE, *_CONTOURS}.isdisjoint(marks)
    is_onset = bool(vowel) and (not glide or letter == "n")
    return bears_tone or not is_onset
