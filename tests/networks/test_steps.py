"""Chained steps: what decides a key, where a run resumes, how it is called off."""

from __future__ import annotations

import pytest
import torch

from networks.steps import Activation, Step, StepKey, chain_keys, run_steps

WS = torch.arange(8.0).reshape(1, 4, 2)


class Kept(dict[StepKey, Activation]):
    """A memo without bounds that lists the names of what was computed."""

    def __init__(self) -> None:
        super().__init__()
        self.ran: list[str] = []

    def put(self, key: StepKey, value: Activation) -> None:
        self.ran.append(key.name)
        self[key] = value


def steps(conditions: object = None) -> list[Step]:
    def first(_: Activation | None, ws: torch.Tensor) -> Activation:
        return Activation(ws[:, 0])

    def added(row: int) -> Step:
        return Step(f"add{row}", (row,), (), lambda x, ws: Activation(x.shown + ws[:, row]))  # type: ignore[union-attr]

    return [Step("first", (0,), (conditions,), first), added(1), added(2), added(3)]


def changed(row: int) -> torch.Tensor:
    ws = WS.clone()
    ws[:, row] += 1
    return ws


@pytest.mark.parametrize("row", range(4))
def test_a_changed_row_changes_the_keys_from_its_step_on(row: int) -> None:
    before, after = chain_keys(steps(), WS, "net"), chain_keys(steps(), changed(row), "net")
    assert [a == b for a, b in zip(before, after, strict=True)] == [index < row for index in range(4)]


@pytest.mark.parametrize("origin", [("cuda:0",), ("cpu", 2)])
def test_network_origin_and_conditions_change_every_key(origin: tuple) -> None:
    keys = chain_keys(steps(), WS, "net", ("cpu", 1))
    others = [
        chain_keys(steps(), WS, "net", origin),
        chain_keys(steps(), WS, "other", ("cpu", 1)),
        chain_keys(steps("pose"), WS, "net", ("cpu", 1)),
    ]
    for other in others:
        assert not set(keys) & set(other)


def run(memo: Kept, ws: torch.Tensor, upto: int = 4) -> torch.Tensor:
    chosen = steps()[:upto]
    memo.ran.clear()
    activation = run_steps(chosen, ws, keys=chain_keys(chosen, ws, "net"), memo=memo)
    assert activation is not None
    return activation.shown


def test_resumes_after_the_furthest_remembered_step() -> None:
    memo = Kept()
    assert torch.equal(run(memo, WS), WS.sum(dim=1))
    assert memo.ran == ["first", "add1", "add2", "add3"]
    assert torch.equal(run(memo, changed(2)), changed(2).sum(dim=1))
    assert memo.ran == ["add2", "add3"]
    run(memo, WS, upto=2)
    assert memo.ran == []


def test_a_forgetful_memo_costs_time_only() -> None:
    memo = Kept()
    run(memo, WS)
    for key in [key for key in memo if key.name in ("add2", "add3")]:
        del memo[key]
    assert torch.equal(run(memo, WS), WS.sum(dim=1))
    assert memo.ran == ["add2", "add3"]


def test_superseded_is_asked_before_each_step() -> None:
    memo, answers = Kept(), iter([False, False, True])
    chosen = steps()
    answer = run_steps(chosen, WS, keys=chain_keys(chosen, WS, "net"), memo=memo, superseded=lambda: next(answers))
    assert answer is None
    assert memo.ran == ["first", "add1"]


def test_bytes_count_each_tensor_once() -> None:
    x, y = torch.zeros(2, 3), torch.zeros(5)
    assert Activation(x, (x, y, None)).nbytes == (6 + 5) * 4
