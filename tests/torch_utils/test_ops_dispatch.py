"""How a backend is chosen, remembered, forced, and shown."""

import logging
import subprocess
import sys
import threading
import types
from importlib.machinery import ModuleSpec

import pytest
import torch

from torch_utils import ops
from torch_utils.cuda_build import CudaUnavailable
from torch_utils.native_build import NativeUnavailable
from torch_utils.ops.backend import Implementation, Unavailable
from torch_utils.ops.dispatch import BackendError, Registry

X = torch.arange(6.0).reshape(1, 1, 2, 3)


def accept(call):
    """No check."""


@pytest.fixture
def registry():
    made = Registry()
    made.define("double", lambda x, options: x * 2, accept)
    made.define("negate", lambda x, options: -x, accept)
    return made


def fast(**changes):
    return Implementation(**({"op": "double", "name": "fast", "run": lambda x, options: x + x, "available": lambda: "adder 1.0"} | changes))


def chosen(registry, x=X, op="double"):
    """The backend that computes a call."""
    before = {decision: decision.count for decision in registry.decisions()}
    registry.dispatch(op, (x,), None)
    (decision,) = (d for d in registry.decisions() if d.count != before.get(d, 0))
    return decision.backend


def no_compiler(kind=Unavailable):
    raise kind("no compiler found")


def test_the_reference_serves_alone(registry):
    assert chosen(registry).name == "reference"
    assert str(registry.backends()["double"]) == "double: reference (plain torch)"


def test_a_registered_backend_is_preferred_and_computes(registry):
    seen = []
    registry.register(fast(run=lambda x, options: seen.append(options) or x + x))
    y = registry.dispatch("double", (X,), "options")
    assert torch.equal(y, X * 2)
    assert seen == ["options"]
    assert registry.backends()["double"] == ops.Backend("double", "fast", "adder 1.0")
    assert registry.backends()["negate"].name == "reference"


def test_a_smaller_rank_comes_first_and_registration_order_decides_among_equals(registry):
    registry.register(fast(name="second", rank=1))
    registry.register(fast(name="first"))
    registry.register(fast(name="first too"))
    assert chosen(registry).name == "first"


def test_a_backend_of_the_same_name_is_replaced(registry):
    registry.register(fast())
    assert chosen(registry).why == "adder 1.0"
    registry.register(fast(available=lambda: "adder 2.0"))
    assert chosen(registry).why == "adder 2.0"


def test_availability_is_asked_once_and_only_when_needed(registry):
    asked = []
    registry.register(fast(available=lambda: asked.append(1) or "adder"))
    assert registry.backends(probe=False)["double"] == ops.Backend("double", "reference", "plain torch; fast: not asked yet", True)
    assert asked == []
    for size in range(1, 5):
        registry.dispatch("double", (torch.ones(1, 1, size, size),), None)
    assert asked == [1]
    assert registry.backends(probe=False)["double"].name == "fast"


@pytest.mark.parametrize("kind", [Unavailable, CudaUnavailable, NativeUnavailable])
def test_an_unavailable_backend_is_remembered_and_shown_once(registry, caplog, kind):
    asked = []
    registry.register(fast(available=lambda: asked.append(1) or no_compiler(kind)))
    registry.register(fast(op="negate", available=no_compiler))
    with caplog.at_level(logging.WARNING):
        for op in ("double", "negate", "double"):
            registry.dispatch(op, (torch.ones(1, 1, len(asked) + 1, 1),), None)
    assert asked == [1]
    assert [record.message for record in caplog.records] == ["backend fast is not available: no compiler found"]
    assert registry.backends()["double"].why == "plain torch; fast: no compiler found"


def test_any_error_while_asking_is_a_reason_not_a_crash(registry):
    registry.register(fast(available=lambda: 1 / 0))
    assert chosen(registry).why == "plain torch; fast: ZeroDivisionError: division by zero"


def test_a_refused_call_says_why_and_the_others_are_not_affected(registry):
    registry.register(fast(refuses=lambda call: None if call.x.dtype == torch.float32 else f"takes float32, not {call.x.dtype}"))
    assert chosen(registry).name == "fast"
    refused = chosen(registry, X.double())
    assert (refused.name, refused.why) == ("reference", "plain torch; fast: takes float32, not torch.float64")
    assert chosen(registry, X[:, :, :1]).name == "fast"
    why = registry.backends()["double"].why
    assert why.startswith("adder 1.0; reference: 1 of 3 kinds of call, such as double(1x1x2x3; float64 on cpu)")
    assert "takes float32, not torch.float64" in why


