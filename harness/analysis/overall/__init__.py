"""Methods over several benchmarks (docs/statistics.md).

===================  ============================================================================
:mod:`selection`     which blocks, slots and methods meet in a table
:mod:`summary`       methods of one slot: mean ranks, and scores between floor and best
:mod:`across`        pairs of methods: signed ranks, and which is practically better
:mod:`formats`       the tables of a summary as text and as plain data
===================  ============================================================================
"""
