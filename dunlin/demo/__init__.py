"""The demonstration: an imaginary merchant's month, its clock, and the comparison with the warehouse."""
