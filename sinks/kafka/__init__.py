"""The consumer that writes ranges of messages exactly once, and the detectors of stalled consumers."""
