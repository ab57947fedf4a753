"""Learning-rate schedules: the factor of the peak rate at each step."""

import math

WARMUP_SHARE = 0.1


def warmup_cosine(step, n_steps):
    """Rise linearly over the first tenth, then fall to 0 by half a cosine."""
    warmup = max(1, round(WARMUP_SHARE * n_steps))
    if step < warmup:
        return (step + 1) / warmup
    return cosine(step - warmup, n_steps - warmup)


def cosine(step, n_steps):
    """Fall from 1 to 0 by half a cosine."""
    return 0.5 * (1 + math.cos(math.pi * min(1.0, step / max(1, n_steps))))


def warmup_constant(step, n_steps):
    """Rise linearly over the first tenth, then stay at 1."""
    return min(1.0, (step + 1) / max(1, round(WARMUP_SHARE * n_steps)))


def constant(step, n_steps):
    """Stay at 1."""
    return 1.0


SCHEDULES = {
    "constant": constant,
    "cosine": cosine,
    "warmup_constant": warmup_constant,
    "warmup_cosine": warmup_cosine,
}
