"""Files that ask for more than a machine has, or are not what they seem: one line, and soon."""

import gzip
import json
import os
import struct
import zipfile
import zlib

import numpy as np
import pytest
import torch

from crane_pyg.cli import main
from crane_pyg.datasets.amazon.records import parse_record
from crane_pyg.datasets.interactions import read_interactions
from crane_pyg.datasets.npy import read_features
from crane_pyg.datasets.tables import open_table, read_columns
from crane_pyg.encoders import encode_images
from crane_pyg.limits import read_json, shown
from crane_pyg.preparation.aligned_features import align_features

IDS = ["a", "b", "c"]
HEAD = "userID\titemID\tx_label\n"


def gzipped(path, unit, times, head=b""):
    with gzip.open(path, "wb", 1) as file:
        file.write(head)
        block = unit * 2**16
        for _ in range(times):
            file.write(block)
    return path


def _read(path):
    table = open_table(path)
    for _ in table.blocks(table.columns):
        pass


@pytest.mark.parametrize(
    "unit",
    [
        b"0" * 16,
        pytest.param(b"u1,i1\nu2,i2\n\n\n\n\n", marks=pytest.mark.slow),
        pytest.param(b"\n" * 16, marks=pytest.mark.slow),
    ],
)
def test_a_gzip_bomb_is_refused_early(tmp_path, unit):
    path = gzipped(tmp_path / "log.csv", unit, 20, b"user,item\n")  # 20 MiB
    assert path.stat().st_size < 2**20
    with pytest.raises(ValueError, match=r"log\.csv': bytes (unpacked|of a line): must be at most"):
        _read(path)


def test_bounds_can_be_raised(tmp_path, monkeypatch):
    path = tmp_path / "a.csv"
    path.write_text("a,b,c\n1,2,3\n")
    monkeypatch.setenv("CRANE_PYG_MAX_COLUMNS", "2")
    with pytest.raises(ValueError, match=r"columns: must be at most 2 \(got 3; CRANE_PYG_MAX_COL"):
        open_table(path)
    monkeypatch.setenv("CRANE_PYG_MAX_COLUMNS", "3")
    assert read_columns(open_table(path), ["c"]) == [["3"]]
    for text in ("0", "-1", "many", "\u0663"):
        monkeypatch.setenv("CRANE_PYG_MAX_COLUMNS", text)
        with pytest.raises(ValueError, match="CRANE_PYG_MAX_COLUMNS must be a positive whole"):
            open_table(path)


def test_a_hundred_thousand_columns(tmp_path):
    path = tmp_path / "wide.csv"
    path.write_text(",".join(f"c{n}" for n in range(100_000)) + "\n")
    with pytest.raises(ValueError, match="line 1: columns: must be at most 10,000"):
        open_table(path)


@pytest.mark.parametrize("row", ["2147483647\t1\t0", "1\t2147483647\t0"])
def test_ids_far_beyond_their_number(tmp_path, row):
    path = tmp_path / "a.inter"
    path.write_text(f"{HEAD}0\t0\t0\n{row}\n")
    with pytest.raises(ValueError, match=r"line 3, column '\w+': an id: must be at most 249,999"):
        read_interactions(path)


def test_digits_of_other_scripts_are_no_ids(tmp_path):
    path = tmp_path / "a.inter"
    path.write_text(f"{HEAD}0\t0\t0\n\u0661\u0662\t1\t0\n", encoding="utf-8")
    with pytest.raises(ValueError, match="line 3, column 'userID': must be an integer"):
        read_interactions(path)


def png(path, side):
    """A picture of zeros, a thousand times smaller than its pixels."""

    def chunk(kind, content):
        check = struct.pack(">I", zlib.crc32(kind + content))
        return struct.pack(">I", len(content)) + kind + content + check

    head = struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0)
    pixels = zlib.compress(bytes((side + 1) * side), 1)
    chunks = [(b"IHDR", head), (b"IDAT", pixels), (b"IEND", b"")]
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(chunk(*part) for part in chunks))
    return path


def test_pictures_that_are_none(tmp_path):
    os.mkfifo(tmp_path / "pipe.png")
    (tmp_path / "device.png").symlink_to("/dev/zero")
    names = ["pipe.png", "device.png", "good.png", "bomb.png"]
    paths = [tmp_path / name for name in names]
    png(paths[2], 8)
    png(paths[3], 5001)
    features, _, unreadable = encode_images(paths, encoder="colour-histogram+hog")
    assert features.any(axis=1).tolist() == [False, False, True, False]
    assert "a pipe or a device" in unreadable[0]
    assert "a pipe or a device" in unreadable[1]
    assert "pixels: must be at most 25,000,000" in unreadable[3]


