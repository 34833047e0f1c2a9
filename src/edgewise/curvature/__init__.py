"""The curvature of an objective at a point: objectives × linear algebra."""

from edgewise.curvature.hessian import Hessian

__all__ = ["Hessian"]
