"""Run a network with torch or with ONNX, and export it for other programs."""
