"""JointRecipe: the numbers of a modality's joint training with labels."""

from dataclasses import dataclass
from math import inf


@dataclass(frozen=True)
class JointRecipe:
    """Numbers of the joint training of `BarlowTwinsClassifier`; the defaults are for all data but images.

    Parameters
    ----------
    steps : float, default=0.18
        Number of optimizer steps, in those of a pretraining.
    learning_rate : float, default=0.1
        Peak learning rate, in that of a pretraining.
    objective_weight : float, default=4.0
        Weight of the objective divided by its number of terms, beside the labelled rows' cross-entropy.
    pseudo_weight : float, default=1.0
        Weight of the pseudo-labels' cross-entropy.
    refresh : int, default=30
        Least number of steps between two makings of pseudo-labels.
    labels_reach_encoder : bool, default=False
        Whether the encoder learns from the labelled rows' cross-entropy too, and not from pseudo-labels alone.
    are_spread : bool, default=False
        Whether pseudo-labels come from labels spread over a graph of nearest neighbours; if not, from the head and two
        linear models.
    head_share : float, default=0.5
        Share of the head's probabilities in predictions. The rest is the linear model's.
    most_disagreement : float, default=0.15
        Largest share of rows that head and linear model may put into different classes with one label a class (9 % with
        5, 6 % with 25); a head with more has lost its way more often than it has found a better one, and is left out.
    """

    steps: float = 0.18
    learning_rate: float = 0.1
    objective_weight: float = 4.0
    pseudo_weight: float = 1.0
    refresh: int = 30
    labels_reach_encoder: bool = False
    are_spread: bool = False
    head_share: float = 0.5
    most_disagreement: float = 0.15


DENSE = JointRecipe()
# Encoders of tables overfit a few labelled rows, and forget what they learnt from all rows (2 points lost on splice and
# magic with 5 labels a class). Convolutional ones gain from labels, and from large steps; their head repairs so many
# errors of the linear model that disagreement with it is a good sign. Audio is no case for it: labels that spread over
# neighbours are right for 55 to 61 % of spoken digits, and linear models for 64 to 69 % (5 labels a class, one seed).
CONVOLUTIONAL = JointRecipe(
    steps=0.3,
    learning_rate=0.5,
    objective_weight=1.0,
    pseudo_weight=2.0,
    refresh=100,
    labels_reach_encoder=True,
    are_spread=True,
    head_share=0.75,
    most_disagreement=inf,
)
