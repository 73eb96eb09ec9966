"""One scrubbing of plain data that is ours.

Keys decide, then the request's own secrets, then value rules. Values go in one by one; `finish`
looks at all of them together, since most hold nothing to redact and that is told fastest of many
texts at once. Everything is changed in place. Of data that somebody else has, each container is
copied when it is met, so that what is looked at is what is left; or whoever has it copies it before
(`plain.py`).
"""

from __future__ import annotations

from bisect import bisect_right
from functools import partial
from itertools import chain
from typing import TYPE_CHECKING, Any

from asgi_sentry._scrubbing.taint.strength import MEDIUM, STRONG, WEAK
from asgi_sentry._scrubbing.taint.taint import Taint
from asgi_sentry._scrubbing.text.commands import LISTED_PROGRAMS
from asgi_sentry._scrubbing.tree.decisions import BY_KEYS, Decisions
from asgi_sentry._scrubbing.tree.discovery import discovered
from asgi_sentry._scrubbing.tree.gather import MEMBERS, TEXTS, Root, Tree
from asgi_sentry._scrubbing.tree.inplace import describe_long, put, replace_in
from asgi_sentry._scrubbing.tree.notes import Notes
from asgi_sentry._scrubbing.tree.outcome import (
    new_names,
    put_back,
    text_of,
    texts_of,
    with_discovered,
    with_taint,
)
from asgi_sentry._scrubbing.tree.plain import (
    KEPT_MODULES,
    SCALARS,
    NotPlainError,
    Rebuilt,
    rename_keys,
)

if TYPE_CHECKING:
    from asgi_sentry._scrubbing.ruleset import Ruleset
    from asgi_sentry._scrubbing.text.texts import Hits
    from asgi_sentry._scrubbing.tree.alike import Alike
    from asgi_sentry._scrubbing.tree.notes import Place

_KEY_TYPES = frozenset({str, bytes, int, float, bool, type(None)})
_new_root = partial(tuple.__new__, Root)  # as the class does it, at a third of the cost


