"""Carries out effects exactly once, and reports each outcome as a fact."""
