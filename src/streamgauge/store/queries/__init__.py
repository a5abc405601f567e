"""One small module per question; each returns Arrow, NumPy or a view of the model."""

from streamgauge.store.queries.capacity import CapacityMemory
from streamgauge.store.queries.ends import may_stand_in
from streamgauge.store.queries.errors import errors
from streamgauge.store.queries.flows import flows
from streamgauge.store.queries.history import history, minutes_between
from streamgauge.store.queries.journey import journey
from streamgauge.store.queries.overview import overview
from streamgauge.store.queries.refused import refused_lines
from streamgauge.store.queries.slices import replay_slices
from streamgauge.store.queries.stored import stored
from streamgauge.store.queries.timeseries import timeseries

__all__ = [
    "CapacityMemory",
    "errors",
    "flows",
    "history",
    "journey",
    "may_stand_in",
    "minutes_between",
    "overview",
    "refused_lines",
    "replay_slices",
    "stored",
    "timeseries",
]
