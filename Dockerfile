# clipsearch and its page, without a GPU: docs/installation.md, "Docker". Needs no network once it is built, but for
# models that are to be downloaded.
FROM python:3.11-slim-bookworm AS build

# The packages of the page and of all kinds of files; EXTRAS=all adds Ray, Milvus, PostgreSQL and assistants.
ARG EXTRAS=web,ocr,raw,video,pdf,jxl,svg
# A build of torch for the CPU: on Linux, that of the package index brings 2.7 GB of CUDA libraries.
ARG TORCH_INDEX=https://download.pytorch.org/whl/cpu

SHELL ["/bin/bash", "-euo", "pipefail", "-c"]
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore
WORKDIR /build
RUN python -m venv /opt/clipsearch
ENV PATH=/opt/clipsearch/bin:$PATH

# Before the sources, so that a change of these does not install it again.
COPY constraints.txt ./
RUN --mount=type=cache,target=/root/.cache/pip \
    pip install --no-deps --index-url "$TORCH_INDEX" "$(grep '^torch==' constraints.txt)"

COPY pyproject.toml README.md LICENSE ./
COPY docs/clipsearch.1 docs/
COPY migrations migrations
COPY sample_data sample_data
COPY clipsearch clipsearch
RUN --mount=type=cache,target=/root/.cache/pip \
    pip install -c constraints.txt ".[$EXTRAS]" && pip check

FROM python:3.11-slim-bookworm

RUN useradd --uid 1000 --user-group --no-create-home --home-dir /data --shell /usr/sbin/nologin clipsearch \
    && install -d -o clipsearch -g clipsearch -m 0700 /data /cache
COPY --from=build /opt/clipsearch /opt/clipsearch

# In /data lies what must not be lost, in /cache what can be computed or downloaded again.
ENV PATH=/opt/clipsearch/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    CLIPSEARCH_CATALOG=/data/catalog \
    CLIPSEARCH_CONFIG=/data/config \
    CLIPSEARCH_CACHE=/cache/clipsearch \
    HF_HOME=/cache/huggingface

USER 1000:1000
WORKDIR /data
EXPOSE 8123
# As Ctrl-C: requests in progress are answered, then the catalog is closed.
STOPSIGNAL SIGINT
HEALTHCHECK --interval=30s --timeout=5s --start-period=60s --retries=3 \
    CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8123/healthz', timeout=4)"]

# All addresses of the container; which of the host's are published is said where it is started. Visitors need the token
# that is printed, or CLIPSEARCH_TOKEN.
ENTRYPOINT ["clipsearch"]
CMD ["serve", "--host", "0.0.0.0", "--port", "8123"]
