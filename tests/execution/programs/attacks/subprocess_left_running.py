"""Leave a command that runs in a new session."""

import subprocess

subprocess.Popen(["sleep", "300"], start_new_session=True)
