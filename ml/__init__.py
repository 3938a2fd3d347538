"""Models of retry times and churn. Empty until the planner lands: the doors are the effects.plans topic and PlanOffered."""
