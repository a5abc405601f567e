"""Which errors are alike: the text without what varies from message to message, and its hash.

Everything runs over distinct texts. The hash is part of what is stored: the same words give the
same number in every process, on every machine and in later versions.
"""

from __future__ import annotations

from hashlib import blake2b

import polars as pl

VARIES = "<*>"
"""Stands for what varies: numbers, ids, addresses, times, quoted words."""
MAX_PATTERN_CHARACTERS = 300

_MARK = "\x01"
_KEPT_STATUS = (
    r"(?i:(?-u:\b)(?:status(?:[ _-]?code)?|https?(?:/\d(?:\.\d)?)?|code|response|error|returned|"
    r"got)"
    r"(?:[ :=#\"(]|is){1,3}[1-5]\d\d(?-u:\b))"
)
"""A status as HTTP has them says what kind of error it is."""
_VARYING = (
    r'"[^"\n]{0,200}"',
    r"`[^`\n]{0,200}`",
    r"[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}",
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}(?:[T ][0-9]{2}:[0-9]{2}(?::[0-9]{2}(?:[.,][0-9]+)?)?)?"
    r"(?: ?(?:Z|UTC|[+-][0-9]{2}:?[0-9]{2})(?-u:\b))?",
    r"[0-9]{1,2}:[0-9]{2}:[0-9]{2}(?:[.,][0-9]+)?",
    r"[0-9A-Za-z_.+%-]+@[0-9A-Za-z_-]+(?:\.[0-9A-Za-z_-]+)+",
    r"[?&;][0-9A-Za-z_%.~\[\]-]+=[^\s\"'<>)]*",
    r"[0-9]{1,3}(?:\.[0-9]{1,3}){3}(?::[0-9]+)?(?-u:\b)",
    r"(?-u:\b)(?:[0-9a-fA-F]{1,4}:){3,7}[0-9a-fA-F]{1,4}(?-u:\b)",
    r"(?-u:\b)(?:[0-9a-fA-F]{1,4}:){1,6}(?::[0-9a-fA-F]{1,4}){1,6}(?-u:\b)",
    r"(?-u:\b)0[xX][0-9a-fA-F]+(?-u:\b)",
    r"(?-u:\b)[0-9a-fA-F]{8,}(?-u:\b)",
    r"(?-u:\b)[0-9][0-9.,]*(?:[eE][+-]?[0-9]+|[nuµm]?s|m|h|d|[kKMGT]?i?[bB])?(?-u:\b)",
    r"(?-u:\b)[0-9A-Za-z_]*[0-9][0-9A-Za-z_]*[0-9][0-9A-Za-z_]*(?:-[0-9A-Za-z_]*[0-9][0-9A-Za-z_]*)*",
)
_SINGLE_QUOTED = r"(^|[\s(\[{=:,<])'[^'\n]{0,200}'"
"""An apostrophe inside a word is no quote."""
_ALL = f"({_KEPT_STATUS})|{_SINGLE_QUOTED}|{'|'.join(_VARYING)}"


def pattern_of(text: pl.Expr) -> pl.Expr:
    """What a text has in common with others of its kind, MAX_PATTERN_CHARACTERS at most.

    A status (`status 503`, `HTTP/1.1 404`) is kept, all other numbers are not.
    """
    # Marks in place of the varying parts; one behind a digit follows a status that stays.
    return (
        text.str.replace_all(_MARK, " ", literal=True)
        .str.replace_all(_ALL, f"${{1}}${{2}}{_MARK}")
        .str.replace_all(f"([0-9]){_MARK}", "$1")
        .str.replace_all(f"[+-]?{_MARK}(?:[.,:_-]?{_MARK})*", VARIES)
        .str.replace_all(r"\s+", " ")
        .str.strip_chars()
        .str.slice(0, MAX_PATTERN_CHARACTERS)
    )


def fingerprint(integration: str, reason: str, pattern: str) -> int:
    """64 bits that name a kind of error; never 0, which stands for none."""
    digest = blake2b(digest_size=8)
    for word in (integration, reason, pattern):
        part = word.encode(errors="replace")
        digest.update(len(part).to_bytes(4, "big") + part)
    return int.from_bytes(digest.digest(), "big") or 1
