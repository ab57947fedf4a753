"""What is written to disk and read from it: embedders, checkpoints, ONNX; whole or not at all, without trust."""
