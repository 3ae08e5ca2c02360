"""The files of GroupLens' MovieLens sets, of every age."""

from pathlib import Path

from crane_pyg.datasets.tables import Table, open_table
from crane_pyg.preparation.combined_tables import FlaggedTable
from crane_pyg.preparation.plain_table import PlainTable
from crane_pyg.preparation.sources import Sources

RATINGS = ("user_id", "movie_id", "rating", "timestamp")
MOVIES = ("movie_id", "title", "genres")
GENRES = (  # of the columns of u.item, as the file u.genre has them
    *("unknown", "Action", "Adventure", "Animation", "Children's", "Comedy", "Crime"),
    *("Documentary", "Drama", "Fantasy", "Film-Noir", "Horror", "Musical", "Mystery"),
    *("Romance", "Sci-Fi", "Thriller", "War", "Western"),
)
OLD_MOVIES = ("movie_id", "title", "release_date", "video_release_date", "url", *GENRES)


class MovieLensFormat:
    """``u.data`` and ``u.item`` (100K), ``ratings.dat`` and ``movies.dat`` (1M, 10M), or
    ``ratings.csv`` and ``movies.csv`` (20M and later); the movies may be missing.

    Titles and genres are the movies' texts. Ratings of every height count unless a least one is
    asked for.
    """

    looks_like = "u.data, ratings.dat, or ratings.csv with movies.csv"

    def recognises(self, folder: Path) -> bool:
        """Tells whether one of these names is there."""
        there = {path.name for path in folder.iterdir()}
        return bool(there & {"u.data", "ratings.dat"}) or {"ratings.csv", "movies.csv"} <= there

    def sources(self, folder: Path) -> Sources:
        """Opens ratings and movies."""
        movies: Table | None = None
        ratings: Table
        if (folder / "u.data").exists():
            ratings = PlainTable(folder / "u.data", "\t", RATINGS)
            if (path := folder / "u.item").exists():
                stored = PlainTable(path, "|", OLD_MOVIES, encoding="latin-1")
                movies = FlaggedTable(stored, "genres", GENRES)
        elif (folder / "ratings.dat").exists():
            ratings = PlainTable(folder / "ratings.dat", "::", RATINGS)
            if (path := folder / "movies.dat").exists():
                movies = PlainTable(path, "::", MOVIES, encoding=_encoding(path))
        else:
            ratings = open_table(folder / "ratings.csv")
            if (path := folder / "movies.csv").exists():
                movies = open_table(path)
        texts = None if movies is None else ["title", "genres"]
        return Sources(ratings, movies, text_columns=texts)


def _encoding(path: Path) -> str:
    """The set of a million is in Latin 1, that of ten million in UTF-8."""
    try:
        path.read_bytes().decode()
    except UnicodeDecodeError:
        return "latin-1"
    return "utf-8"
