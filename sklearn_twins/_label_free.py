"""What an embedder says of itself without labels: views of rows, a score, a diagnosis."""

from numbers import Integral

from sklearn.utils.validation import check_is_fitted, check_scalar


class LabelFreeMixin:
    """Judges of an embedding that need no labels, as methods of the embedder."""

    def score(self, X, y=None):
        """How good the embedding is, measured without labels: how well its clusters outlast a change of the rows.

        What searches use that are given no `scoring`. It is ``get_scorer("cluster_agreement")`` of
        `sklearn_twins.metrics`, which holds others: of all that were compared on 20 tables, its ranking of
        configurations agrees best with that by few labels (rank correlation 0.4 in the mean; what it picks is better
        than a random configuration and no better than the default), see docs/benchmarks/label_free_selection.md. The
        views compared are made by the modality's default augmentation, whatever the embedder's own is.

        Parameters
        ----------
        X : data frame, array-like or sparse array of shape (n, n_features_in_); images
            As in `fit`, better rows that `fit` did not see. Of more than 2,000 rows as many are drawn.
        y : Ignored
            Not used, present by convention.

        Returns
        -------
        score : float
            1 at most, about 0 for an embedding that is constant or noise. Scores of one data set compare.

        Raises
        ------
        NotFittedError
            If the embedder is not fitted.
        ValueError
            As in `transform`.

        See Also
        --------
        sklearn_twins.metrics.get_scorer : Other scorers that need no labels.
        """
        check_is_fitted(self)
        from .metrics._scorers import get_scorer

        return get_scorer("cluster_agreement")(self, X)

    def transform_views(self, X, n_views=2, *, augmentation="own", random_state=0):
        """Embed randomly changed views of the rows of X: the encoder's output, neither scaled nor beside columns.

        Parameters
        ----------
        X : data frame, array-like or sparse array of shape (n, n_features_in_); images
            As in `fit`. Augmentations that borrow values of other rows borrow them from these.
        n_views : int, default=2
            Views of each row.
        augmentation : "own", "auto", str, component, torch.nn.Module or callable, default="own"
            What makes the views: the embedder's own augmentation, the default of its modality ("auto"), or another
            one that the parameter `augmentation` would take.
        random_state : int, RandomState instance or None, default=0
            Seed of the views. The same one gives the same views again.

        Returns
        -------
        embedding : ndarray of shape (n, n_views, n_components), float32
            Of each row, its views.

        Raises
        ------
        NotFittedError
            If the embedder is not fitted.
        ValueError
            As in `transform`; or if `n_views` is below 1.
        """
        check_is_fitted(self)
        check_scalar(n_views, "n_views", Integral, min_val=1)
        from ._inference._embed_views import embed_views

        return embed_views(self, self.preprocessor_.transform(X, owner=self), n_views, augmentation, random_state)

    def diagnose(self, X):
        """Look for what may be wrong with the embedding: collapse, its likely cause, and what helps.

        Parameters
        ----------
        X : data frame, array-like or sparse array of shape (n, n_features_in_); images
            As in `fit`; a few hundred rows are enough.

        Returns
        -------
        diagnosis : Diagnosis
            Prints as a short report. `healthy` is whether nothing was found, `findings` what was; beside these the
            measured numbers: `effective_rank`, `dead` and `repeated` coordinates, `constant_columns` of X, `invariance`
            and `redundancy` over two views of each row, and `noise_share` of the redundancy term in training.

        Raises
        ------
        NotFittedError
            If the embedder is not fitted.
        ValueError
            As in `transform`; or if X has fewer than 8 rows.

        See Also
        --------
        sklearn_twins.CollapseWarning : What a fit warns of, in the same words.
        sklearn_twins.displays : Pictures of what it measures.

        Examples
        --------
        >>> from sklearn.datasets import load_digits
        >>> from sklearn_twins import BarlowTwinsEmbedder
        >>> X = load_digits().data
        >>> BarlowTwinsEmbedder(max_epochs=2, random_state=0).fit(X).diagnose(X[:500]).healthy
        True
        """
        check_is_fitted(self)
        from ._inference._collapse import diagnose

        return diagnose(self, X)
