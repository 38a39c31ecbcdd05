"""The regression check: what was measured against a baseline (docs/ci.md).

===================  ===========================================================================================
:mod:`expected`      what one metric of one method should be, and how far from nothing it is
:mod:`machines`      which environments compute the same digits, and which cost the same
:mod:`limits`        how far a metric must fall to count: a size that means something, and more than noise
:mod:`saving`        a baseline of a leaderboard; what could not fail is refused or left out
:mod:`file`          the baseline as a file
:mod:`regression`    baseline against leaderboard, entry by entry
:mod:`origins`       where a difference may come from: the same code, another machine, other code
:mod:`outcome`       better, same, worse, missing, new, incomparable; of all together a verdict and an exit code
:mod:`costs`         time and memory, with their own rule
:mod:`calibration`   false alarms of the whole check, and the smallest drop that each entry catches
:mod:`reports`       JUnit, Markdown and JSON
===================  ===========================================================================================
"""
