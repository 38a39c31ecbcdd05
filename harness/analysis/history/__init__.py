"""A metric over the versions of the code that it was measured with.

===================  ==========================================================================
:mod:`versions`      which trials are of one version, what changed between two, where the mean changed
:mod:`picture`       the same as a picture
===================  ==========================================================================
"""
