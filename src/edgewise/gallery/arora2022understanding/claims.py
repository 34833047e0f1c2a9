"""What the methods do across the manifold of minimisers, and along it."""

from edgewise.claims import AtLeast, AtMost, Between, Claim, Within, largest, of
from edgewise.gallery.arora2022understanding.measures import (
    BOUNDS,
    alignment,
    apart,
    balance,
    blind_sum,
    end,
    entered,
    every,
    fall,
    fit,
    flatness,
    gain,
    gap,
    half,
    height,
    landing,
    largest_loss,
    least,
    left,
    norm_sum,
    other,
    per_lr,
    period,
    root_sum,
    shrinks,
    steady,
    steps,
    two_roots,
    two_steps,
    unstable,
)

_QUADRATIC = "arora2022understanding, the quadratic case"
_FLOW = "arora2022understanding, the limiting flow of normalised gradient descent"
_FLOW_SQRT = "arora2022understanding, the limiting flow of gradient descent on √L"
_EDGE = "arora2022understanding, the edge of stability in the second phase"
_PHASES = "arora2022understanding, the two phases"
_NETWORK = "arora2022understanding, experiments"

_BOTH = (("normalized", "normalised gradient descent"), ("sqrt_loss", "gradient descent on √L"))

QUADRATIC = (
    Claim("the iterate aligns with the top eigenvector", _QUADRATIC, alignment, AtLeast(1 - 1e-8)),
    Claim(
        "two consecutive gradient norms add up to ηλ₁", _QUADRATIC, norm_sum, Within(1e-10),
        counter=Claim("each of them is half of that", _QUADRATIC, half, Within(0.01)),
    ),
    Claim("after two steps the iterate is back", _QUADRATIC, two_steps, AtMost(1e-12)),
    Claim(
        "a start without a top component oscillates along the next eigenvector",
        _QUADRATIC, blind_sum, Within(1e-10),
    ),
    Claim("the sets of the preparation phase are never left again", _QUADRATIC, left, Within(0, of=0)),
    Claim("all of them are entered", _QUADRATIC, entered, Within(0, of=1)),
)  # fmt: skip

LIMITING_FLOWS = (
    Claim(
        "normalised gradient descent slides down −¼ P∇log λ₁ in the time η²t", _FLOW,
        of("normalized 0.02", end), Within(1e-3, of=1.096434),
        counter=Claim("it slides down −⅛ P∇λ₁", _FLOW, of("normalized 0.02", other), AtMost(1e-3)),
    ),
    Claim(
        "gradient descent on √L slides down −⅛ P∇λ₁ in the time η²t", _FLOW_SQRT,
        of("sqrt_loss 0.02", end), Within(1e-3, of=1.213061),
        counter=Claim("it slides down −¼ P∇log λ₁", _FLOW_SQRT, of("sqrt_loss 0.02", other), AtMost(1e-3)),
    ),
    Claim(
        "normalised gradient descent stays within O(η) of its flow all the way", _FLOW,
        every("normalized", per_lr(apart)), AtMost(1),
    ),
    Claim(
        "gradient descent on √L stays within O(η) of its flow all the way", _FLOW_SQRT,
        every("sqrt_loss", per_lr(apart)), AtMost(1),
    ),
    Claim(
        "halving the step size at least halves the error of normalised gradient descent", _FLOW,
        gain("normalized"), AtLeast(2),
    ),
    Claim(
        "halving the step size at least halves the error of gradient descent on √L", _FLOW_SQRT,
        gain("sqrt_loss"), AtLeast(2),
    ),
)  # fmt: skip

PHASE_TWO = (
    *(
        claim
        for method, words in _BOTH
        for claim in (
            Claim(
                f"of any two steps of {words} one at least is unstable", _EDGE,
                least(method, unstable), AtLeast(1),
                counter=Claim("it hovers at the edge, S = 2", _EDGE, least(method, steady), AtLeast(0.95)),
            ),
            Claim(
                f"the inverses of two consecutive stablenesses of {words} add up to one, up to O(η)", _EDGE,
                every(method, per_lr(balance)), AtMost(1),
            ),
            Claim(
                f"what is missing from one there shrinks at least like η for {words}", _EDGE,
                shrinks(method, balance), AtLeast(1),
            ),
            Claim(
                f"two consecutive roots of the loss of {words} add up as predicted, up to O(η)", _EDGE,
                every(method, per_lr(root_sum)), AtMost(1),
            ),
            Claim(
                f"the loss of {words} oscillates with a period of two", _EDGE,
                every(method, period(2)), AtMost(1e-2),
                counter=Claim("it is the same at every step", _EDGE, every(method, period(1)), AtMost(1e-2)),
            ),
        )
    ),
)  # fmt: skip

PHASES = (
    *(
        claim
        for method, words in _BOTH
        for claim in (
            Claim(
                f"{words} comes down in a number of steps like 1/η", _PHASES,
                shrinks(method, steps("one")), Within(0.1, of=-1),
            ),
            Claim(
                f"{words} slides for a number of steps like 1/η²", _PHASES,
                shrinks(method, steps("two")), Within(0.1, of=-2),
                counter=Claim(
                    "it slides for a number of steps like 1/η", _PHASES,
                    shrinks(method, steps("two")), Within(0.1, of=-1),
                ),
            ),
            Claim(
                f"{words} comes down where the gradient flow does, up to O(η)", _PHASES,
                every(method, per_lr(landing)), AtMost(1),
            ),
            Claim(
                f"the loss of {words} stays of the order of η² while it slides", _PHASES,
                every(method, height(BOUNDS[method])), AtMost(1.1),
            ),
        )
    ),
)  # fmt: skip

NETWORK = (
    *(
        claim
        for method, words in _BOTH
        for claim in (
            Claim(
                f"under {words} the sharpness falls at the predicted rate", _NETWORK,
                of(method, fit("rate")), Between(0.8, 1.25),
                counter=Claim(
                    "all of ∇λ₁ counts, not only its part along the manifold", _NETWORK,
                    of(method, fit("whole_rate")), Between(0.8, 1.25),
                ),
            ),
            Claim(
                f"under {words} the sharpness falls by a quarter or more", _NETWORK,
                of(method, fall), AtMost(0.75),
            ),
            Claim(
                f"under {words} the loss stays as near to zero as the oscillation lets it", _NETWORK,
                of(method, largest_loss(BOUNDS[method])), AtMost(1.1),
            ),
            Claim(
                f"under {words} two consecutive roots of the loss add up as predicted", _NETWORK,
                of(method, two_roots), Within(0.05),
            ),
        )
    ),
    Claim("the top eigenvalue stays isolated", _NETWORK, largest(gap), AtMost(0.9)),
    Claim("along the projected slope the loss is flat", _NETWORK, largest(flatness), AtMost(1e-2)),
)  # fmt: skip
