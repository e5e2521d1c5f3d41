"""Lessons: whole sessions as files, the changes in them, and the same as a program in Python."""
