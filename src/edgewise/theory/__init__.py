"""What the theory of training dynamics says: numbers in, numbers out, no training."""

__all__: list[str] = []
