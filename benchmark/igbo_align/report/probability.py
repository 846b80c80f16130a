"""Probabilities as people write them, and the level at which a difference is called separable."""

from __future__ import annotations

#: Corrected probabilities below this are called separable and drawn filled.
LEVEL = 0.05


def p_equals(p: float | None) -> str:
    """`p = 0.012`, `p < 0.0001` or `p undefined`."""
    text = p_text(p)
    return f"p {text}" if p is None or text.startswith("<") else f"p = {text}"


def p_text(p: float | None) -> str:
    """A probability as people write it."""
    if p is None:
        return "undefined"
    return "< 0.0001" if p < 1e-4 else f"{p:.2g}" if p < 0.1 else f"{p:.2f}"
