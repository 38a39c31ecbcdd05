"""How localization datasets lie on disk: a module per format; what they share is in ``picture``, ``annotation`` and ``table``."""
