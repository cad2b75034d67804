"""Stage "load": from a name, path or URL to a network on a device. The last few networks stay; others are let go."""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Hashable, Mapping
from dataclasses import asdict, dataclass, fields, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import torch

from networks.breakage import Breakage, broken
from networks.editing import ChannelEdit, edited
from networks.loading import LoadCancelled, LoadedNetwork, LoadError, load as load_network
from networks.spec import ALIAS_FREE, TapInfo
from torch_utils import heap
from viz.request import NetworkFacts
from viz.stages import SUPERSEDED, Run, Stage
from viz.stages.downloads import Downloads
from viz.state import BreakIt, Device, Edit, EditActivations, Source, ViewState
from viz.weights import other_weights

KEPT = 3  # networks in memory: the shown one, the one before, and one to compare with
KEPT_COPIES = 4  # networks broken on purpose, and edited ones; all but their filters is shared


class DeviceError(Exception):
    """The device asked for is not there."""


@dataclass(frozen=True)
class Ready:
    """A network on its device, and what the window may know of it."""

    loaded: LoadedNetwork
    network: Any
    facts: NetworkFacts
    device: torch.device
    identity: Hashable
    whole: Ready | None = None  # the network that this one is a broken copy of
    unedited: Ready | None = None  # the same, broken or not, without the edits of its activations

    @property
    def without_edits(self) -> Ready:
        """The network, broken or not, with its activations as it computes them."""
        return self.unedited or self

    @property
    def trained(self) -> Ready:
        """The network as it is, neither edited nor broken."""
        return self.whole or self.without_edits


def choose_device(name: str) -> torch.device:
    """ "auto" takes CUDA, then MPS, then the CPU. Raises DeviceError if the named device is missing."""
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"
    kind = name.split(":", maxsplit=1)[0]
    if kind not in ("cpu", "cuda", "mps"):
        raise DeviceError(f'device "{name}" is not known; use auto, cpu, cuda or mps')
    present = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if not present[kind]:
        raise DeviceError(f'device "{name}" is not available on this machine; use --device auto or cpu')
    return torch.device(name)


class NetworkStore:
    """Keeps the last `kept` networks by (reference, device, reload count). A failure is never kept: the next try loads again."""

    def __init__(self) -> None:
        self.kept = KEPT  # more while more are compared
        self.downloads = Downloads()
        self._ready: OrderedDict[Hashable, Ready] = OrderedDict()
        self._copies: OrderedDict[Hashable, Ready] = OrderedDict()  # broken on purpose, sharing the weights of one of `_ready`
        self._edited_copies: OrderedDict[Hashable, Ready] = OrderedDict()  # of one of those: each step of a drag is another

    def run(self, run: Run) -> Ready | Any:
        ready = self._whole(run)
        if ready is SUPERSEDED:
            return ready
        ready = self._edited(self._broken(ready, run.view.get(BreakIt)), run.view.get(EditActivations))
        return _compared(ready, run.view.get(Source))

    def _broken(self, whole: Ready, options: BreakIt) -> Ready:
        """A copy of the network that shares its weights, with what `options` break; the network itself where there is nothing to break."""
        if not options.on or whole.facts.kind != ALIAS_FREE:
            return whole
        identity = (whole.identity, options)
        ready = self._copies.pop(identity, None)
        if ready is None or ready.whole is not whole:
            network = broken(whole.network, Breakage.of_fields(asdict(options)))
            facts = replace(whole.facts, taps=taps_of(network, whole.device), resolution=network.img_resolution)
            ready = replace(whole, network=network, facts=facts, identity=identity, whole=whole)
        return _kept(self._copies, ready)

    def _edited(self, as_it_is: Ready, options: EditActivations) -> Ready:
        """A copy of the network, broken or not, that edits its activations; the network itself where nothing of it is edited."""
        edits = options.at_taps(as_it_is.facts.taps) if options.edits else {}
        if not edits:
            return as_it_is
        identity = (as_it_is.identity, tuple(edits.items()))
        ready = self._edited_copies.pop(identity, None)
        if ready is None or ready.unedited is not as_it_is:
            ready = replace(as_it_is, network=with_edits(as_it_is.network, edits), identity=identity, unedited=as_it_is)
        return _kept(self._edited_copies, ready)

    def _whole(self, run: Run) -> Ready | Any:
        key = load_key(run.view)
        if (ready := self._ready.get(key)) is not None:
            self._ready.move_to_end(key)
            return ready
        source = run.view.get(Source)
        device = choose_device(run.view.get(Device).device)

        def progress(done: float, total: float | None, text: str) -> None:
            run.progress(text, done / total if total else None, True)

        if not self.downloads.here(source.network, run.download_superseded, run.progress):
            return SUPERSEDED
        try:
            loaded = load_network(source.network, device="cpu", progress=progress, cancelled=run.load_superseded)
        except LoadCancelled:
            return SUPERSEDED
        if device.type == "cpu":
            check_room(loaded)
        network = loaded.network.to(device)
        ready = Ready(loaded, network, facts(loaded, device), device, (loaded.sha256, str(device), source.reload))
        self._ready[key] = ready
        while len(self._ready) > self.kept:
            dropped = self._ready.popitem(last=False)[1]
            self._copies, self._edited_copies = (
                OrderedDict((k, v) for k, v in copies.items() if v.trained is not dropped) for copies in (self._copies, self._edited_copies)
            )
        return ready

    def holds(self, view: ViewState) -> bool:
        return load_key(view) in self._ready

    def networks(self) -> list[Any]:
        """The networks that are kept, broken and edited copies among them."""
        return [ready.network for ready in (*self._ready.values(), *self._copies.values(), *self._edited_copies.values())]

    def clear(self) -> None:
        self._ready.clear()
        self._copies.clear()
        self._edited_copies.clear()


