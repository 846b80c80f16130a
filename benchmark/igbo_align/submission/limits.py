"""How much of a stranger's file is read at all."""

from __future__ import annotations

from dataclasses import dataclass

MAX_DIMENSIONS = 8192
MAX_ID_LENGTH = 64
#: Norms outside this range would lose precision when the rows are normalised.
NORM_RANGE = (1e-6, 1e6)


@dataclass(frozen=True)
class Limits:
    """Bounds that follow from the number of pairs of the release; nothing in the file itself is believed.

    Attributes:
        rows: pairs of the release. A file may hold more rows, which is a problem with a name, but not many more.
    """

    rows: int

    @property
    def file_bytes(self) -> int:
        """Largest file, and largest unpacked content, that is read."""
        vectors = 2 * self.rows * MAX_DIMENSIONS * 4
        similarity = self.rows * self.rows * 4
        return max(vectors, similarity) + self.header_bytes

    @property
    def header_bytes(self) -> int:
        """Largest header, footer or list of ids that is parsed."""
        return 2**20 + self.rows * 4 * 2 * MAX_ID_LENGTH

    @property
    def numbers(self) -> int:
        """Most numbers in one array."""
        return self.rows * max(self.rows, MAX_DIMENSIONS) + self.rows * MAX_DIMENSIONS
