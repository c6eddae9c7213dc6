"""Calls of models as OpenTelemetry spans: what a span says, its content, and how it is sent."""
