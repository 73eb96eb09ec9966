"""Command lines: secrets that programs take as arguments, in a text and in a list.

A line of text is cut into its arguments, with their places; a list of arguments is one already.
Both are then read by one table of programs. Each argument is looked at once, so that the cost is
linear.
"""

from __future__ import annotations

import re
from itertools import groupby, pairwise
from operator import itemgetter
from typing import TYPE_CHECKING, Any

from asgi_sentry._scrubbing.keys import DENIED, LOOKED
from asgi_sentry._scrubbing.look import is_chosen, is_mixed, looks_random
from asgi_sentry._scrubbing.text.dense import is_dense
from asgi_sentry._scrubbing.text.programs import BY_NAME, Program
from asgi_sentry._scrubbing.words import trie

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from asgi_sentry._scrubbing.keys import Keys
    from asgi_sentry._scrubbing.text.meanings import Meanings

__all__ = ["LISTED_PROGRAMS", "argument_spans", "command_spans", "login_spans", "option_values"]


PROGRAMS = frozenset(BY_NAME)
# As they are, and as the variables of a frame show them.
LISTED_PROGRAMS = PROGRAMS | {f"'{name}'" for name in PROGRAMS}
_BY_LETTER = groupby(sorted(BY_NAME, reverse=True), key=itemgetter(0))  # longer names first
_NAMES = "|".join(
    f"{letter}(?:{'|'.join(re.escape(name[1:]) for name in names)})" for letter, names in _BY_LETTER
)
_COMMAND = re.compile(rf"(?<![\w.-])(?:{_NAMES})(?:\.exe)?(?=\s|[\"'],)")
# The same as whole runs of what names are made of: most texts have none of them, which is told
# quicker so than by a search.
_RUNS = bytes(byte if bytes([byte]).isalnum() or byte in b"_.-" else 0x20 for byte in range(256))
_AS_RUNS = frozenset(f"{name}{ending}".encode() for name in BY_NAME for ending in ("", ".exe"))
_LONGEST = 20_000  # characters of a command
_MOST = 30  # programs that one runs, beyond which its rest is another one
_ARGUMENT = re.compile(
    r"[bu]?\"((?:[^\"\\]|\\.)*)\"?|[bu]?'((?:[^'\\]|\\.)*)'?|([^\s\"'|;&`]+)|(\\?\n|[|;&`])"
)
# One of these stands in every command with a secret.
_WORDS = sorted({word for program in BY_NAME.values() for word, _, _ in program.behind})
_WORDS += ["set", "user"]
_FIRSTS = re.escape("".join(sorted({"-", "/", *(word[0] for word in _WORDS)})))
_OPTION = re.compile(rf"(?=[{_FIRSTS}])(?:[-/]{{1,2}}[A-Za-z]|{trie(sorted(_WORDS))})")
# What stands in front is told first, which skips all else.
_LATER_OPTION = re.compile(rf"[ \"'](?:{_OPTION.pattern})")
_WITHOUT_OPTION = tuple(
    name for name, program in BY_NAME.items() if "" in (option for option, _ in program.user)
)
_LISTED = re.compile(r"[\"'],\s?")
_NO_SECRET = frozenset("$<{%[*")  # what placeholders begin with

Argument = tuple[int, int, str]  # where it stands, and what it is


def command_spans(text: str, keys: Keys | Meanings) -> Iterator[tuple[int, int]]:
    """Where the secrets of commands stand in a text.

    Args:
        text: may hold several commands, as a shell or the repr of a list of arguments has them.
        keys: what the names of settings mean.
    """
    if _AS_RUNS.isdisjoint(text.encode("latin-1", "replace").translate(_RUNS).split()):
        return
    if (
        _LATER_OPTION.search(text) is None
        and _OPTION.match(text) is None
        and not any(name in text for name in _WITHOUT_OPTION)
    ):
        return
    stop = 0
    for number, match in enumerate(_COMMAND.finditer(text)):
        if is_dense(number, match.start()):
            yield match.start(), len(text)
            return
        if match.start() < stop:
            continue
        arguments, stop = _arguments(text, match.start(), match.end())
        for index, start, end in _secrets([value for _, _, value in arguments], keys):
            at = arguments[index][0]
            yield at + start, at + end


# Options that name a user, in front of one of a single letter that may be a password: `-u x -p y`.
_USERS = "-{1,2}(?:u|U|l|user|username|xu|au)"
_PASSWORDS = "-(?:p|P|w|pw|pass|xp|ap)"
_LOGIN = re.compile(
    rf"(?<!\S)(?:({_USERS})|{_PASSWORDS})[ =](?:\"([^\"\n]{{1,200}})\"|'([^'\n]{{1,200}})'"
    r"|([^\s\"']{1,200}))"
)
_NEAR = 200  # characters between the two


