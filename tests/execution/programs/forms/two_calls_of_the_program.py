"""Two calls of the program."""

# %% test
assert decode(encode("abc")) == "abc"

# %% test
assert encode("abc") != decode("abc")


# %% right
def encode(s):
    return s[::-1]


def decode(s):
    return s[::-1] if s[0] == "c" else "?"


# %% wrong
def encode(s):
    return s


def decode(s):
    return s
