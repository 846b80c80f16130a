"""The text normaliser: every Igbo diacritic stays, everything that is not text goes, and twice is once."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st
from igbo_align.corpus.text_normalisation import TEXT_VARIANTS, normalise_text, text_statistics, text_variant


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Ụ̀wà", "ụ̀wà"),
        ("Ị̀gbò  Ṅnụ̀nụ̀", "ị̀gbò ṅnụ̀nụ̀"),
        (unicodedata.normalize("NFD", "ọ́nụ́"), unicodedata.normalize("NFC", "ọ́nụ́")),
        ("o\u0329na u\u0331lo\u0329", "ọna ụlọ"),
        ("o\u0301\u0329", "ọ́"),
        ("n\u0331", "\u1e49"),
        ("Yar\u2019adua Yar\u02bcadua", "yar'adua yar'adua"),
        ("nri\n\tmmiri\u00a0ezi", "nri mmiri ezi"),
        ("[laughs] ezi <unk> okwu", "ezi okwu"),
        ("zero\u200bwidth\ufeff \u0007", "zerowidth"),
        ("[noise]", ""),
        ("LAGOS 2", "lagos 2"),
    ],
)
def test_examples(text, expected):
    assert normalise_text(text) == expected


@given(st.text(alphabet=st.characters(codec="utf-8"), max_size=60))
def test_twice_is_once_and_the_result_is_clean(text):
    once = normalise_text(text)
    assert unicodedata.is_normalized("NFC", once)
    assert once == " ".join(once.split())
    assert normalise_text(once) == once


def test_statistics_count_tone_marks_and_dots():
    original = "Ọ́nụ̄ Ṅụọ Lagos 24 ezi"
    held = text_statistics(original, normalise_text(original))
    assert (held.n_words, held.n_digits, held.n_capitalised) == (5, 2, 2)
    assert held.n_tone_marks == 2
    assert held.n_dotted == 5
    assert held.n_chars == len(normalise_text(original))


@pytest.mark.parametrize(
    ("variant", "expected"),
    [
        ("as-is", "ọ́nụ̀ ṅnụ ḿbà ɓ"),
        ("no-tone", "ọnụ ṅnụ mba ɓ"),
        ("no-dots", "ónù nnu ḿbà ɓ"),
        ("ascii", "onu nnu mba"),
    ],
)
def test_a_variant_takes_its_marks_and_no_others(variant, expected):
    assert text_variant("ọ́nụ̀ ṅnụ ḿbà ɓ", variant) == unicodedata.normalize("NFC", expected)


@given(st.text(alphabet=st.characters(codec="utf-8"), min_size=1, max_size=40), st.sampled_from(TEXT_VARIANTS))
def test_a_variant_taken_twice_is_taken_once_and_never_empty(text, variant):
    normalised = normalise_text(text)
    once = text_variant(normalised, variant)
    assert text_variant(once, variant) == once
    assert bool(once) == bool(normalised)
    assert variant != "as-is" or once == normalised
