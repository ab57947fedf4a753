"""Metrics that measure the quality of an embedding without labels."""

from ._clusters import cluster_agreement
from ._correlation import invariance, redundancy
from ._hypersphere import alignment, self_cluster, uniformity
from ._lidar import lidar
from ._neighbors import neighbor_agreement
from ._scorers import LabelFreeScorer, get_scorer, get_scorer_names
from ._spectrum import alpha_req, effective_rank, rankme, stable_rank

__all__ = [
    "LabelFreeScorer",
    "alignment",
    "alpha_req",
    "cluster_agreement",
    "effective_rank",
    "get_scorer",
    "get_scorer_names",
    "invariance",
    "lidar",
    "neighbor_agreement",
    "rankme",
    "redundancy",
    "self_cluster",
    "stable_rank",
    "uniformity",
]
