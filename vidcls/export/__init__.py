"""A trained model -> one file that answers like it: the network with its input stage, and what its numbers mean."""
