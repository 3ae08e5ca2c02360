import csv
import io
import json
import re

import numpy as np
import pandas as pd
import pytest
import torch

from crane_pyg.cli import main
from crane_pyg.datasets import load_dataset
from crane_pyg.training import load_model, recommend

NUM_USERS, NUM_ITEMS = 12, 20


@pytest.fixture
def folder(tmp_path):
    """Twelve users with seven items each; user 3 has five only."""
    folder = tmp_path / "shop"
    folder.mkdir()
    rng = np.random.default_rng(0)
    rows = [
        (user, item, label)
        for user in range(NUM_USERS)
        for item, label in zip(
            rng.permutation(NUM_ITEMS)[: 5 if user == 3 else 7], [0, 0, 0, 1, 2, 0, 0]
        )
    ]
    table = pd.DataFrame(rows, columns=["userID", "itemID", "x_label"])
    table.to_csv(folder / "shop.inter", sep="\t", index=False)
    np.save(folder / "visual_feat.npy", rng.standard_normal((NUM_ITEMS, 6)))
    return folder


@pytest.fixture
def names(folder):
    """Ids with commas, quotes and spaces, and titles."""
    users = [f"user, {n}" for n in range(NUM_USERS)]
    items = [f'"{n}" ü' for n in range(NUM_ITEMS)]
    titles = [f"Title {n}" for n in range(NUM_ITEMS)]
    pd.DataFrame({"userID": range(NUM_USERS), "original_id": users}).to_csv(
        folder / "users.csv", index=False
    )
    pd.DataFrame({"itemID": range(NUM_ITEMS), "original_id": items, "title": titles}).to_csv(
        folder / "items.csv", index=False
    )
    return users, items, titles


@pytest.fixture
def trained(folder):
    """The folder of a run on it."""

    def train(*options):
        out = folder.parent / "run"
        argv = ["--model", "lightgcn", "--epochs", "1", "--device", "cpu", "--out", str(out)]
        main(["train", str(folder), *argv, *options])
        return out

    return train


def call(capsys, folder, run, *options):
    capsys.readouterr()
    main(["recommend", str(folder), "--run", str(run), "--device", "cpu", *options])
    return pd.read_csv(io.StringIO(capsys.readouterr().out), dtype={"user": str, "item": str})


def test_numbers_where_there_are_no_names(capsys, folder, trained):
    run = trained()
    table = call(capsys, folder, run, "--k", "3", "--users", "5,0")
    assert list(table) == ["user", "rank", "item", "score"]
    data = load_dataset(folder)[0]
    model = load_model(run / "model.safetensors", data)
    expected = recommend(model, data, torch.tensor([5, 0]), 3)
    assert table["user"].tolist() == ["5"] * 3 + ["0"] * 3
    assert table["rank"].tolist() == [1, 2, 3] * 2
    assert table["item"].astype(int).tolist() == expected.item.flatten().tolist()
    assert table["score"].tolist() == pytest.approx(expected.score.flatten().tolist(), rel=1e-5)


def test_names_and_titles(capsys, folder, names, trained):
    users, items, titles = names
    run, wanted = trained(), folder.parent / "wanted.txt"
    numbers = call(capsys, folder, run, "--k", "2")
    assert numbers["user"].unique().tolist() == users
    assert set(numbers["item"]) <= set(items)
    assert numbers["title"].tolist() == [titles[items.index(item)] for item in numbers["item"]]
    wanted.write_text(f"{users[7]}\n{users[2]}\n")
    some = call(capsys, folder, run, "--k", "2", "--users-file", str(wanted))
    assert some["user"].tolist() == [users[7]] * 2 + [users[2]] * 2
    assert some["item"].tolist()[:2] == numbers["item"][numbers["user"] == users[7]].tolist()


def test_seen_items_leave_fewer_than_k(capsys, folder, trained):
    table = call(capsys, folder, trained(), "--k", str(NUM_ITEMS))
    count = table.groupby("user").size()
    assert count["0"] == NUM_ITEMS - 7
    assert np.isfinite(table["score"]).all()
    every = call(capsys, folder, folder.parent / "run", "--k", "20", "--exclude", "none")
    assert (every.groupby("user").size() == NUM_ITEMS).all()


def test_users_who_were_dropped_keep_their_neighbours_names(capsys, folder, names, trained):
    users, _, _ = names
    options = ["--min-interactions", "7"]
    table = call(capsys, folder, trained(*options), "--k", "1", *options)
    assert table["user"].tolist() == [user for n, user in enumerate(users) if n != 3]


def test_a_file_in_the_place_of_the_screen(capsys, folder, trained):
    run, out = trained(), folder.parent / "new" / "top.csv"
    capsys.readouterr()
    argv = ["recommend", str(folder), "--run", str(run), "--device", "cpu"]
    main([*argv, "--out", str(out)])
    rows = out.read_text().count("\n") - 1
    assert re.fullmatch(
        rf"'{re.escape(str(out))}': {rows:,} recommendations to [\d,]+ users\n",
        capsys.readouterr().out,
    )
    main(argv)
    assert capsys.readouterr().out == out.read_text()


