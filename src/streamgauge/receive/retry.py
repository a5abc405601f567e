"""Names a body, so that a sender's retry is known and counts once."""

from __future__ import annotations

from hashlib import blake2b

_KEY_BYTES = 16


def retry_key(
    *,
    path: str,
    query: list[tuple[str, str]],
    credential: str,
    sender: str,
    body: bytes,
    idempotency_key: str | None,
    has_all_timestamps: bool,
) -> bytes | None:
    """16 bytes that two sendings of one body have in common; None where that cannot be told.

    Equal bodies of different senders are two bodies. A line without a time stamp means "now", so
    equal bodies of that kind are two bodies as well, unless the sender gives an Idempotency-Key;
    with one, neither the body nor the address matters.

    Args:
        path: of the request.
        query: parameters in any order.
        credential: the Authorization header.
        sender: the client's address without its port, which changes from try to try.
        body: unzipped.
        idempotency_key: the header of that name.
        has_all_timestamps: whether every good line brought its own.
    """
    if idempotency_key:
        return _digest("key", path, credential, idempotency_key)
    if not has_all_timestamps:
        return None
    pairs = [part for pair in sorted(query) for part in pair]
    return _digest("body", path, str(len(pairs)), *pairs, credential, sender, tail=body)


def _digest(*parts: str, tail: bytes = b"") -> bytes:
    digest = blake2b(digest_size=_KEY_BYTES)
    for part in parts:
        data = part.encode(errors="surrogatepass")
        digest.update(len(data).to_bytes(8, "big"))
        digest.update(data)
    digest.update(tail)
    return digest.digest()
