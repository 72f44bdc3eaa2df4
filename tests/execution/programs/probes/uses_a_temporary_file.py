"""Write a temporary file and read it again."""

import tempfile

with tempfile.NamedTemporaryFile("w+") as file:
    file.write("3")
    file.seek(0)
    print(file.read())
