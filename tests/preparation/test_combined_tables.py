import pytest

from crane_pyg.datasets.tables import open_table, read_columns
from crane_pyg.preparation.combined_tables import (
    FlaggedTable,
    RenamedTable,
    StackedTable,
    names_by_number,
)


def table(folder, name, *lines):
    (folder / name).write_text("\n".join(lines))
    return open_table(folder / name)


def test_a_stack_knows_the_part_and_the_line(tmp_path):
    first = table(tmp_path, "a.csv", "u,i", *(f"{n},{2 * n}" for n in range(700)))
    second = table(tmp_path, "b.csv", "u,i", "x,y", "z,w")
    stack = StackedTable(tmp_path, {"train": first, "test": second})
    assert stack.columns == ["u", "i", "split"]
    split, items = read_columns(stack, ["split", "i"])
    assert split == ["train"] * 700 + ["test"] * 2
    assert items == [*(str(2 * n) for n in range(700)), "y", "w"]
    assert read_columns(stack, ["split"]) == [split]
    assert stack.where(699) == f"'{first.path}', line 701"
    assert stack.where(701) == f"'{second.path}', line 3"
    with pytest.raises(ValueError, match=r"b\.csv' must have the columns \['u'\], as the other"):
        StackedTable(tmp_path, {"train": table(tmp_path, "c.csv", "u", "1"), "test": second})


def test_numbers_become_ids(tmp_path):
    renamed = RenamedTable(
        table(tmp_path, "a.csv", "u,i", *(f"{n % 2},{n}" for n in range(600)), "2,5"),
        {"u": {"0": "zero", "1": "one"}},
    )
    assert read_columns(renamed, ["i"])[0][-1] == "5"
    with pytest.raises(ValueError, match=r"a\.csv', line 602, column 'u': must be .* \(got '2'\)"):
        read_columns(renamed, ["i", "u"])
    renamed.names["u"]["2"] = "two"
    assert read_columns(renamed, ["i", "u"])[1] == ["zero", "one"] * 300 + ["two"]


@pytest.mark.parametrize(("numbers", "ids"), [("11", "ab"), ("12", "aa")])
def test_names_are_one_to_one(tmp_path, numbers, ids):
    assert names_by_number(tmp_path, "12", "ab") == {"1": "a", "2": "b"}
    with pytest.raises(ValueError, match=r"must name each id and each number once \(got '[1a]'"):
        names_by_number(tmp_path, numbers, ids)


def test_flags_become_words(tmp_path):
    stored = table(tmp_path, "a.csv", "i,war,love", "1,0,1", "2,1,1", "3,0,0")
    flagged = FlaggedTable(stored, "kinds", ["war", "love"])
    assert read_columns(flagged, ["kinds", "i"]) == [["love", "war love", ""], ["1", "2", "3"]]
