"""What operators read and do: dead letters, policies, the story of a case, a replay of the state."""
