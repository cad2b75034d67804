"""Commands `inspect` and `convert`: what a network file holds."""

from __future__ import annotations

import argparse
import dataclasses
import json
from pathlib import Path
from typing import Any

from viz.cli.arguments import check_out


def add_inspect_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("network", metavar="NETWORK", help="path, URL, or a name that --list shows")
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def add_convert_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("network", metavar="NETWORK", help="path, URL, or a name that --list shows")
    parser.add_argument("out", metavar="OUT.safetensors", help="file to write")


def run_inspect(options: argparse.Namespace) -> int:
    loaded = _load(options.network)
    facts = describe(loaded)
    print(json.dumps(facts, indent=1) if options.json else as_text(facts))
    return 0


def run_convert(options: argparse.Namespace) -> int:
    out = Path(options.out)
    check_out(out, (".safetensors",), "OUT")
    loaded = _load(options.network)
    from networks.loading import save_safetensors

    save_safetensors(loaded.network, out, dict(loaded.metadata))
    print(f"{out}: {out.stat().st_size / 1e6:.2f} MB")
    return 0


def describe(loaded: Any) -> dict[str, Any]:
    """Everything `inspect` prints, as JSON values. Lengths in samples, frequencies in cycles per image."""
    network = loaded.network
    parameters = {name: tuple(p.shape) for name, p in network.named_parameters()}
    return {
        "ref": loaded.ref,
        "kind": loaded.kind,
        "config": loaded.config_name,
        "sha256": loaded.sha256,
        "size_bytes": loaded.size_bytes,
        "constructor": dict(network.config.to_kwargs()),
        "metadata": dict(loaded.metadata),
        "num_ws": network.num_ws,
        "parameters": sum(p.numel() for p in network.parameters()),
        "parameter_shapes": parameters,
        "base_transform": None if loaded.base_transform is None else [[float(v) for v in row] for row in loaded.base_transform],
        "layers": [_layer(tap) for tap in network.taps],
        "notes": list(loaded.notes),
    }


def _layer(tap: Any) -> dict[str, Any]:
    spec = dataclasses.asdict(tap.spec) if tap.spec is not None else None
    return {**{f.name: getattr(tap, f.name) for f in dataclasses.fields(tap) if f.name != "spec"}, "spec": spec}


def as_text(facts: dict[str, Any]) -> str:
    lines = [
        _summary(facts),
        f"sha256 {facts['sha256']}",
        *(f"{name}: {value}" for name, value in facts["constructor"].items()),
        *(f"note: {note}" for note in facts["notes"]),
        "",
        f"{'layer':<20}{'channels':>9}{'size':>11}{'s':>7}{'f_c':>9}{'f_t':>9}{'f_h':>9}{'up':>4}{'down':>5}  type",
    ]
    for layer in facts["layers"]:
        spec = layer["spec"] or {}
        cutoff, half = spec.get("out_cutoff"), spec.get("out_half_width")
        numbers = [cutoff, spec.get("out_stopband"), half]
        shown = "".join(f"{n:>9.2f}" if n is not None else f"{'—':>9}" for n in numbers)
        factors = f"{spec.get('up_factor', '—'):>4}{spec.get('down_factor', '—'):>5}"
        size = f"{layer['size'][0]}x{layer['size'][1]}"
        lines.append(f"{layer['name']:<20}{layer['channels']:>9}{size:>11}{layer['sampling_rate']:>7g}{shown}{factors}  {layer['dtype']}")
    return "\n".join(lines)


def _load(ref: str) -> Any:
    from viz.headless import load_network
    from viz.progress import terminal_progress

    with terminal_progress() as report:
        return load_network(ref, report)


def _summary(facts: dict[str, Any]) -> str:
    size_mb = facts["size_bytes"] / 1e6
    return f"{facts['ref']}: {facts['kind']}, config {facts['config']}, {facts['parameters']:,} parameters, {size_mb:.2f} MB"
