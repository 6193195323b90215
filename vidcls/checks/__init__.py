"""What is wrong with a data set, found once and remembered."""
