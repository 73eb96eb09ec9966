"""Command lines: secrets that programs take as arguments, in a text and in a list.

A line of text is cut into its arguments, with their places; a list of arguments is one already.
Both are then read by one table of programs. Each argument is looked at once, so that the cost is
linear.
"""

from __future__ import annotations

import re
from itertools import pairwise
from typing import TYPE_CHECKING, Any, NamedTuple

from asgi_sentry._scrubbing.keys import DENIED
from asgi_sentry._scrubbing.text.dense import is_dense

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from asgi_sentry._scrubbing.keys import Keys
    from asgi_sentry._scrubbing.text.meanings import Meanings

__all__ = ["PROGRAMS", "argument_spans", "command_spans", "option_values"]


class _Program(NamedTuple):
    """Where a program takes secrets.

    Attributes:
        next: options whose value is one: `-p value`, `-pvalue` and `-p=value`.
        glued: options whose value is one only without a space: `-pvalue`.
        user: options whose value is a user and a password.
        parts: what stands between these two.
        last: whether the last argument is one.
        behind: what a word begins with, and the number of arguments from it to the secret.
    """

    next: tuple[str, ...] = ()
    glued: tuple[str, ...] = ()
    user: tuple[str, ...] = ()
    parts: str = ":"
    last: bool = False
    behind: tuple[tuple[str, int], ...] = ()


