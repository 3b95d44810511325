"""Puts a report together: which sections there are, and what a file leaves out."""

from __future__ import annotations

import shlex

from kvtop import __version__
from kvtop.report.blocks import Block, Code, Report, Section, Text
from kvtop.report.figures import figure_blocks
from kvtop.report.flames import flame_blocks
from kvtop.report.hot import finding_blocks, heat_of, hot_blocks, layer_blocks
from kvtop.report.method import method_blocks
from kvtop.report.source import Material
from kvtop.report.structure import date, environment_blocks, structure_blocks
from kvtop.report.summary import sentences, tiles
from kvtop.report.tools import tool_parts
from kvtop.report.words import span


def compose(material: Material, title: str = "", flames: bool = True) -> Report:
    """The report of a file. Without ``flames`` no flamegraph is drawn."""
    heat = heat_of(material)
    recorded = material.recorded
    parts: list[tuple[str, str, tuple[Block, ...]]] = [
        ("ran", "What ran, and on what", environment_blocks(material))
    ]
    if recorded is not None:
        parts.append(("target", "The target", structure_blocks(recorded)))
    parts.append(("method", "Method", method_blocks(material)))
    if recorded is not None:
        parts.append(("figures", "Figures", figure_blocks(recorded)))
    if material.counts:
        parts += [
            ("hot", "Hot spots", hot_blocks(material)),
            ("layers", "Layers", layer_blocks(material, heat)),
        ]
    if recorded is not None:
        parts += tool_parts(recorded)
    parts.append(("findings", "Findings", finding_blocks(material, heat)))
    if flames:
        parts.append(("flames", "Flamegraphs", flame_blocks(material)))
    parts.append(("again", "To do it again", _again(material)))
    return Report(
        title or _title(material),
        _subtitle(material),
        sentences(material, heat),
        tiles(material),
        tuple(Section(*part) for part in parts if part[2]),
        f"Made by kvtop {__version__} of {material.name}. Every figure is from that file.",
        _left_out(material),
    )


def _title(material: Material) -> str:
    if material.recorded is not None:
        return material.recorded.meta.run.title
    assert material.profile is not None
    return material.profile.meta.title or material.name


def _subtitle(material: Material) -> str:
    recorded = material.recorded
    if recorded is None:
        return "a profile" + (f" of {span(material.seconds)}" if material.seconds else "")
    host = f" on {recorded.meta.host}" if recorded.meta.host else ""
    return f"{span(recorded.seconds)} from {date(recorded.meta.wall)}{host}"


def _left_out(material: Material) -> tuple[str, ...]:
    notes = [f"{note}." for note in material.notes]
    if material.recorded is None:
        notes.append(
            "This file has stacks alone: the life of the target, throughput, latency, counters "
            "and off-CPU time are left out. kvtop run --record FILE has them."
        )
    elif not material.counts:
        notes.append("It holds no samples: hot spots, layers and flamegraphs are left out.")
    return tuple(notes)


def _again(material: Material) -> tuple[Block, ...]:
    path = shlex.quote(material.path)
    report = f"kvtop report {path} -o report.html"
    if material.recorded is None:
        command = material.profile.meta.command if material.profile is not None else ""
        return (Code((*((command,) if command else ()), f"kvtop view {path}", report)),)
    command = shlex.join(material.recorded.meta.command)
    lines = (command, f"kvtop replay {path}", report)
    targets = material.recorded.meta.targets
    if not targets or material.recorded.meta.run.has_cluster:
        return (Code(lines),)
    return (Code(lines), Text("What was profiled:"), Code(targets))
