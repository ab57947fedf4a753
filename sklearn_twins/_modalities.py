"""The roles of an embedder, the names they know and what these stand for, and each modality's defaults."""

from ._parts._modality import Modality

MODALITIES = {
    "image": Modality(
        preprocessor="image", augmentation="image_views", encoder="convnet", steps=5_000, epochs=(20, 100)
    ),
    "tabular": Modality(preprocessor="table", augmentation="marginal_corruption", encoder="mlp"),
}