def login_spans(text: str, _: Keys | Meanings) -> Iterator[tuple[int, int]]:
    """Passwords behind users, of programs that are not known."""
    user = -_NEAR
    for match in _LOGIN.finditer(text):
        if match[1] is not None:
            user = match.end()
        elif match.start() - user < _NEAR:
            group = next(number for number in (2, 3, 4) if match[number] is not None)
            if is_mixed(match[group]) and match[group][0] not in _NO_SECRET:
                yield match.span(group)


def argument_spans(
    arguments: Sequence[str], keys: Keys | Meanings
) -> Iterator[tuple[int, int, int]]:
    """The secrets in a list of arguments: the index of each, and where it begins and ends there.

    Args:
        arguments: of which one may be the name of a program, with or without a path.
        keys: what the names of settings mean.
    """
    if arguments and arguments[0][:1] in _QUOTES and all(map(_SHOWN.fullmatch, arguments)):
        inner = [argument[1:-1] for argument in arguments]
        yield from ((index, start + 1, end + 1) for index, start, end in _found(inner, keys))
    else:
        yield from _found(arguments, keys)


# What is shown of an argument among the variables of a frame.
_SHOWN = re.compile(r"'[^']*'|\"[^\"]*\"", re.DOTALL)
_QUOTES = frozenset("'\"")


def _found(arguments: Sequence[str], keys: Keys | Meanings) -> Iterator[tuple[int, int, int]]:
    for first, argument in enumerate(arguments):
        if _program(argument) is not None:
            for index, start, end in _secrets(arguments[first:], keys):
                yield first + index, start, end
            return
        if first > 3:
            break
    yield from _login_arguments(arguments)


def _login_arguments(arguments: Sequence[str]) -> Iterator[tuple[int, int, int]]:
    """A password behind a user, of a program that is not known."""
    has_user = False
    for index, (option, given) in enumerate(pairwise(arguments), 1):
        if _USER.fullmatch(option):
            has_user = True
        elif has_user and _PASSWORD.fullmatch(option) and is_mixed(given):
            yield index, 0, len(given)


_USER, _PASSWORD = re.compile(_USERS), re.compile(_PASSWORDS)


def option_values(arguments: Sequence[Any], keys: Keys) -> Iterator[int]:
    """The indices of those arguments that are what an option with a denied name is given.

    `--password hunter2`.
    """
    for index, (option, following) in enumerate(pairwise(map(_as_given, arguments)), 1):
        if (
            option.__class__ is str
            and option[:1] == "-"
            and "=" not in option
            and following.__class__ is str
            and following[:1] != "-"
        ):
            verdict = keys[option.lstrip("-")]
            if verdict == DENIED or (verdict == LOOKED and looks_random(following)):
                yield index


def _as_given(argument: Any) -> Any:
    """An argument without the quotes in which a frame shows it."""
    if argument.__class__ is str and argument[:1] in _QUOTES and _SHOWN.fullmatch(argument):
        return argument[1:-1]
    return argument


def _program(argument: str) -> Program | None:
    return BY_NAME.get(argument.rpartition("/")[2].removesuffix(".exe"))


def _arguments(text: str, start: int, behind: int) -> tuple[list[Argument], int]:
    """What a command is given, and where it ends.

    At the end of its line, of its pipe, or of the list.
    """
    found: list[Argument] = [(start, behind, text[start:behind])]
    at = last = behind
    programs = 0
    is_list = _LISTED.match(text, behind) is not None
    stop = min(len(text), start + _LONGEST)
    if is_list:
        at = behind + 1
        closed = text.find("]", behind, stop)
        stop = closed if closed >= 0 else stop
    while (match := _ARGUMENT.search(text, at, stop)) is not None:
        if match[4]:
            if match[4] in "\\\n":
                at = match.end()
                continue
            break
        if not is_list and "\n" in text[last : match.start()]:
            break
        if match[1] is not None:
            group = 1
        elif match[2] is not None:
            group = 2
        else:
            group = 3
        first, end = match.span(group)
        if group == 3 and is_list:
            at = last = match.end()
            continue
        if not is_list and last == match.start() and len(found) > 1:  # -p"..."
            first = found[-1][0]
            found[-1] = (first, end, text[first:end])
        else:
            found.append((first, end, text[first:end]))
        at = last = match.end()
        programs += found[-1][2] in PROGRAMS
        if programs > _MOST:
            break
    return found, max(at, behind)


def _secrets(arguments: Sequence[str], keys: Keys | Meanings) -> Iterator[tuple[int, int, int]]:
    """The secrets in what one program is given, and in what a program is that it is to run."""
    first, program = 0, _program(arguments[0])
    for index, argument in enumerate(arguments):
        named = _program(argument) if argument in BY_NAME or "/" in argument else None
        if named is not None:
            first, program = index, named
        if index == first or program is None:
            continue
        span = _of_option(program, arguments[index - 1], argument, keys)
        if span is not None and program.only and not _is_among(program.only, arguments, first):
            option = arguments[index - 1] if span[0] == 0 else argument.partition("=")[0]
            span = span if option in program.mixed else None
        if span is None and _is_behind(program, arguments, first, index):
            span = 0, len(argument)
        if span is not None and _may_be_secret(argument[span[0] : span[1]]):
            yield index, *span
    if _program(arguments[0]) is _NET:
        yield from _of_net(arguments)