_LOGIN = _Program(next=("-p", "--password"), user=("--creds",))
_MYSQL, _BIG_P, _SMALL_P = _Program(glued=("-p",)), _Program(next=("-P",)), _Program(next=("-p",))
_PROGRAMS: dict[str, _Program] = {
    "curl": _Program(user=("-u", "-U", "--user", "--proxy-user")),
    "http": _Program(user=("-a", "--auth")),
    "https": _Program(user=("-a", "--auth")),
    **dict.fromkeys(
        ("mysql", "mysqldump", "mysqladmin", "mysqlimport", "mysqlshow", "mysqlcheck", "mycli"),
        _MYSQL,
    ),
    **dict.fromkeys(
        ("mariadb", "mariadb-dump", "mariadb-admin", "7z", "7za", "7zz", "rar", "unrar"), _MYSQL
    ),
    **dict.fromkeys(
        ("sqlcmd", "osql", "isql", "bcp", "zip", "unzip", "mosquitto_pub", "ipmitool"), _BIG_P
    ),
    **dict.fromkeys(("mosquitto_sub",), _BIG_P),
    **dict.fromkeys(
        ("sshpass", "mongo", "mongosh", "mongodump", "mongorestore", "mongoimport", "mongoexport"),
        _SMALL_P,
    ),
    **dict.fromkeys(
        (
            "twine",
            "cqlsh",
            "ncftp",
            "ncftpput",
            "pymongo",
            "beeline",
            "cypher-shell",
            "mongoexport",
        ),
        _SMALL_P,
    ),
    **dict.fromkeys(
        ("docker", "podman", "nerdctl", "helm", "oc", "cf", "az", "skopeo", "buildah", "crane"),
        _LOGIN,
    ),
    **dict.fromkeys(
        ("ldapsearch", "ldapadd", "ldapmodify", "ldapdelete", "ldapwhoami"), _Program(next=("-w",))
    ),
    **dict.fromkeys(("ldappasswd",), _Program(next=("-w", "-s", "-a"))),
    **dict.fromkeys(("plink", "pscp", "psftp", "putty"), _Program(next=("-pw",))),
    **dict.fromkeys(("snmpget", "snmpwalk", "snmpset"), _Program(next=("-A", "-X"))),
    **dict.fromkeys(("sqlplus", "sqlldr", "expdp", "impdp"), _Program(user=("",), parts="/")),
    "redis-cli": _Program(next=("-a", "--pass")),
    "htpasswd": _Program(last=True),
    "openssl": _Program(next=("-k", "-K")),
    "ssh-keygen": _Program(next=("-N", "-P")),
    "smbclient": _Program(user=("-U",), parts="%"),
    "lftp": _Program(user=("-u",), parts=","),
    "xfreerdp": _Program(glued=("/p:",)),
    "aws": _Program(),
    "gcloud": _Program(),
    "npm": _Program(),
    "poetry": _Program(behind=(("http-basic.", 2),)),
    "rabbitmqctl": _Program(
        behind=(("add_user", 2), ("change_password", 2), ("authenticate_user", 2))
    ),
}
PROGRAMS = frozenset(_PROGRAMS)
# These log in by a word of their own, and have other options of the same name elsewhere.
_ONLY_LOGIN = frozenset(
    {"docker", "podman", "nerdctl", "helm", "oc", "cf", "az", "skopeo", "buildah", "crane"}
)
_NAMES = "|".join(sorted(map(re.escape, _PROGRAMS), key=len, reverse=True))
_COMMAND = re.compile(rf"(?<![\w.-])(?:{_NAMES})(?:\.exe)?(?=\s|[\"'],)")
_LONGEST = 20_000  # characters of a command
_ARGUMENT = re.compile(
    r"[bu]?\"((?:[^\"\\]|\\.)*)\"?|[bu]?'((?:[^'\\]|\\.)*)'?|([^\s\"'|;&`]+)|(\\?\n|[|;&`])"
)
# One of these stands in every command with a secret.
_OPTION = re.compile(
    r"[ \"']-{1,2}[A-Za-z]|add_user|change_password|authenticate_user|/p:|sqlplus|sqlldr"
    r"|\bset\b|http-basic\."
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
    if _OPTION.search(text) is None:
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


def argument_spans(
    arguments: Sequence[str], keys: Keys | Meanings
) -> Iterator[tuple[int, int, int]]:
    """The secrets in a list of arguments: the index of each, and where it begins and ends there.

    Args:
        arguments: of which one may be the name of a program, with or without a path.
        keys: what the names of settings mean.
    """
    for first, argument in enumerate(arguments):
        if _program(argument) is not None:
            for index, start, end in _secrets(arguments[first:], keys):
                yield first + index, start, end
            return
        if first > 3:
            return


def option_values(arguments: Sequence[Any], keys: Keys) -> Iterator[int]:
    """The indices of those arguments that are what an option with a denied name is given.

    `--password hunter2`.
    """
    for index, (option, following) in enumerate(pairwise(arguments), 1):
        if (
            option.__class__ is str
            and option[:1] == "-"
            and "=" not in option
            and following.__class__ is str
            and following[:1] != "-"
            and keys[option.lstrip("-")] == DENIED
        ):
            yield index


def _program(argument: str) -> _Program | None:
    return _PROGRAMS.get(argument.rpartition("/")[2].removesuffix(".exe"))


def _arguments(text: str, start: int, behind: int) -> tuple[list[Argument], int]:
    """What a command is given, and where it ends.

    At the end of its line, of its pipe, or of the list.
    """
    found: list[Argument] = [(start, behind, text[start:behind])]
    at = last = behind
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
    return found, max(at, behind)


def _secrets(arguments: Sequence[str], keys: Keys | Meanings) -> Iterator[tuple[int, int, int]]:
    name = arguments[0].rpartition("/")[2].removesuffix(".exe")
    program = _PROGRAMS[name]
    if name in _ONLY_LOGIN and "login" not in arguments[:4] and "--creds" not in arguments:
        return
    for index, argument in enumerate(arguments):
        if not index:
            continue
        before = arguments[index - 1]
        span = _of_option(program, before, argument, keys)
        if (
            span is None
            and program.last
            and index == len(arguments) - 1
            and _has_flag(arguments, "b")
        ):
            span = 0, len(argument)
        for word, number in program.behind:
            if (
                index > number
                and arguments[index - number].startswith(word)
                and not argument.startswith(("-", "/"))
            ):
                span = 0, len(argument)
        if span is not None and _may_be_secret(argument[span[0] : span[1]]):
            yield index, *span


def _of_option(
    program: _Program, before: str, argument: str, keys: Keys | Meanings
) -> tuple[int, int] | None:
    if index_of_set(before, keys):
        return 0, len(argument)
    if before in program.next and not argument.startswith("--"):
        return 0, len(argument)
    for option in (*program.next, *program.glued):
        if (
            argument.startswith(option)
            and len(argument) > len(option)
            and not argument.startswith("--")
        ):
            return len(option) + (argument[len(option)] == "="), len(argument)
    for option in program.user:
        if before == option or (not option and not argument.startswith("-")):
            _, parted, _ = argument.partition(program.parts)
            if parted:
                return (argument.index(parted) + 1, _password_end(program, argument))
            return None
        if option and argument.startswith(option) and program.parts in argument:
            return argument.index(program.parts) + 1, len(argument)
    return None


def _password_end(program: _Program, argument: str) -> int:
    """Oracle's passwords end where the address of the database begins."""
    at = argument.rfind("@") if program.parts == "/" else -1
    return at if at >= 0 else len(argument)


def index_of_set(before: str, keys: Keys | Meanings) -> bool:
    """Whether the argument before names a setting that is secret.

    `aws configure set aws_secret_access_key ...`.
    """
    return (
        "_" in before
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
    return bool(value) and value[0] not in _NO_SECRET and not (value.isdecimal() and len(value) < 4)
