"""The verb `rank`: a corpus of any size, alone or as one of many processes."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from ..extras import require_libraries
from ..problems import problem
from .console import print_json, progress_bar, say, stdout
from .options import JsonOption


def rank(
    speech: Annotated[Path, typer.Option(help=".npy matrix of speech vectors, (n, d).")],
    text: Annotated[Path, typer.Option(help=".npy matrix of text vectors; row i belongs to row i of --speech.")],
    out: Annotated[Path, typer.Option(help="Parquet file for the expected rank of every query in both directions.")],
    groups: Annotated[
        Path | None, typer.Option(help=".npy of n whole numbers; pairs with the same number share a text.")
    ] = None,
    shards: Annotated[
        Path | None, typer.Option(help="Folder for finished parts, kept for a restart; OUT.shards by default.")
    ] = None,
    device: Annotated[str, typer.Option(help="cpu, or a device of torch such as cuda.")] = "cpu",
    threads: Annotated[
        int | None, typer.Option(min=1, help="Threads; all that the process may use by default.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Rank every pair among all pairs, in both directions, exactly.

    Under `accelerate launch` or `torchrun` the processes share the work; whoever finishes last writes the result.
    """
    from ..metrics.full_ranking import prepare
    from ..metrics.sharding import Place, Shards

    device = _device_of(device)
    try:
        place = Place.from_environment()
        corpus = prepare(_mapped(speech), _mapped(text), _mapped(groups) if groups else None, threads)
    except ValueError as error:
        raise _bad_input(str(error)) from error
    parts = Shards(corpus, shards or out.with_name(f"{out.name}.shards"))
    rows = sum(part.stop - part.start for part, _ in parts.of(place))
    with progress_bar("speech queries", rows) as advance:
        parts.count(place, threads, device, advance)
    both = parts.standings()
    if both is None:
        say(f"Process {place.rank} of {place.size} has finished its part; others have not.")
        return
    _write(out, both)
    document = _document(both)
    if as_json:
        print_json(document)
    else:
        _print(document)


def _mapped(path: Path) -> Any:
    import numpy as np

    try:
        return np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise problem(
            "file.format",
            path.name,
            found="no file that can be read as a .npy array" if path.exists() else "no such file",
            expected="an array saved with `numpy.save`",
            mend="Check the path, or save the vectors again.",
        ) from error


def _device_of(device: str) -> str:
    """The device, if torch finds it here; the arithmetic of the CPU needs no torch."""
    if device == "cpu":
        return device
    require_libraries("rank", "torch")
    from ..encoders.devices import choose_device

    return choose_device(device)


def _bad_input(found: str) -> Exception:
    return problem(
        "array.shape",
        "vectors",
        found=f"input that cannot be ranked: {found}",
        expected="speech and text as (n, d) finite numbers without all-zero rows, one group a row",
        mend="Save the arrays again, row i of one belonging to row i of the other.",
    )


def _write(out: Path, both: tuple[Any, Any]) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    from ..files import write_atomically
    from ..metrics.retrieval import expected_rank
    from ..protocol.spec import DIRECTIONS

    table = pa.table({name: expected_rank(held) for name, held in zip(DIRECTIONS, both, strict=True)})
    write_atomically(out, lambda temporary: pq.write_table(table, temporary))


def _document(both: tuple[Any, Any]) -> dict[str, Any]:
    """Metrics among all candidates, and in random pools of them."""
    from ..diagnostics.corpus_curve import corpus_curve
    from ..protocol.spec import DIRECTIONS

    pools = {name: corpus_curve(held) for name, held in zip(DIRECTIONS, both, strict=True)}
    return {"schema_version": 1, "n": len(both[0].better), "pools": pools}


def _print(document: dict[str, Any]) -> None:
    from rich.table import Table

    metrics = [name for name in document["pools"]["speech_to_text"][0] if name != "pool"]
    table = Table("direction", "pool", *metrics, box=None, title_justify="left")
    for direction, points in document["pools"].items():
        for point in points:
            numbers = [f"{point[name]:.1f}" if name == "mean_rank" else f"{point[name]:.4f}" for name in metrics]
            table.add_row(direction.replace("_", " "), str(point["pool"]), *numbers)
    stdout.print(table)
