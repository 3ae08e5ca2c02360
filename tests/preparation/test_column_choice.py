import pytest

from crane_pyg.datasets.tables import open_table
from crane_pyg.preparation.column_choice import (
    choose_column,
    choose_texts,
    describe_columns,
    describe_unused,
)


def table(folder, header):
    path = folder / "t.csv"
    path.write_text(header + "\n")
    return open_table(path)


@pytest.mark.parametrize(
    ("role", "header"),
    [
        ("user", "a,User ID"),
        ("user", "reviewerID,b"),
        ("item", "a,asin"),
        ("item", "movieId,b"),
        ("rating", "a,overall"),
        ("timestamp", "unixReviewTime,b"),
        ("label", "x_label,b"),
        ("image", "a,image_path"),
    ],
)
def test_usual_names(tmp_path, role, header):
    found = choose_column(table(tmp_path, header), role, None, needed=True, option="--o")
    assert found not in ("a", "b")


def test_what_is_given_wins_and_what_is_not_needed_may_lack(tmp_path):
    there = table(tmp_path, "user,who,Title,brand")
    assert choose_column(there, "user", "who", needed=True, option="--o") == "who"
    assert choose_column(there, "rating", None, needed=False, option="--o") is None
    assert choose_texts(there, None, option="--o") == ["Title", "brand"]
    assert choose_texts(there, ["who"], option="--o") == ["who"]
    with pytest.raises(ValueError, match=r"no column 'jam' for --o \(got \['user', 'who'"):
        choose_texts(there, ["jam"], option="--o")
    shown = describe_columns(there, {"user": "who", "text": ["Title", "brand"], "image": None})
    assert shown == "t.csv, 1 lines: user = who, text = Title + brand"


def test_what_is_left_over_is_named_with_the_option_that_takes_it(tmp_path):
    there = table(tmp_path, "id,title,about," + ",".join(f"c{n}" for n in range(7)))
    told = describe_unused(there, ["id", "title", None], option="--text-columns")
    assert told == (
        "; not used: 'about', 'c0', 'c1', 'c2', 'c3', 'c4' and 2 more (see --text-columns)"
    )
    assert describe_unused(there, there.columns, option="--text-columns") == ""
