"""What is wrong with an embedding, which cause is likely, and what helps: findings, a record of them, a warning."""

import warnings
from dataclasses import dataclass, replace

import numpy as np

from .._exceptions import CollapseWarning
from ..metrics._correlation import invariance, redundancy
from ..metrics._spectrum import effective_rank
from ._collapse_html import diagnosis_html

N_ROWS = 512  # looked at after a fit
FEWEST_ROWS = 8  # on which something can be said
ALIKE = 0.99  # correlation above which one coordinate repeats another
MANY = 0.5  # share of coordinates that repeat others, or of columns that are constant
DEAD = 0.25  # share of coordinates that are constant
DEAD_IF_CAUSED = 0.02  # where a likely cause shows
CORRELATED = 0.9  # mean squared correlation between different coordinates of a projection
WIDE = 16  # how many times the batch a projection may be
HIGH_RATE = 20  # how many times the default learning rate is suspicious
WEAK_WEIGHT = 0.2  # off-diagonal weight times width that is suspicious; "auto" is 1
SAME_VIEWS = 1e-4  # invariance term below which views hardly differ


@dataclass(frozen=True)
class Finding:
    """Something wrong.

    Parameters
    ----------
    problem : str
        What was seen.
    cause : str
        What it likely comes from.
    remedy : str
        What to change.
    """

    problem: str
    cause: str
    remedy: str

    def __str__(self):
        return f"{self.problem} Likely cause: {self.cause} Remedy: {self.remedy}"


UNKNOWN = Finding(
    "",
    "not one that shows.",
    "try a lower learning_rate, a larger off_diagonal_weight, weaker views or more epochs.",
)


@dataclass(frozen=True)
class Circumstances:
    """What is known of a fit when it ends, and no longer afterwards.

    Parameters
    ----------
    batch : int
        Rows in a batch.
    n_rows : int
        Rows trained on.
    projection_dim : int
        Width of the projection.
    projection_rank : float
        Effective rank of the standardised projections of some training rows.
    projection_redundancy : float
        Mean squared correlation between different coordinates of these, less what chance gives.
    """

    batch: int
    n_rows: int
    projection_dim: int
    projection_rank: float
    projection_redundancy: float


@dataclass(frozen=True)
class Diagnosis:
    """What `BarlowTwinsEmbedder.diagnose` found.

    Parameters
    ----------
    n_rows, n_components : int
        Shape of the embedding that was looked at.
    effective_rank : float
        Of the embedding, its coordinates standardised.
    dead : ndarray of int
        Coordinates that are constant.
    repeated : ndarray of int
        Coordinates that correlate with another one at 0.99 or more, of either sign.
    constant_columns : list
        Columns of X that are constant, by name if they have names.
    invariance : float
        How much two views of a row differ, see `sklearn_twins.metrics.invariance`.
    redundancy : float
        How much coordinates correlate beyond chance, see `sklearn_twins.metrics.redundancy`; a mean over pairs.
    noise_share : float
        Share of the last epoch's redundancy term that sampling alone would give; NaN where the objective has none.
    findings : list of Finding
        What is wrong, if anything.
    """

    n_rows: int
    n_components: int
    effective_rank: float
    dead: np.ndarray
    repeated: np.ndarray
    constant_columns: list
    invariance: float
    redundancy: float
    noise_share: float
    findings: list

    @property
    def healthy(self):
        """Whether nothing was found."""
        return not self.findings

    @property
    def headline(self):
        """What comes out, in a line."""
        found = "healthy" if self.healthy else f"{len(self.findings)} finding{'s' * (len(self.findings) > 1)}"
        return f"Diagnosis of {self.n_rows:,} rows: {found}"

    def figures(self):
        """What was measured.

        Returns
        -------
        figures : list of (str, str, str) tuples
            Name, value, and what the value means.
        """
        rows = [
            ("effective rank", f"{self.effective_rank:.1f} of {self.n_components} coordinates", ""),
            ("dead, repeated", f"{len(self.dead)}, {len(self.repeated)} coordinates", ""),
            ("constant columns", listed(self.constant_columns), ""),
            ("invariance", f"{self.invariance:.3f}", "0: views agree, 1: they are unrelated"),
            ("redundancy", f"{self.redundancy:.3f}", "0: coordinates are uncorrelated, 1: all alike"),
        ]
        if np.isfinite(self.noise_share):
            rows.append(("sampling noise", f"{self.noise_share:.0%} of the redundancy term in training", ""))
        return rows

    def __repr__(self):
        lines = [self.headline]
        lines += [f"  {name:<20}{value}{note and f'  ({note})'}" for name, value, note in self.figures()]
        for finding in self.findings:
            lines += [f"  * {finding.problem}", f"    cause:  {finding.cause}", f"    remedy: {finding.remedy}"]
        return "\n".join(lines)

    def _repr_html_(self):
        return diagnosis_html(self)


