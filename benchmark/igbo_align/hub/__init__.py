"""All that talks to the Hugging Face Hub; nothing else in the package does, but for encoders that are fetched."""

from .loading import load_release, push_model

__all__ = ["load_release", "push_model"]
