"""Tests of agentsight_rx/view/exports: each format is opened by its own reader."""
