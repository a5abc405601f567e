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

_MARK, _QUOTE = "\x01", "\x02"
"""For what varies; for a quotation mark of JSON that encloses nothing of the kind."""
_STATUS = (
    r"(?:^\(?|\(|(?i:(?-u:\b)(?:status(?:[ _-]?code)?|https?(?:/\d(?:\.\d)?)?|response|error|"
    r"returned|responded|got|failed with)(?:[ :=#\"(\x02]|is|with){1,4}))[1-5][0-9][0-9](?-u:\b)"
)
_CODE = r"(?i:(?-u:\b)(?:errno|code|exit status|ORA-?)[ :=#\x02]{0,4}[0-9]{1,5}(?-u:\b))"
_KEPT = f"{_STATUS}|{_CODE}"
"""A status as HTTP has them, and a code, say what kind of error it is."""
_KEY = r'"([A-Za-z_$][0-9A-Za-z_.$-]{0,40})"\s*:'
_WORDS_OF_KINDS = (
    r"(\x02(?i:(?:error|fault|status|exception)?[_-]?(?:code|type|kind|name|status|error|reason))\x02:"
    r'\s*)"([A-Za-z_.:-]{1,60})"'
)
_SENTENCES = (
    r"(\x02(?i:(?:error|fault|status)?[_-]?"
    r"(?:message|msg|errors?|details?|description|title|cause|reason|string|text))\x02:\s*)\""
)
_VARYING = (
    r'"[^"\n\x02]*"',
    r"`[^`\n]*`",
    r"[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}",
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}(?:[T ][0-9]{2}:[0-9]{2}(?::[0-9]{2}(?:[.,][0-9]+)?)?)?"
    r"(?: ?(?:Z|UTC|[+-][0-9]{2}:?[0-9]{2})(?-u:\b))?",
    r"[0-9]{1,2}:[0-9]{2}:[0-9]{2}(?:[.,][0-9]+)?",
    r"[0-9A-Za-z_.+%-]+@[0-9A-Za-z_-]+(?:\.[0-9A-Za-z_-]+)+",
    r"[?&;][0-9A-Za-z_%.~\[\]-]+=[^\s\"'<>)]*",
    r"[0-9]{1,3}(?:\.[0-9]{1,3}){3}(?::[0-9]+)?(?-u:\b)",
    r"(?-u:\b)(?:[0-9a-fA-F]{1,4}:){1,7}(?::[0-9a-fA-F]{1,4}){1,6}(?-u:\b)",
    r"(?-u:\b)(?:[0-9a-fA-F]{1,4}:){1,7}:",
    r"(?-u:\b)(?:[0-9a-fA-F]{1,4}:){3,7}[0-9a-fA-F]{1,4}(?-u:\b)",
    r"(?-u:\b)0[xX][0-9a-fA-F]+(?-u:\b)",
    r"(?-u:\b)[0-9a-fA-F]{8,}(?-u:\b)",
    r"(?-u:\b)[0-9][0-9.,]*(?:[eE][+-]?[0-9]+|[nuµm]?s|m|h|d|[kKMGT]?i?[bB])?(?-u:\b)",
    r"(?-u:\b)[0-9A-Za-z_]*[0-9][0-9A-Za-z_]*[0-9][0-9A-Za-z_]*(?:-[0-9A-Za-z_]*[0-9][0-9A-Za-z_]*)*",
)
_BEHIND_A_GAP = (
    r"(^|[\s(\[{=:,<])(?:'[^'\n]*'|"
    r"::(?:[0-9a-fA-F]{1,4}:){0,6}[0-9a-fA-F]{1,4}(?-u:\b))"
)
"""An apostrophe inside a word is no quote, two colons in a name are no address."""
_ALL = f"({_KEPT})|{_BEHIND_A_GAP}|{'|'.join(_VARYING)}"


def pattern_of(text: pl.Expr, *, has_quotes: bool = True) -> pl.Expr:
    """What a text has in common with others of its kind, MAX_PATTERN_CHARACTERS at most.

    Where no text has a quotation mark, `has_quotes` may say so: then it takes less time.

    1. In JSON, keys stay, and so do words that name a kind (`"code": "quota"`); sentences
       (`"message": "…"`) are treated as text. Their quotation marks are put aside.
    2. Marks take the place of what varies; a status (`status 503`) or code that stays gets one
       behind it, which is taken away.
    3. Marks that touch become one, and blanks, too.
    """
    text = text.str.replace_all(f"[{_MARK}{_QUOTE}]", " ")
    if has_quotes:
        text = (
            text.str.replace_all(_KEY, f"{_QUOTE}${{1}}{_QUOTE}:")
            .str.replace_all(_WORDS_OF_KINDS, f"${{1}}{_QUOTE}${{2}}{_QUOTE}")
            .str.replace_all(_SENTENCES, f"${{1}}{_QUOTE}")
        )
    text = (
        text.str.replace_all(_ALL, f"${{1}}${{2}}{_MARK}")
        .str.replace_all(f"([0-9]){_MARK}", "$1")
        .str.replace_all(f"[+-]?{_MARK}(?:[.,:_-]?{_MARK})*", VARIES)
    )
    if has_quotes:
        text = text.str.replace_all(_QUOTE, '"', literal=True)
    return text.str.replace_all(r"\s+", " ").str.strip_chars().str.slice(0, MAX_PATTERN_CHARACTERS)


def fingerprint(integration: str, reason: str, pattern: str) -> int:
    """64 bits that name a kind of error; never 0, which stands for none."""
    digest = blake2b(digest_size=8)
    for word in (integration, reason, pattern):
        part = word.encode(errors="replace")
        digest.update(len(part).to_bytes(4, "big") + part)
    return int.from_bytes(digest.digest(), "big") or 1
