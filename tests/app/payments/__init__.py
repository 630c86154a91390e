"""Tests of the payment providers that the market can be connected to."""
