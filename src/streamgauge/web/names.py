"""Names as one segment of an address, whatever they are made of: customers choose them."""

from __future__ import annotations

from urllib.parse import quote

from starlette.convertors import Convertor, register_url_convertor

MARK = "~"


def segment(name: str) -> str:
    """A name as one segment of an address, `/` included.

    Browsers take `.` and `..` for folders even when percent-encoded, and nothing at all would name
    the list: these get a `~` in front, and so does what begins with one.
    """
    needs_mark = name in {"", ".", ".."} or name.startswith(MARK)
    return quote(MARK + name if needs_mark else name, safe="")


def from_segment(text: str) -> str:
    """The name that `segment` wrote, once percent-decoded."""
    return text.removeprefix(MARK)


class NameConvertor(Convertor[str]):
    """`{tenant:name}` in a route: the rest of the address, slashes and line breaks included."""

    regex = r"[\s\S]+"

    def convert(self, value: str) -> str:
        """The name."""
        return from_segment(value)

    def to_string(self, value: str) -> str:
        """Its segment."""
        return segment(value)


register_url_convertor("name", NameConvertor())
