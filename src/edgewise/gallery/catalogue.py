"""What hangs in the gallery: papers by their keys, exhibits by their addresses."""

from collections.abc import Sequence
from importlib import import_module
from pathlib import Path

from edgewise.foundation import SettingError
from edgewise.reproduction import Exhibit, Reproduction

_HERE = Path(__file__).parent


def keys() -> tuple[str, ...]:
    """The keys of all papers, in the order of the alphabet."""
    return tuple(sorted(path.parent.name for path in _HERE.glob("*/exhibits.py")))


def folder_of(key: str) -> Path:
    """The folder of a paper.

    Raises:
        SettingError: if the gallery has no such paper.
    """
    if key not in keys():
        near = [known for known in keys() if key and known.startswith(key[:4])]
        raise SettingError(
            f"the paper {key!r}",
            "the gallery has none of that key",
            f"Choose from {', '.join(near or keys())}" if keys() else "Install edgewise again",
        )
    return _HERE / key


def reproduction(key: str) -> Reproduction:
    """The paper of that key.

    Raises:
        SettingError: if the gallery has no such paper.
    """
    folder_of(key)
    found: Reproduction = import_module(f"edgewise.gallery.{key}").REPRODUCTION
    return found


def exhibits(addresses: Sequence[str] = ()) -> tuple[tuple[Reproduction, Exhibit], ...]:
    """The exhibits that the addresses mean.

    Args:
        addresses: keys of papers (`cohen2021gradient`), or of single exhibits (`cohen2021gradient/fig5`); none
            means the whole gallery.

    Raises:
        SettingError: if there is no such paper or exhibit.
    """
    chosen: dict[tuple[str, str], tuple[Reproduction, Exhibit]] = {}
    for address in addresses or keys():
        key, _, name = address.strip("/").partition("/")
        paper = reproduction(key)
        for exhibit in (paper.exhibit(name),) if name else paper.exhibits:
            chosen[key, exhibit.name] = (paper, exhibit)
    return tuple(chosen.values())
