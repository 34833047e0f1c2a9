"""Samples to fit, each source one frozen value that loads and says where its data came from."""

from edgewise.data.cache import cache_folder
from edgewise.data.cifar10 import CIFAR10
from edgewise.data.digits import Digits
from edgewise.data.idx import MNIST, FashionMNIST, parse_idx
from edgewise.data.remote import REMOTES, Remote, download
from edgewise.data.source import Data, LoadedData
from edgewise.data.synthetic import Chebyshev, LinearMap, SyntheticImages, SyntheticText
from edgewise.data.text import CharacterText

__all__ = [
    "CIFAR10",
    "MNIST",
    "REMOTES",
    "CharacterText",
    "Chebyshev",
    "Data",
    "Digits",
    "FashionMNIST",
    "LinearMap",
    "LoadedData",
    "Remote",
    "SyntheticImages",
    "SyntheticText",
    "cache_folder",
    "download",
    "parse_idx",
]
