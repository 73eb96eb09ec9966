# ruff: noqa: E501 - tables read best one case a line
"""Tokens of fixed shape are found by it wherever they stand, each as its maker documents it."""

from __future__ import annotations

import re
import string
from random import Random
from typing import Any

import pytest

from asgi_sentry._scrubbing import FILTERED, Scrubber
from asgi_sentry._scrubbing.text import tokens as module
from asgi_sentry._scrubbing.text.linear import _parser
from asgi_sentry._scrubbing.text.rules import BY_ID

SCRUBBER = Scrubber()

SHAPES = dict.fromkeys(
    line[module._PATTERN_AT :].replace("UUID", module._UUID) for line in module._SHAPES.strip().splitlines()
)
AROUND = ["{}", "saw {} here", '"{}"', "x={}", "https://x.org/{}?a", "({})", ">{}<", "{}.", "{},", r"\n{}\n", "a\n{}\nb", "%20{}%20", "\u5bc6\u94a5{}"]  # fmt: skip


def example(tree: Any, dice: Random) -> str:
    """A text of a parsed pattern's shape, by chance."""
    written = ""
    for code, argument in tree:
        name = str(code)
        if name == "LITERAL":
            written += chr(argument)
        elif name == "IN":
            pattern = re.compile("[" + "".join(map(_member, argument)) + "]", re.ASCII)
            written += dice.choice(pattern.findall(string.printable))
        elif name == "MAX_REPEAT":
            low, high, body = argument
            written += "".join(example(body, dice) for _ in range(dice.randint(low, min(high, low + 20))))
        elif name == "SUBPATTERN":
            written += example(argument[3], dice)
        elif name == "BRANCH":
            written += example(dice.choice(argument[1]), dice)
        else:
            assert name == "ASSERT_NOT"
    return written


def _member(member: Any) -> str:
    kind, value = str(member[0]), member[1]
    if kind == "RANGE":
        return f"{re.escape(chr(value[0]))}-{re.escape(chr(value[1]))}"
    return re.escape(chr(value)) if kind == "LITERAL" else {"CATEGORY_WORD": r"\w", "CATEGORY_DIGIT": r"\d"}[str(value)]


@pytest.mark.untraced
@pytest.mark.parametrize("shape", SHAPES)
def test_each_shape_is_found_wherever_it_stands(shape):
    dice = Random(7)
    tree = _parser.parse(shape)
    for around in AROUND * 3:
        token = example(tree, dice)
        cleaned = SCRUBBER.scrub_text(around.format(token))
        assert token not in cleaned
        assert FILTERED in cleaned


@pytest.mark.untraced
@pytest.mark.parametrize("shape", SHAPES)
def test_each_shape_is_found_whatever_the_dice_say(shape):
    """Also where dots, slashes or dollars cut each run of a token short, by which most are known."""
    dice, tree = Random(11), _parser.parse(shape)
    made = [f"saw {example(tree, dice)} here" for _ in range(50)]
    assert [text for text, left in zip(made, SCRUBBER.scrub(made), strict=True) if text == left] == []


ALNUM, HEX, UPPER, LOWER = string.ascii_letters + string.digits, "0123456789abcdef", string.ascii_uppercase, string.ascii_lowercase  # fmt: skip
URL = ALNUM + "-_"

