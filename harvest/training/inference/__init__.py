"""What runs a network from picture to probability: torch, or ONNX without it; and what writes both."""
