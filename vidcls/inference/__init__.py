"""A batch as loaded -> what a network is fed, and its scores."""
