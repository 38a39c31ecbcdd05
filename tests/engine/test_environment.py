"""Where a trial ran, as far as its digits depend on it."""

from __future__ import annotations

from harness.analysis.gate.machines import difference, known_as, machine_of
from harness.engine import environment


def test_a_trial_says_on_which_processor_it_ran():
    about = environment.describe("cpu")
    machine = machine_of(about)
    assert about["cpu"] and machine["packages"]["torch"] and "attention-harness" not in machine["packages"]
    assert known_as(machine) == known_as(machine_of(environment.describe("cpu"))) != ""


def test_what_changes_digits_is_another_machine():
    about = environment.describe("cpu")
    here = machine_of(about)
    other = {
        "EPYC": {"cpu": "EPYC"},
        "instructions": {"cpu_isa": "none"},
        "torch 9": {"packages": {**about["packages"], "torch": "9"}},
        "device": {"device": "cuda:1"},
    }
    for said, changed in other.items():
        there = machine_of(about | changed)
        assert known_as(there) != known_as(here) and said in difference(there, here)
    for unchanged in ({"git_sha": "0"}, {"platform": "another kernel"}, {"packages": {**about["packages"], "attention-harness": "9"}}):
        assert known_as(machine_of(about | unchanged)) == known_as(here)


def test_of_a_trial_that_does_not_say_nothing_is_known():
    assert known_as(machine_of({"device": "cpu", "packages": {"torch": "2"}})) == ""
