"""EachParameter, the base of optimizers that step one parameter after the other."""

import torch


class EachParameter(torch.optim.Optimizer):
    """Base of optimizers that define ``_update(parameter, group)``, a step of one parameter that has a gradient."""

    @torch.no_grad()
    def step(self, closure=None):
        """Take one step.

        Parameters
        ----------
        closure : callable, default=None
            Function that evaluates the objective again.

        Returns
        -------
        loss : Tensor or None
            Result of the closure.
        """
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.grad is not None:
                    self._update(parameter, group)
        return loss