@pytest.mark.parametrize("kind", ["pipe", "device"])
def test_what_has_no_end_is_not_read(tmp_path, kind):
    path = tmp_path / "a_feat.npy"
    if kind == "pipe":
        os.mkfifo(path)
    else:
        path.symlink_to("/dev/zero")
    for read in (read_features, read_json, open_table):
        with pytest.raises(ValueError, match=r"must be a file \(got a pipe or a device\)"):
            read(path)


def odd_tensors():
    eye = torch.eye(3)
    yield "sparse", eye.to_sparse()
    yield "csr", eye.to_sparse_csr()
    yield "meta", torch.empty(3, 2, device="meta")
    yield "complex", eye.to(torch.complex64).conj()
    yield "expanded", torch.ones(1).expand(3, 2**40)
    yield "scalar", torch.tensor(3.0)
    yield "nothing", None
    yield "nested lists", [[1.0, 2.0]] * 3


@pytest.mark.parametrize(("kind", "x"), [*odd_tensors()])
def test_exotic_tensors(tmp_path, kind, x):
    path = tmp_path / "x.pt"
    torch.save({"ids": IDS, "features": x}, path)
    with pytest.raises(ValueError, match=r"^'.*x\.pt'"):
        align_features(path, IDS)


def test_tensors_of_any_kind_of_number(tmp_path):
    for x in (torch.eye(3).to(torch.float8_e4m3fn), torch._neg_view(-torch.eye(3))):
        torch.save({"ids": IDS, "features": x}, tmp_path / "x.pt")
        assert np.array_equal(align_features(tmp_path / "x.pt", IDS).stored, np.eye(3))


@pytest.mark.parametrize("content", [b"", b"PK\x05\x06" + bytes(18), b"\xff\xfe\x00"])
def test_no_tensors_at_all(tmp_path, content):
    path = tmp_path / "x.pt"
    path.write_bytes(content)
    with pytest.raises(ValueError, match="must hold tensors and no code"):
        align_features(path, IDS)


def test_an_archive_that_unpacks_to_far_more(tmp_path):
    path = tmp_path / "x.npz"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        archive.writestr("features.npy", bytes(2**24 + 1))
    with pytest.raises(ValueError, match="bytes unpacked: must be at most"):
        align_features(path, IDS)


@pytest.mark.parametrize("shape", ["(-6, 2)", "(6, -1)", "(True, 12)", f"({2**62}, 4)", "None"])
def test_shapes_that_no_matrix_has(tmp_path, shape):
    path = tmp_path / "a_feat.npy"
    head = f"{{'descr': '<f4', 'fortran_order': False, 'shape': {shape}, }}".encode().ljust(117)
    path.write_bytes(b"\x93NUMPY\x01\x00" + struct.pack("<H", 118) + head + b"\n" + bytes(48))
    with pytest.raises(ValueError, match=r"a_feat\.npy' must be "):
        read_features(path)


def test_a_long_literal_is_not_parsed(tmp_path):
    line = b"{'a': [" + b"[]," * 400_000 + b"]}"
    with pytest.raises(ValueError, match="line 1: must be a JSON .*of a Python literal"):
        parse_record(tmp_path / "meta", 1, line)


@pytest.mark.parametrize("content", [b"[" * 200_000, '{"bpr": {}}'.encode("utf-16"), b"1" * 9999])
def test_settings_that_are_no_json(tmp_path, capsys, content):
    path = tmp_path / "s.json"
    path.write_bytes(content)
    with pytest.raises(SystemExit, match="2"):
        main(["train", "tiny", "--model", "bpr", "--settings", str(path)])
    assert f"error: '{path}' must be " in capsys.readouterr().err


def test_messages_are_cut(tmp_path, capsys):
    path = tmp_path / "s.json"
    path.write_text(json.dumps(["x" * 10**6]))
    with pytest.raises(SystemExit, match="2"):
        main(["train", "tiny", "--model", "bpr", "--settings", str(path)])
    with pytest.raises(SystemExit, match="2"):
        main(["train", "tiny", "--model", "bpr", "--set", f"l2={'x' * 10**6}"])
    assert len(capsys.readouterr().err) < 5000
    assert shown("x" * 300) == f"'{'x' * 99} ... {'x' * 99}'"


@pytest.mark.parametrize("device", ["meta", "vulkan", "nowhere"])
def test_devices_that_compute_nothing(capsys, device):
    with pytest.raises(SystemExit, match="2"):
        main(["train", "tiny", "--model", "bpr", "--device", device])
    assert f"(got '{device}')" in capsys.readouterr().err
