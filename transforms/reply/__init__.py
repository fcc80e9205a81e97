"""What the author of a message wrote in it: a view beside the full text, which is always kept whole."""
