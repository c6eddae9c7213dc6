"""Calls of models as OpenTelemetry spans: the spans, their content, and the sending."""
