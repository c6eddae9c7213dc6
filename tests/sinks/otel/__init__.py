"""The OpenTelemetry sink, part by part."""
