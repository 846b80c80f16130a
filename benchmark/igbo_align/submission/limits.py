"""How much of a stranger's file is read at all."""

from __future__ import annotations

from dataclasses import dataclass

MAX_DIMENSIONS = 8192
MAX_ID_LENGTH = 64
#: Norms outside this range would lose precision when the rows are normalised.
NORM_RANGE = (1e-6, 1e6)
#: Similarities beyond this would lose precision as float32.
MAX_SIMILARITY = 1e6
#: Whatever the release: more than this is never read into memory.
MAX_FILE_BYTES = 2**28
#: Entries of a submission folder; only those with known names are ever opened.
MAX_FOLDER_ENTRIES = 100


@dataclass(frozen=True)
class Limits:
    """Bounds that follow from the number of pairs of the release; nothing in the file itself is believed.

    Attributes:
        rows: pairs of the release. A file may hold more rows, which is a problem with a name, but not many more.
    """

    rows: int

    @property
    def file_bytes(self) -> int:
        """Largest file, and largest unpacked content, that is read: float64 vectors of the most dimensions."""
        vectors = 2 * self.rows * MAX_DIMENSIONS * 8
        similarity = self.rows * self.rows * 8
        return min(max(vectors, similarity) + self.header_bytes, MAX_FILE_BYTES)

    @property
    def header_bytes(self) -> int:
        """Largest header, footer or list of ids that is parsed."""
        return 2**20 + self.rows * 4 * 2 * MAX_ID_LENGTH

    @property
    def numbers(self) -> int:
        """Most numbers in one array: twice what fits, so that a wrong shape is named and not just refused."""
        return min(2 * self.rows * max(self.rows, MAX_DIMENSIONS), MAX_FILE_BYTES // 2)
