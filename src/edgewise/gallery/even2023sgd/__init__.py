"""(S)GD over diagonal linear networks: large step sizes help SGD and hinder GD (Even et al. 2023)."""

from edgewise.gallery.even2023sgd.exhibits import REPRODUCTION

__all__ = ["REPRODUCTION"]
