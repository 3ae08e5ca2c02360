import gzip
import json

import pytest

from crane_pyg.datasets import AmazonMultimodal
from crane_pyg.datasets.amazon import convert
from tests.datasets.amazon.originals import META, about, asin, edit_lines, left_behind, write


def test_metadata_is_json_or_literals_and_says_what_it_says(tmp_path):
    path = tmp_path / META
    literal, other = about(1, title=None, categories="Baby"), about(2, brand=3, description=[" "])
    lines = [repr(literal), "", json.dumps(other), repr(about(9)), "{'asin': 'B000000010', (", ""]
    path.write_bytes(gzip.compress("\r\n".join(lines).encode()))
    texts = convert.read_texts(path, [asin(1), asin(2), asin(3)])
    assert texts == (
        ["Cosy Baby warm wool number1", 'Blanket & no 2\'s "best" 3 Baby Bedding Gifts', ""],
        0,
    )


BAD_META = {
    "neither": ("{'asin': 'B000000001', 'title': ", "literal"),
    "a number as asin": ("{'asin': 1}", "'asin' must be ten ASCII"),
    "no asin": ("{'title': 'x'}", "'asin' must be ten ASCII"),
    "a set as title": ("{'asin': 'B000000001', 'title': {1, 2}}", "'title' must be text"),
    "deep": ("{'asin': 'B000000001', 'title': " + "1+" * 100_000 + "1}", "nested too deeply"),
}


@pytest.mark.parametrize("kind", BAD_META)
def test_bad_metadata_is_refused_by_line(tmp_path, kind):
    line, message = BAD_META[kind]
    path = write(tmp_path) / "raw" / META
    edit_lines(path, lambda lines: [lines[0], line.encode(), *lines[2:]])
    with pytest.raises(ValueError, match=rf"{META}', line 2: .*{message}"):
        AmazonMultimodal(tmp_path, "baby")
    assert not left_behind(tmp_path)
