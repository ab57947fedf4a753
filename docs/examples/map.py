"""
Maps: coming from PCA, t-SNE or UMAP
====================================

PCA, t-SNE and UMAP reduce a table to two columns for a plot. :class:`~sklearn_twins.BarlowTwinsEmbedder` makes many
columns for the next step of a pipeline. To plot these, use any of the three. This page compares maps of handwritten
digits, from raw pixels and from the embedding, by PCA and by t-SNE.

To run it, in a checkout::

    pip install ".[examples]"
"""

# %%
# Four maps
# ---------
#
# :class:`~sklearn_twins.displays.EmbeddingDisplay` draws the output of a transformer, coloured by labels. ``reducer``
# is any transformer that returns two columns, such as UMAP; the default is PCA. The embedder is fitted on the
# training rows only. The percentages are the accuracy of a vote of the five nearest neighbours on the map.

import matplotlib.pyplot as plt
from sklearn.datasets import load_digits
from sklearn.manifold import TSNE
from sklearn.model_selection import cross_val_score, train_test_split
from sklearn.neighbors import KNeighborsClassifier
from sklearn.preprocessing import FunctionTransformer

from sklearn_twins import BarlowTwinsEmbedder
from sklearn_twins.displays import EmbeddingDisplay

EPOCHS = "auto"
ITERATIONS = 500

digits = load_digits()
X_train, X_test, _, y = train_test_split(digits.data, digits.target, test_size=0.5, random_state=0)
embedder = BarlowTwinsEmbedder(passthrough=False, max_epochs=EPOCHS, random_state=0)
transformers = {
    "raw pixels": FunctionTransformer().fit(X_train),
    "embedding": embedder.fit(X_train),
}
reducers = {"PCA": None, "t-SNE": TSNE(max_iter=ITERATIONS, random_state=0)}

plt.rc("font", size=9)
figure, axes = plt.subplots(2, 2, figsize=(7, 7), layout="constrained")
for row, (name, transformer) in zip(axes, transformers.items(), strict=True):
    for ax, (method, reducer) in zip(row, reducers.items(), strict=True):
        display = EmbeddingDisplay.from_estimator(transformer, X_test, y, reducer=reducer, ax=ax)
        agreement = cross_val_score(KNeighborsClassifier(5), display.points, y).mean()
        ax.set_title(f"{name}, {method}: {agreement:.0%}")
        handles = ax.get_legend_handles_labels()
        ax.get_legend().remove()
style = {"markerscale": 1.5, "columnspacing": 1, "handletextpad": 0.1}
figure.legend(*handles, loc="outside lower center", ncols=10, **style)

# %%
# PCA separates the digits better in the embedding than in the pixels. The main directions of the pixels are those in
# which the ink varies most; the main directions of the embedding are stable under changes of some pixels. t-SNE uses
# neighbours, and the neighbours in the pixels of these digits are already excellent: here the embedding gains nothing
# and loses a little. The embedding helps before a simple linear model with few labels (:doc:`unlabeled`). It also has
# a ``transform`` for new rows, which scikit-learn's t-SNE lacks.
