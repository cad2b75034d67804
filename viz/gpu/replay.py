"""Which way a picture is made on a GPU: replayed as a graph, from remembered layers, or step by step; and why that way.

A graph repeats a whole synthesis without work on the host, but leaves no layers behind. Remembered layers spare work where only late ones
change. So, in this order:
1. Where the memo leaves a quarter of the steps or less, they run one by one: another tap further on, a style mixed into late layers.
2. Otherwise the graph of this form of the question is replayed (`networks.cuda_graph.Form`: network, tap, precision, noise, batch).
3. A form that is asked for the second time is recorded, and replayed from then on. The first time its steps run one by one, which fills
   the memo and lets a superseded picture stop between layers.
What cannot be recorded keeps running step by step, and says why.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from networks.cuda_graph import Form, Graphs, form_of
from networks.generator import Conditions, Generator

REST = 0.25  # of the steps: what the memo may leave to be computed
SEEN = 64  # forms remembered as asked for


@dataclass(frozen=True)
class Question:
    """One call of `synthesize`, in the parts that decide which way it goes. `names` tell the rows of ws (see `chain_keys`)."""

    network: Generator
    ws: Tensor
    conditions: Conditions
    tap: str
    backend: str
    memo: Any
    names: Sequence[Hashable] | None


class Replays:
    """Belongs to the render thread. `path` says which way the last picture went."""

    def __init__(self, graphs: Graphs | None = None, devices: tuple[str, ...] = ("cuda",)) -> None:
        self.graphs = Graphs() if graphs is None else graphs
        self.devices = devices
        self.path = ""
        self._seen: OrderedDict[Form, None] = OrderedDict()

    def serves(self, device: str) -> bool:
        """Whether anything is replayed on this type of device."""
        return device in self.devices

    def run(self, question: Question) -> Tensor | None:
        """The answer by replay, or None where the steps are to run."""
        if not self.serves(question.ws.device.type):
            self.path = ""
            return None
        form = form_of(question.network, question.ws, question.conditions, question.tap, question.backend)
        obstacle = self._obstacle(question, form)
        if obstacle is None:
            values = self.graphs.run(question.network, form, question.ws, question.conditions)
            if values is not None:
                self.path = "replayed as a CUDA graph"
                return values
            obstacle = f"no CUDA graph: {self.graphs.failure(form)}"
        self.path = f"layer by layer; {obstacle}"
        return None

    def clear(self) -> None:
        """Forget all graphs, and with them their memory; forms count as new."""
        self.graphs.clear()
        self._seen.clear()

    def _obstacle(self, question: Question, form: Form) -> str | None:
        """Why the steps should run this time; None for a graph."""
        if question.backend != "auto":
            return f"the kernels are chosen by hand ({question.backend})"
        if form.noise not in ("const", "none"):
            return "fresh noise is drawn on the processor"
        if any(found.moves for found in question.network.edits.values()):
            return "edits move channels with filters that are made on the processor"
        if (failure := self.graphs.failure(form)) is not None:
            return f"no CUDA graph: {failure}"
        steps = question.network.steps(question.conditions, question.tap)
        left = len(steps) - question.network.remembered(question.ws, steps, question.memo, question.names, form.weights)
        if left <= REST * len(steps):
            return f"the others of {len(steps)} are remembered" if left else "it is remembered"
        if not self.graphs.has(form) and form not in self._seen:
            self._seen[form] = None
            while len(self._seen) > SEEN:
                self._seen.popitem(last=False)
            return "the next of this kind is recorded"
        return None
