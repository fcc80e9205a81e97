"""The demo: an invented company's year of support, and the whole pipeline run over it."""
