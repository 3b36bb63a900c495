# The harvester in a container: `docker build -t classharvest .`; with training on the CPU: `--target train`.
# syntax=docker/dockerfile:1

FROM python:3.13-slim AS build
WORKDIR /build
COPY pyproject.toml README.md LICENSE train.py ./
COPY harvest ./harvest
# A virtual environment, which the next stages copy: no pip, cache or source is in them.
RUN python -m venv --without-pip /opt/harvest && pip --python /opt/harvest/bin/python install --no-cache-dir --no-compile .

# ImageHash needs the Fourier transforms of SciPy only: without the rest, half of the size is left. `demo` shows that
# nothing is missing, and writes the bytecode of what a run imports: the user of the image cannot write it.
FROM build AS build-harvest
WORKDIR /opt/harvest/lib/python3.13/site-packages
RUN find . -type d -name tests -prune -exec rm -r {} + \
    && rm -r pywt scipy/cluster scipy/integrate scipy/interpolate scipy/io scipy/linalg scipy/ndimage scipy/odr \
        scipy/optimize scipy/signal scipy/sparse scipy/spatial scipy/stats \
    && /opt/harvest/bin/python -m compileall -q harvest \
    && /opt/harvest/bin/harvest demo --out /tmp/demo && rm -r /tmp/demo

FROM build AS build-train
RUN pip --python /opt/harvest/bin/python install --no-cache-dir --no-compile --index-url https://download.pytorch.org/whl/cpu "torch>=2.10"
RUN pip --python /opt/harvest/bin/python install --no-cache-dir --no-compile ".[train]"

FROM python:3.13-slim AS runtime
RUN useradd --uid 1000 --create-home harvest && mkdir /data && chown harvest:harvest /data
ENV PATH=/opt/harvest/bin:$PATH PYTHONUNBUFFERED=1
WORKDIR /data
USER harvest
ENTRYPOINT ["harvest"]
CMD ["--help"]

FROM runtime AS train
COPY --from=build-train /opt/harvest /opt/harvest
EXPOSE 8000
# For `serve`; other commands end before the first check, or have no server, and are not restarted for it.
HEALTHCHECK --interval=30s --timeout=5s --start-period=60s \
    CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8000/health', timeout=4)"]

FROM runtime AS harvest
COPY --from=build-harvest /opt/harvest /opt/harvest
