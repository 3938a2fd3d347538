# One image for every part of Dunlin; the command says which. Kafka and ClickHouse are images of their own (docker-compose.yml).
FROM python:3.11-slim-bookworm
ENV PYTHONUNBUFFERED=1 PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1 DUNLIN_HOME=/var/lib/dunlin
RUN useradd --system --create-home --home-dir /var/lib/dunlin dunlin
WORKDIR /opt/dunlin
COPY requirements.lock pyproject.toml README.md ./
RUN pip install --require-hashes -r requirements.lock
COPY dunlin dunlin
COPY recovery recovery
COPY producers producers
COPY streams streams
COPY sinks sinks
COPY dashboard dashboard
COPY control control
COPY ml ml
COPY sandbox sandbox
RUN pip install --no-deps --no-build-isolation -e .
USER dunlin
CMD ["dunlin", "--help"]
