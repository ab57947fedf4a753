"""
Combining transformers
======================

Use :class:`~sklearn_twins.BarlowTwinsEmbedder` like any other scikit-learn transformer: get a data frame as output,
put it into a ``ColumnTransformer`` or a ``FeatureUnion``, and save it to a file.

To run it, in a checkout::

    pip install ".[examples]"
"""

# %%
# Data frames in and out
# ----------------------
#
# We take scikit-learn's wine table, turn one of its columns into words and delete a few values. You need not encode,
# scale or impute.

import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from sklearn.compose import make_column_transformer
from sklearn.datasets import load_wine
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import cross_val_score
from sklearn.pipeline import make_pipeline, make_union
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from sklearn_twins import BarlowTwinsEmbedder

EPOCHS = 100

numbers, y = load_wine(return_X_y=True, as_frame=True)
color = pd.cut(numbers["color_intensity"], [0, 4, 6, 99], labels=["pale", "medium", "deep"])
X = numbers.assign(color_intensity=color)
X.loc[::10, "magnesium"] = np.nan

embedder = BarlowTwinsEmbedder(n_components=6, max_epochs=EPOCHS, random_state=0)
embedder.set_output(transform="pandas")
embedding = embedder.fit_transform(X)
embedding.head(3).round(2).T

# %%
# Relate coordinates to columns
# -----------------------------
#
# Coordinates have numbers, not names. Rank correlations show how they relate to the columns:

both = pd.concat([numbers, embedding], axis=1).corr("spearman")
correlations = both.loc[numbers.columns, embedding.columns]
figure, ax = plt.subplots(figsize=(7, 4.5), layout="constrained")
image = ax.imshow(correlations, cmap="RdBu_r", vmin=-1, vmax=1, aspect="auto")
ax.set_yticks(range(len(correlations)), correlations.index)
ax.set_xticks(range(len(correlations.columns)), range(len(correlations.columns)))
ax.set(xlabel="coordinate of the embedding")
figure.colorbar(image, ax=ax, label="rank correlation")

# %%
# Combine with other transformers
# -------------------------------
#
# In a ``ColumnTransformer``, pass some of the columns to the embedder and the others to other transformers:

chemistry = list(X.columns[:9])
columns = make_column_transformer(
    (embedder, chemistry),
    (OneHotEncoder(), ["color_intensity"]),
    (StandardScaler(), ["hue"]),
)
by_column = make_pipeline(columns, LogisticRegression(max_iter=1000))
by_column

# %%
# In a ``FeatureUnion``, combine it with another transformer of the same columns:

classifier = LogisticRegression(max_iter=1000)
union = make_pipeline(StandardScaler(), make_union(embedder, PCA(3)), classifier)
plain = make_pipeline(StandardScaler(), classifier)
print(f"by column       {cross_val_score(by_column, X, y, cv=3).mean():.3f}")
print(f"union           {cross_val_score(union, numbers, y, cv=3).mean():.3f}")
print(f"no embedding    {cross_val_score(plain, numbers, y, cv=3).mean():.3f}")

# %%
# On a table of 178 rows, all of them labelled, the embedding gains nothing. This page only shows how the parts fit
# together.

# %%
# Save and load
# -------------
#
# ``save`` and ``load`` need no further package, and ``load`` runs no code from the file. The output is the same bit
# for bit.

path = Path(tempfile.mkdtemp()) / "wines.safetensors"
embedder.save(path)
loaded = BarlowTwinsEmbedder.load(path)
print(f"{path.name}: {path.stat().st_size / 1e6:.1f} MB")
print(f"same output: {embedding.equals(loaded.transform(X))}")
