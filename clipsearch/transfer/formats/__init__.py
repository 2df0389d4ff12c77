"""Read and write embeddings in files that other programs use.

The layout is that of clip-retrieval, which autofaiss and embedding-reader read too; row i of a part's embeddings
belongs to row i of its metadata:

    FOLDER/img_emb/img_emb_0.npy              float16 (n, dim)
    FOLDER/metadata/metadata_0.parquet        n rows
    FOLDER/captions/text_emb/text_emb_0.npy
    FOLDER/captions/metadata/metadata_0.parquet
    FOLDER/clipsearch.json                    model and counts

Captions have a folder of their own: in clip-retrieval's text_emb row i is the caption of picture i, and a catalog's
captions belong to no picture.

Source: https://github.com/rom1504/clip-retrieval, clip_retrieval/clip_inference/writer.py
"""
