"""The commands of both programs, one file per mode.

Each is a function of the `Program`, its options and the names of the options that were given, and
returns the exit code.
"""
