"""The modes of both programs, one file each."""
