"""Arrays as plain bytes: what decoders hand over, before anything of it becomes a NumPy array.

Decoders run in a child process that imports no NumPy; only `RawArray` crosses the pipe.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass

from ..problems import ProblemsFound, problem, shortened
from .limits import MAX_ID_LENGTH

#: Item sizes of the numbers that are read, by their name in NumPy.
FLOATS = {"<f2": 2, "<f4": 4, "<f8": 8, ">f2": 2, ">f4": 4, ">f8": 8}
_STRINGS = re.compile(r"[<>]U([1-9][0-9]?)")
#: Arrays that hold ids; all others hold numbers.
ID_ARRAYS = frozenset({"ids", "speech_ids", "text_ids"})


@dataclass(frozen=True)
class RawArray:
    """An array that is not believed yet.

    Attributes:
        descr: type as NumPy names it, `<f4` or `<U20`.
        shape: length of each axis.
        fortran: whether the first axis is the fastest.
        content: its bytes.
    """

    descr: str
    shape: tuple[int, ...]
    fortran: bool
    content: bytes | memoryview


def item_size(descr: str) -> int | None:
    """Bytes of one item, None if it is neither a float nor a string of at most 64 characters."""
    strings = _STRINGS.fullmatch(descr)
    if strings and int(strings[1]) <= MAX_ID_LENGTH:
        return 4 * int(strings[1])
    return FLOATS.get(descr)


def content_size(descr: str, shape: Sequence[int]) -> int:
    """Bytes that an array of this type and shape has."""
    return (item_size(descr) or 0) * math.prod(shape)


def ids_array(ids: Sequence[str], where: str) -> RawArray:
    """Strings as one array of fixed width, as NumPy stores them.

    Raises:
        ProblemsFound: a string is too long, or holds U+0000, which NumPy drops at the end (`ids.dtype`).
    """
    bad = [name for name in ids if len(name) > MAX_ID_LENGTH or "\0" in name]
    if bad:
        raise bad_ids(where, f"{len(bad)} ids that are longer or hold U+0000: {shortened(bad)}")
    width = max((len(name) for name in ids), default=1) or 1
    content = "".join(name.ljust(width, "\0") for name in ids).encode("utf-32-le", "surrogatepass")
    return RawArray(f"<U{width}", (len(ids),), fortran=False, content=content)


def bad_ids(where: str, found: str) -> ProblemsFound:
    """The problem `ids.dtype`."""
    return problem(
        "ids.dtype",
        where,
        found=found,
        expected=f"strings of at most {MAX_ID_LENGTH} characters",
        mend="Send the ids of the release, unchanged.",
    )
