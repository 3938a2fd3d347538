"""Reads the warehouse and shows it; decides nothing."""
