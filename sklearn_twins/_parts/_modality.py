"""Modality: the record of one kind of sample."""

from dataclasses import dataclass

ALONE = "Export the encoder alone (preprocessing=False), which takes the samples that `preprocessor_.transform` makes"


@dataclass(frozen=True)
class Modality:
    """What "auto" means for one kind of sample.

    Parameters
    ----------
    preprocessor, augmentation, encoder, projector, objective : str
        A name for each role.
    steps : int
        Optimizer steps that `max_epochs` is chosen for.
    epochs : tuple of (int, int)
        Bounds of it.
    """

    preprocessor: str
    augmentation: str
    encoder: str
    projector: str = "mlp"
    objective: str = "barlow_twins"
    steps: int = 1_000
    epochs: tuple = (5, 200)
