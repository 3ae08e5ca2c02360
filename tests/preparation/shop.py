"""A small shop whose files tests spoil, to see that each fault is refused."""

import re

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from crane_pyg.cli import main

ITEMS = [f"item {i}, no. {i}" for i in range(6)]
FEATURES = np.arange(1.0, 13.0).reshape(6, 2)


class Shop:
    """Six users and six items, everyone with everything, in the folder of a test."""

    def __init__(self, folder):
        self.folder = folder
        self.rows = [
            [f"user {u}", item, f"{1 + (u + i) % 5}", str(1000 + 10 * u + i)]
            for u in range(6)
            for i, item in enumerate(ITEMS)
        ]
        self.items = [[item, f"a text of word{i}", f"{i}.png"] for i, item in enumerate(ITEMS)]
        (folder / "pics").mkdir()
        for i in range(6):
            Image.new("RGB", (8, 8), (40 * i, 0, 99)).save(folder / "pics" / f"{i}.png")
        self.write()

    def write(self):
        head = ["user_id", "item_id", "rating", "timestamp"]
        pd.DataFrame(self.rows, columns=head).to_csv(self.folder / "log.csv", index=False)
        head = ["item_id", "title", "image"]
        pd.DataFrame(self.items, columns=head).to_csv(self.folder / "items.csv", index=False)

    def path(self, name):
        return str(self.folder / name)

    def log(self, content):
        (self.folder / "log.csv").write_bytes(content)

    def log_lines(self):
        return (self.folder / "log.csv").read_bytes().splitlines(keepends=True)

    def change(self, row, column, value):
        self.rows[row][column] = value
        self.write()

    def change_item(self, row, column, value):
        self.items[row][column] = value
        self.write()

    def features(self, values=FEATURES, name="x.npy"):
        np.save(self.folder / name, values)
        return ["--features", f"audio={self.path(name)}"]

    def run(self, *options):
        main(
            [
                *("prepare", "--interactions", self.path("log.csv")),
                *("--items", self.path("items.csv"), "--text-columns", ""),
                *("--cache", self.path("cache"), "--out", self.path("out"), *options),
            ]
        )

    def tree(self):
        found = sorted(path for path in self.folder.rglob("*") if "cache" not in path.parts)
        return {path: path.read_bytes() if path.is_file() else None for path in found}


def refused(message):
    """Makes a test of a function that spoils a shop, and may return options to prepare it with.

    It must end in one line that says where the fault is, and leave everything as it was.
    """

    def make(spoil):
        def test(shop, capsys, monkeypatch):
            monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
            monkeypatch.chdir(shop.folder)
            options = spoil(shop) or []
            before = shop.tree()
            with pytest.raises(SystemExit) as exit_:
                shop.run(*options)
            assert exit_.value.code == 2
            last = capsys.readouterr().err.splitlines()[-1]
            assert re.match("error: .*" + message, last), last
            assert shop.tree() == before

        return test

    return make
