"""How far below the edge the noise of mini-batches holds the sharpness."""

from edgewise.theory.self_stabilization import SelfStabilization


def stochastic_sharpness_gap(reduced: SelfStabilization, lr: float | int, noise_variance: float | int) -> float:
    """The sharpness gap of stochastic gradient descent, 2/η − ⟨S⟩.

        ΔS = ηβσ²/(4α) = ησ²/(2δ²)

    Noise of variance σ² in the gradient along u adds η²σ² to x² in every step, while a sharpness of 2/η + y
    multiplies it by (1 + ηy)². The sharpness stops growing where ⟨x²⟩ = δ² = 2α/β whatever feeds the
    oscillation, so with noise it does so below the edge: 2ηyδ² + η²σ² = 0.

    That takes y for constant. Averaging the reduced map without that gives, exactly,

        ΔS = (η/2δ²) [σ² + ½β Var(x²) + ⟨x²y²⟩]

    so the formula is a lower bound. It is good to a few percent from ησ² ≈ ½√α δ² on; with less noise the
    undamped cycles of self-stabilisation grow large, and at ησ² = 0.02 √α δ² the gap is three times as large.

    Args:
        reduced: α and β.
        lr: η.
        noise_variance: σ², of the mini-batch gradient along u.

    Example:
        >>> round(stochastic_sharpness_gap(SelfStabilization(alpha=0.5, beta=1.0), lr=0.1, noise_variance=2.0), 12)
        0.1

    References:
        liao2026sharpness
    """
    return lr * noise_variance / (2.0 * reduced.delta**2)
