"""The examples in the order of a first reading."""

from pathlib import Path

ORDER = (
    "few_labels",
    "unlabeled",
    "few_labels_classifier",
    "which_labels_first",
    "mixed_tables",
    "steps_of_a_pipeline",
    "images",
    "image_views",
    "heartbeats",
    "sounds",
    "two_descriptions",
    "halves",
    "recordings",
    "map",
    "pictures",
    "collapse",
    "label_free_search",
    "identity",
    "two_objectives",
    "batch_size",
)


def place(file_name):
    """Where an example stands; one that is not in the list comes last."""
    stem = Path(file_name).stem
    return (ORDER.index(stem) if stem in ORDER else len(ORDER), stem)