def test_gradients_skip_backends_without_backward_visibly(registry):
    registry.register(fast())
    x = X.clone().requires_grad_()
    assert chosen(registry, x).why == "plain torch; fast: has no backward, and gradients are needed"
    with torch.no_grad():
        assert chosen(registry, x).name == "fast"
    registry.register(fast(differentiable=True))
    assert chosen(registry, x).name == "fast"


@pytest.mark.filterwarnings("ignore:.torch.jit.script. is deprecated")  # by torch's own forward derivatives
def test_forward_derivatives_skip_them_too(registry):
    registry.register(fast())
    with torch.autograd.forward_ad.dual_level():
        dual = torch.autograd.forward_ad.make_dual(X, torch.ones_like(X))
        tangent = torch.autograd.forward_ad.unpack_dual(registry.dispatch("double", (dual,), None)).tangent
    assert torch.equal(tangent, torch.full_like(X, 2))
    assert registry.decisions()[-1].backend.name == "reference"


def test_devices_limit_a_backend(registry):
    asked = []
    registry.register(fast(devices=("cuda",), available=lambda: asked.append(1) or "gpu"))
    assert chosen(registry).why == "plain torch; fast: runs on cuda, not on cpu"
    assert asked == []
    assert registry.backends()["double"].name == "reference"
    assert registry.backends("cuda")["double"].name == "fast"


def test_decisions_are_made_once_for_a_kind_of_call_and_counted(registry):
    refusals = []
    registry.register(fast(refuses=lambda call: refusals.append(call)))
    for _ in range(3):
        registry.dispatch("double", (X,), "a")
    registry.dispatch("double", (X.mT.contiguous().mT,), "a")
    registry.dispatch("double", (X,), "b")
    assert [(d.call.options, d.count) for d in registry.decisions()] == [("a", 4), ("b", 1)]
    assert len(refusals) == 2


def test_decisions_do_not_grow_for_ever(registry, monkeypatch):
    monkeypatch.setattr("torch_utils.ops.dispatch.MOST_DECISIONS", 8)
    for size in range(30):
        registry.dispatch("double", (torch.ones(1, 1, 1, size),), None)
    assert len(registry.decisions()) <= 8


def test_use_forces_and_restores(registry):
    registry.register(fast())
    with registry.use("reference"):
        assert chosen(registry).why == "plain torch; forced by use('reference')"
        with registry.use("fast", op="double"):
            assert chosen(registry).name == "fast"
        with registry.use(None):
            assert chosen(registry).name == "fast"
        assert chosen(registry).name == "reference"
    assert chosen(registry).name == "fast"


def test_use_restores_after_an_error(registry):
    registry.register(fast())
    with pytest.raises(KeyError), registry.use("reference"):
        raise KeyError
    assert chosen(registry).name == "fast"


def test_use_of_one_operator_leaves_the_others(registry):
    registry.register(fast())
    registry.register(fast(op="negate", run=lambda x, options: 0 - x))
    with registry.use("reference", op="double"):
        assert chosen(registry).name == "reference"
        assert chosen(registry, op="negate").name == "fast"


def test_an_operator_without_the_forced_backend_chooses_as_usual(registry):
    registry.register(fast())
    with registry.use("fast"):
        assert chosen(registry, op="negate").name == "reference"


def test_a_forced_backend_that_cannot_raises_with_the_reason(registry):
    registry.register(fast(refuses=lambda call: "it is Sunday"))
    registry.register(fast(op="negate", available=no_compiler))
    with registry.use("fast"):
        with pytest.raises(BackendError, match=r"use\('fast'\): fast cannot compute double\(1x1x2x3; float32 on cpu\): it is Sunday"):
            registry.dispatch("double", (X,), None)
        with pytest.raises(BackendError, match="no compiler found"):
            registry.dispatch("negate", (X,), None)
    assert chosen(registry).name == "reference"


def test_unknown_names_are_refused_with_the_known_ones(registry):
    registry.register(fast())
    with pytest.raises(ValueError, match=r"no backend 'fats'; there are \['fast', 'reference'\]"), registry.use("fats"):
        pass
    with pytest.raises(ValueError, match=r"no operator 'triple'; there are \['double', 'negate'\]"), registry.use("fast", op="triple"):
        pass
    with pytest.raises(ValueError, match="no operator 'triple'"):
        registry.register(fast(op="triple"))


