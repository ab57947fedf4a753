"""Training: the loop that makes the projections of two views agree."""
