"""What papers claim and print, beside what was measured here (docs/claims.md).

===================  ============================================================================
:mod:`columns`       one measure of all methods of a block, with the differences its seeds give
:mod:`verdicts`      one verdict per claim and tier
:mod:`tables`        verdicts as text, and the commands that would measure more
:mod:`published`     numbers that papers print
===================  ============================================================================
"""
