"""Contrastive datasets and their immutable versions."""
