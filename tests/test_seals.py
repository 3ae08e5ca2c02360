import pytest

from crane_pyg.seals import (
    BLANK,
    DamagedFileError,
    check_stream_seal,
    read_record,
    read_sealed,
    write_record,
    write_sealed,
    write_stream_sealed,
)


def test_a_record_comes_back_as_it_was(tmp_path):
    path, record = tmp_path / "new" / "run.json", {"ä": [1, 0.1, None], "b": {"c": "d"}}
    write_record(path, record)
    assert read_record(path) == record
    assert path.read_text().startswith('{\n  "checksum": "crc32:')
    assert BLANK not in path.read_text()


@pytest.mark.parametrize(
    ("write", "read"),
    [
        (lambda path: write_record(path, {"a": 1.5, "b": "text"}), read_record),
        (lambda path: write_sealed(path, b"x" + BLANK.encode() + b"y" * 9), read_sealed),
        (lambda path: write_stream_sealed(path, lambda f: f.write(b"z" * 99)), check_stream_seal),
    ],
)
def test_every_flipped_bit_and_every_cut_is_found(tmp_path, write, read):
    path = tmp_path / "file"
    write(path)
    read(path)
    whole = path.read_bytes()
    spoilt = [whole[:length] for length in range(0, len(whole), 5)]
    for bit in range(0, 8 * len(whole), 3):
        content = bytearray(whole)
        content[bit // 8] ^= 1 << bit % 8
        spoilt.append(bytes(content))
    for content in [*spoilt, whole + b"more"]:
        path.unlink()  # to overwrite a file is slow on some disks
        path.write_bytes(content)
        with pytest.raises(DamagedFileError, match="file' is damaged.*; remove it"):
            read(path)


def test_what_the_disk_says_is_told_where_torch_hides_it(tmp_path):
    class Full:
        def write(self, data):
            raise OSError(28, "No space left on device")

    def hiding(file):
        file.file = Full()
        try:
            file.write(b"x")
        except OSError:
            raise RuntimeError("unexpected pos 64 vs 0") from None

    def fails(file):
        raise RuntimeError("another")

    with pytest.raises(OSError, match="No space left on device: '.*checkpoint.pt'"):
        write_stream_sealed(tmp_path / "checkpoint.pt", hiding)
    with pytest.raises(RuntimeError, match="another"):
        write_stream_sealed(tmp_path / "x", fails)
    assert list(tmp_path.iterdir()) == []