def check_room(loaded: LoadedNetwork) -> None:
    """Raises LoadError for a network of which not even two layers fit this machine, however small its file: a system that lends memory
    it does not have would end the program in the middle of the first picture.
    """
    sizes = [4 * tap.channels * tap.size[0] * tap.size[1] for tap in loaded.network.taps]
    needed, there = max(map(sum, pairwise(sizes)), default=0), heap.machine_bytes()
    if there is not None and needed > there:
        why = f"two of its layers alone take {needed / 1e9:,.0f} GB, and this machine has {there / 1e9:,.0f} GB of memory"
        raise LoadError(Path(loaded.ref).name, why, "Choose a smaller network.")


def _kept(copies: OrderedDict[Hashable, Ready], copy: Ready) -> Ready:
    """The copy, as the newest of a few."""
    copies[copy.identity] = copy
    while len(copies) > KEPT_COPIES:
        copies.popitem(last=False)
    return copy


def with_edits(network: Any, edits: Mapping[str, tuple[Edit, ...]]) -> Any:
    """The network with what `EditActivations.at_taps` says; itself where that is nothing."""
    names = [f.name for f in fields(ChannelEdit)]
    return edited(network, {tap: [ChannelEdit(**{n: getattr(edit, n) for n in names}) for edit in found] for tap, found in edits.items()})


def load_key(view: ViewState) -> Hashable:
    """What decides which weights are used: the hash a saved view carries is checked, not a part of the question."""
    source = view.get(Source)
    return (source.network, source.reload, view.get(Device).device)


def taps_of(network: Any, device: torch.device) -> tuple[TapInfo, ...]:
    """The network's taps with the types that really run on this device."""
    return tuple(tap if device.type == "cuda" else replace(tap, dtype="float32") for tap in network.taps)


def _compared(ready: Ready, source: Source) -> Ready:
    """With a note where this very view was saved with other weights: the network may be there for another one's sake."""
    note = other_weights(source, ready.facts.name, ready.facts.sha256)
    return replace(ready, facts=replace(ready.facts, notes=(*ready.facts.notes, note))) if note else ready


def facts(loaded: LoadedNetwork, device: torch.device) -> NetworkFacts:
    network = loaded.network
    name = Path(loaded.ref).stem if loaded.path else loaded.ref
    return NetworkFacts(
        ref=loaded.ref,
        name=name,
        kind=network.config.family,
        config_name=loaded.config_name,
        z_dim=network.z_dim,
        c_dim=network.c_dim,
        w_dim=network.w_dim,
        num_ws=network.num_ws,
        resolution=network.img_resolution,
        has_pose=network.has_pose,
        has_noise=network.has_noise,
        taps=taps_of(network, device),
        parameters=sum(p.numel() for p in network.parameters()),
        device=str(device),
        path=str(loaded.path or ""),
        sha256=loaded.sha256,
        size_bytes=loaded.size_bytes,
        modified_ns=loaded.modified_ns,
        metadata=dict(loaded.metadata),
        constructor=dict(network.config.to_kwargs()),
        translation_limit=_limit(loaded.metadata.get("translation_limit")),
        base_transform=loaded.base_transform,
        notes=tuple(loaded.notes),
    )


def _limit(text: Any) -> float | None:
    """What the file says; None for what is no positive number."""
    try:
        limit = float(text)
    except (TypeError, ValueError):
        return None
    return limit if 0 < limit < math.inf else None


def stage(store: NetworkStore) -> Stage:
    return Stage("load", after=(), reads=(Source, Device, EditActivations), run=store.run)
