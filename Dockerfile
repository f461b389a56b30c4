# The operator. `make image` builds the wheels first, so that this needs no index and no compiler.
# BASE needs Python 3.11 or newer with venv, and must be the Python that the wheels are for.
ARG BASE=docker.io/library/python:3.13-slim

FROM ${BASE} AS install
COPY wheels /wheels
# Byte code that is never checked against its source: the file system is read-only, and equal inputs give equal layers.
RUN python3 -m venv /opt/execloop \
 && /opt/execloop/bin/pip install --no-cache-dir --no-compile --no-index --find-links=/wheels --require-hashes \
      --requirement=/wheels/requirements.txt \
 && /opt/execloop/bin/pip uninstall --yes --quiet pip setuptools \
 && find /opt/execloop -name __pycache__ -prune -exec rm -rf {} + \
 && /opt/execloop/bin/python -m compileall -q --invalidation-mode unchecked-hash /opt/execloop/lib \
 && mkdir -p /image/opt /image/plans && mv /opt/execloop /image/opt \
 && find /image -exec touch --no-dereference --date=@0 {} +

FROM ${BASE}
COPY --from=install /image/ /
ENV PATH=/opt/execloop/bin:/usr/local/bin:/usr/bin:/bin PYTHONUNBUFFERED=1
# Numeric, so that runAsNonRoot can be checked; no such user need exist.
USER 65532:65532
WORKDIR /plans
ENTRYPOINT ["execloop"]
CMD ["operator", "--plans=/plans"]
ARG VERSION=0.0.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="execloop" \
      org.opencontainers.image.description="Kubernetes operator: runs the tasks that a plan still needs, until none remain" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
