"""Write a file that grows without end."""

with open("big", "wb") as file:
    while True:
        file.write(b"x" * 10**7)