class Walk:
    """One scrubbing.

    Args:
        ruleset: whose key terms and rules decide.
        longest: how many characters a text within containers may have; of a longer one its length
            is shown. None for any number.
        copies: whether somebody else has what is given, but for the holders: then all containers in
            it are copied, and the copies take their places.
        alike: tells which variables several frames show alike; None: each is scrubbed.
        only_json: whether what JSON does not have is refused: objects of the standard library's
            that the SDK's serializer takes, and a key of a class made of a text's, though it may
            equal one that is known.

    Attributes:
        copies: the same.
        notes: what was redacted.
        renamed: keys that held a secret, and what became of them.
        secrets: texts that whoever calls redacted, and when the walk is finished all credentials
            that were redacted.
    """

    __slots__ = (
        "_alike",
        "_firm",
        "_fixed",
        "_fixed_hits",
        "_given",
        "_kept",
        "_kept_modules",
        "_longest",
        "_only_json",
        "_roots",
        "copies",
        "notes",
        "renamed",
        "ruleset",
        "secrets",
    )

    def __init__(
        self,
        ruleset: Ruleset,
        *,
        longest: int | None = None,
        copies: bool = False,
        alike: Alike | None = None,
        only_json: bool = False,
    ) -> None:
        self.ruleset = ruleset
        self.copies = copies
        self._alike = alike
        self._only_json = only_json
        self._kept_modules = frozenset[str]() if only_json else KEPT_MODULES
        self._longest = longest
        self.notes = Notes()
        self.renamed: dict[Any, str] = {}
        self.secrets: list[str] = []
        self._roots: list[Root] = []
        # What was copied. While it is kept, no other container has its id.
        self._kept: list[Any] = []
        self._given: list[tuple[Any, Any, Any, Place | None, int]] = []
        self._firm: list[Any] = []
        self._fixed: list[tuple[str, Any, Any, Place | None]] = []
        self._fixed_hits: Hits = {}

    # --- what goes in -----------------------------------------------------------------------------

    def own(self, value: Any, holder: Any, key: Any) -> Any:
        """A dict or list at `holder[key]` that may be changed: itself, or a copy that is put there.

        Raises:
            NotPlainError: it is of a class of its own.
        """
        if not self.copies:
            return value
        if value.__class__ is not dict and value.__class__ is not list:
            raise NotPlainError
        copy = holder[key] = value.copy()
        return copy

    def add(
        self, value: Any, holder: Any, key: Any, place: Place | None, mode: int = BY_KEYS
    ) -> None:
        """Have `value`, which stands at `holder[key]`, scrubbed there when the walk is finished.

        Args:
            value: plain.
            holder: a dict or a list.
            key: of the value there.
            place: of the holder, for the reports.
            mode: how the value is read.
        """
        cls = value.__class__
        if cls in TEXTS:
            self._given.append((value, holder, key, place, WEAK))
        elif cls is dict or cls is list or cls is Rebuilt:
            own = self.own(value, holder, key) if self.copies else value
            self._roots.append(_new_root((own, holder, key, place, mode)))
        elif cls not in SCALARS and cls.__module__ not in self._kept_modules:
            raise NotPlainError

    def variables(self, value: Any, holder: Any, key: Any, place: Place | None) -> None:
        """The same for the variables of a frame, of which some may be like another frame's."""
        if self._alike is None or value.__class__ is not dict:
            self.add(value, holder, key, place)
            return
        own = self.own(value, holder, key)
        try:
            self._alike.join(own)
        except Exception:  # a fault of ours: each is scrubbed
            self._alike = None
        self._roots.append(_new_root((own, holder, key, place, BY_KEYS)))

    def words(self, value: Any, holder: Any, key: Any, place: Place | None) -> None:
        """The same for the app's own words, which no word that a client sends may touch.

        A sentence may have been made with one of the request's secrets in it; a single word was
        not, unless it looks like a credential.
        """
        if value.__class__ is str:
            self._given.append((value, holder, key, place, MEDIUM if " " in value else STRONG))
        else:
            self.add(value, holder, key, place)

    def tags(self, value: Any, holder: Any, key: Any, place: Place | None) -> None:
        """The same for tags.

        Their keys are the app's own words, and no word of a client's touches their values.
        """
        self.add(value, holder, key, place)
        tags = holder[key]
        self._firm.append(tags)
        if tags.__class__ is list:  # of pairs
            self._firm += tags

    def members(self, source: dict[Any, Any], holder: dict[Any, Any], place: Place | None) -> None:
        """Scrub those members of `holder` that are in `source`, which is a dict of its own."""
        self._roots.append(_new_root((source, holder, MEMBERS, place, BY_KEYS)))

    def fixed(self, value: str, holder: Any, key: Any, place: Place | None) -> None:
        """A text of the protocol's, which taint never touches."""
        if value not in self.ruleset.lines:
            self._fixed.append((value, holder, key, place))

    @property
    def pending(self) -> int:
        """How many texts of the protocol's are to be looked at."""
        return len(self._fixed)

    # --- all of it --------------------------------------------------------------------------------

    def finish(self, taint: Taint | None = None) -> None:
        """Replace whatever is secret.

        Args:
            taint: what else is secret.

        Raises:
            NotPlainError: there is what the walk can't go through; nothing was changed by this
                call.
        """
        copied = self._kept if self.copies else None
        tree = Tree(copied=copied, kept_modules=self._kept_modules)
        for root in self._roots:
            tree.add_root(root)
        tree.gather(self.ruleset.keys.plain)
        if self._only_json and not _has_plain_keys(tree):
            raise NotPlainError
        longest = self._longest
        # That all together are no longer is told in a fifth of the time.
        if (
            longest is not None
            and len("".join(tree.texts)) > longest
            and max(map(len, tree.texts)) > longest
        ):
            describe_long(tree, longest, self.notes)
        met, hot, fresh = self._keys_of(tree, everything=taint is not None and taint.in_keys)
        decisions = Decisions(self.ruleset, tree, self.notes, hot)
        decisions.decide()
        self._look(tree, decisions, taint, met, fresh, hot)
        self._finish_fixed()
        for above, key, number in tree.shared:
            first = tree.place_told(number)
            if first is not None:
                place = key.own_place if above < 0 else (tree.place(above), key)
                if place is not None:
                    self.notes.add_alias(place, first)
        for root in self._roots:
            if root.key is MEMBERS:
                put_back(root.value, root.holder, self.renamed)
            elif self.renamed:
                rename_keys(root.value, self.renamed)
        if self.renamed:
            self.notes.rename(self.renamed)

    def _keys_of(
        self, tree: Tree, *, everything: bool
    ) -> tuple[set[Any], dict[Any, int], set[Any]]:
        """The keys to look at as texts.

        Those that say something, and what; those that nobody has met.
        """
        work, keys = tree.containers, self.ruleset.keys
        if everything:
            met = set().union(*tree.dicts())
        else:
            met = set().union(*[work[number] for number in tree.odd])
        special = keys.special
        hot = {name: special[name] for name in special.keys() & met}
        fresh = met.difference(keys.plain, hot)
        if fresh:
            kinds = set(map(type, fresh))
            if not kinds <= _KEY_TYPES:
                raise NotPlainError
            hot.update(keys.told(fresh, are_texts=kinds == {str}))
        return (met if everything else fresh), hot, fresh

    def _look(
        self,
        tree: Tree,
        decisions: Decisions,
        taint: Taint | None,
        names: set[Any],
        fresh: set[Any],
        hot: dict[Any, int],
    ) -> None:
        """Have rules and taint look at all texts, and at keys."""
        rules = self.ruleset.texts
        firm = {tree.numbers[id(value)] for value in self._firm if id(value) in tree.numbers}
        tags = set().union(
            *[
                tree.containers[number]
                for number in firm
                if tree.containers[number].__class__ is dict
            ]
        )
        texts = self._texts(tree, decisions, firm)
        found: dict[int, dict[str, str]] = {}
        known: set[str] = set()
        looked_at: set[str] = set()
        for least, some in texts.items():
            # Rules have looked at each key when it was met first; taint differs from request to
            # request.
            keys = texts_of(names - tags) if taint and taint.in_keys and least == MEDIUM else ()
            tainted = {}
            if taint:
                tainted = taint.found_in(some.union(keys), least=least, known=known)
            if tainted:
                found[least] = tainted
                looked_at |= (some - tainted.keys()).union(tainted.values())
            else:
                looked_at |= some
            some.update(keys)
        look = rules.look(
            looked_at, new_keys=texts_of(fresh), fixed={fixed[0] for fixed in self._fixed}
        )
        self._fixed_hits = look.fixed
        hits = {least: with_taint(found.get(least, {}), known, look.hits) for least in texts}
        if look.dashed or tree.lists_any(LISTED_PROGRAMS, texts[WEAK]):
            decisions.read_options()
        self.secrets = discovered([*self.secrets, *decisions.secrets], decisions.whole, look.hits)
        # What came in with the request was looked for everywhere already.
        if taint:
            new = [secret for secret in self.secrets if not taint.knows(secret)]
        else:
            new = self.secrets
        if new:
            if taint is None or not taint.in_keys:
                names = names.union(*tree.dicts())
            texts[MEDIUM].update(texts_of(names - tags))
            hits = with_discovered(Taint(new), texts, hits)
        if hits[MEDIUM]:
            self.renamed = new_names(names - tags, hits[MEDIUM])
            self.renamed.update(new_names(names & tags, look.hits))
        if fresh:
            self.ruleset.keys.remember(fresh, told=hot, but=self.renamed)
        self._replace(tree, decisions, hits, firm)
        if decisions.late:
            self._look_at_late(tree, decisions, taint, known)

    def _look_at_late(
        self, tree: Tree, decisions: Decisions, taint: Taint | None, known: set[str]
    ) -> None:
        """Have rules and taint look at what is left of texts without their addresses."""
        again = {text for text, _, _ in decisions.late}
        tainted = taint.found_in(again, known=known) if taint else {}
        left = {*(again - tainted.keys()), *tainted.values()}
        late = with_taint(tainted, known, self.ruleset.texts.look(left).hits)
        for text, number, key in decisions.late:
            if text in late and not decisions.is_cut_off(number):
                put(late[text], tree.containers[number], tree.place(number), key, self.notes)

    def _texts(self, tree: Tree, decisions: Decisions, firm: set[int]) -> dict[int, set[str]]:
        """All texts to look at, by how sure it must be that a value in them is a secret."""
        given: dict[int, set[str]] = {WEAK: set(), MEDIUM: set(), STRONG: set()}
        for value, _, _, _, least in self._given:
            given[least].add(text_of(value))
        texts = {*tree.texts, *given[WEAK]}
        gone = decisions.gone_everywhere()
        if gone:
            texts -= gone.difference(given[WEAK])
        for number in firm:
            given[MEDIUM].update(
                tree.texts[tree.ends[number - 1] if number else 0 : tree.ends[number]]
            )
        return {**given, WEAK: texts}

    def _replace(
        self, tree: Tree, decisions: Decisions, hits: dict[int, Hits], firm: set[int]
    ) -> None:
        """Put what is left of each text in its place."""
        usual = hits[WEAK]
        if usual and not usual.keys().isdisjoint(tree.texts):
            ends = tree.ends
            found = {bisect_right(ends, at) for at, text in enumerate(tree.texts) if text in usual}
            for number in sorted(found):
                if not decisions.is_cut_off(number):
                    own = hits[MEDIUM] if number in firm else usual
                    replace_in(tree.containers[number], tree.place(number), own, self.notes)
        for value, holder, key, place, least in self._given:
            hit = hits[least].get(text_of(value)) if hits[least] else None
            if hit is not None:
                put(hit, holder, place, key, self.notes)

    def _finish_fixed(self) -> None:
        """The protocol's texts, of which those that are harmless are remembered.

        They are the same in each event.
        """
        if self._fixed:
            texts = {fixed[0] for fixed in self._fixed}
            hits = self._fixed_hits
            for text, holder, key, place in self._fixed:
                if text in hits:
                    put(hits[text], holder, place, key, self.notes)
            self.ruleset.lines.keep_all(texts - hits.keys(), value=True)


def _has_plain_keys(tree: Tree) -> bool:
    """Whether all keys are of the types that keys may have, and of none that was made of one.

    What equals a key that is known need not be one.
    """
    return _KEY_TYPES.issuperset(map(type, chain.from_iterable(tree.dicts())))
