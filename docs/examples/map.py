"""
Maps: coming from PCA, t-SNE or UMAP
====================================

PCA, t-SNE and UMAP make two columns of a table, for a picture. :class:`~sklearn_twins.BarlowTwinsEmbedder` makes
many, for the next step of a pipeline; to look at them, any of the three will do. Here are raw pixels of handwritten
digits and their embedding, each by PCA and by t-SNE.
"""

# %%
# Four maps
# ---------
#
# :class:`~sklearn_twins.displays.EmbeddingDisplay` draws what a transformer makes of rows, coloured by their labels;
# ``reducer`` is anything that makes two columns, UMAP's included, and PCA if not given. The embedder has seen the
# training rows only. The percentages say how often a digit's five neighbours on the map, by vote, are right about it.

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
# What PCA shows of the embedding is clearer than what it shows of pixels: the main directions of the pixels are those
# in which ink varies most, the main directions of the embedding are what outlasts a change of some pixels. t-SNE goes
# by neighbours, and neighbours on the pixels of these digits are excellent already; the embedding gains nothing
# there, it loses a little. It helps where something simple and linear follows, and labels are few (:doc:`unlabeled`),
# and it has a ``transform`` for rows to come, which scikit-learn's t-SNE has not.
