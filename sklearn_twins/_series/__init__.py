"""Time series: spec, preprocessor, views, encoders, files and ONNX."""
