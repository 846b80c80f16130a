"""What can be wrong, as data: one registered code for every problem, and the exceptions that carry problems."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

T = TypeVar("T")

#: Every code that a problem may carry, and what it means. `docs/error-codes.md` lists the same codes; a test compares.
CODES: dict[str, str] = {
    "array.dim": "The number of dimensions of the vectors is outside 1 to 8192.",
    "array.dim_mismatch": "Speech and text vectors have different numbers of dimensions.",
    "array.dtype": "The numbers are not 16- or 32-bit floats; 64-bit floats are cast in `.npz` and `.safetensors`.",
    "array.non_finite": "A vector holds NaN or infinity.",
    "array.norm": "A vector has length zero, or one too small or too large to normalise safely.",
    "array.null": "A column holds missing values.",
    "array.range": "A similarity is too large to be compared safely.",
    "array.rows": "The number of rows does not fit the number of ids.",
    "array.shape": "The array does not have the expected number of axes.",
    "baseline.needs_source": "A baseline needs recordings that the release does not carry.",
    "baseline.unknown": "No baseline has this name.",
    "board.unreadable": "The leaderboard file is not one that this version reads.",
    "card.benchmark": "The card names another benchmark or version than the release.",
    "card.duplicate_key": "A key occurs twice in the card.",
    "card.fingerprint": "The card's fingerprint is not the release's.",
    "card.json": "The card is not a JSON document that can be read.",
    "card.missing": "The submission has no card.",
    "card.schema": "A field of the card is missing, unknown or has a wrong value.",
    "encoder.output": "An encoder returned vectors that are not finite or have a wrong shape.",
    "encoder.unreadable": "An encoder cannot be loaded.",
    "encoder.unsupported": "The model is of a kind that is not supported.",
    "environment.cache": "The cache of vectors cannot be used.",
    "environment.disk": "The disk refused to read or write.",
    "environment.extra": "An optional dependency is not installed.",
    "environment.hub": "The Hub cannot be reached or refused the request.",
    "environment.memory": "There is not enough memory.",
    "environment.sandbox": "The child process that decodes files cannot be started.",
    "environment.token": "The Hub token is missing or may not write.",
    "file.corrupt": "The file is truncated or damaged.",
    "file.empty": "The file is empty.",
    "file.format": "The file's content is not the format that its name says.",
    "file.header": "The file's header is invalid.",
    "file.members": "The archive does not hold exactly the expected members.",
    "file.not_regular": "The path is not a regular file.",
    "file.too_large": "The file, or what it unpacks to, is larger than allowed.",
    "flag.collapsed": "Many different recordings or texts have the same vector.",
    "flag.identical_sides": "Speech and text vectors are the same.",
    "flag.implausible": "Nearly every pair is found first among all pairs, in both directions.",
    "flag.memorised": "Train and test queries are not found equally well, though the card says none was trained on.",
    "flag.misaligned": "Vectors fit the id in the row before or after their own, or fit better as if sorted by id.",
    "flag.one_hot": "Vectors have a single component: they number the pairs.",
    "flag.same_as": "Another submission has the same vectors, up to rotation, scale and rounding.",
    "flag.unrelated": "Vectors have nothing in common with what the reference encoders see of the same inputs.",
    "folder.ambiguous": "The folder holds more than one embeddings file.",
    "folder.exists": "The output folder exists already and is never overwritten.",
    "folder.extra": "The folder holds far more than a submission has.",
    "folder.missing": "The folder does not exist.",
    "folder.no_embeddings": "The folder holds no embeddings file.",
    "ids.dtype": "The ids are not strings of at most 64 characters.",
    "ids.duplicate": "An id occurs more than once.",
    "ids.missing": "Pairs of the release have no row.",
    "ids.unknown": "Rows name ids that are not in the release.",
    "probe.unreadable": "The file of a probe is not one that this version reads, or is of another release.",
    "publish.licence": "The licence of what is published has to be confirmed.",
    "publish.wheel": "No wheel of the package lies at hand to be published beside an app.",
    "release.corrupt": "A file of the release cannot be read or is inconsistent.",
    "release.fingerprint": "The release's content does not have the fingerprint that it states.",
    "release.missing": "There is no release at this place.",
    "sandbox.crash": "The decoder crashed on a file.",
    "sandbox.memory": "A file asks for more memory than any valid one needs.",
    "sandbox.timeout": "A file takes longer to decode than any valid one.",
    "scores.mismatch": "Two score files are of different benchmarks, or recomputed scores differ.",
    "source.column": "A required column of the source is absent or has a wrong type.",
    "source.missing": "There is no corpus at this place.",
    "source.revision": "A Hub source is not pinned to a 40-character revision.",
    "source.too_few": "A duration bucket or split holds too few recordings.",
    "source.unreadable": "A file of the source cannot be read.",
    "spec.schema": "The benchmark specification is invalid.",
    "spec.unknown": "No benchmark specification has this name.",
    "submission.exists": "The repository holds another submission under this name and revision.",
    "usage": "The command was called in a way that makes no sense.",
    "verify.encoder": "The encoder at hand is not the one that the card names.",
    "verify.impossible": "The vectors cannot be recomputed from what the card names.",
    "verify.mismatch": "Re-encoded vectors differ from the submitted ones.",
}


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong: a registered code, the place, what was found, what was expected, and the mend."""

    code: str
    where: str
    found: str
    expected: str
    mend: str

    def __post_init__(self) -> None:
        if self.code not in CODES:
            raise ValueError(f"problem code {self.code!r} is not registered")
        for name in ("where", "found", "expected", "mend"):  # some of it may come from a stranger's file
            object.__setattr__(self, name, escaped(getattr(self, name)))

    @property
    def message(self) -> str:
        """The problem in one line of plain words."""
        return f"Found {self.found}; expected {self.expected}. {self.mend}"

    def as_json(self) -> dict[str, str]:
        """The problem as `validate --json` prints it."""
        return {
            "code": self.code,
            "where": self.where,
            "message": self.message,
            "found": self.found,
            "expected": self.expected,
            "mend": self.mend,
        }


