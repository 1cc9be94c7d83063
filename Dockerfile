# One image for web, worker, beat and migrate: docker-compose.yml says which is which. It holds no secret,
# runs as an unprivileged user and writes nothing outside /tmp, so that it works on a read-only file system.

FROM python:3.11-slim-bookworm AS packages
COPY requirements/runtime.txt /requirements.txt
RUN python -m venv /opt/venv \
    && /opt/venv/bin/pip install --no-cache-dir --disable-pip-version-check --require-hashes --no-deps -r /requirements.txt

FROM python:3.11-slim-bookworm
# No bytecode is written at run time, so it is compiled below; TALLYSTICK_NO_VENV stops manage.py from
# building a virtual environment, TALLYSTICK_IMAGE from making secrets and starting servers that nobody would keep; the
# work folder and everything temporary lie in /tmp.
ENV PATH=/opt/venv/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    TALLYSTICK_NO_VENV=1 \
    TALLYSTICK_IMAGE=1 \
    TALLYSTICK_HOME=/tmp/tallystick
RUN useradd --system --uid 10001 --no-create-home --shell /usr/sbin/nologin tallystick
COPY --from=packages /opt/venv /opt/venv
WORKDIR /app
# .dockerignore admits the rooms of the product and nothing else.
COPY . .
# The addresses are never called: they tell manage.py that it needs no embedded servers.
RUN python -m compileall -q . \
    && DATABASE_URL=postgres://unused REDIS_URL=redis://unused python manage.py collectstatic --noinput \
    && rm -rf /tmp/tallystick
USER 10001
EXPOSE 8000
STOPSIGNAL SIGTERM
# By address: health answers under any.
HEALTHCHECK --interval=10s --timeout=5s --start-period=20s --retries=3 CMD ["python", "-c", "\
import http.client; \
web = http.client.HTTPConnection('127.0.0.1', 8000, timeout=4); \
web.request('GET', '/healthz/live'); \
raise SystemExit(web.getresponse().status != 200)"]
CMD ["gunicorn", "config.wsgi:application", "--config", "runtime/gunicorn.conf.py", "--bind", "0.0.0.0:8000"]
