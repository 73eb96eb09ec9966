"""The named inputs of the property tests, shared by all of them."""

from __future__ import annotations

from hypothesis import strategies as st

# --- path rules and the paths they meet -------------------------------------------------------------------

# Few letters, so that rules and paths meet often; "%" and "." because they mean something elsewhere.
_segment_text = st.text("aAb.%-\n", max_size=4)
_rule_segments = st.one_of(
    _segment_text,
    st.lists(st.sampled_from(["*", "a", "b", "ab"]), min_size=1, max_size=5)
    .map("".join)
    .filter(lambda text: "**" not in text),
    st.sampled_from(["{id}", "{name:str}", "{n:int}", "{n:float}"]),
)


@st.composite
def path_rules(draw: st.DrawFn) -> str:
    """A text rule of every shape in the language."""
    segments = draw(st.lists(_rule_segments, max_size=4))
    if draw(st.integers(0, 3)) == 0:
        segments.insert(draw(st.integers(0, len(segments))), "{rest:path}")
    path = "/" + "/".join(segments)
    if draw(st.integers(0, 3)) == 0:
        path = path.removesuffix("/") + "/**"
    method = draw(st.sampled_from(["", "", "GET ", "POST ", "get  "]))
    return method + path.rstrip("\n") + draw(st.sampled_from(["", "", "/"]))


request_paths = st.lists(
    st.one_of(_segment_text, st.sampled_from(["12", "1.5", "aab", "abab", "babab"])), min_size=1, max_size=6
).map(lambda segments: "/" + "/".join(segments))
"""Raw request paths, with empty segments, trailing slashes and newlines among them."""

request_methods = st.sampled_from(["GET", "POST", "DELETE", None])
