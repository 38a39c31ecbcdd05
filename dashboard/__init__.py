"""Streamlit pages over :mod:`harness.analysis`: no SQL and no statistics of their own."""
