"""Persistence: embedders, checkpoints and ONNX graphs on disk, written completely or not at all, read without trust."""
