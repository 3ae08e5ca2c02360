import os
import random
import socket
import threading
import time
from contextlib import contextmanager

import httpx
import pandas as pd
import pytest
import uvicorn
from PIL import Image

from crane_pyg.cli import main
from crane_pyg.server import create_app

STYLES = {"red": ((200, 40, 40), "fire rose brick"), "blue": ((40, 60, 200), "sea sky ink")}


def write_files(folder):
    """Thirty customers and 24 things, half of them red and half blue; the first has no picture."""
    draw = random.Random(0)
    (folder / "pictures").mkdir()
    items = []
    for number in range(24):
        style = list(STYLES)[number % 2]
        colour, words = STYLES[style]
        items.append((f"thing/{number} é", f"{style} thing {number}", words))
        if number:
            picture = Image.new("RGB", (16, 16), colour)
            picture.putpixel((number % 16, number // 2), (255, 255, 255))
            picture.save(folder / "pictures" / f"{number} #?.png")
    names = [f"{number} #?.png" if number else "" for number in range(24)]
    table = pd.DataFrame(items, columns=["item_id", "title", "description"])
    table.assign(image=names).to_csv(folder / "items.csv", index=False)
    log = [
        (f"customer {user}", items[item][0])
        for user in range(30)
        for item in draw.sample(range(user % 2, 24, 2), 7)
    ]
    pd.DataFrame(log, columns=["user", "item"]).to_csv(folder / "log.csv", index=False)


@pytest.fixture(scope="session")
def shop_files(tmp_path_factory):
    """The files of a small shop, a model trained on them in ``run``, and exported in ``model``."""
    folder = tmp_path_factory.mktemp("shop")
    write_files(folder)
    before = os.getcwd()
    os.chdir(folder)
    try:
        for command in (
            "prepare --interactions log.csv --items items.csv --images pictures --out data "
            "--text-encoder tfidf-svd --image-encoder colour-histogram+hog --cache cache",
            "train data --model crane --epochs 3 --lr 0.02 --set k=4 --out run --device cpu",
            "export run --data data --out model",
        ):
            main(command.split())
    finally:
        os.chdir(before)
    return folder


@contextmanager
def listening(app):
    """Serves an application on the loopback address, and yields where."""
    config = uvicorn.Config(app, log_level="warning", access_log=False, timeout_graceful_shutdown=5)
    server = uvicorn.Server(config)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        try:
            while not server.started and thread.is_alive():
                time.sleep(0.005)
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join()


@pytest.fixture(scope="module")  # tests elsewhere fork, which a thread beside them may not survive
def app(shop_files):
    return create_app(shop_files / "model", pictures=shop_files / "pictures")


@pytest.fixture(scope="module")
def address(app):
    with listening(app) as address:
        yield address


@pytest.fixture
def client(address):
    with httpx.Client(base_url=address, timeout=20) as client:
        yield client
