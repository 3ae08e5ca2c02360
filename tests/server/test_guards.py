import json
import select
import socket
import threading
import time
from contextlib import closing
from urllib.parse import urlsplit

import httpx
import pytest

from crane_pyg.server import create_app
from tests.server.conftest import listening

SECONDS = 1.5


@pytest.fixture(scope="module")
def strict(shop_files):
    """A server that takes 2,000 bytes, within 1.5 seconds, by the names of this machine."""
    app = create_app(
        shop_files / "model",
        hosts=("127.0.0.1", "localhost", "::1"),
        most_bytes=2000,
        body_seconds=SECONDS,
    )
    with listening(app) as address:
        yield address


def talk(address, request):
    """Sends bytes, and returns status and body of the answer once the connection is closed."""
    place = urlsplit(address)
    with closing(socket.create_connection((place.hostname, place.port), timeout=10)) as line:
        line.sendall(request)
        return received(line)


def received(line):
    answer = b""
    while b"\r\n\r\n" not in answer:
        answer += line.recv(65536)
    head, _, body = answer.partition(b"\r\n\r\n")
    length = int(head.lower().partition(b"content-length: ")[2].split(b"\r\n")[0])
    while len(body) < length:
        body += line.recv(65536)
    return int(head.split()[1]), json.loads(body)


HEAD = b"POST /history HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"


def test_a_huge_body_is_refused_before_it_is_sent(strict):
    status, answer = talk(strict, HEAD + b"Content-Length: 999999999999999\r\n\r\n")
    assert (status, answer["detail"]) == (413, "a body must be at most 2,000 bytes")


def test_a_huge_body_in_pieces_is_refused_where_it_grows_too_long(strict):
    piece = b"400\r\n" + b"x" * 1024 + b"\r\n"
    status, _ = talk(strict, HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + 3 * piece)
    assert status == 413


def test_a_slow_client_is_refused_and_keeps_nobody_waiting(strict):
    place = urlsplit(strict)
    with closing(socket.create_connection((place.hostname, place.port), timeout=10)) as line:
        line.sendall(HEAD + b'Content-Length: 100\r\n\r\n{"items"')
        assert httpx.get(f"{strict}/health", timeout=20).status_code == 200
        assert not select.select([line], [], [], 0)[0]  # it is still waited for
        status, answer = received(line)
    assert (status, answer["detail"]) == (408, "a body must arrive within 1.5 s")


def test_a_body_that_dribbles_in_time_is_read(strict, shop_files):
    body = json.dumps({"items": ["thing/1 é"], "k": 2}).encode()

    def dribble():
        for start in range(0, len(body), 10):
            time.sleep(0.005)
            yield body[start : start + 10]

    headers = {"content-type": "application/json"}
    response = httpx.post(f"{strict}/history", content=dribble(), headers=headers)
    assert response.status_code == 200
    assert len(response.json()["items"]) == 2


def test_who_leaves_in_the_middle_harms_nobody(strict):
    place = urlsplit(strict)
    for _ in range(5):
        with closing(socket.create_connection((place.hostname, place.port))) as line:
            line.sendall(HEAD + b"Content-Length: 100\r\n\r\n{")
    assert httpx.get(f"{strict}/health").status_code == 200


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("localhost", 200),
        ("127.0.0.1:8000", 200),
        ("[::1]:8000", 200),
        ("LOCALHOST:1", 200),
        ("shop.example", 400),
        ("localhost.example", 400),
        ("", 400),
    ],
)
def test_only_names_of_this_machine(strict, host, status):
    response = httpx.get(f"{strict}/health", headers={"host": host})
    assert response.status_code == status


def test_every_answer_says_what_a_page_may_load(strict):
    for path in ("/", "/health", "/nothing"):
        headers = httpx.get(strict + path).headers
        assert headers["x-content-type-options"] == "nosniff"
        assert "default-src 'self'" in headers["content-security-policy"]


def test_what_is_for_this_machine_alone(app):
    import asyncio

    async def ask(client_host):
        transport = httpx.ASGITransport(app, client=(client_host, 1))
        async with httpx.AsyncClient(transport=transport, base_url="http://shop") as client:
            return [
                (await client.post("/reload")).status_code,
                (await client.post("/items", json={"title": "x"})).status_code,
            ]

    assert asyncio.run(ask("192.0.2.7")) == [403, 403]


def test_threads_end_with_the_server(shop_files):
    before = set(threading.enumerate())
    with listening(create_app(shop_files / "model")) as address:
        body = {"items": ["thing/1 é"]}
        assert httpx.post(f"{address}/history", json=body).status_code == 200
        assert any(
            thread.name.startswith("answers") for thread in set(threading.enumerate()) - before
        )
    left = set(threading.enumerate()) - before
    assert not [thread for thread in left if thread.name.startswith("answers")]
