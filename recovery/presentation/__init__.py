"""What people read: labels of events and reasons, amounts, text that is safe to print. Pure."""
