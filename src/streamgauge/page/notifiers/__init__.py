"""One small module per service that can be told of an incident."""
