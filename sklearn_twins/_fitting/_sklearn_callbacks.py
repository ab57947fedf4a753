"""scikit-learn's callback protocol (1.9 and later): a task for the fit, and one in it for every epoch."""

try:
    from sklearn.callback import CallbackSupportMixin
except ImportError:  # below scikit-learn 1.9 there is no callback API

    class CallbackSupportMixin:
        """Replaces scikit-learn's mixin below 1.9."""


# scikit-learn's attributes of an estimator while it is being fitted.
RUNNING = ("_callback_fit_ctx", "_skl_callbacks_to_teardown")


class FitTasks:
    """Report a fit to scikit-learn's callbacks.

    Parameters
    ----------
    estimator : estimator
        The estimator being fitted.
    """

    def __init__(self, estimator):
        self.estimator = estimator
        self.root = self.epoch = None

    def begin(self, X, n_epochs):
        """Begin the fit.

        Parameters
        ----------
        X : array-like
            Training data, as the caller gave it.
        n_epochs : int
            Maximum number of epochs.
        """
        self.reported = {"estimator": self.estimator, "X": X}
        if hasattr(self.estimator, "_init_callback_context"):
            self.root = self.estimator._init_callback_context(max_subtasks=n_epochs)
            self.root.call_on_fit_task_begin(**self.reported)

    def on_epoch_begin(self):
        """Begin an epoch."""
        if self.root is not None:
            self.epoch = self.root.subcontext(task_name="epoch")
            self.epoch.call_on_fit_task_begin(**self.reported)

    def on_epoch_end(self, attributes):
        """End an epoch.

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
        return self.epoch.call_on_fit_task_end(**self.reported, reconstruction_attributes=attributes)

    def end(self, attributes):
        """End the fit.

        Parameters
        ----------
        attributes : callable
            Returns the fitted attributes.
        """
        if self.root is not None:
            self.root.call_on_fit_task_end(**self.reported, reconstruction_attributes=attributes)
