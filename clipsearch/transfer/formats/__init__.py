"""Embeddings in files that other programs read and write.

The layout is that of clip-retrieval, which autofaiss and embedding-reader read too; row i of a part's vectors belongs
to row i of its metadata:

    FOLDER/img_emb/img_emb_0.npy              float16 (n, dim)
    FOLDER/metadata/metadata_0.parquet        n rows
    FOLDER/captions/text_emb/text_emb_0.npy
    FOLDER/captions/metadata/metadata_0.parquet
    FOLDER/clipsearch.json                    which model, how many

Captions lie in a folder of their own: in clip-retrieval's text_emb row i is the caption of picture i, and a catalog's
captions belong to no picture.

Source: https://github.com/rom1504/clip-retrieval, clip_retrieval/clip_inference/writer.py
"""
