"""The HTTP server, who may come in, and how the process says that it is doing."""
