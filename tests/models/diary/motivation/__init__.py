"""Tests of motivation."""
