import pytest

from crane_pyg.training import call_each


def test_all_are_called_and_any_stops():
    seen = []

    def stops(row):
        seen.append("stops")
        return row["epoch"] == 2

    def goes_on(row):
        seen.append("goes on")

    for order in ((stops, goes_on), (goes_on, None, stops)):
        call = call_each(*order)
        assert not call({"epoch": 1.0})
        assert call({"epoch": 2.0})
    assert seen == ["stops", "goes on"] * 2 + ["goes on", "stops"] * 2
    assert not call_each(None)({"epoch": 1.0})


def test_what_one_raises_ends_all():
    def fails(row):
        raise KeyboardInterrupt

    seen = []
    with pytest.raises(KeyboardInterrupt):
        call_each(seen.append, fails, seen.append)({"epoch": 1.0})
    assert len(seen) == 1
