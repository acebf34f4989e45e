"""Traces: what a request's trail says, as OpenTelemetry spans."""
