"""Models of retry times and churn. Empty until the planner lands: its interface is the topic effects.retry_times and the fact
RetryTimesOffered."""
