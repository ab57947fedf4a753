"""Runtime: devices, torch's state, storage, compilation, progress."""
