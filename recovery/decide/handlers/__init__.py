"""Handlers of facts, by subject. A handler changes the customer's state through a transition and applies the rules."""
