import pytest

from crane_pyg.preparation import Encoding, Rules, open_folder, recognise_format
from crane_pyg.preparation.formats.movielens import GENRES
from tests.preparation.formats.folders import (
    ITEMS,
    PAIRS,
    features_by_id,
    pairs_of,
    prepared,
    write,
)

TITLES = [f"Été {i % 2}: the film (199{i})" for i in range(ITEMS)]
WORDS = [("Action", "Comedy"), ("Children's", "Drama")]
EVERY = {(str(u), str(i)) for u, i in PAIRS}


def fields(u, i):
    return [str(u), str(i), str(1 + (u + i) % 5), str(880_000_000 + i)]


def old(folder):
    write(folder / "u.data", *("\t".join(fields(u, i)) for u, i in PAIRS))
    flags = [["0"] * len(GENRES) for _ in range(ITEMS)]
    for i, row in enumerate(flags):
        for word in WORDS[i % 2]:
            row[GENRES.index(word)] = "1"
    lines = (
        "|".join([str(i), TITLES[i], "01-Jan-1995", "", "http://x", *flags[i]])
        for i in range(ITEMS)
    )
    write(folder / "u.item", *lines, encoding="latin-1")
    write(folder / "u1.base", "1\t1\t1\t1")
    return folder


def million(folder, encoding="latin-1"):
    write(folder / "ratings.dat", *("::".join(fields(u, i)) for u, i in PAIRS))
    lines = (f"{i}::{TITLES[i]}::{'|'.join(WORDS[i % 2])}" for i in range(ITEMS))
    write(folder / "movies.dat", *lines, encoding=encoding)
    return folder


def new(folder):
    rows = (",".join(fields(u, i)) for u, i in PAIRS)
    write(folder / "ratings.csv", "userId,movieId,rating,timestamp", *rows)
    lines = (f'{i},"{TITLES[i]}, a",{"|".join(WORDS[i % 2])}' for i in range(ITEMS))
    write(folder / "movies.csv", "movieId,title,genres", *lines)
    write(folder / "tags.csv", "userId,movieId,tag,timestamp", "1,1,nice,3")
    return folder


@pytest.mark.parametrize(
    ("layout", "names", "sizes"),
    [
        (old, ("u.data", "u.item"), ("53 rows", "8 rows")),
        (million, ("ratings.dat", "movies.dat"), ("53 rows", "8 rows")),
        (new, ("ratings.csv", "movies.csv"), ("54 lines", "9 lines")),
    ],
)
def test_every_age(tmp_path, layout, names, sizes):
    folder = layout(tmp_path)
    assert recognise_format(folder) == "movielens"
    encoding = Encoding(text="tfidf-svd-3")
    report, table, shown = prepared(folder, rules=Rules(split="time"), encoding=encoding)
    user, movie = ("userId", "movieId") if layout is new else ("user_id", "movie_id")
    assert shown == [
        f"{names[0]}, {sizes[0]}: user = {user}, item = {movie}, rating = rating, "
        "timestamp = timestamp",
        f"{names[1]}, {sizes[1]}: item = {movie}, text = title + genres",
    ]
    assert pairs_of(table) == EVERY
    assert set(table["rating"]) == {1, 2, 3, 4, 5}
    assert set(table[table["x_label"] == 2]["item"]) == {"7"}  # the latest
    assert report.missing == {"text": 0}
    first = next(open_folder(folder).items.blocks(["genres", "title"]))
    between = " " if layout is old else "|"
    assert first[0][:2] == [between.join(words) for words in (WORDS[0], WORDS[1])]
    assert [title.removesuffix(", a") for title in first[1]] == TITLES


def test_genres_of_the_old_set_are_words(tmp_path):
    folder = old(tmp_path)
    lines = (folder / "u.item").read_bytes().splitlines()
    for i, line in enumerate(lines):
        lines[i] = line.replace(TITLES[i].encode("latin-1"), b"same")
    (folder / "u.item").write_bytes(b"\n".join(lines))
    prepared(folder, encoding=Encoding(text="tfidf-svd-2"))
    text = features_by_id(folder, "text")
    assert text["0"] == text["2"] != text["1"] == text["3"]


def test_ten_million_are_in_utf_8(tmp_path):
    folder = million(tmp_path, encoding="utf-8")
    prepared(folder)
    assert len(features_by_id(folder, "text")) == ITEMS


def test_movies_may_be_missing(tmp_path):
    folder = million(tmp_path)
    (folder / "movies.dat").unlink()
    report, table, _ = prepared(folder, rules=Rules(min_rating=4))
    assert report.missing == {}
    assert pairs_of(table) == {(str(u), str(i)) for u, i in PAIRS if (u + i) % 5 >= 3}


def test_a_line_of_another_kind_is_named(tmp_path):
    folder = million(tmp_path)
    with (folder / "ratings.dat").open("a") as file:
        file.write("1::2::3\n")
    with pytest.raises(
        ValueError, match=r"ratings\.dat', line 54: must have 4 fields .* \(got 3\)"
    ):
        prepared(folder)


def test_a_movie_that_is_not_listed_is_named(tmp_path):
    folder = million(tmp_path)
    with (folder / "ratings.dat").open("a") as file:
        file.write("1::99::3::4\n")
    with pytest.raises(ValueError, match=r"ratings\.dat', line 54, column 'movie_id': .* '99'"):
        prepared(folder)
    report, _, _ = prepared(folder, unknown_items="drop")
    assert report.dropped["of unknown items"] == 1
