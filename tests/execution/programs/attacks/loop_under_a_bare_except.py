"""Loop without end and swallow every exception that may interrupt the loop."""

while True:
    try:
        while True:
            pass
    except:
        pass
