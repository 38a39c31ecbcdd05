"""Assertions of the proofs are explained like those of the tests."""

import pytest

pytest.register_assert_rewrite("proofs")
