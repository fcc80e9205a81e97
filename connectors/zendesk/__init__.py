"""Zendesk Support: the read side by plain HTTP, the write side by zenpy, both over one session."""
