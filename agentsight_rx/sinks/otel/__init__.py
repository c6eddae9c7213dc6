"""Agents, calls of models, tools and processes as OpenTelemetry spans, and metrics of the calls: made, and sent."""
