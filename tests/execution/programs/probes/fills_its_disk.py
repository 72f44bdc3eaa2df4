"""Write files until there is no room, and print the error, or 0 after 40 MB."""

number = 0
try:
    while True:
        with open(f"f{number}", "wb") as file:
            file.write(b"x" * 10**6)
        number += 1
        if number > 40:
            break
except OSError as error:
    print(error.errno)
else:
    print(0)
