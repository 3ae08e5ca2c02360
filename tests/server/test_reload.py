import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time

import httpx
import pytest

from crane_pyg.cli import main
from crane_pyg.server import create_app
from crane_pyg.serving import Recommender
from tests.server.conftest import listening


@pytest.fixture(scope="module")
def newer(shop_files):
    """The same shop, trained by another model."""
    train = "train data --model lightgcn --epochs 1 --device cpu --out other"
    export = "export other --data data --out newer"
    before = os.getcwd()
    os.chdir(shop_files)
    try:
        main(train.split())
        main(export.split())
    finally:
        os.chdir(before)
    return shop_files / "newer"


@pytest.fixture
def model(shop_files, tmp_path):
    return shutil.copytree(shop_files / "model", tmp_path / "model")


def replace(model, newer):
    """As ``export`` does: the note comes last, and what it does not name goes."""
    for path in sorted(newer.iterdir(), key=lambda path: path.suffix == ".json"):
        shutil.copy(path, model / f".{path.name}.part")
        os.replace(model / f".{path.name}.part", model / path.name)


def test_a_newer_artefact_is_served_without_a_request_lost(model, newer):
    expected = [
        list(Recommender.load(path).recommend("customer 3", 5).ids) for path in (model, newer)
    ]
    assert expected[0] != expected[1]
    answers, stop = [], threading.Event()
    with listening(create_app(model)) as address:

        def ask():
            with httpx.Client(base_url=address, timeout=20) as client:
                while not stop.is_set():
                    body = {"users": ["customer 3"], "k": 5}
                    answers.append(client.post("/recommend", json=body))

        threads = [threading.Thread(target=ask) for _ in range(4)]
        for thread in threads:
            thread.start()
        time.sleep(0.2)
        replace(model, newer)
        for _ in range(2):
            assert httpx.post(f"{address}/reload", timeout=20).status_code == 200
        time.sleep(0.2)
        stop.set()
        for thread in threads:
            thread.join()
        assert httpx.get(f"{address}/health").json()["model"] == "lightgcn"
        assert 'crane_reloads_total{result="done"} 2.0' in httpx.get(f"{address}/metrics").text
    assert {answer.status_code for answer in answers} == {200}
    lists = [[i["id"] for i in answer.json()["results"][0]["items"]] for answer in answers]
    assert all(found in expected for found in lists)
    assert lists[0] == expected[0]
    assert lists[-1] == expected[1]


def test_a_broken_artefact_leaves_the_older_one(model):
    with listening(create_app(model)) as address:
        (model / "artefact.json").write_text("{}")
        response = httpx.post(f"{address}/reload")
        assert response.status_code == 409
        assert "the older artefact is served on" in response.json()["detail"]
        body = {"users": ["customer 3"]}
        assert httpx.post(f"{address}/recommend", json=body).status_code == 200
        assert 'crane_reloads_total{result="failed"} 1.0' in httpx.get(f"{address}/metrics").text


SERVE = """
import sys
from pathlib import Path
from crane_pyg.server import serve
assert "torch" not in sys.modules
serve(Path(sys.argv[1]), port=0)
"""


def test_signals(model, newer):
    """SIGHUP reads the newer artefact; SIGTERM lets what is under way end. Torch is not needed."""
    command = [sys.executable, "-c", SERVE, str(model)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            check_signals(process, model, newer)
        finally:
            process.kill()


def check_signals(process, model, newer):
    what, where, whom = (process.stdout.readline() for _ in range(3))
    assert "Recommender('crane', 30 users, 24 items)" in what
    assert "this machine alone" in whom
    address = where.split()[-1].rstrip("/")
    assert address.startswith("http://127.0.0.1:")
    assert httpx.get(f"{address}/health").json()["model"] == "crane"
    replace(model, newer)
    process.send_signal(signal.SIGHUP)
    for _ in range(100):
        if httpx.get(f"{address}/health").json()["model"] == "lightgcn":
            break
        time.sleep(0.05)
    else:
        pytest.fail("SIGHUP was not heard")
    body = b'{"items": ["thing/1 \xc3\xa9"], "k": 2}'

    def late():
        yield body[:9]
        process.send_signal(signal.SIGTERM)
        time.sleep(0.3)
        yield body[9:]

    headers = {"content-type": "application/json"}
    response = httpx.post(f"{address}/history", content=late(), headers=headers)
    assert response.status_code == 200
    assert process.wait(timeout=10) in (0, -signal.SIGTERM)
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"{address}/health")


def test_an_address_that_is_taken(capsys, model):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        with pytest.raises(SystemExit) as stop:
            main(["serve", str(model), "--port", port])
    assert stop.value.code == 2
    assert "--host and --port must be free to listen on" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["nothing"], "must be the folder of an export"),
        (["{model}", "--port", "70000"], "--port must lie between 0 and 65535 (got 70000)"),
        (["{model}", "--pictures", "nowhere"], "the pictures must lie in a folder"),
        (["{model}", "--host", "999.1.1.1"], "must be free to listen on"),
    ],
)
def test_mistakes(capsys, model, options, message):
    with pytest.raises(SystemExit) as stop:
        main(["serve", *(option.format(model=model) for option in options)])
    assert stop.value.code == 2
    assert message in capsys.readouterr().err
