"""What several panels share: the memory for derived values."""

from viz.panels import PanelContext
from viz.panels.parts import cached


def test_a_value_is_made_once_for_each_source_and_key():
    context, made = PanelContext(), []

    def make():
        made.append(1)
        return len(made)

    source, equal = [1, 2], [1, 2]
    assert [cached(context, "a", source, make) for _ in range(3)] == [1, 1, 1]
    assert cached(context, "a", source, make, key="other") == 2
    assert cached(context, "a", equal, make, key="other") == 3  # equal, but another object
    assert cached(context, "b", source, make) == 4
    assert cached(context, "a", equal, make, key="other") == 3


def test_the_source_stays_alive_so_that_no_later_object_takes_its_place():
    """An address is free again once its object is gone: a memory keyed by it would show yesterday's spectrum."""
    context = PanelContext()
    for i in range(200):
        assert cached(context, "a", [i], lambda i=i: i) == i
