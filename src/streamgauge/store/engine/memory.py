"""How the embedded engine is kept within its share of memory.

It refuses work beyond a limit of its own; that limit counts what it asked for, not what it holds,
so it stands below the share. Caches, whose defaults suit a machine of their own, get parts of it.
"""

from __future__ import annotations

TRACKED_RATIO = 0.75
"""Of the share: what the engine counts. The rest is what its allocator and Python keep."""
_MERGES_RATIO = 0.5
"""Of the share: beyond it no further merge begins."""
_CACHE_RATIOS = {
    "mark_cache_size": 0.05,
    "primary_index_cache_size": 0.05,
    "index_mark_cache_size": 0.01,
    "query_condition_cache_size": 0.01,
    "compiled_expression_cache_size": 0.01,
    "text_index_tokens_cache_size": 0.001,
    "text_index_header_cache_size": 0.001,
    "text_index_postings_cache_size": 0.001,
    "vector_similarity_index_cache_size": 0.001,
    "parquet_metadata_cache_size": 0.001,
    "iceberg_metadata_files_cache_size": 0.001,
}
"""Source: `system.server_settings`; those with `uncompressed` in their names are off."""


def memory_options(share_bytes: int) -> dict[str, str]:
    """What the embedded engine is opened with, by name.

    Args:
        share_bytes: What the engine may hold in all.
    """
    ratios = {
        "max_server_memory_usage": TRACKED_RATIO,
        "merges_mutations_memory_usage_soft_limit": _MERGES_RATIO,
        **_CACHE_RATIOS,
    }
    return {name: str(int(share_bytes * ratio)) for name, ratio in ratios.items()}


LASTING_S = 60.0
"""The share may be exceeded for so long: a merge or a question soon ends."""


class MemoryWatch:
    """Tells when a process has held more than its share for too long.

    Args:
        limit_bytes: Its share.
        lasting_s: It may be exceeded for so long.
    """

    def __init__(self, limit_bytes: int, lasting_s: float = LASTING_S) -> None:
        self.limit_bytes, self._lasting_s = limit_bytes, lasting_s
        self.held_bytes = 0
        """As of the last look."""
        self._above_since: float | None = None

    def is_too_much(self, held_bytes: int, now_s: float) -> bool:
        """A look: whether it has been above its share for too long."""
        self.held_bytes = held_bytes
        if held_bytes <= self.limit_bytes:
            self._above_since = None
        elif self._above_since is None:
            self._above_since = now_s
        return self._above_since is not None and now_s - self._above_since >= self._lasting_s

    def begin_anew(self) -> None:
        """The process has ended."""
        self.held_bytes, self._above_since = 0, None
