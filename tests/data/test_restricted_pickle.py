import os
import pickle  # noqa: TID251 - writes what the restricted reader must refuse
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgewise.data.restricted_pickle import ByteArray, read_pickle
from edgewise.foundation import DataError

HERE = Path("some/file")


class Reduced:
    """Pickles as a call of `function` on `arguments`."""

    def __init__(self, function: Any, *arguments: Any) -> None:
        self.call = function, arguments

    def __reduce__(self) -> tuple[Any, tuple[Any, ...]]:
        return self.call


@pytest.mark.parametrize("protocol", range(2, pickle.HIGHEST_PROTOCOL))
@pytest.mark.parametrize("order", ["C", "F"])
def test_plain_values_and_byte_arrays_come_back(protocol: int, order: Any) -> None:
    array = np.arange(12, dtype=np.uint8).reshape(3, 4)
    value = {b"data": np.asarray(array, order=order), b"labels": [1, 2], b"name": b"\xff\0a", "more": (1.5, None)}
    read = read_pickle(pickle.dumps(value, protocol=protocol), HERE)
    data = read.pop(b"data")
    assert isinstance(data, ByteArray)
    np.testing.assert_array_equal(data.array, array)
    assert read == {b"labels": [1, 2], b"name": b"\xff\0a", "more": (1.5, None)}


def test_a_pickle_of_python_2_is_read() -> None:
    # Opcode by opcode what cPickle of Python 2 and NumPy 1 wrote for {"data": array([[7, 8]], uint8)}.
    content = (
        b"\x80\x02}q\x01U\x04datacnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85U\x01b\x87R"
        b"(K\x01K\x01K\x02\x86cnumpy\ndtype\nU\x02u1K\x00K\x01\x87R(K\x03U\x01|NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xff"
        b"K\x00tb\x89U\x02\x07\x08tbs."
    )
    np.testing.assert_array_equal(read_pickle(content, HERE)[b"data"].array, [[7, 8]])


@pytest.mark.parametrize(
    ("function", "argument", "named"),
    [
        (os.system, "touch {}", "posix.system"),
        (eval, "open({!r}, 'w')", "builtin"),
        (np.load, "{}", "numpy.load"),
        (getattr, "{}", "getattr"),
    ],
)
def test_a_malicious_pickle_is_refused_by_name_and_nothing_runs(
    tmp_path: Path, function: Any, argument: str, named: str
) -> None:
    trace = tmp_path / "trace"
    content = pickle.dumps([1, Reduced(function, argument.format(str(trace)))], protocol=2)
    with pytest.raises(DataError, match=r"some/file: it asks for .*nothing in it was executed") as caught:
        read_pickle(content, HERE)
    assert named in str(caught.value)
    assert not trace.exists()


def test_the_malicious_pickle_of_this_test_does_run_elsewhere(tmp_path: Path) -> None:
    # Otherwise the test above would prove nothing.
    trace = tmp_path / "trace"
    pickle.loads(pickle.dumps(Reduced(os.system, f"touch {trace}"), protocol=2))
    assert trace.exists()


def test_codecs_other_than_latin1_are_refused() -> None:
    content = b"\x80\x02c_codecs\nencode\nX\x01\x00\x00\x00aX\x05\x00\x00\x00rot13\x86R."
    with pytest.raises(DataError, match="the codec 'rot13'"):
        read_pickle(content, HERE)


@pytest.mark.parametrize("array", [np.zeros(2), np.array([object()]), np.zeros(2, dtype="u1,u1")])
def test_arrays_of_other_types_are_refused(array: np.ndarray) -> None:
    with pytest.raises(DataError, match=r"some/file: it asks for an array of type"):
        read_pickle(pickle.dumps(array, protocol=2), HERE)


def test_an_array_whose_contents_are_no_bytes_is_refused() -> None:
    content = pickle.dumps(np.zeros(2, np.uint8), protocol=3)
    assert content.count(b"C\x02\0\0") == 1
    with pytest.raises(DataError, match="an array of something else than bytes"):
        read_pickle(content.replace(b"C\x02\0\0", b"K\x02"), HERE)


def test_objects_outside_the_file_are_refused() -> None:
    with pytest.raises(DataError, match="an object outside the file"):
        read_pickle(b"\x80\x02K\x01Q.", HERE)


def test_a_pickle_cannot_change_what_is_shared() -> None:
    # GLOBAL, then BUILD with a state: sets attributes on whatever the name stands for.
    for name in (b"numpy.core.multiarray\n_reconstruct", b"numpy\ndtype", b"_codecs\nencode", b"numpy\nndarray"):
        content = b"\x80\x02c" + name + b"\nN}U\x01aK\x01s\x86b."
        with pytest.raises(DataError, match="some/file"):
            read_pickle(content, HERE)
    array = np.arange(3, dtype=np.uint8)
    np.testing.assert_array_equal(read_pickle(pickle.dumps(array, protocol=2), HERE).array, array)


@pytest.mark.parametrize("kept", [0, 1, 10, 40, -1])
def test_a_truncated_pickle_is_an_error_that_names_the_file(kept: int) -> None:
    content = pickle.dumps({b"data": np.arange(99, dtype=np.uint8), b"labels": [1]}, protocol=2)
    with pytest.raises(DataError, match=r"some/file: it is truncated, corrupt or not a pickle .*download"):
        read_pickle(content[:kept], HERE)


def test_random_bytes_are_an_error_and_never_anything_else() -> None:
    draw = np.random.default_rng(0)
    good = pickle.dumps({b"data": np.arange(99, dtype=np.uint8), b"labels": [1]}, protocol=2)
    for _ in range(300):
        content = bytearray(good)
        for position in draw.integers(0, len(good), 3):
            content[position] = draw.integers(256)
        try:
            read_pickle(bytes(content), HERE)
        except DataError as error:
            assert "some/file" in str(error)
