"""AcrossViews: an objective between the projections of different views of the same rows."""

import torch

from ..objectives._correlation import Objective


class AcrossViews(Objective):
    """Apply an objective to every pair of views, and to two changes of the same view if `within` is above 0.

    The loss is the mean, over ordered pairs of views (a, b), of the objective between the first change of a and the
    second change of b, plus `within` times the mean over views of the objective between their two changes.

    Parameters
    ----------
    objective : component or callable
        Function of two projections.
    n_views : int
        Number of views.
    within : float
        Weight of pairs within one view.
    has_missing : bool, default=False
        Whether rows lack views. A pair of views takes the rows that have both, and is left out if there are fewer than
        two. A batch without pairs has the loss 0.
    """

    def __init__(self, objective, n_views, within, has_missing=False):
        self.objective = objective
        self.n_views = n_views
        self.within = within
        self.has_missing = has_missing

    def bind(self, spec):
        """The same for samples that `spec` describes."""
        return type(self)(self.objective, self.n_views, self.within, spec.has_missing)

    def terms(self, z_a, z_b):
        """Terms of the loss by name.

        Shape
        -----
        z_a, z_b : (batch, n_views * projection_dim); the projection of a missing view is NaN
        """
        a, b, n = z_a.chunk(self.n_views, 1), z_b.chunk(self.n_views, 1), self.n_views
        pairs = [(a[v], b[w]) for v in range(n) for w in range(n) if v != w]
        nothing = 0 * z_a.nan_to_num().sum() if self.has_missing else None
        total = mean_terms(self._terms_of(pairs, nothing))
        if self.within:
            inner = mean_terms(self._terms_of([(a[v], b[v]) for v in range(n)], nothing))
            total = {name: value + self.within * inner.get(name, 0.0) for name, value in total.items()}
        return total

    def _terms_of(self, pairs, nothing):
        if self.has_missing:
            pairs = [pair for pair in map(rows_of_both, pairs) if len(pair[0]) > 1]
            if not pairs:
                return [dict.fromkeys(self._names(), nothing)]
        objective = self.objective
        if hasattr(objective, "terms"):
            return [objective.terms(*pair) for pair in pairs]
        return [{"objective": objective(*pair)} for pair in pairs]

    def _names(self):
        """Names of the terms, from two random projections."""
        a, b = torch.randn(2, 4, 2, generator=torch.Generator().manual_seed(0))
        return list(self.objective.terms(a, b)) if hasattr(self.objective, "terms") else ["objective"]

    def noise_floor(self, batch, dim):
        """Expected sampling noise of the redundancy term; `dim` counts all views."""
        floor = (
            self.objective.noise_floor(batch, dim // self.n_views) if hasattr(self.objective, "noise_floor") else 0.0
        )
        return floor * (1 + self.within)


def rows_of_both(pair):
    """The rows in which neither projection is missing."""
    a, b = pair
    rows = (~(a[:, 0].isnan() | b[:, 0].isnan())).nonzero().flatten()
    return a.index_select(0, rows), b.index_select(0, rows)


def mean_terms(terms):
    """The mean of each term."""
    return {name: sum(found[name] for found in terms) / len(terms) for name in terms[0]}
