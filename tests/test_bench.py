"""What the benchmarks count, by hand; times decide nothing here."""

import pytest
import torch

from tests.bench.floors import SHARE_OF_PRODUCTS, Ceilings, Work, counted
from tests.bench.load import fair_share
from torch_utils import ops
from torch_utils.ops.conv_choice import ConvShape, choose


@pytest.mark.parametrize(
    ("threads", "busy", "cores", "share"), [(2, 2, 2, 0.5), (2, 0, 2, 1.0), (1, 1, 2, 1.0), (2, 6, 2, 0.25), (4, 4, 2, 0.5)]
)
def test_a_fair_share_of_the_cores(threads, busy, cores, share):
    assert fair_share(threads, busy, cores) == share


def test_operations_and_bytes_of_each_operator():
    x, weight, taps = torch.randn(1, 8, 10, 12), torch.randn(16, 8, 3, 3), torch.tensor([2.0, 3, 4, 5, 6, 7, 7, 6, 5, 4, 3, 2])
    calls = counted(
        lambda: (
            ops.modulated_conv2d(x, weight, torch.ones(1, 8), padding=1),
            ops.upfirdn2d(x, taps, up=2, padding=(6, 5, 6, 5)),
            ops.filtered_lrelu(x, taps, taps, up=2, down=2, padding=(11, 10, 11, 10)),
            ops.doubling_conv2d(x, weight, torch.ones(1, 8), torch.ones(4, 4)),
        )
    )
    conv, resampled, filtered, doubled = calls
    products = SHARE_OF_PRODUCTS.get(choose(ConvShape(1, 8, 16, 10, 12, 3, 1)).algorithm, 1.0) * 9
    assert conv == Work("modulated_conv2d", 2 * 8 * 16 * 120 * products, 4 * (8 * 120 + 16 * 8 * 9 + 8 + 16 * 120))
    assert resampled.operations == 2 * 8 * 6 * (10 * 24 + 20 * 24)  # six taps a phase: along x on every row, then along y
    rise, fall = 3 * (10 * 24 + 20 * 24), 5 * 10 * 24 + 6 * 10 * 12  # half of six and twelve; of these, the pivot's tap is 1
    assert filtered.operations == 2 * 8 * (rise + fall)
    assert doubled.operations == 2 * 8 * 120 * 16 * 9


def test_a_floor_is_the_larger_of_arithmetic_and_traffic():
    ceilings = Ceilings(gemm_s=100.0, loop_s=50.0, bytes_s=10.0)
    assert ceilings.floor_s(Work("", 200.0, 10)) == 2.0 and ceilings.floor_s(Work("", 200.0, 40)) == 4.0
