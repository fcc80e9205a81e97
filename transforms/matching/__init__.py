"""Scored matching of people and of organisations: which records that no rule joins are one, and how sure that is."""
