"""Tests of agentsight_rx/exports: each format is opened by its own reader."""
