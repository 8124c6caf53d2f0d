"""Tasks of data2vec 2.0: masks drawn by the loader, upstream's tasks of images, and several modalities."""
