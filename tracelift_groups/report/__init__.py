"""Groups for the eye."""
