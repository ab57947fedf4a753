"""Runtime: devices, state of torch, storage, compilation, progress."""
