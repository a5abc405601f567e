"""OpenTelemetry's metrics: OTLP over HTTP (protobuf, JSON) and over gRPC.

`protobuf.decode` is the one reader; `json_mapping` turns JSON into the same bytes.
"""
