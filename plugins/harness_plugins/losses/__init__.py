"""Losses of the queries and keys of encoder layers."""
