"""Learning-rate schedules: a factor for each step of a run."""

import math

WARMUP_SHARE = 0.1


def warmup_cosine(step, n_steps):
    """Linear from 0 over the first tenth, then half a cosine down to 0."""
    warmup = max(1, round(WARMUP_SHARE * n_steps))
    if step < warmup:
        return (step + 1) / warmup
    return cosine(step - warmup, n_steps - warmup)


def cosine(step, n_steps):
    """Half a cosine from 1 down to 0."""
    return 0.5 * (1 + math.cos(math.pi * min(1.0, step / max(1, n_steps))))


def warmup_constant(step, n_steps):
    """Linear from 0 over the first tenth, then 1."""
    return min(1.0, (step + 1) / max(1, round(WARMUP_SHARE * n_steps)))


def constant(step, n_steps):
    """Always 1."""
    return 1.0


SCHEDULES = {
    "constant": constant,
    "cosine": cosine,
    "warmup_constant": warmup_constant,
    "warmup_cosine": warmup_cosine,
}
