"""One job for each video -> one outcome for each."""
