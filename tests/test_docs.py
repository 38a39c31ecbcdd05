"""Generated pages are current, and what the README shows exists."""

from __future__ import annotations

import re
import runpy
import shlex

import yaml

from harness import __version__, paths

ROOT = paths.home()


def test_the_page_of_datasets_is_current():
    page = runpy.run_path(str(ROOT / "docs" / "make_data.py"))["page"]()
    assert (ROOT / "docs" / "data.md").read_text(encoding="utf-8") == page, "run `python docs/make_data.py`"


def test_the_page_of_claims_is_current():
    page = runpy.run_path(str(ROOT / "docs" / "make_claims.py"))["page"]()
    assert (ROOT / "docs" / "claims.md").read_text(encoding="utf-8") == page, "run `python docs/make_claims.py`"


def test_links_of_the_documentation_lead_somewhere():
    for page in [*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")]:
        for target in re.findall(r"\]\(([^)#:]+)\)", page.read_text(encoding="utf-8")):
            assert (page.parent / target).exists(), f"{page.name} links to {target}"


def test_the_version_is_the_same_everywhere():
    assert yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))["version"] == __version__
    assert re.findall(r"^## \[(.+?)\]", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), re.M)[0] == __version__


def test_the_readme_shows_a_plugin_that_works(openmmlab, tmp_path):
    import torch

    from harness import slots
    from harness.plugin_tools.contract import check

    source = re.search(r"```python\n(.*?)```", (ROOT / "README.md").read_text(encoding="utf-8"), re.S).group(1)
    file = tmp_path / "my_pool.py"
    file.write_text(source)
    report = check(str(file))
    assert report.ok, [row for row in report.rows if not row.ok]
    assert slots.build("my-pool", {}, channels=8)(torch.zeros(2, 8, 3, 3)).shape == (2, 8)


def test_the_pipelines_of_the_gate_are_yaml_and_call_verbs_as_they_are():
    """Every command of the snippets parses as the command line parses it."""
    import click

    from harness.cli import main

    text = (ROOT / "docs/ci.md").read_text(encoding="utf-8")
    gate, gitlab_gate, report, gitlab_report = (yaml.safe_load(block) for block in re.findall(r"```yaml\n(.*?)```", text, re.DOTALL))
    steps = gate["jobs"]["gate"]["steps"] + report["jobs"]["report"]["steps"]
    scripts = gitlab_gate["gate"]["script"] + gitlab_report["pages"]["script"]
    said = [step["run"] for step in steps if "run" in step] + scripts + re.findall(r"^harness .*$", text, re.MULTILINE)
    called = [shlex.split(line, comments=True) for line in "\n".join(said).splitlines() if "harness " in line]
    assert len(called) >= 13 and all(step.keys() & {"uses", "run"} for step in steps)
    for line in called:
        words = [name for word in line for name in (map(str, ROOT.glob(word)) if "*" in word else [word])]
        command, args = main, words[1:]
        while isinstance(command, click.Group):
            command, args = command.get_command(click.Context(command), args[0]), args[1:]
        command.make_context(words[1], args, **main.context_settings)
