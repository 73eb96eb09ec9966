"""What looks at a text for names and values apart is told by signs, all of them by one search."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from asgi_sentry._scrubbing.text import commands, named
from tests.quick import examples

SIGNS = sorted({sign for signs, _ in named._FINDERS for sign in signs})
# Signs that run into each other: the end of one is the beginning of another one.
OVERLAPPING = [
    "attachap ",
    "chapap ",
    "fielduser",
    "querygs=",
    "loginput_value=",
    "username=",
    "sendexecut",
    "keyname>",
]
PARTS = st.one_of(
    st.sampled_from([*SIGNS, *OVERLAPPING]),
    st.builds(lambda sign, cut: sign[cut:], st.sampled_from(SIGNS), st.integers(0, 4)),
    st.builds(lambda sign, cut: sign[:cut], st.sampled_from(SIGNS), st.integers(1, 6)),
    st.text("aehnpu =:|>", max_size=3),
)


@settings(max_examples=examples(1000), deadline=None)
@given(st.lists(PARTS, max_size=6).map("".join))
def test_one_search_tells_of_each_sign(lower):
    expected = {find for signs, find in named._FINDERS if not signs or any(sign in lower for sign in signs)}
    assert set(named._BY_SIGN.of(lower)) == expected


def test_no_finder_is_asked_twice():
    assert len(list(named._BY_SIGN.of("".join(SIGNS)))) == len({find for _, find in named._FINDERS})


@settings(max_examples=examples(500), deadline=None)
@given(
    st.sampled_from(sorted(commands.PROGRAMS)),
    st.sampled_from(["", ".exe", ".EXE", "x", "-", "\u00e9"]),
    st.sampled_from(["", "/usr/bin/", "'", "\n", "\\n", "$(", "a", ".", "\u00e9", "\u4e2d"]),
    st.sampled_from([" ", "\n", "\u00a0", "\u3000", "',", "'", ")", ""]),
)
def test_a_program_that_is_found_is_a_run_of_its_own(program, ending, before, behind):
    text = f"{before}{program}{ending}{behind}-p hunter2X9"
    runs = text.encode("latin-1", "replace").translate(commands._RUNS).split()
    if commands._COMMAND.search(text) is not None:
        assert not commands._AS_RUNS.isdisjoint(runs)
