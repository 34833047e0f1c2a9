"""edgewise: measure, predict and explain the curvature dynamics of neural-network training."""
