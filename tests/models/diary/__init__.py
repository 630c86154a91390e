"""Tests of models.diary."""
