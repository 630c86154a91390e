"""Tests of the generator that asks a language model."""
