"""Training of the learned minutiae extractor. Not part of the installed package."""
