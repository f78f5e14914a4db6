"""Where the shipped demo model stands. No torch here."""

from pathlib import Path


def weights_path() -> Path:
    """The Hugging Face folder of the shipped demo model."""
    return Path(__file__).parent / "weights"
