"""Freshdesk: reads an account's tickets with their conversations, people and ratings over its API v2."""
