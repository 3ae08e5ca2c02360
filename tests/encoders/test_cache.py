import os
import signal

import numpy as np
import pytest

from crane_pyg.encoders.cache import FeatureCache, digest

KEYS = [digest(bytes([i])) for i in range(10)]


class Encoder:
    """Row i of the keys is (i, 1); remembers what it was asked for."""

    def __init__(self):
        self.asked = []

    def __call__(self, positions):
        self.asked += positions
        return np.array([[i, 1] for i in positions])


def test_digests_differ_where_parts_do():
    assert len({digest(b"ab"), digest(b"a", b"b"), digest(b"b", b"a"), digest(b"ab", b"")}) == 4


@pytest.mark.parametrize("kept", [True, False])
def test_only_what_is_new_is_encoded(tmp_path, kept):
    folder = tmp_path / "cache" if kept else None
    encoder = Encoder()
    rows = FeatureCache(folder, "a").rows(KEYS[:7], encoder, block=3)
    assert rows.tolist() == [[i, 1] for i in range(7)]
    assert rows.dtype == np.float32
    assert encoder.asked == list(range(7))
    again = [KEYS[i] for i in (8, 2, 2, 8, 5)]
    second = Encoder()
    rows = FeatureCache(folder, "a").rows(again, second)
    assert second.asked == ([0] if kept else [0, 1, 4])
    assert rows[:, 0].tolist() == ([0, 2, 2, 0, 5] if kept else [0, 1, 1, 0, 4])


def test_encoders_do_not_mix(tmp_path):
    FeatureCache(tmp_path, "a").rows(KEYS, Encoder())
    other = Encoder()
    FeatureCache(tmp_path, "b").rows(KEYS, other)
    assert other.asked == list(range(10))


def test_widths_of_other_inputs_do_not_matter(tmp_path):
    cache = FeatureCache(tmp_path, "a")
    cache.rows(KEYS[:1], lambda block: np.ones((1, 5)))
    assert cache.rows(KEYS[1:2], lambda block: np.ones((1, 3))).shape == (1, 3)
    assert cache.rows(KEYS[:1], None).shape == (1, 5)


def test_rows_with_nan_are_tried_again(tmp_path):
    cache = FeatureCache(tmp_path, "a")
    rows = cache.rows(KEYS[:2], lambda block: np.array([[np.nan], [1.0]]))
    assert np.isnan(rows[0])
    encoder = Encoder()
    cache.rows(KEYS[:1], encoder)
    assert encoder.asked == [0]


def test_broken_files_are_made_again(tmp_path):
    cache = FeatureCache(tmp_path, "a")
    cache.rows(KEYS, Encoder(), block=5)
    (one, other) = sorted(cache.folder.iterdir())
    one.write_bytes(one.read_bytes()[:100])
    encoder = Encoder()
    rows = cache.rows(KEYS, encoder)
    assert rows.tolist() == [[i, 1] for i in range(10)]
    assert len(encoder.asked) == 5


def test_who_is_killed_goes_on(tmp_path, killed):
    class Dies(Encoder):
        def __call__(self, positions):
            if 6 in positions:
                os.kill(os.getpid(), signal.SIGKILL)
            return super().__call__(positions)

    killed(lambda: FeatureCache(tmp_path, "a").rows(KEYS, Dies(), block=3))
    encoder = Encoder()
    rows = FeatureCache(tmp_path, "a").rows(KEYS, encoder, block=3)
    assert encoder.asked == [6, 7, 8, 9]
    assert rows.tolist() == [[i, 1] for i in range(10)]


def test_a_long_run_says_how_far_it_is(capsys, monkeypatch):
    clock = iter([0.0, *(6.0 * n for n in range(10))])
    monkeypatch.setattr("crane_pyg.encoders.cache.time.monotonic", lambda: next(clock))
    FeatureCache(None, "a").rows(KEYS, Encoder(), block=1, title="texts, a")
    assert capsys.readouterr().err.splitlines() == [
        f"texts, a: {done} of 10 blocks, {left} left"
        for done, left in ((2, "00:48"), (4, "00:36"), (6, "00:24"), (8, "00:12"))
    ]
    FeatureCache(None, "a").rows(KEYS, Encoder(), block=1)
    assert capsys.readouterr().err == ""
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    FeatureCache(None, "a").rows(KEYS, Encoder(), block=1, title="texts, a")
    assert "texts, a: 100%" in capsys.readouterr().err
