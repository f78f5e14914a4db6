"""Base models, steering vectors and their versions."""