def listed(values, most=5):
    """A few values as text."""
    text = ", ".join(map(str, values[:most]))
    return f"{text}{', ...' if len(values) > most else ''}" if values else "none"


def standardized(Z):
    """Coordinates that vary, with mean 0 and variance 1, and which these are."""
    spread = Z.std(0)
    lives = spread > 1e-6 * max(spread.max(), np.finfo(np.float32).tiny)
    return (Z[:, lives] - Z[:, lives].mean(0)) / spread[lives], lives


def flaws(Z):
    """Effective rank, dead and repeated coordinates of an embedding.  # (n, d) -> float, (dead,), (repeated,)"""
    U, lives = standardized(np.asarray(Z, dtype=np.float64))
    if U.shape[1] == 0:
        return 0.0, np.arange(Z.shape[1]), np.arange(0)
    correlations = np.abs(U.T @ U) / len(U)
    np.fill_diagonal(correlations, 0)
    return effective_rank(U), np.flatnonzero(~lives), np.flatnonzero(lives)[(correlations > ALIKE).any(0)]


def circumstances(projections, batch, n_rows):
    """What to keep of a fit that ends, with projections of some of its rows.  # (rows, projection_dim)"""
    Z = np.asarray(projections, dtype=np.float64)
    U, _ = standardized(Z)
    rank = effective_rank(U) if U.shape[1] else 0.0
    alike = redundancy(U, U, normalize=True) if U.shape[1] > 1 and len(U) > 1 else 0.0
    return Circumstances(int(batch), int(n_rows), int(Z.shape[1]), float(rank), float(alike))


def constant_columns(embedder, samples):
    """Columns of X that are the same in all samples of a table, by name if they have names."""
    if samples.ndim != 2:
        return []
    first = samples[:1]
    same = ((samples == first) | ((samples != samples) & (first != first))).all(0)  # (features,), NaN equals NaN
    sources = np.array(embedder.preprocessor_.spec_.sources or range(samples.shape[1]))
    columns = [j for j in range(sources.max(initial=-1) + 1) if same[sources == j].all()]
    names = getattr(embedder, "feature_names_in_", None)
    return columns if names is None else [str(names[j]) for j in columns]


def noise_share(history):
    """Share of the last epoch's redundancy that sampling alone gives; NaN if the history does not say."""
    if "excess_redundancy" not in history or not len(history["redundancy"]):
        return np.nan
    total, excess = history["redundancy"][-1], history["excess_redundancy"][-1]
    return float(np.clip(1 - excess / total, 0, 1)) if total > 0 else np.nan


def causes(embedder, facts, columns):
    """What may have made an embedding collapse, the likeliest first.

    As findings, whose problem is what to say where nothing else shows; empty where the cause alone is no fault.
    """
    from .._roles import resolve_part
    from .._training._optimizers import default_learning_rate

    n_columns = getattr(embedder, "n_features_in_", 0)
    if len(columns) > MANY * n_columns:
        cause = f"{len(columns)} of {n_columns} columns of X are constant ({listed(columns)})."
        yield Finding("", cause, "give the embedder columns that vary.")
    rate, usual = embedder.learning_rate, default_learning_rate(embedder.optimizer)
    if rate != "auto" and rate > HIGH_RATE * usual:
        cause = f"learning_rate={rate:g} is {rate / usual:,.0f} times the default."
        problem = "The learning rate is far from any that is known to work."
        yield Finding(problem, cause, f"learning_rate={usual:g} or 'auto'.")
    weight = getattr(resolve_part("objective", embedder.objective, embedder.modality), "off_diagonal_weight", "auto")
    if facts and weight != "auto" and weight * facts.projection_dim < WEAK_WEIGHT:
        dim = facts.projection_dim
        cause = f"off_diagonal_weight={weight:g} of projection_dim={dim} leaves coordinates as they are."
        problem = "" if weight else "Nothing in the objective keeps coordinates apart."
        yield Finding(problem, cause, f"off_diagonal_weight='auto', which is {1 / dim:.2g}.")
    if facts and facts.projection_dim < 8:
        cause = f"projection_dim={facts.projection_dim} leaves the objective next to nothing to compare."
        yield Finding("", cause, "a wider projection; the default is 256.")


def lowest_rank(width):
    """The effective rank below which an embedding says little: 2, of narrow ones an eighth of the width, but 1.2."""
    return max(1.2, min(2.0, width / 8))


