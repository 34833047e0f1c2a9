"""The implicit bias of gradient descent for logistic regression at the edge of stability (Wu et al. 2023)."""

from edgewise.gallery.wu2023implicit.exhibits import REPRODUCTION

__all__ = ["REPRODUCTION"]
