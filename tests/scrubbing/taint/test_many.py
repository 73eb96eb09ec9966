"""Many values, of which those that stand at a place are told: as one by one, however alike they are."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from asgi_sentry._scrubbing.taint.many import Many


@given(
    st.sets(st.text("ab", min_size=4, max_size=14), max_size=60),
    st.text("ab", max_size=80),
    st.sampled_from(["", "abababab", "aaaaaaaa"]),
)
def test_those_that_stand_at_a_place_are_told_the_longest_first(values: set[str], text: str, head: str) -> None:
    values = {head + value for value in values}
    text += head * 2 + text
    many = Many(values)
    places = set(many.begin(text))
    for start in range(len(text)):
        wanted = sorted((value for value in values if text.startswith(value, start)), key=len, reverse=True)
        assert list(many.at(text, start)) == wanted
        assert not wanted or start in places


def test_a_text_that_is_no_value_of_hundreds_that_begin_alike_is_told_in_few_steps() -> None:
    class Counted(str):
        __slots__ = ()
        asked = 0

        def startswith(self, *args):  # type: ignore[no-untyped-def]
            Counted.asked += 1
            return super().startswith(*args)

        def __getitem__(self, key):  # type: ignore[no-untyped-def]
            return Counted(super().__getitem__(key))

    chain = [f"{'ab1' * number}" for number in range(3, 400)]
    many = Many(chain)
    assert list(many.at("ab1" * 400, 0)) == chain[::-1]
    assert many.at(Counted("ab1ab1ab~"), 0) == ()
    assert Counted.asked <= 10
