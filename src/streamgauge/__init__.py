"""streamgauge watches message pipelines the way a stream gauge watches a river."""

__version__ = "0.1.0"
