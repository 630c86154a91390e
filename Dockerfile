# The server in an image: no compiler, no package manager's caches, not root.
FROM python:3.11-slim AS build
COPY requirements.txt .
RUN python -m venv /venv \
    && /venv/bin/pip install --no-cache-dir --disable-pip-version-check -r requirements.txt \
    && /venv/bin/pip uninstall --yes --quiet pip setuptools

FROM python:3.11-slim
RUN useradd --system --uid 10001 --no-create-home --shell /usr/sbin/nologin realtime
WORKDIR /srv
COPY --from=build /venv /venv
COPY app app
COPY models models
COPY namespaces namespaces
COPY web web
ENV PATH="/venv/bin:$PATH" PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 ENVIRONMENT=production
RUN python -m compileall -q app models namespaces
USER 10001
EXPOSE 8080
# Starting takes a second; a migration runs before, as a container of its own (see compose.yaml).
HEALTHCHECK --interval=10s --timeout=4s --start-period=20s --retries=3 \
    CMD ["python", "-c", "import os, urllib.request as r; r.urlopen(f'http://127.0.0.1:{os.environ.get(\"PORT\", \"8080\")}/ready', timeout=3)"]
STOPSIGNAL SIGTERM
CMD ["python", "-m", "app"]
