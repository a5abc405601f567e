"""The client for routers: counts messages in process, sends the sums in the background.

Standard library only, and nothing else of streamgauge. `Gauge` counts; `stamp` and `read` carry a
message's id and first stamp through the headers of whatever it travels by; `CountReceived` counts
the requests of an ASGI application.
"""

from streamgauge.client.asgi import CountReceived
from streamgauge.client.flow import Flow
from streamgauge.client.gauge import Gauge
from streamgauge.client.headers import Trace, read, stamp

__all__ = ["CountReceived", "Flow", "Gauge", "Trace", "read", "stamp"]
