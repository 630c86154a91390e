"""Motivations written by a language model, wherever one speaks OpenAI's protocol."""
