"""Takes personal data and secrets out of texts before anything is kept of them.

Regular expressions are Rust's (through Polars): they take time in proportion to the text whatever
is sent, and know neither look-around nor back references.

Source: https://docs.rs/regex/latest/regex/#syntax; card numbers begin and group as in ISO/IEC 7812
(https://en.wikipedia.org/wiki/Payment_card_number).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import polars as pl
from polars.exceptions import PolarsError

DEFAULT_FIELDS = ("error", "reason")
TEXT_FIELD = "text"
"""Any text field of line protocol."""
REPLACEMENT = "[redacted]"
_MAX_KNOWN = 5000


@dataclass(frozen=True, slots=True)
class RedactRule:
    """What to take out of which texts."""

    pattern: str
    replace: str = REPLACEMENT
    """`$1` stands for the first group."""
    fields: tuple[str, ...] = DEFAULT_FIELDS
    """Of `error`, `reason`, `id` and `text`."""
    marks: tuple[str, ...] = ()
    """Each text that it changes has one of these in it, case-folded; none: it may be any text."""


_NAMES_OF_SECRETS = (
    r"pass(?:word|wd|phrase)?|pwd|secret|token|credentials?|authori[sz]ation|signature|"
    r"(?:api|access|account|private|secret|license|write)[_-]?key|sessionid|cookie"
)
PERSONAL_DATA = (
    RedactRule(r"[\w.+%-]+(?:@|%40)[\w-]+(?:\.[\w-]+)+", "[e-mail]", marks=("@", "%40")),
    RedactRule(r"://[^\s/:@]*:[^\s/@]+@", f"://{REPLACEMENT}@", marks=("://",)),
    RedactRule(
        r"(?i)\b(bearer|basic|token|geniekey|apikey) +[\w.~+/=:-]{6,}",
        f"$1 {REPLACEMENT}",
        marks=("bearer ", "basic ", "token ", "geniekey ", "apikey "),
    ),
    RedactRule(
        rf"(?i)((?:{_NAMES_OF_SECRETS})\w*\\?[\"']?\s*(?:=|:|%3d)\s*\\?[\"']?)"
        r"(?:(?:bearer|basic|token) +)?[^\s\"'\\&,;\[)}\]]+",
        f"${{1}}{REPLACEMENT}",
        marks=(
            *("pass", "pwd", "secret", "token", "credential", "authori", "signature"),
            *("key", "sessionid", "cookie"),
        ),
    ),
    RedactRule(
        r"\b(?:eyJ[0-9A-Za-z_-]{8,}\.[0-9A-Za-z_-]*(?:\.[0-9A-Za-z_-]*)?|"
        r"(?:sk|pk|rk|whsec)_(?:live_|test_)?[0-9A-Za-z]{10,}|sk-[0-9A-Za-z_-]{16,}|"
        r"(?:AKIA|ASIA)[0-9A-Z]{16}|gh[pousr]_[0-9A-Za-z]{20,}|github_pat_[0-9A-Za-z_]{20,}|"
        r"glpat-[0-9A-Za-z_-]{16,}|xox[abeoprs]-[0-9A-Za-z-]{10,}|AIza[0-9A-Za-z_-]{30,}|"
        r"ya29\.[0-9A-Za-z_-]{10,}|SG\.[0-9A-Za-z_-]{16,}\.[0-9A-Za-z_-]{16,})",
        REPLACEMENT,
        marks=(
            *("eyj", "sk_", "pk_", "rk_", "whsec_", "sk-", "akia", "asia", "ghp_", "gho_", "ghu_"),
            *("ghs_", "ghr_", "github_pat_", "glpat-", "xox", "aiza", "ya29.", "sg."),
        ),
    ),
    RedactRule(
        r"-----BEGIN [A-Z ]*PRIVATE KEY-----[\s\S]*", REPLACEMENT, marks=("private key-----",)
    ),
    RedactRule(
        r"\b(?:(?:4\d{3}|5[1-5]\d\d|2[2-7]\d\d|6(?:011|4[4-9]\d|5\d\d)|35\d\d)[ -]?\d{4}[ -]?\d{4}"
        r"[ -]?\d{4}|3(?:[47]\d\d|0[0-5]\d|[68]\d\d)[ -]?\d{6}[ -]?\d{4,5})\b",
        "[card number]",
    ),
)
"""On unless switched off: e-mail addresses, credentials in addresses, bearer tokens, `key=value` of
secret names, keys that vendors mark, private keys, card numbers."""


class Redaction:
    """Applies rules, the given ones first. Threads may share it."""

    def __init__(
        self, rules: Iterable[RedactRule] = (), *, hides_personal_data: bool = True
    ) -> None:
        """Rules as given, and the built-in ones behind them.

        Args:
            rules: of the configuration, in order.
            hides_personal_data: whether the built-in rules follow.

        Raises:
            ValueError: a pattern cannot be used.
        """
        given = tuple(rules)
        for rule in given:
            check_pattern(rule.pattern)
        self._given = given
        self._rules = given + (PERSONAL_DATA if hides_personal_data else ())
        self._known: dict[tuple[str, str], str] = {}

    def has_field(self, field: str) -> bool:
        """Whether any rule looks at it."""
        return any(field in rule.fields for rule in self._rules)

    def of(self, texts: pl.Series, field: str) -> pl.Series:
        """Texts of a field, redacted."""
        frame = pl.DataFrame({"text": texts})
        return frame.select_seq(self.expression(pl.col("text"), field))["text"]

    def expression(self, text: pl.Expr, field: str) -> pl.Expr:
        """The same within a query."""
        return applied(text, self._rules_of(field))

    def _rules_of(self, field: str) -> tuple[RedactRule, ...]:
        return tuple(rule for rule in self._rules if field in rule.fields)

    def rules_for(self, texts: Iterable[str], field: str) -> tuple[RedactRule, ...]:
        """The rules that may change any of these texts of a field; the others change none of them.

        Looking for a rule's marks costs far less than its expression. Where there are rules of the
        configuration, all are given: their replacements may hold what others look for.
        """
        rules = self._rules_of(field)
        if any(field in rule.fields for rule in self._given):
            return rules
        seen = "\n".join(texts).casefold()
        return tuple(
            rule for rule in rules if not rule.marks or any(mark in seen for mark in rule.marks)
        )

    def words(self, words: list[str], field: str) -> list[str]:
        """Words that come again and again, redacted; what they become is remembered."""
        known = self._known
        new = [word for word in words if word and (field, word) not in known]
        if new:
            if len(known) > _MAX_KNOWN:
                known = {}
            redacted = self.of(pl.Series(new), field).to_list()
            known = known | {(field, word): to for word, to in zip(new, redacted, strict=True)}
            self._known = known  # another thread may write at the same time: one of both stays
        return [known.get((field, word), word) for word in words]

    def text(self, text: str) -> str:
        """A text that may hold any of the fields, redacted by all rules."""
        return self.texts([text])[0]

    def texts(self, texts: list[str]) -> list[str]:
        """Several of them."""
        told = pl.col("text")
        for rule in self._rules:
            told = told.str.replace_all(rule.pattern, rule.replace)
        frame = pl.DataFrame({"text": texts}, schema={"text": pl.String})
        return frame.select_seq(told)["text"].to_list()


def applied(text: pl.Expr, rules: Iterable[RedactRule]) -> pl.Expr:
    """A text after some rules, in their order."""
    for rule in rules:
        text = text.str.replace_all(rule.pattern, rule.replace)
    return text


def check_pattern(pattern: str) -> None:
    """See that a regular expression can be used.

    Raises:
        ValueError: it cannot, and why.
    """
    if not pattern:
        raise ValueError("an empty pattern would match everywhere")
    try:
        pl.Series([""]).str.replace_all(pattern, "")
    except PolarsError as error:
        raise ValueError(f"not a regular expression that we can use: {_why(error)}") from None


def _why(error: PolarsError) -> str:
    """The last line of the library's explanation, without what it says about the query."""
    told = str(error).split("\n\nThis error occurred")[0].strip().splitlines()
    return told[-1].removeprefix("error: ").removeprefix("regex error: ").strip()
