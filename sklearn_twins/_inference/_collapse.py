"""Diagnose collapse of an embedding: symptoms, likely causes, remedies; and warn of it after a fit."""

import warnings
from dataclasses import dataclass, replace

import numpy as np

from .._exceptions import CollapseWarning
from .._modalities import record_of
from ..metrics._correlation import invariance, redundancy
from ..metrics._spectrum import effective_rank
from ._collapse_html import render_diagnosis

N_INSPECTED = 512  # training rows inspected after a fit
MIN_ROWS = 8  # for a diagnosis
REPEATED = 0.99  # absolute correlation above which a coordinate repeats another
# Thresholds of findings
MANY = 0.5  # share of coordinates that repeat others, or of columns that are constant
DEAD = 0.25  # share of coordinates that are constant
DEAD_IF_CAUSED = 0.02  # the same, if there is a likely cause
CORRELATED = 0.9  # mean squared correlation between different coordinates of a projection
WIDE = 16  # width of the projection divided by the batch size
HIGH_RATE = 20  # learning rate divided by the default
WEAK_WEIGHT = 0.2  # off-diagonal weight times projection width; "auto" is 1
SAME_VIEWS = 1e-4  # invariance term below which views hardly differ


@dataclass(frozen=True)
class Finding:
    """A problem with an embedding.

    Parameters
    ----------
    problem : str
        The symptom.
    cause : str
        Its likely cause.
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
    "not found: columns, learning rate, off-diagonal weight and projection are not unusual.",
    "try a lower learning_rate, a larger off_diagonal_weight, weaker views or more epochs.",
)


@dataclass(frozen=True)
class FitSummary:
    """Figures about a fit that are only known at its end.

    Parameters
    ----------
    batch : int
        Rows in a batch.
    n_rows : int
        Training rows.
    projection_dim : int
        Width of the projection.
    projection_rank : float
        Effective rank of the standardised projections of some training rows.
    projection_redundancy : float
        Mean squared correlation between different coordinates of these projections, minus what chance gives.
    """

    batch: int
    n_rows: int
    projection_dim: int
    projection_rank: float
    projection_redundancy: float


@dataclass(frozen=True)
class Facts:
    """Facts about a fit that a diagnosis needs.

    Parameters
    ----------
    learning_rate : float or "auto"
        Peak learning rate.
    default_learning_rate : float
        Learning rate that "auto" stands for.
    off_diagonal_weight : float or "auto"
        Off-diagonal weight of the objective; "auto" if it has no such parameter.
    batch_size : int
        Maximum number of rows in a batch.
    n_features : int or None
        Number of columns of X.
    feature_names : ndarray or None
        Names of the columns.
    augmentation : object
        The estimator's parameter, for messages.
    history : dict of str to ndarray
        One value per epoch.
    summary : FitSummary or None
        Figures at the end of the fit; None if they were not finite.
    has_several_views : bool, default=False
        Whether views are sets of columns, which need no augmentation to differ. A constant column is then a whole view.
    """

    learning_rate: object
    default_learning_rate: float
    off_diagonal_weight: object
    batch_size: int
    n_features: int | None
    feature_names: np.ndarray | None
    augmentation: object
    history: dict
    summary: FitSummary | None
    has_several_views: bool = False


@dataclass(frozen=True)
class Diagnosis:
    """The result of `BarlowTwinsEmbedder.diagnose`.

    Parameters
    ----------
    n_rows, n_components : int
        Shape of the embedding.
    effective_rank : float
        Effective rank of the embedding with standardised coordinates.
    dead : ndarray of int
        Constant coordinates.
    repeated : ndarray of int
        Coordinates whose absolute correlation with another one is 0.99 or more.
    constant_columns : list
        Constant columns of X, by name if they have names. For `MultiViewEmbedder`, views all of whose columns are.
    invariance : float
        Difference between two views of a row, see `sklearn_twins.metrics.invariance`.
    redundancy : float
        Correlation between coordinates beyond chance, see `sklearn_twins.metrics.redundancy`; a mean over pairs.
    noise_share : float
        Share of the last epoch's redundancy term that is sampling noise; NaN if the objective has no such term.
    findings : list of Finding
        Problems found.
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
        """True if no problem was found."""
        return not self.findings

    @property
    def headline(self):
        """The result in one line."""
        found = "healthy" if self.healthy else f"{len(self.findings)} finding{'s' * (len(self.findings) > 1)}"
        return f"Diagnosis of {self.n_rows:,} rows: {found}"

    def figures(self):
        """List the measured figures.

        Returns
        -------
        figures : list of (str, str, str) tuples
            Name, value, and meaning of the value.
        """
        rows = [
            ("effective rank", f"{self.effective_rank:.1f} of {self.n_components} coordinates", ""),
            ("dead, repeated", f"{len(self.dead)}, {len(self.repeated)} coordinates", ""),
            ("constant columns", join_values(self.constant_columns), ""),
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
        return render_diagnosis(self)


def join_values(values, most=5):
    """List a few values as text."""
    text = ", ".join(map(str, values[:most]))
    return f"{text}{', ...' if len(values) > most else ''}" if values else "none"


def standardize(Z):
    """Standardise the coordinates that vary, and return them with a mask of these."""
    spread = Z.std(0)
    lives = spread > 1e-6 * max(spread.max(), np.finfo(np.float32).tiny)
    return (Z[:, lives] - Z[:, lives].mean(0)) / spread[lives], lives


def find_flaws(Z):
    """Find an embedding's effective rank, dead and repeated coordinates.  # (n, d) -> float, (dead,), (repeated,)"""
    U, lives = standardize(np.asarray(Z, dtype=np.float64))
    if U.shape[1] == 0:
        return 0.0, np.arange(Z.shape[1]), np.arange(0)
    correlations = np.abs(U.T @ U) / len(U)
    np.fill_diagonal(correlations, 0)
    return effective_rank(U), np.flatnonzero(~lives), np.flatnonzero(lives)[(correlations > REPEATED).any(0)]


def summarize(projections, batch, n_rows, n_projections=1):
    """Summarise a fit by the projections of some training rows.

    Parameters
    ----------
    projections : ndarray of shape (rows, n_projections * projection_dim)
        Of several projections side by side, the summary is of the one whose coordinates are most alike.
    batch, n_rows : int
        Rows in a batch, and training rows.
    n_projections : int, default=1
        Number of projections of a row.

    Returns
    -------
    summary : FitSummary
    """
    alike, rank, dim = max(map(describe_projection, np.hsplit(np.asarray(projections, np.float64), n_projections)))
    return FitSummary(int(batch), int(n_rows), dim, rank, alike)


def describe_projection(Z):
    """Redundancy, effective rank and width of a projection.  # (rows, projection_dim) -> float, float, int"""
    U, _ = standardize(Z)
    rank = effective_rank(U) if U.shape[1] else 0.0
    alike = redundancy(U, U, normalize=True) if U.shape[1] > 1 and len(U) > 1 else 0.0
    return float(alike), float(rank), int(Z.shape[1])


def find_constant_columns(samples, spec, names):
    """Find the columns of X that are constant, by name if they have names."""
    columns = record_of(spec).constant_columns(samples, spec)
    return columns if names is None else [str(names[j]) for j in columns]


def compute_noise_share(history):
    """Compute the share of the last epoch's redundancy that is sampling noise; NaN if the history has no redundancy."""
    if "excess_redundancy" not in history or not len(history["redundancy"]):
        return np.nan
    total, excess = history["redundancy"][-1], history["excess_redundancy"][-1]
    return float(np.clip(1 - excess / total, 0, 1)) if total > 0 else np.nan


def list_causes(facts, columns):
    """Yield the likely causes of a collapse, most likely first, as findings.

    A finding's problem is reported if there is no other symptom. It is empty if the cause alone is no problem.
    """
    n_columns, summary = facts.n_features or 0, facts.summary
    if columns and facts.has_several_views:
        cause = f"all columns of {join_values(columns)} are constant, so that no other view can agree with it."
        yield Finding("", cause, "leave this view out.")
    elif len(columns) > MANY * n_columns:
        cause = f"{len(columns)} of {n_columns} columns of X are constant ({join_values(columns)})."
        yield Finding("", cause, "give the embedder columns that vary.")
    if n_columns == 1:
        cause = "X has a single column, so that a view which replaces its value has nothing of the row left."
        yield Finding("", cause, "give the embedder more columns, or use augmentation='gaussian_noise' for a number.")
    rate, usual = facts.learning_rate, facts.default_learning_rate
    if rate != "auto" and rate > HIGH_RATE * usual:
        cause = f"learning_rate={rate:g} is {rate / usual:,.0f} times the default."
        yield Finding("The learning rate is unusually high.", cause, f"use learning_rate={usual:g} or 'auto'.")
    weight = facts.off_diagonal_weight
    if summary and weight != "auto" and weight * summary.projection_dim < WEAK_WEIGHT:
        dim = summary.projection_dim
        cause = f"off_diagonal_weight={weight:g} is too small for projection_dim={dim}."
        problem = "" if weight else "The objective does not decorrelate coordinates."
        yield Finding(problem, cause, f"use off_diagonal_weight='auto', which is {1 / dim:.2g}.")
    if summary and summary.projection_dim < 8:
        cause = f"projection_dim={summary.projection_dim} gives the objective very little to compare."
        yield Finding("", cause, "use a wider projection; the default is 256.")


def min_rank(width):
    """Lowest effective rank of a healthy embedding: 2, or an eighth of a small width, but at least 1.2."""
    return max(1.2, min(2.0, width / 8))


def list_symptoms(summary, rank, dead, repeated, width, n_inputs, most_dead):
    """Describe what is wrong with an embedding or its projections, in sentences."""
    if len(dead) == width:
        return [f"All {width} coordinates of the embedding are constant."]
    symptoms = []
    if len(dead) > most_dead * width:
        symptoms.append(f"{len(dead)} of {width} coordinates of the embedding are constant.")
    if min(width, n_inputs) >= 4:
        if len(repeated) > MANY * width:
            symptoms.append(
                f"{len(repeated)} of {width} coordinates of the embedding repeat another one (|r| > {REPEATED})."
            )
        elif rank < min_rank(width):
            symptoms.append(f"The effective rank of the embedding is only {rank:.1f}, with {width} coordinates.")
    if not symptoms and summary and summary.projection_dim > 1 and summary.projection_redundancy > CORRELATED:
        symptoms.append(
            f"The projection has collapsed: its effective rank is {summary.projection_rank:.1f} of "
            f"{summary.projection_dim} coordinates, and their mean squared correlation is "
            f"{summary.projection_redundancy:.2f}."
        )
    return symptoms


def list_findings(facts, rank, dead, repeated, columns, width):
    """List the findings about an embedding and the fit behind it."""
    causes, summary = list(list_causes(facts, columns)), facts.summary
    first = causes[0] if causes else UNKNOWN
    n_inputs = width if facts.n_features is None else facts.n_features
    most_dead = DEAD_IF_CAUSED if causes else DEAD
    symptoms = list_symptoms(summary, rank, dead, repeated, width, n_inputs, most_dead)
    findings = [replace(first, problem=problem) for problem in symptoms]
    if summary and summary.projection_dim > WIDE * summary.batch:
        findings.append(describe_wide_projection(facts))
    return findings or ([first] if first.problem else [])


def describe_wide_projection(facts):
    """Make the finding that batches are much too small for the projection."""
    summary, share = facts.summary, compute_noise_share(facts.history)
    problem = (
        f"The projection's width is {summary.projection_dim / summary.batch:.0f} times the number of rows in a batch."
    )
    cause = f"batch_size={facts.batch_size} with projection_dim={summary.projection_dim}"
    cause += "" if summary.batch == facts.batch_size else f" (batches have {summary.batch} rows)"
    cause += f": {share:.0%} of the redundancy term is sampling noise." if np.isfinite(share) else "."
    larger = "a larger batch or " if summary.n_rows > summary.batch else ""
    return Finding(problem, cause, f"use {larger}a smaller projection (projector__projection_dim).")


def diagnose(Z, views, samples, spec, facts):
    """Diagnose an embedding.

    Parameters
    ----------
    Z : ndarray of shape (n, n_components)
        The embedding.
    views : ndarray of shape (n, 2, n_components)
        Embedding of two views of each row.
    samples : ndarray of shape (n, *sample_shape)
        The rows.
    spec : SampleSpec
        What a sample is.
    facts : Facts
        Facts about the fit.

    Returns
    -------
    diagnosis : Diagnosis
    """
    rank, dead, repeated = find_flaws(Z)
    columns = find_constant_columns(samples, spec, facts.feature_names)
    pair = views.swapaxes(0, 1)
    disagreement, alike = invariance(*pair), redundancy(*pair, normalize=True)
    findings = list_findings(facts, rank, dead, repeated, columns, Z.shape[1])
    if disagreement < SAME_VIEWS and len(dead) < Z.shape[1] and not facts.has_several_views:
        findings.append(
            Finding(
                "The two views of a row are almost the same.",
                f"augmentation={facts.augmentation!r} changes almost nothing.",
                "use a stronger augmentation; the default is 'auto'.",
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
        noise_share=compute_noise_share(facts.history),
        findings=findings,
    )


def warn_of_collapse(embedding, samples, spec, facts):
    """Warn of problems with the embedding after a fit.

    Parameters
    ----------
    embedding : ndarray of shape (rows, n_components)
        Embedding of some training rows.
    samples : ndarray of shape (rows, *sample_shape)
        The rows.
    spec : SampleSpec
        What a sample is.
    facts : Facts
        Facts about the fit.
    """
    if len(embedding) < MIN_ROWS:
        return
    if facts.summary is None:
        likely = next(list_causes(facts, []), UNKNOWN)
        finding = replace(likely, problem="The embedding or its projection is not finite.")
        warnings.warn(str(finding), CollapseWarning, stacklevel=2)
        return
    rank, dead, repeated = find_flaws(embedding)
    columns = find_constant_columns(samples, spec, facts.feature_names)
    for finding in list_findings(facts, rank, dead, repeated, columns, embedding.shape[1]):
        warnings.warn(f"{finding} See diagnose(X).", CollapseWarning, stacklevel=2)
