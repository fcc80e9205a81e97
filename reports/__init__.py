"""Figures and how they are shown: gives bytes, writes no files."""
