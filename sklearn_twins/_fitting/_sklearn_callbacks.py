"""scikit-learn's callback protocol (1.9 and later): a task for the fit, and one in it for every epoch."""

try:
    from sklearn.callback import CallbackSupportMixin
except ImportError:  # below scikit-learn 1.9 there is nobody to tell

    class CallbackSupportMixin:
        """Stands in for scikit-learn's mixin where there is none."""


class FitTasks:
    """Tell scikit-learn's callbacks where a fit is.

    Parameters
    ----------
    estimator : estimator
        The one being fitted.
    X : array-like
        Its training data, as the caller gave it.
    n_epochs : int
        Epochs at most.
    """

    def __init__(self, estimator, X, n_epochs):
        self.told = {"estimator": estimator, "X": X}
        self.root = self.epoch = None
        if hasattr(estimator, "_init_callback_context"):
            self.root = estimator._init_callback_context(max_subtasks=n_epochs)
            self.root.call_on_fit_task_begin(**self.told)

    def on_epoch_begin(self):
        """An epoch begins."""
        if self.root is not None:
            self.epoch = self.root.subcontext(task_name="epoch")
            self.epoch.call_on_fit_task_begin(**self.told)

    def on_epoch_end(self, attributes):
        """An epoch has ended.

        Parameters
        ----------
        attributes : callable
            Returns the fitted attributes as if the fit ended here; called only if a callback asks.

        Returns
        -------
        stop : bool
            Whether a callback wants no further epoch.
        """
        if self.root is None:
            return False
        return self.epoch.call_on_fit_task_end(**self.told, reconstruction_attributes=attributes)

    def end(self, attributes):
        """The fit has ended.

        Parameters
        ----------
        attributes : callable
            Returns the fitted attributes.
        """
        if self.root is not None:
            self.root.call_on_fit_task_end(**self.told, reconstruction_attributes=attributes)
