"""The attention methods that ship with the harness, a folder per slot and a file per method or tight family.

A method that is built on an OpenMMLab class needs :func:`harness.openmmlab.setup` before its import; the harness sees to that.
"""
