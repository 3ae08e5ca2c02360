import socket

import pytest
import uvicorn

from crane_pyg.cli import demo, main
from crane_pyg.demo import drawing


@pytest.mark.slow
def test_a_shop_in_a_minute(capsys, tmp_path, monkeypatch):
    """Every command is shown as it could be typed; a second start serves what lies there."""
    monkeypatch.setattr(drawing, "SIDE", 48)
    served = []

    def answered(server, sockets):
        served.append(server.config.app.state.answers.shop.now)

    monkeypatch.setattr(uvicorn.Server, "run", answered)
    argv = ["demo", "--out", str(tmp_path / "shop"), "--port", "0"]
    main(argv)
    out = capsys.readouterr().out
    shown = [line.split()[4] for line in out.splitlines() if line.startswith("$ python -m")]
    assert shown == ["prepare", "train", "export", "serve"]
    assert "serving at http://127.0.0.1:" in out
    main(argv)
    again = capsys.readouterr().out
    assert [line.split()[4] for line in again.splitlines() if line.startswith("$")] == ["serve"]
    first, second = (now.recommender for now in served)
    assert len(first.item_ids) == 200
    assert first.recommend("customer 7", 5) == second.recommend("customer 7", 5)
    assert sum(map(bool, first.pictures)) == 180


def test_a_port_that_is_none_is_told_before_the_work(capsys, tmp_path, monkeypatch):
    monkeypatch.setattr(demo, "write_toy_shop", lambda out: pytest.fail("too late"))
    with pytest.raises(SystemExit) as stop:
        main(["demo", "--out", str(tmp_path / "shop"), "--port", "99999"])
    assert stop.value.code == 2
    assert "--port must lie between 0 and 65535" in capsys.readouterr().err


@pytest.mark.parametrize("command", ["demo", "serve"])
def test_a_port_that_is_taken_is_told_before_the_work(capsys, tmp_path, monkeypatch, command):
    monkeypatch.setattr(demo, "write_toy_shop", lambda out: pytest.fail("too late"))
    where = ["--out", str(tmp_path / "shop")] if command == "demo" else [str(tmp_path / "model")]
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(SystemExit) as stop:
        main([command, *where, "--port", str(taken.getsockname()[1])])
    assert stop.value.code == 2
    assert "try another, or --port 0, which takes any" in capsys.readouterr().err


def test_packages_that_are_missing_are_told_before_the_work(capsys, tmp_path, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    for argv in (["demo", "--out", str(tmp_path / "shop")], ["serve", str(tmp_path)]):
        with pytest.raises(SystemExit) as stop:
            main(argv)
        assert stop.value.code == 2
        assert "A server needs fastapi: pip install 'crane-pyg[serve]'" in capsys.readouterr().err
