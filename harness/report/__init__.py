"""What was measured, to hand on: one page that needs no network, and tables for papers and programs.

==================  ====================================================================================
:mod:`page`         the page as one text: what its templates are given
:mod:`boards`       a section per leaderboard: its table, intervals, costs against scores, diagnostics
:mod:`across`       methods over several benchmarks: mean ranks and the critical-difference diagram
:mod:`claimed`      what papers claim, with verdicts
:mod:`gallery`      attention maps, side by side, within a limit of bytes
:mod:`provenance`   what was run, when and by which code; the commands that run it again
:mod:`drawing`      axes, and marks in shares of their width
:mod:`latex`        leaderboards as a document that compiles
:mod:`files`        the names and texts of all files
==================  ====================================================================================

The page has no script. Its charts are SVG whose places are percentages and whose colours are those of the style sheet, so that they
follow the width of a phone, paper and the reader's light or dark theme without one; a chart library would draw them at one size, or
come along with a megabyte of code that has to run.
"""
