"""What edgewise costs, beside its peers: products counted, seconds measured, targets met or missed."""
