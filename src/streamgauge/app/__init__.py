"""The only place that knows everything: configuration, wiring, loops, the command line."""

from streamgauge.app.budget.lean import leave_out_pandas

leave_out_pandas()  # before anything that would read it
