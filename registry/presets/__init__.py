"""Presets: named, versioned mixes of pinned vectors."""
