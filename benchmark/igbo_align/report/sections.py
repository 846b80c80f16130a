"""The report of one submission, section by section."""

from __future__ import annotations

from ..protocol.spec import DIRECTIONS
from .blocks import Block, Document, Heading, Panels, Paragraph
from .evidence import COMPARED_TRACKS, Evidence
from .figures.alignment import distribution_panel, heat_map_panels, hubs_panel
from .figures.corpus import corpus_panels
from .figures.failures import correlations_panel, failure_panels, slices_panel
from .figures.probing import probe_panel
from .figures.retrieval import baselines_panel, benchmark_panels, pool_panels, training_panel, variants_panel
from .tables import (
    baselines_table,
    correlations_table,
    geometry_table,
    headline_table,
    hubs_table,
    minimal_pairs_table,
    probe_table,
    slices_table,
    worst_table,
)
from .words import findings, probe_finding, warnings

_FAILURE_TRACKS = {
    "heldout": "Of the held-out pairs alone, track heldout: the others were trained on, and are remembered.",
    "paper": "Of all pairs, in the pools of track paper: none of them was trained on.",
}


def submission_document(evidence: Evidence) -> Document:
    """Everything about one submission."""
    card, release = evidence.scores.card, evidence.release
    encoders = f"{card['speech_encoder']['id']} and {card['text_encoder']['id']}"
    subtitle = (
        f"{release.spec.name} {release.spec.version}: {encoders}, alignment: {card['alignment']['method']}, "
        f"trained on pairs: {card['alignment']['trained_on_pairs']}"
    )
    blocks = [
        *_results(evidence),
        *_baselines(evidence),
        *_similarity(evidence),
        *_geometry(evidence),
        *_failures(evidence),
        *_probe(evidence),
        *_corpus(evidence),
    ]
    return Document(evidence.name, subtitle, release.spec.notice, blocks)


def _results(evidence: Evidence) -> list[Block]:
    return [
        *(Paragraph(text, "notice") for text in warnings(evidence)),
        *(Paragraph(text, "finding") for text in findings(evidence)),
        Heading("Retrieval"),
        headline_table(evidence.scores),
        Panels(benchmark_panels(evidence)),
        Heading("Pool size"),
        Paragraph(
            "A small pool flatters. From the rank of every query among all candidates follows what any pool size would "
            "give on average, without the luck of one draw."
        ),
        Panels(pool_panels(evidence)),
    ]


def _baselines(evidence: Evidence) -> list[Block]:
    blocks: list[Block] = []
    if evidence.training:
        blocks += [Heading("Training"), Panels([training_panel(evidence.training)])]
    blocks.append(Heading("Against baselines"))
    if not evidence.baselines:
        return [
            *blocks,
            Paragraph("No other submission was found to compare with; `--baselines` names a folder of them."),
        ]
    panels = Panels([baselines_panel(evidence.baselines, track) for track in COMPARED_TRACKS])
    return [*blocks, panels, baselines_table(evidence)]


def _similarity(evidence: Evidence) -> list[Block]:
    return [
        Heading("Similarity"),
        Panels([distribution_panel(evidence), *heat_map_panels(evidence)]),
    ]


def _geometry(evidence: Evidence) -> list[Block]:
    table = geometry_table(evidence)
    return [
        Heading("Geometry, hubs and corrections"),
        table or Paragraph("Only similarities were submitted: there are no vectors whose geometry could be described."),
        Panels([hubs_panel(evidence), variants_panel(evidence)]),
        hubs_table(evidence),
    ]


def _failures(evidence: Evidence) -> list[Block]:
    minimal = minimal_pairs_table(evidence)
    panels = [correlations_panel(evidence)]
    if evidence.failures.slices:
        panels.append(slices_panel(evidence))
    return [
        Heading("Which pairs fail"),
        Paragraph(_FAILURE_TRACKS[evidence.failure_track]),
        Panels(failure_panels(evidence)),
        Paragraph(
            "Many properties and slices are many tests: p-values are corrected for their number, and slices of fewer "
            "than 30 queries are marked.",
            "note",
        ),
        Panels(panels),
        correlations_table(evidence),
        slices_table(evidence),
        *([minimal] if minimal else []),
        *(worst_table(evidence, direction) for direction in DIRECTIONS),
    ]


def _probe(evidence: Evidence) -> list[Block]:
    result = evidence.probe
    if result is None:
        return []
    return [
        Heading("Pitch in the hidden states"),
        Paragraph(probe_finding(result), "finding"),
        Panels([probe_panel(result)]),
        probe_table(result),
    ]


def _corpus(evidence: Evidence) -> list[Block]:
    return [Heading("Corpus"), Panels(corpus_panels(evidence.release))]
