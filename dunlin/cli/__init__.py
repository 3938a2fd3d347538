"""The commands of `dunlin`, one module each; `dunlin/__main__.py` lists them."""
