"""
Maps: coming from PCA, t-SNE or UMAP
====================================

PCA, t-SNE and UMAP make pictures of a table. :class:`~sklearn_twins.BarlowTwinsEmbedder` makes columns for the next step;
for a picture of them any of the three will do. :class:`~sklearn_twins.displays.EmbeddingDisplay` draws it: here of raw
pixels and of the embedding, by PCA and by t-SNE.
"""

# %%
# Four maps
# ---------
#
# ``reducer`` takes any transformer to two columns; UMAP's too.

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

X_train, X_test, _, y = train_test_split(*load_digits(return_X_y=True), test_size=0.5, random_state=0)
transformers = {
    "raw pixels": FunctionTransformer().fit(X_train),
    "embedding": BarlowTwinsEmbedder(passthrough=False, max_epochs=EPOCHS, random_state=0).fit(X_train),
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
figure.legend(*handles, loc="outside lower center", ncols=10, markerscale=1.5, columnspacing=1, handletextpad=0.1)