class ProblemsFound(Exception):
    """The input has problems; `problems` lists all that could be found at once. Exit code 1."""

    exit_code = 1

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(f"{p.where}: [{p.code}] {p.message}" for p in self.problems))

    def __reduce__(self) -> tuple[type[ProblemsFound], tuple[tuple[Problem, ...]]]:
        """Arrive whole from a worker process; by default only the text would, and the pool would break."""
        return type(self), (self.problems,)


class UsageProblem(ProblemsFound):
    """The command or function was called in a way that makes no sense. Exit code 2."""

    exit_code = 2


class EnvironmentProblem(ProblemsFound):
    """Disk, memory, network or installation failed; the input may be fine. Exit code 4."""

    exit_code = 4


def problem(code: str, where: str, *, found: str, expected: str, mend: str) -> ProblemsFound:
    """One problem as an exception, of the class that its code belongs to."""
    item = Problem(code, where, found, expected, mend)
    if code.startswith("environment."):
        return EnvironmentProblem([item])
    if code in {"usage", "baseline.unknown", "spec.unknown"}:
        return UsageProblem([item])
    return ProblemsFound([item])


def collected(problems: list[Problem], action: Callable[[], T], place: str = "") -> T | None:
    """What an action returns; None where it found problems, which are added to the list, their places below `place`.

    Raises:
        EnvironmentProblem: the action's own: nothing that follows would fare better.
    """
    try:
        return action()
    except ProblemsFound as error:
        if error.exit_code != ProblemsFound.exit_code:
            raise
        problems += [replace(item, where=f"{place}/{item.where}") if place else item for item in error.problems]
        return None


def shortened(items: Sequence[object], limit: int = 5) -> str:
    """The first few items, and how many more there are: `a, b, c (and 12 more)`. Nothing unprintable survives."""
    shown = ", ".join(printable(item) for item in items[:limit])
    return f"{shown} (and {len(items) - limit} more)" if len(items) > limit else shown


def escaped(text: str, limit: int = 2000) -> str:
    """Text without a character that could steer a terminal or hide: control, direction and invisible ones escaped."""
    if not text.isprintable():
        text = "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text)
    return text if len(text) <= limit else f"{text[:limit]}..."


def printable(value: object, limit: int = 80) -> str:
    """A value from an untrusted file, safe to print: quoted, control and look-alike characters escaped, cut short."""
    text = ascii(value)
    return text if len(text) <= limit else f"{text[:limit]}..."
