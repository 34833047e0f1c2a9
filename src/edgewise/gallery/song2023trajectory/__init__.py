"""Trajectory alignment: the edge of stability as a curve that all trajectories share (Song, Yun 2023)."""

from edgewise.gallery.song2023trajectory.exhibits import REPRODUCTION

__all__ = ["REPRODUCTION"]
