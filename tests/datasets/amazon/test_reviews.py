import json

import pytest

from crane_pyg.datasets import AmazonMultimodal
from tests.datasets.amazon.originals import REVIEWS, edit_lines, left_behind, review, write


def review_line(**change):
    record = {**review(0, 0), **change}
    return json.dumps({name: value for name, value in record.items() if value is not ...}).encode()


BAD_REVIEWS = {
    "neither": (b"{'asin': ", "must be a JSON object or a Python literal"),
    "no record": (b"[1, 2]", "must hold a record"),
    "bad UTF-8": (b'{"asin": "\xff"}', "must be UTF-8 .*got byte 0xff at 10"),
    "deep JSON": (b"[" * 200_000, "nested too deeply"),
    "deep literal": (b"-" * 200_000 + b"1", "nested too deeply"),
    "many brackets": (b"{'a': " + b"(" * 200_000, "literal"),
    "many digits": (b"9" * 9000, "literal"),
    "no asin": (review_line(asin=...), "must have a 'asin' .*'overall', 'reviewText'"),
    "no reviewer": (review_line(reviewerID=...), "must have a 'reviewerID'"),
    "blank reviewer": (review_line(reviewerID=""), "'reviewerID' must be a printable text"),
    "half a reviewer": (review_line(reviewerID="\ud800"), "'reviewerID' must be a printable text"),
    "list as asin": (review_line(asin=["B000000001"]), "'asin' must be ten ASCII letters"),
    "other letters": (review_line(asin="B00000000é"), "'asin' must be ten ASCII letters"),
    "short asin": (review_line(asin="B1"), "'asin' must be ten ASCII letters"),
    "words as rating": (review_line(overall="five"), "'overall' must be .*got 'five'"),
    "a date as rating": (review_line(overall="2013-01-01"), "'overall' must be .*got '2013-01-01'"),
    "NaN as rating": (review_line(overall=float("nan")), "'overall' must be .*got nan"),
    "yes as rating": (review_line(overall=True), "'overall' must be .*got True"),
    "words as time": (review_line(unixReviewTime="now"), "'unixReviewTime' must be .*got 'now'"),
    "time with parts": (review_line(unixReviewTime=1.5), "'unixReviewTime' must be .*got 1.5"),
    "milliseconds": (review_line(unixReviewTime=10**12), "'unixReviewTime' must be seconds"),
}


@pytest.mark.parametrize("kind", BAD_REVIEWS)
def test_bad_reviews_are_refused_by_line(tmp_path, kind):
    line, message = BAD_REVIEWS[kind]
    path = write(tmp_path) / "raw" / REVIEWS
    edit_lines(path, lambda lines: [*lines[:2], line, *lines[2:]])
    with pytest.raises(ValueError, match=rf"{REVIEWS}', line 3: .*{message}"):
        AmazonMultimodal(tmp_path, "baby")
    assert not left_behind(tmp_path)
