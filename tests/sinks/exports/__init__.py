"""Tests of agentsight_rx/sinks/exports: each format is opened by its own reader."""
