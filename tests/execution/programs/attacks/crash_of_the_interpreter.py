"""Read address 0, which crashes the interpreter."""

import ctypes

ctypes.string_at(0)