_NET = BY_NAME["net"]
_DASHES = frozenset("-/")  # what options begin with
_FIRST = 5  # arguments among which a word has to be that says what a program is to do


def _is_among(words: tuple[str, ...], arguments: Sequence[str], first: int) -> bool:
    return any(argument in words for argument in arguments[first : first + _FIRST]) or (
        "--creds" in words and "--creds" in arguments
    )


def _is_behind(program: Program, arguments: Sequence[str], first: int, index: int) -> bool:
    """Whether an argument is a secret by the place where it stands."""
    argument = arguments[index]
    if argument.startswith(("-", "/")):
        return False
    if program.last and index == len(arguments) - 1 and _has_flag(arguments[first:], program.last):
        return True
    return any(
        index - first >= number
        and arguments[index - number].startswith(word)
        and (not has_look or is_chosen(argument))
        for word, number, has_look in program.behind
    )


def _of_net(arguments: Sequence[str]) -> Iterator[tuple[int, int, int]]:
    r"""`net use \\host\share PASSWORD /user:NAME`, `net user NAME PASSWORD /add`."""
    given = [
        (index, argument)
        for index, argument in enumerate(arguments[:_MOST_OF_NET])
        if argument[:1] not in {"/", "\\", "*"} and argument[1:] != ":"
    ]
    is_share = any(argument.startswith("\\\\") for argument in arguments[:_MOST_OF_NET])
    words = [argument for _, argument in given]
    if words[1:2] == ["use"] and is_share:
        secrets = given[2:3]
    elif words[1:2] == ["user"] and ("/add" in arguments or is_mixed("".join(words[3:4]))):
        secrets = given[3:4]
    else:
        secrets = []
    yield from ((index, 0, len(argument)) for index, argument in secrets)


_MOST_OF_NET = 8  # arguments among which a password is


def _of_option(
    program: Program, before: str, argument: str, keys: Keys | Meanings
) -> tuple[int, int] | None:
    if index_of_set(before, keys):
        return 0, len(argument)
    is_option = before[:1] in _DASHES or argument[:1] in _DASHES
    if not is_option and not any(option in {"", before} for option, _ in program.user):
        return None
    for option, parts in program.user:
        if before == option or (not option and not argument.startswith("-")):
            at = argument.find(parts)
            if at > 0 and "://" not in argument:
                if option in program.mixed and not is_mixed(argument[at + 1 :]):
                    return None
                return at + 1, _password_end(option, argument)
        elif option and argument.startswith(option) and parts in argument:
            return argument.index(parts) + 1, len(argument)
    if before in program.next and not argument.startswith("--"):
        has_look = is_chosen if before in _OF_PASSWORDS else is_mixed
        if before not in program.mixed or has_look(argument):
            return 0, len(argument)
        return None
    return _joined(program, argument)


# What has to look like a password, and not like a token.
_OF_PASSWORDS = frozenset({"-p", "-P", "-w", "/p", "--value"})


def _joined(program: Program, argument: str) -> tuple[int, int] | None:
    """What stands behind an option in the same argument: `--password=X`, `-pX`."""
    option, equals, _ = argument.partition("=")
    if equals and option in program.next:
        return len(option) + 1, len(argument)
    for option in program.glued:
        if (
            argument.startswith(option)
            and len(argument) > len(option)
            and not argument.startswith("--")
        ):
            return len(option) + (argument[len(option)] == "="), len(argument)
    return None


def _password_end(option: str, argument: str) -> int:
    """Without an option, it ends where the address of a database begins."""
    at = -1 if option else argument.rfind("@")
    return at if at >= 0 else len(argument)


_OF_SETTING = re.compile(r"[a-z][A-Z]|\A(?:requirepass|masterauth)\Z")


def index_of_set(before: str, keys: Keys | Meanings) -> bool:
    """Whether the argument before names a setting that is secret.

    `aws configure set aws_secret_access_key ...`.
    """
    return (
        ("_" in before or _OF_SETTING.search(before) is not None)
        and not before.startswith("-")
        and "=" not in before
        and keys.meaning(before) == DENIED
    )


def _has_flag(arguments: Sequence[str], flag: str) -> bool:
    """Whether a flag stands among short options, alone or with others: `-b`, `-bc`."""
    return any(
        argument[:1] == "-" and argument[1:2] != "-" and flag in argument for argument in arguments
    )


def _may_be_secret(value: str) -> bool:
    return bool(value) and value[0] not in _NO_SECRET and _PORTS.fullmatch(value) is None


_PORTS = re.compile(r"\d{1,3}|\d{1,5}(?::\d{1,5}){1,2}(?:/\w{3})?")
