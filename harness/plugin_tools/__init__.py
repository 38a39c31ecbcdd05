"""Tools for those who write a plugin: a working file to start from, and the contract of its slot as a check."""
