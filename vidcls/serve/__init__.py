"""A trained model -> a server that answers uploads with scores, and a page for people."""
