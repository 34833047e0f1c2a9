import hashlib
import io
import tarfile
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from edgewise.data import CIFAR10, REMOTES, CharacterText, Remote, cache_folder, download
from edgewise.foundation import DataError, SettingError


class Silent(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:
        """Nothing on the terminal."""


@pytest.fixture
def server(tmp_path: Path) -> Iterator[tuple[str, Path]]:
    """A web server on this machine, and the folder it serves."""
    folder = tmp_path / "served"
    folder.mkdir()
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Silent, directory=str(folder)))
    thread = Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/", folder
    server.shutdown()
    thread.join()
    server.server_close()


def sha256(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def serve(monkeypatch: pytest.MonkeyPatch, dataset: str, *remotes: Remote) -> None:
    monkeypatch.setattr("edgewise.data.remote.REMOTES", {**REMOTES, dataset: remotes})


def test_a_downloaded_text_is_found_by_its_loader(
    server: tuple[str, Path], monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    url, served = server
    (served / "t.txt").write_bytes(b"abcabcabc")
    remote = Remote(url=f"{url}t.txt", checksum=sha256(b"abcabcabc"), file="tinyshakespeare/input.txt")
    serve(monkeypatch, "tinyshakespeare", remote)
    assert download("tinyshakespeare") == cache_folder()
    assert CharacterText(context=2).load().classes == 3
    (served / "t.txt").unlink()
    download("tinyshakespeare")  # it is there: nothing is fetched
    assert capfd.readouterr() == ("", "")


def test_a_downloaded_archive_is_unpacked_where_its_loader_looks(
    server: tuple[str, Path], monkeypatch: pytest.MonkeyPatch, cifar_folder: Path
) -> None:
    url, served = server
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        archive.add(cifar_folder / "cifar-10-batches-py", "cifar-10-batches-py")
    (served / "c.tar.gz").write_bytes(packed.getvalue())
    remote = Remote(url=f"{url}c.tar.gz", checksum=sha256(packed.getvalue()), file="c.tar.gz", unpack=True)
    serve(monkeypatch, "cifar10", remote)
    download("cifar10")
    assert CIFAR10().load().checksum == CIFAR10(folder=str(cifar_folder)).load().checksum


def test_a_wrong_checksum_is_an_error_and_leaves_no_file(
    server: tuple[str, Path], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    url, served = server
    (served / "t.txt").write_bytes(b"something else")
    serve(monkeypatch, "mnist", Remote(url=f"{url}t.txt", checksum=sha256(b"expected"), file="mnist/t.txt"))
    with pytest.raises(DataError, match=r"t\.txt into .*could not be downloaded .*hash"):
        download("mnist", tmp_path / "here")
    assert not list((tmp_path / "here" / "mnist").iterdir())


def test_a_missing_file_is_an_error_with_a_way_out(
    server: tuple[str, Path], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    serve(monkeypatch, "mnist", Remote(url=f"{server[0]}none", checksum=sha256(b""), file="none"))
    with pytest.raises(DataError, match=r"could not be downloaded .*404.*put the file there by hand"):
        download("mnist", tmp_path)


def test_progress_is_told_to_the_object_given(
    server: tuple[str, Path], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    class Progress:
        def __init__(self) -> None:
            self.total = 0
            self.told: list[int | str] = []

        def update(self, amount: int) -> None:
            self.told.append(amount)

        def reset(self) -> None:
            self.told.append("reset")

        def close(self) -> None:
            self.told.append("close")

    url, served = server
    (served / "t.txt").write_bytes(b"12345")
    serve(monkeypatch, "mnist", Remote(url=f"{url}t.txt", checksum=sha256(b"12345"), file="t.txt"))
    progress = Progress()
    download("mnist", tmp_path, progress)
    assert progress.total == 5
    assert progress.told[-3:] == ["reset", 5, "close"]


def test_an_unknown_data_set_is_refused_with_the_known_ones() -> None:
    with pytest.raises(
        SettingError, match=r"'imagenet'.*Choose from cifar10, fashion-mnist, mnist, tinyshakespeare"
    ):
        download("imagenet")


def test_every_remote_has_a_checksum() -> None:
    lengths = {"sha256": 64, "md5": 32}
    for remotes in REMOTES.values():
        for remote in remotes:
            algorithm, _, digits = remote.checksum.partition(":")
            assert len(bytes.fromhex(digits)) * 2 == lengths[algorithm]
