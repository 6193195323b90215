"""A data set -> a smaller copy of it for training."""
