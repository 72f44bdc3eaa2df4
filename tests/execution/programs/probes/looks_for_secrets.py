"""Print whether a secret of the caller is in the environment."""

import os

print("hf_secret" in str(os.environ), "HF_TOKEN" in os.environ)
