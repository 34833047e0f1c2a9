"""The same happens in networks of every kind, and at every task."""

from edgewise.claims import Claim, Within, of
from edgewise.gallery.cohen2021gradient.claims.edge import AT_EDGE

_KINDS = {
    "fully connected, tanh": "a fully connected network with tanh",
    "fully connected, ReLU": "a fully connected network with ReLU",
    "convolutional": "a convolutional network",
    "VGG-11": "VGG-11",
    "ResNet": "a residual network",
    "vision transformer": "a vision transformer",
    "Chebyshev regression": "a network that fits a Chebyshev polynomial",
    "language model": "a transformer that models language",
}

CONSISTENCY = tuple(
    Claim(
        f"the sharpness of {words} hovers at 2/η",
        "cohen2021gradient, Appendices A to G",
        of(name, AT_EDGE),
        Within(0.05),
    )
    for name, words in _KINDS.items()
)
