import pytest

from crane_pyg.datasets.ids import read_ids


def write(folder, content):
    (folder / "items.csv").write_text(content)
    return folder


def test_ids_and_titles_are_text_whatever_they_look_like(tmp_path):
    content = 'itemID,colour,title,original_id\n0,red,"A, ""B""",007\n1,blue,,NA\n'
    table = read_ids(write(tmp_path, content), "items", 2)
    assert table.to_dict("list") == {"original_id": ["007", "NA"], "title": ['A, "B"', ""]}


def test_titles_may_lack_and_so_may_the_file(tmp_path):
    table = read_ids(write(tmp_path, "itemID,original_id\n0,a\n1,b\n"), "items", 1)
    assert table.to_dict("list") == {"original_id": ["a", "b"]}
    assert read_ids(tmp_path, "users", 1) is None


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", r"line 1: must name the columns"),
        ("itemID,name\n0,a\n", r"needs a column 'original_id' \(got \['itemID', 'name'\]\)"),
        ("itemID,original_id\n", r"a row for each of 2 items \(got 0\)"),
        ("itemID,original_id\n0,a\n", r"a row for each of 2 items \(got 1\)"),
        ("itemID,original_id\n0,a\n2,b\n", r"row 1, column 'itemID': must be 1 \(got '2'\)"),
        ("itemID,original_id\n0,a\n1,a\n", r"must be distinct \(got 'a' twice\)"),
        ("itemID,original_id\n0,a,b\n", r"line 2: must have 2 fields between commas"),
    ],
)
def test_errors(tmp_path, content, message):
    with pytest.raises(ValueError, match=r"items\.csv'.*" + message):
        read_ids(write(tmp_path, content), "items", 2)
