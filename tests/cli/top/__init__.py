"""Tests of agentsight-rx top."""
