"""How detection datasets lie on disk: a module per format; what they share is in ``picture``."""
