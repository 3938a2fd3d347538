"""One question per page. Not named pages/: Streamlit would serve the files of such a folder by themselves, beside our own page list."""
