"""What is looked at stands in the address: a reload, a link that was sent or the Back button shows the same again.

    benchmark = state.choice("Benchmark", names, "benchmark")       # ?benchmark=rooms
    methods = state.choices("Methods", known, "method")             # ?method=gap&method=gem
    seeds = state.number("Seeds, at least", "seeds", 1, 10)
    word = state.words("Search", "q")
    failed = state.switch("Failures only", "failed")
    state.tabs({"Metrics": draw_metrics, "Cost": draw_cost})        # only the open one is drawn
    digest = state.value("trial")                                   # what has no widget
    state.go("trial", trial=digest)                                 # leave for another page, or for another state of this one
    state.link("All its trials", "runs", method="gap")              # the same as a link to be clicked

The address is the truth: before a widget is drawn it gets the value the address has, and what is chosen goes into the address, as a
step that Back takes back. A default is left out of it. A value that does not exist is told, and the default taken. Streamlit's own
binding (``bind="query-params"``) writes the texts that are shown rather than what they stand for, drops wrong values without a word
and loses the state of a page on the way back to it.

Names in the address, the same on all pages: ``benchmark``, ``method`` (several), ``trial`` (digest), ``metric``, ``image``,
``layer``, ``head``, ``tab``, ``family``, ``tier``, ``slot``, ``q``, ``seeds``, ``state``, ``keys``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn, TypeVar
from urllib.parse import urlencode

import streamlit as st

from dashboard import text

T = TypeVar("T")

Value = str | int | Iterable[str] | None
"""Of a name in the address: a text, several, or ``None`` where it is left out."""

KEYS = "keys"
"""In the address, see :func:`by_keys`."""

_HERE, _LEFT, _GONE = "state: page", "state: left", "state: gone"
"""In the session: the page; page -> address in which it was left; steps of :func:`go`: page and parameters, and what was there."""


def file(page: str) -> Path:
    """The file of a page."""
    return Path(__file__).with_name("pages") / f"{page}.py"


def _parameters(given: Mapping[str, Value]) -> dict[str, str | list[str]]:
    found: dict[str, str | list[str]] = {}
    for name, value in given.items():
        if isinstance(value, str | int):
            found[name] = str(value)
        elif value is not None and (some := [str(each) for each in value]):
            found[name] = some
    return found


def _wanted(given: Mapping[str, Value]) -> dict[str, str | list[str]]:
    """The address of a view of ours, which keeps how tables are used."""
    return _parameters(given) | _parameters({KEYS: st.query_params.get(KEYS)})


def _address() -> dict[str, str | list[str]]:
    """What stands in the address, several values of a name as a list."""
    return {name: some[0] if len(some := st.query_params.get_all(name)) == 1 else some for name in st.query_params}


def _write(name: str, value: Value) -> None:
    here = _parameters({name: value}).get(name)
    if here is None:
        st.query_params.pop(name, None)
    else:
        st.query_params[name] = here


def _key(name: str) -> str:
    return f"{st.session_state.get(_HERE, '')}?{name}"


def _missing(what: str, values: Iterable[str]) -> None:
    text.show(f"{what}: there is no {', '.join(map(repr, map(text.visible, values)))} here.")


def value(name: str, default: str = "") -> str:
    """What the address says."""
    return str(st.query_params.get(name, default))


def values(name: str) -> list[str]:
    """All that the address says under a name."""
    return list(st.query_params.get_all(name))


def _one(name: str, texts: Mapping[str, T], default: T, label: str) -> T:
    """The option the address names."""
    asked = st.query_params.get(name)
    if asked is not None and asked not in texts:
        _missing(label, [asked])
    return texts.get(asked, default) if asked is not None else default


def choice(
    label: str,
    options: Sequence[T],
    name: str,
    *,
    default: T | None = None,
    show: Callable[[T], str] = str,
    place: Any = st,
    **more: Any,
) -> T:
    """A ``selectbox``; ``options`` are texts or numbers as they stand in the address, at least one, ``show`` is what is read."""
    key, first = _key(name), options[0] if default is None else default
    st.session_state[key] = _one(name, {str(option): option for option in options}, first, label)

    def keep() -> None:
        chosen = st.session_state[key]
        _write(name, None if chosen == first else str(chosen))

    found: T = place.selectbox(label, options, key=key, format_func=lambda option: text.visible(show(option)), on_change=keep, **more)
    return found


def choices(label: str, options: Sequence[str], name: str, *, show: Callable[[str], str] = str, place: Any = st, **more: Any) -> list[str]:
    """A ``multiselect``: none chosen at first."""
    key, asked = _key(name), values(name)
    if wrong := [each for each in asked if each not in options]:
        _missing(label, wrong)
    st.session_state[key] = [each for each in dict.fromkeys(asked) if each in options]
    found: list[str] = place.multiselect(
        label,
        options,
        key=key,
        format_func=lambda option: text.visible(show(option)),
        on_change=lambda: _write(name, st.session_state[key]),
        **more,
    )
    return found


def segments(label: str, options: Sequence[str], name: str, *, place: Any = st, **more: Any) -> str:
    """One of a few words of ours, side by side; the first is the default."""
    key = _key(name)
    st.session_state[key] = _one(name, {option: option for option in options}, options[0], label)

    def keep() -> None:
        chosen = st.session_state[key]
        _write(name, None if chosen in (None, options[0]) else chosen)

    found: str | None = place.segmented_control(label, options, key=key, required=True, on_change=keep, **more)
    return found or options[0]


def switch(label: str, name: str, *, place: Any = st, **more: Any) -> bool:
    """A ``toggle``, off at first; ``name=1`` in the address where it is on."""
    key = _key(name)
    st.session_state[key] = value(name) == "1"
    return bool(place.toggle(label, key=key, on_change=lambda: _write(name, "1" if st.session_state[key] else None), **more))


def number(label: str, name: str, low: int, high: int, *, default: int | None = None, place: Any = st, **more: Any) -> int:
    """A ``number_input`` of whole numbers; ``low`` at first."""
    key, first = _key(name), low if default is None else default
    asked = value(name)
    told = int(asked) if asked.isascii() and asked.isdigit() and len(asked) < 10 else first
    if asked and str(told) != asked:
        _missing(label, [asked])
    st.session_state[key] = min(max(told, low), high)

    def keep() -> None:
        chosen = st.session_state[key]
        _write(name, None if chosen == first else str(chosen))

    return int(place.number_input(label, low, high, step=1, key=key, on_change=keep, **more))


def slider(label: str, name: str, low: int, high: int, *, default: int, step: int = 1, place: Any = st, **more: Any) -> int:
    """A ``slider`` over whole numbers."""
    key, asked = _key(name), value(name)
    told = int(asked) if asked.isascii() and asked.isdigit() and len(asked) < 10 else default
    if asked and str(told) != asked:
        _missing(label, [asked])
    st.session_state[key] = min(max(told, low), high)

    def keep() -> None:
        chosen = st.session_state[key]
        _write(name, None if chosen == default else str(chosen))

    return int(place.slider(label, low, high, step=step, key=key, on_change=keep, **more))


def words(label: str, name: str, *, place: Any = st, **more: Any) -> str:
    """A ``text_input``, empty at first."""
    key = _key(name)
    st.session_state[key] = value(name)
    return str(place.text_input(label, key=key, on_change=lambda: _write(name, st.session_state[key].strip() or None), **more) or "")


def page_number(pages: int, name: str = "page", *, place: Any = st) -> int:
    """A page of a long table, from 0; nothing is drawn where there is but one."""
    if pages < 2:
        return 0
    asked = value(name)
    here = min(max(int(asked) if asked.isascii() and asked.isdigit() and len(asked) < 10 else 1, 1), pages)
    key = f"{_key(name)} {here}"  # Streamlit warns of a page that is set as the other widgets are: each page has a widget of its own

    def keep() -> None:
        _write(name, None if st.session_state[key] == 1 else str(st.session_state[key]))

    return int(place.pagination(pages, default=here, key=key, on_change=keep)) - 1


def tabs(draw: Mapping[str, Callable[[], None]], name: str = "tab") -> None:
    """Tabs by their heading, words of ours; the open one is drawn by its function, the others when they are opened."""
    names, key = [*draw], _key(name)
    st.session_state[key] = _one(name, {each: each for each in names}, names[0], "Tab")

    def keep() -> None:
        chosen = st.session_state[key]
        _write(name, None if chosen == names[0] else chosen)

    for heading, tab in zip(names, st.tabs(names, key=key, on_change=keep), strict=True):
        if tab.open:
            with tab:
                draw[heading]()


def address(page: str, **parameters: Value) -> str:
    """Where a view of a page is, for the cells of a ``LinkColumn``; relative to the page it stands on."""
    found = urlencode(_parameters(parameters), doseq=True)
    return f"./{'' if page == 'overview' else page}{f'?{found}' if found else ''}"


def go(page: str, **parameters: Value) -> NoReturn:
    """Leave for a page, in the state its parameters say; not in a callback, where Streamlit cannot switch pages."""
    wanted = _wanted(parameters)
    if page == st.session_state.get(_HERE):
        st.query_params.from_dict(wanted)
        st.rerun()
    st.session_state.setdefault(_GONE, []).append(((st.session_state.get(_HERE), wanted), _address()))
    st.switch_page(file(page), query_params=wanted)


def link(label: str, page: str, *, place: Any = st, **parameters: Value) -> None:
    """A link to a view of ours; ``label`` may be text of a store."""
    wanted = _wanted(parameters)
    st.session_state[_GONE] = [some for some in st.session_state.get(_GONE, []) if some[0] != (page, wanted)]
    if page != st.session_state.get(_HERE):
        place.page_link(file(page), label=text.escaped(label), query_params=wanted)
    else:  # Streamlit leaves the address as it is where the page stays the same
        place.button(
            text.escaped(label),
            key=f"{label} {address(page, **parameters)}",
            type="tertiary",
            on_click=st.query_params.from_dict,
            args=(wanted,),
        )


def arrive(page: str) -> None:
    """Called once a run, before all else, by :mod:`dashboard.app.main`: which page this is."""
    gone = st.session_state.get(_GONE, [])
    if gone and gone[-1][0] == (page, _address()):
        # switch_page writes the parameters of where it goes into a step of the page it leaves: Back would show that first
        st.query_params.from_dict(gone.pop()[1])
    st.session_state[_HERE] = page


def menu(pages: Mapping[str, str]) -> None:
    """Links to all pages, each in the state in which it was left."""
    left: dict[str, dict[str, str | list[str]]] = st.session_state.setdefault(_LEFT, {})
    left[st.session_state[_HERE]] = _address()
    for page, title in pages.items():
        there = {name: some for name, some in left.get(page, {}).items() if name != KEYS}
        st.sidebar.page_link(file(page), label=title, query_params=_wanted(there))


def by_keys() -> bool:
    """Whether tables are used by the keyboard, whose arrows would otherwise open what they come by; on all pages."""
    return value(KEYS) == "1"


def ask_for_keys() -> None:
    """The switch for it, in the sidebar."""
    switch(
        "Tables by keyboard",
        KEYS,
        place=st.sidebar,
        help="Arrow keys move within a table, and Shift with Space opens a row; a click opens one by its box only.",
    )