def test_use_holds_for_its_thread_only(registry):
    registry.register(fast())
    names = []
    with registry.use("reference"):
        thread = threading.Thread(target=lambda: names.append(chosen(registry).name))
        thread.start()
        thread.join(10)
    assert names == ["fast"]


def test_many_threads_ask_a_slow_backend_once(registry):
    asked, start = [], threading.Barrier(8)
    registry.register(fast(available=lambda: asked.append(1) or "adder"))
    results = []

    def work(size):
        start.wait(10)
        results.append(registry.dispatch("double", (torch.ones(size),), None).sum().item())

    threads = [threading.Thread(target=work, args=(size,)) for size in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert sorted(results) == [2.0 * size for size in range(8)]
    assert asked == [1]


def test_an_error_inside_a_backend_is_raised_with_its_name(registry):
    def broken(x, options):
        raise RuntimeError("kernel returned -1")

    registry.register(fast(run=broken))
    with pytest.raises(RuntimeError, match="kernel returned -1") as caught:
        registry.dispatch("double", (X,), None)
    note = "while double: fast (adder 1.0) computed double(1x1x2x3; float32 on cpu); use('reference') goes round it"
    assert caught.value.__notes__ == [note]


def test_the_check_runs_before_any_backend_is_asked(registry):
    def check(call):
        raise ValueError("no")

    registry.define("checked", lambda x, options: x, check)
    registry.register(fast(op="checked", available=lambda: pytest.fail("asked")))
    for _ in range(2):
        with pytest.raises(ValueError, match="no"):
            registry.dispatch("checked", (X,), None)


def test_what_is_no_tensor_is_refused(registry):
    with pytest.raises(TypeError, match="double takes tensors, got ndarray"):
        registry.dispatch("double", (X.numpy(),), None)


def module_spec(name, body):
    class Loader:
        def create_module(self, spec):
            return types.ModuleType(name)

        def exec_module(self, module):
            body()

    return ModuleSpec(name, Loader())


def provider(monkeypatch, name, body):
    """A module that runs `body` when it is imported, as a provider would."""

    class Finder:
        def find_spec(self, fullname, path=None, target=None):
            return module_spec(name, body) if fullname == name else None

    monkeypatch.setattr(sys, "meta_path", [Finder(), *sys.meta_path])
    monkeypatch.delitem(sys.modules, name, raising=False)


def test_providers_are_imported_on_the_first_call(monkeypatch):
    registry = Registry(("made_up_provider",))
    registry.define("double", lambda x, options: x * 2, accept)
    imported = []

    def body():
        imported.append(1)
        registry.register(fast())

    provider(monkeypatch, "made_up_provider", body)
    assert imported == []
    assert [chosen(registry).name, chosen(registry).name] == ["fast", "fast"]
    assert imported == [1]


def test_a_missing_provider_is_fine_and_a_broken_one_is_shown(monkeypatch, caplog):
    registry = Registry(("nobody_wrote_this", "broken_provider"))
    registry.define("double", lambda x, options: x * 2, accept)

    def body():
        import needed_by_the_provider  # noqa: F401

    provider(monkeypatch, "broken_provider", body)
    with caplog.at_level(logging.WARNING):
        assert chosen(registry).name == "reference"
    message = "broken_provider cannot be imported: ModuleNotFoundError: No module named 'needed_by_the_provider'"
    assert [record.message for record in caplog.records] == [message]
    assert registry.backends()["double"].why == f"plain torch; {message}"
    with pytest.raises(ValueError, match="broken_provider cannot be imported"), registry.use("native"):
        pass


def test_nothing_is_compiled_or_imported_by_importing_the_operators():
    code = "import sys, torch_utils.ops as o; print([m for m in sys.modules if m.startswith('torch_utils.ops.native')])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=True)
    assert done.stdout.strip() == "[]"


def test_the_five_operators_are_there():
    assert set(ops.backends(probe=False)) == {"bias_act", "upfirdn2d", "filtered_lrelu", "modulated_conv2d", "doubling_conv2d"}


def test_a_known_kind_of_call_asks_nobody(registry):
    registry.register(fast(available=lambda: "adder", refuses=lambda call: None))
    registry.dispatch("double", (X,), None)
    for candidate in registry._operators["double"].candidates:
        candidate.objection = lambda call: pytest.fail("asked again")
    registry.dispatch("double", (X,), None)