# Prefixes and what follows them, as documented. They are put together here, so that no scanner takes them for real ones.
DOCUMENTED = {
    "AWS": [("AK" + "IA", UPPER + "234567", 16)], "AWS, temporary": [("AS" + "IA", UPPER + "234567", 16)],
    "GitHub": [("gh" + "p_", ALNUM, 36)], "GitHub, app": [("gh" + "s_", ALNUM, 36)], "GitHub, fine": [("github" + "_pat_", ALNUM, 22), ("_", ALNUM, 59)],
    "GitLab": [("gl" + "pat-", URL, 20)], "GitLab, routable": [("gl" + "pat-", URL, 27), (".", HEX, 2), (".", LOWER + "0123456789", 9)],
    "GitLab, workspace": [("gl" + "wt-", URL, 20)], "Slack, bot": [("xo" + "xb-", "123456789", 12), ("-", "123456789", 13), ("-", ALNUM, 24)],
    "Slack, cookie": [("xo" + "xd-", ALNUM + "%", 140)], "Slack, app": [("xa" + "pp-1-A", UPPER, 10), ("-", "123456789", 13), ("-", HEX, 64)],
    "Slack, workflow": [("https://hooks.slack.com/workflows/T", UPPER, 8), ("/A", UPPER, 10), ("/", "123456789", 18), ("/", ALNUM, 24)],
    "Stripe": [("sk" + "_live_", ALNUM, 24)], "Stripe, organization": [("sk" + "_org_live_", ALNUM, 60)], "Stripe, ephemeral": [("ek" + "_live_", ALNUM, 80)],
    "Stripe, client": [("pi" + "_", ALNUM, 24), ("_secret_", ALNUM, 25)], "Stripe, hook": [("wh" + "sec_", ALNUM + "+/", 43)],
    "Twilio": [("S" + "K", HEX, 32)], "SendGrid": [("S" + "G.", URL, 22), (".", URL, 43)], "npm": [("np" + "m_", ALNUM, 36)],
    "PyPI": [("py" + "pi-AgEIcHlwaS5vcmc", URL, 100)], "OpenAI": [("sk" + "-", ALNUM, 20), ("T3Blbk" + "FJ", ALNUM, 20)], "OpenAI, project": [("sk" + "-proj-", URL, 74), ("T3Blbk" + "FJ", URL, 74)],
    "Anthropic": [("sk" + "-ant-api03-", URL, 93), ("AA", "A", 1)], "Google": [("AI" + "za", URL, 35)], "Google, secret": [("GOC" + "SPX-", URL, 28)],
    "Google, OAuth": [("ya" + "29.", URL, 150)], "Azure, Entra": [("", ALNUM, 3), ("8Q" + "~", ALNUM + "-_.", 34)], "Azure, storage": [("", ALNUM + "+/", 76), ("+A" + "St", ALNUM, 6), ("==", "=", 0)],
    "Azure, DevOps": [("", ALNUM, 76), ("AZ" + "DO", ALNUM, 4)], "Sentry, user": [("sntry" + "u_", HEX, 64)], "Sentry, integration": [("sntry" + "i_", HEX, 64)],
    "Hugging Face": [("h" + "f_", string.ascii_letters, 34)], "Perplexity": [("pp" + "lx-", ALNUM, 48)], "LangSmith": [("ls" + "v2_pt_", HEX, 32), ("_", HEX, 10)],
    "Doppler": [("dp" + ".st.prd.", ALNUM, 43)], "Bitbucket": [("AT" + "BB", ALNUM, 32)], "Terraform": [("", ALNUM, 14), (".atlas" + "v1.", URL + "=", 67)],
    "Discord": [("M", ALNUM, 23), (".", URL, 6), (".", URL, 27)], "Discord, hook": [("https://discord.com/api/webhooks/", "123456789", 18), ("/", URL, 68)],
    "Mailgun": [("", HEX, 32), ("-", HEX, 8), ("-", HEX, 8)], "Brevo": [("xkey" + "sib-", HEX, 64), ("-", ALNUM, 16)], "Airtable": [("pa" + "t", ALNUM, 14), (".", HEX, 64)],
    "Tailscale": [("tskey" + "-auth-", ALNUM, 12), ("-", ALNUM, 32)], "Dynatrace": [("dt" + "0c01.", UPPER, 24), (".", UPPER, 64)], "OpenSSH": [("b3BlbnNzaC1r" + "ZXktdjE", ALNUM, 100)],
}  # fmt: skip


@pytest.mark.parametrize("maker", DOCUMENTED)
def test_documented_tokens_are_found(maker):
    dice = Random(7)
    for _ in range(20):
        pieces = [(prefix, "".join(dice.choices(alphabet, k=length))) for prefix, alphabet, length in DOCUMENTED[maker]]
        cleaned = SCRUBBER.scrub_text("saw " + "".join(prefix + drawn for prefix, drawn in pieces) + " here")
        assert FILTERED in cleaned
        assert not any(len(drawn) > 4 and drawn in cleaned for _, drawn in pieces)


@pytest.mark.parametrize(
    "text",
    ["model sk-learn-pipeline", "fw_update_available_now", "re_compile_the_pattern_of_this", "live_chat_enabled", "key-value-store", "api-gateway-7d4b9c6f5-x2x4z",
     "ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAABAQ user@hostname", "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
     "sha512-z4PhNX7vuL3xVChQ1m2AB9Yg5AULVxXcg/SpIdNs6c5H0NE8XYXysP+DGNKHfuwvY7kxvUdBeoGlODJ6+SfaPg==", "celery-task-meta-0c1b9f6e-5b1a-4a7e-9f3e-1c2d3e4f5a6b",
     "secret/my-secret created", "an_identifier_that_is_longer_than_most_of_them", "AnExceptionThatHasAVeryLongName"],
)  # fmt: skip
def test_what_has_a_prefix_alone_stays(text):
    assert list(BY_ID["@token"].spans(text, SCRUBBER.ruleset.keys)) == []
    assert SCRUBBER.scrub_text(text) == text
