"""Results by setting, and within one by method: what is averaged, and what is left out with a note."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from harness.analysis.notes import OfMethod
from harness.analysis.settings import Setting, as_changed, of_method, setting_of
from harness.outcome import DOUBT
from harness.texts import amount, few

if TYPE_CHECKING:
    from harness.store import Result


def blocks_of(
    results: Iterable[Result], contents: Mapping[str, dict[str, Any]], environments: Mapping[str, Mapping[str, Any]]
) -> dict[Setting, list[Result]]:
    """The results of each setting: first what is registered (the newest, where the entry was edited), then what was tuned, then what
    ``--set`` made. Of those that differ in the device alone the one with most methods, then seeds, is first: one trial elsewhere is no
    new board."""
    found: dict[Setting, list[tuple[Result, Setting]]] = defaultdict(list)
    known: dict[tuple[Any, ...], Setting] = {}  # of thousands of results there are but a few
    for result in results:
        told = (result.setting, result.dataset, result.environment_digest, result.overrides)
        setting = known.get(told) or known.setdefault(told, setting_of(result, contents, environments))
        found[setting].append((result, setting))

    # what was asked for with --set may be what is registered
    best = [max(some, key=lambda pair: (pair[1].registered, pair[0].finished))[1] for some in found.values()]
    newest = {setting: max(result.finished for result, _ in found[setting]) for setting in best}
    anywhere: dict[tuple[str, bool], float] = defaultdict(float)
    for setting, finished in newest.items():
        anywhere[setting.digest, setting.registered] = max(finished, anywhere[setting.digest, setting.registered])

    def standing(setting: Setting) -> tuple[Any, ...]:
        seeds = {(result.method, result.seed) for result, _ in found[setting]}
        size = len({method for method, _ in seeds}), len(seeds)
        return setting.registered, not setting.budget, anywhere[setting.digest, setting.registered], *size, newest[setting]

    return {setting: [result for result, _ in found[setting]] for setting in sorted(best, key=standing, reverse=True)}


def newest_numerics(blocks: dict[Setting, list[Result]], where: str, notes: list[str]) -> dict[Setting, list[Result]]:
    """The blocks with the newest result's version of the numerics; a note counts what is left out."""
    numerics = {setting: setting.content.get("numerics") for setting in blocks}
    newest = numerics[max(blocks, key=lambda setting: max(result.finished for result in blocks[setting]))]
    kept = {setting: some for setting, some in blocks.items() if numerics[setting] == newest}
    if len(kept) < len(blocks):
        count, left = len({*numerics.values()}), sum(len(some) for setting, some in blocks.items() if setting not in kept)
        notes.append(
            f"{where}: results on {count} versions of the harness's numerics exist; the newest is shown, "
            f"{amount(left, 'result is', 'results are')} left out (--all-versions shows them)."
        )
    return kept


def variants_of(results: list[Result], where: str, notes: list[str]) -> dict[str, list[Result]]:
    """Per method the trials of one variant, one per seed.

    A method may have been run in several (``--set method.gamma=2``, an edited plugin): what the registry says counts
    before any ``--set``, then the newest.
    """
    by_method: dict[str, dict[Any, dict[int, Result]]] = defaultdict(lambda: defaultdict(dict))
    for result in sorted(results, key=lambda r: r.finished):
        variant = (result.slot, result.config_digest, frozenset(result.plugins.items()))
        by_method[result.method][variant][result.seed] = result
    chosen = {}
    for method, variants in by_method.items():
        best = max(variants.values(), key=_standing)
        chosen[method] = [best[seed] for seed in sorted(best)]
        changes = " ".join(f"--set {change}" for change in of_method(chosen[method][0].overrides))
        if len(variants) > 1:
            shown = f"with {changes}" if changes else "run last as registered"
            note = f"{where}: '{method}' was run with {len(variants)} settings or sources; shown is the one {shown}."
            notes.append(OfMethod.note(note, method))
        elif changed := as_changed(f"'{method}'", chosen[method][0].overrides):
            notes.append(OfMethod.note(f"{where}: {changed}."))
        for doubt in dict.fromkeys(trial.labels[DOUBT] for trial in chosen[method] if DOUBT in trial.labels):
            seeds = [str(trial.seed) for trial in chosen[method] if trial.labels.get(DOUBT) == doubt]
            notes.append(OfMethod.note(f"{where}: '{method}', seed {few(seeds)}: {doubt}.", method))
    return chosen


def _standing(seeds: Mapping[int, Result]) -> tuple[bool, float]:
    """How much one variant's trials, by seed, count against another's."""
    trials = seeds.values()
    return all(not of_method(trial.overrides) for trial in trials), max(trial.finished for trial in trials)