def rename(folder, kind, number, names, **columns):
    table = pd.DataFrame({number: range(len(names)), "original_id": names, **columns})
    table.to_csv(folder / f"{kind}.csv", index=False, quoting=csv.QUOTE_NONNUMERIC)


def test_ids_that_end_lines_elsewhere_are_written_and_named(capsys, folder, trained):
    odd = ["a\rb", "a\u2028b", "a\x0cb", "\ufeffa", "a\x85b", "a\x1cb", "a\r"]
    users = [*odd, "a\nb", *(f"u{n}" for n in range(NUM_USERS - 8))]
    rename(folder, "users", "userID", users)
    rename(folder, "items", "itemID", [f"i\r{n}" for n in range(NUM_ITEMS)])
    out = trained()
    capsys.readouterr()  # the training's own words
    asked = folder / "asked"
    for wanted in (odd, odd[3:]):
        asked.write_text("\n".join(wanted) + "\n", encoding="utf-8", newline="")
        main(["recommend", str(folder), "--run", str(out), "--k", "1", "--users-file", str(asked)])
        rows = list(csv.reader(io.StringIO(capsys.readouterr().out, newline="")))
        assert [row[0] for row in rows[1:]] == wanted
        assert {len(row) for row in rows} == {4}
    asked = folder / "asked.json"
    asked.write_text(json.dumps(users))
    main(["recommend", str(folder), "--run", str(out), "--k", "1", "--users-file", str(asked)])
    rows = list(csv.reader(io.StringIO(capsys.readouterr().out, newline="")))
    assert [row[0] for row in rows[1:]] == users


def test_formulas_are_escaped_where_titles_are_written(capsys, folder, trained):
    signs = ["=1+1", "+a", "-a", "@a", "\ta", "-5", "+3.5", "plain"]
    titles = [signs[n % len(signs)] for n in range(NUM_ITEMS)]
    ids = [f"={n}" for n in range(NUM_ITEMS)]
    rename(folder, "items", "itemID", ids, title=titles)
    out = trained()
    capsys.readouterr()  # the training's own words

    def table(*options):
        main(["recommend", str(folder), "--run", str(out), "--users", "0", *options])
        return pd.read_csv(io.StringIO(capsys.readouterr().out), dtype=str)

    plain, escaped = table("--no-escape-formulas"), table()
    assert set(plain["title"]) <= set(signs)
    assert set(plain["item"]) <= set(ids)
    assert escaped["item"].tolist() == [f"'{item}" for item in plain["item"]]
    for before, after in zip(plain["title"], escaped["title"], strict=True):
        assert after == (before if before in ("-5", "+3.5", "plain") else f"'{before}")
    rename(folder, "items", "itemID", ids)
    assert table()["item"].tolist() == plain["item"].tolist()
    assert table("--escape-formulas")["item"].tolist() == escaped["item"].tolist()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--users", "0,99,x"], "got 2 unknown: '99', 'x'"),
        (["--k", "21"], "k must not exceed the catalogue (got k=21, items=20)"),
        (["--k", "0"], "k must be at least 1 (got 0)"),
        (["--users", "0", "--users-file", "f"], "not allowed with"),
        (["--users-file", "nowhere.txt"], "nowhere.txt"),
        (["--min-interactions", "7"], "was trained on other data"),
        (["--split", "random"], "(got, there and now: fingerprint '"),
    ],
)
def test_mistakes(capsys, folder, trained, options, message):
    refused(capsys, folder, trained(), options, message)


def refused(capsys, folder, run, options, message):
    capsys.readouterr()
    with pytest.raises(SystemExit) as stop:
        main(["recommend", str(folder), "--run", str(run), "--device", "cpu", *options])
    assert stop.value.code == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert message in err.splitlines()[-1]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("userID,name\n0,a\n", "users.csv' needs a column 'original_id'"),
        ("userID,original_id\n1,a\n", "row 0, column 'userID': must be 0 (got '1')"),
        ("userID,original_id\n0,a\n1,b\n", "must have a row for each of 12 users (got 2)"),
        ("", "users.csv', line 1: must name the columns"),
        (
            "userID,original_id\n" + "".join(f"{n},{'ab'[n % 2]}\n" for n in range(12)),
            "must be distinct (got 'a' twice)",
        ),
    ],
)
def test_a_broken_table_of_names(capsys, folder, trained, content, message):
    run = trained()
    (folder / "users.csv").write_text(content)
    refused(capsys, folder, run, [], message)


def test_another_run(capsys, folder, trained):
    refused(capsys, folder, folder / "nothing", [], "--run must be the --out of a training")
    run = trained()
    refused(capsys, "tiny", run, [], "dataset 'shop' and 'tiny'")
