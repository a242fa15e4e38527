"""The parts of the documentation builder; `build.py` beside this folder puts them together as a pipeline."""