def symptoms(facts, rank, dead, repeated, width, n_inputs, most_dead):
    """What is seen of an embedding and of its projections, as sentences."""
    if len(dead) == width:
        return [f"All {width} coordinates of the embedding are constant."]
    seen = []
    if len(dead) > most_dead * width:
        seen.append(f"{len(dead)} of {width} coordinates of the embedding are constant.")
    if min(width, n_inputs) >= 4:
        if len(repeated) > MANY * width:
            seen.append(f"{len(repeated)} of {width} coordinates of the embedding repeat another one (|r| > {ALIKE}).")
        elif rank < lowest_rank(width):
            seen.append(f"The embedding's effective rank is {rank:.1f}, of {width} coordinates.")
    if not seen and facts and facts.projection_dim > 1 and facts.projection_redundancy > CORRELATED:
        seen.append(
            f"The projection has collapsed: its effective rank is {facts.projection_rank:.1f}, of "
            f"{facts.projection_dim}, and the mean squared correlation of its coordinates "
            f"{facts.projection_redundancy:.2f}."
        )
    return seen


def find(embedder, facts, rank, dead, repeated, columns, width):
    """Findings about an embedding and the fit it came from."""
    likely = list(causes(embedder, facts, columns))
    first = likely[0] if likely else UNKNOWN
    n_inputs = getattr(embedder, "n_features_in_", width)
    seen = symptoms(facts, rank, dead, repeated, width, n_inputs, DEAD_IF_CAUSED if likely else DEAD)
    found = [replace(first, problem=problem) for problem in seen]
    if facts and facts.projection_dim > WIDE * facts.batch:
        found.append(too_wide(embedder, facts))
    return found or ([first] if first.problem else [])


def too_wide(embedder, facts):
    """The finding that batches are far too small for the projection."""
    share = noise_share(embedder.history_)
    problem = f"The projection is {facts.projection_dim / facts.batch:.0f} times as wide as a batch has rows."
    cause = f"batch_size={embedder.batch_size} with projection_dim={facts.projection_dim}"
    cause += "" if facts.batch == embedder.batch_size else f" (batches have {facts.batch} rows)"
    cause += f": {share:.0%} of the redundancy term is sampling noise." if np.isfinite(share) else "."
    larger = "a larger batch or " if facts.n_rows > facts.batch else ""
    return Finding(problem, cause, f"use {larger}a smaller projection (projector__projection_dim).")


def diagnose(embedder, X):
    """The record of an embedder's health on the rows of X, see `BarlowTwinsEmbedder.diagnose`.

    Returns
    -------
    diagnosis : Diagnosis
    """
    from ._embed import embed
    from ._embed_views import embed_views

    samples = embedder.preprocessor_.transform(X, owner=embedder)
    if len(samples) < FEWEST_ROWS:
        raise ValueError(f"X has {len(samples)} row(s), too few for a diagnosis. Give at least {FEWEST_ROWS}.")
    Z = embed(embedder.encoder_, samples, embedder.precision, embedder.n_jobs)
    views = embed_views(embedder, samples, 2, "own", 0)
    rank, dead, repeated = flaws(Z)
    columns = constant_columns(embedder, samples)
    disagreement, alike = invariance(*views.swapaxes(0, 1)), redundancy(*views.swapaxes(0, 1), normalize=True)
    found = find(embedder, embedder._circumstances, rank, dead, repeated, columns, Z.shape[1])
    if disagreement < SAME_VIEWS and len(dead) < Z.shape[1]:
        found.append(
            Finding(
                "Views of a row are all but the same.",
                f"augmentation={embedder.augmentation!r} changes next to nothing.",
                "a stronger augmentation; 'auto' is the default.",
            )
        )
    return Diagnosis(
        n_rows=len(Z),
        n_components=Z.shape[1],
        effective_rank=rank,
        dead=dead,
        repeated=repeated,
        constant_columns=columns,
        invariance=disagreement,
        redundancy=alike,
        noise_share=noise_share(embedder.history_),
        findings=found,
    )


def warn_of_collapse(embedder, samples, embedding):
    """Warn if a fit has ended badly.

    Parameters
    ----------
    embedder : BarlowTwinsEmbedder
        As fitted.
    samples : ndarray of shape (rows, *sample_shape)
        Some of the training rows.
    embedding : ndarray of shape (rows, n_components)
        Their embedding.
    """
    if len(embedding) < FEWEST_ROWS:
        return
    if embedder._circumstances is None:  # which is so where numbers are not finite, of which nothing else can be said
        likely = next(causes(embedder, None, []), UNKNOWN)
        finding = replace(likely, problem="The embedding or its projection is not finite.")
        warnings.warn(str(finding), CollapseWarning, stacklevel=2)
        return
    rank, dead, repeated = flaws(embedding)
    columns = constant_columns(embedder, samples)
    for finding in find(embedder, embedder._circumstances, rank, dead, repeated, columns, embedding.shape[1]):
        warnings.warn(f"{finding} See diagnose(X).", CollapseWarning, stacklevel=2)
