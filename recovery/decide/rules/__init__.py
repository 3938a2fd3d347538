"""The rules of a decision: declines, budgets, retry times, contact times, attribution. They know no transition."""
