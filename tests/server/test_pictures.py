import socket
from contextlib import closing
from urllib.parse import quote, urlsplit

import pytest

from crane_pyg.server import create_app
from crane_pyg.server.pictures import PictureFolder, media_of


@pytest.fixture
def folder(tmp_path):
    root = tmp_path / "pictures"
    (root / "sub").mkdir(parents=True)
    for name in ("a.png", "sub/b.JPG", "note.txt", "unnamed.png"):
        (root / name).write_bytes(b"x")
    (tmp_path / "secret.png").write_bytes(b"secret")
    (root / "link.png").symlink_to(tmp_path / "secret.png")
    (root / "inner.png").symlink_to(root / "a.png")
    (root / "loop.png").symlink_to(root / "loop.png")
    (root / "folder.png").mkdir()
    return root


def test_pictures_that_items_have(folder):
    found = PictureFolder(folder, ["a.png", "sub/b.JPG", "inner.png", ""])
    assert found.find("a.png") == folder.resolve() / "a.png"
    assert found.find("sub/b.JPG") == folder.resolve() / "sub" / "b.JPG"
    assert found.find("inner.png") == folder.resolve() / "a.png"
    assert found.find("unnamed.png") is None
    assert found.find("") is None


@pytest.mark.parametrize(
    "name",
    [
        *("../secret.png", "sub/../../secret.png", "link.png", "note.txt", "gone.png"),
        *("folder.png", "loop.png", "a.png\0", "/etc/passwd", "x" * 5000, "a.png/"),
    ],
)
def test_an_artefact_that_names_other_files_gets_none(folder, name):
    assert PictureFolder(folder, [name]).find(name) in (None, folder.resolve() / name.strip("/"))
    assert name == "a.png/" or PictureFolder(folder, [name]).find(name) is None


def test_what_browsers_show():
    assert media_of(b"\x89PNG\r\n\x1a\n...") == "image/png"
    assert media_of(b"RIFF....WEBPVP8 ") == "image/webp"
    assert media_of(b"RIFF....WAVEfmt ") is None
    assert media_of(b"<svg onload='alert(1)'>") is None
    assert media_of(b"") is None


def test_over_http(client, shop_files):
    page = client.get("/items", params={"search": "thing/7"}).json()
    response = client.get("/" + page["items"][0]["picture"])
    assert response.content == (shop_files / "pictures" / "7 #?.png").read_bytes()
    assert response.headers["content-type"] == "image/png"


def raw(address, path):
    """The status of a path that clients would tidy up."""
    place = urlsplit(address)
    with closing(socket.create_connection((place.hostname, place.port), timeout=10)) as line:
        line.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
        return int(line.recv(65536).split()[1])


@pytest.mark.parametrize(
    "path",
    [
        "/pictures/../items.csv",
        "/pictures/..%2fitems.csv",
        "/pictures/%2e%2e/%2e%2e/etc/passwd",
        "/pictures//etc/passwd",
        "/pictures/..%5c..%5citems.csv",
        "/pictures/7%20%23%3F.png%00",
        "/pictures/%ff%fe",
        "/pictures/" + quote("x" * 3000),
        "/pictures/",
        "/page/..%2fapp.py",
        "/page/%2e%2e/app.py",
        "/page//etc/passwd",
        "/new-pictures/..%2f..%2fetc%2fpasswd",
    ],
)
def test_tricks_with_paths(address, path):
    assert raw(address, path) in (400, 404)


def test_a_folder_that_is_none(shop_files):
    with pytest.raises(ValueError, match="the pictures must lie in a folder"):
        create_app(shop_files / "model", pictures=shop_files / "nothing")
