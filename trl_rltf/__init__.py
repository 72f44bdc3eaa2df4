"""Train code language models online from unit-test feedback (RLTF, arXiv 2307.04349), as a plugin for TRL."""
