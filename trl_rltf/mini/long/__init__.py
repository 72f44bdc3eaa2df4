"""MiniAPPS-L: programs as long as those of APPS, from graphs of stages."""
