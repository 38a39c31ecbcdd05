"""Write docs/claims.md from the registry: ``python docs/make_claims.py``. A test keeps it current."""

from __future__ import annotations

from pathlib import Path

from harness import families, paths
from harness.analysis.claims.tables import published_text
from harness.analysis.tables import markdown_table
from harness.catalog import Catalog, Claim, read_registry
from harness.listing import Place, places, unmeasurable

TARGET = Path(__file__).parent / "claims.md"

HEAD = """# Claims of papers

Written by `python docs/make_claims.py` from `claims` in `registry.yaml`; do not edit by hand.

```
harness claims                      a verdict per claim and tier
harness claims simpool-over-gap     one claim: sources, published numbers, what each benchmark says
harness claims --tuned              the same by methods that were tuned alike
harness claims --missing            the commands that measure what is not measured yet
harness leaderboard --published     numbers that papers print, beside what was measured here
```

**Measurements on synthetic and small benchmarks reproduce no paper.** Data, model, schedule and often the place of a method are
others; `agrees` says that what was measured there lies in the direction of the claim, and `disagrees` says nothing against the
paper's own measurement. Only the tier `paper` follows published protocols.

## How a verdict is made

1. **One benchmark, one test.** Both methods are compared on one version, setting and kind of device: the registered setting, in the
   newest version. The difference of means over seeds is judged as in [statistics.md](statistics.md): variances moderated by all
   methods of that table, on the scale of the metric, two-sided at 5 %. Two seeds each are the least. Where the first block of
   the leaderboard lacks a method of the claim, the next that has all counts, and a † says how it differs.
2. **Signed towards the claim.** A difference is positive where it is as published, whichever direction the metric has.
3. **Diagnostics** of the attention are tested alike: a method against another, against a number (the claim's statement says which),
   or against another diagnostic of the same trials, such as what uniform attention would give.
4. **Alike** means a difference below the claim's margin. With the margin in the place of 0 both one-sided tests are done at 2.5 %: it
   `agrees` if the 95 % interval lies within the margin on either side, and `disagrees` if it lies outside.
5. **Parameters and operations** are the same in every trial: they are compared as they are.
6. **Holm's correction** goes over all tests of a tier, whatever is shown, so that the chance of one or more false verdicts among the
   claims of a tier is at most 5 %. In 600 simulated stores each (7 claims about 6 methods on 2 benchmarks, in which every verdict is
   false; 2, 3 and 5 seeds, normal or t3) there was one in 0.0 to 1.0 %; `tests/analysis/test_verdicts.py` repeats it.
7. **A tier** `agrees` where one benchmark or more does and none disagrees, and the other way round; it is `undecided` where no
   benchmark or both kinds decide, and `not measured` where none was run. Benchmarks are not averaged: a reader sees each.
8. **Who failed does not win by the rest.** Seeds in which a method did not fail are a selection. A benchmark on which seeds of a method
   failed is `undecided` where the difference favours that method, and where neither direction does (diagnostics, alike); what is
   against it stands. Parameters and operations are judged all the same. Seeds that are planned or running are told and change nothing.
9. **Below the floor nothing is decided.** Where both methods are worse than the floor, which needs no learning, their order is `undecided`.
10. **`--tuned`** asks the same of methods that were tuned alike, each with the same number of trials ([tuning.md](tuning.md)), on the
   benchmarks where both were. What is registered was chosen for no method, what was tuned is chosen by chance in part: an interval is
   not of the choice, so that these verdicts are fairer and their error rate is not the one above.

What two or three seeds cannot see is `undecided`; so are most published differences of a point. Verdicts about a method that sometimes
fails to train are as uncertain as [statistics.md](statistics.md) says of bimodal ones; where attention collapsed in training, a † says so.

## What is claimed

Numbers are differences as printed, towards the claim. "No number": the documents that were read print none, or a picture only.
Each printed pair stands in `results/published.csv`, and a test looks it up; pairs from elsewhere say where.
"""


def _about(claim: Claim) -> str:
    sides = f"`{claim.method}`", f"`{claim.than}`" if isinstance(claim.than, str) else f"{claim.than:g}"
    between = {"alike": f" ≈ (within {claim.margin}) ", "lower": " < ", "higher": " > ", "better": " over "}[claim.kind]
    return f"{between.join(sides)} by {claim.measure}"


def _where(claim: Claim, catalog: Catalog, own: list[Place]) -> str:
    if not own:
        return f"nowhere: {unmeasurable(claim, catalog)}"
    by_tier = {tier: [place.benchmark for place in own if place.tier == tier] for tier in families.TIERS}
    return "; ".join(f"{tier}: {', '.join(names)}" for tier, names in by_tier.items() if names)


def page() -> str:
    """The whole page."""
    catalog = read_registry(paths.home() / "registry.yaml")
    where = places(catalog)
    parts = [HEAD]
    for family in dict.fromkeys(claim.family for claim in catalog.claims.values()):
        rows = [
            [
                claim.id,
                f"{claim.statement}{f' Differs: {claim.differs}.' if claim.differs else ''}",
                _about(claim),
                published_text(claim),
                f"{claim.source}: {claim.place}",
                _where(claim, catalog, where[claim.id]),
            ]
            for claim in catalog.claims.values()
            if claim.family == family
        ]
        header = ["claim", "statement", "compared", "published", "source", "can be judged on"]
        parts.append(f"### {family}\n\n{markdown_table(header, rows)}\n")
    return "\n".join(parts)


if __name__ == "__main__":
    TARGET.write_text(page(), encoding="utf-8")
