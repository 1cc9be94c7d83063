"""A small client of the product's REST API, as any program would write one; standard library only."""

import json
from http.client import HTTPConnection, HTTPException
from typing import Any
from urllib.parse import urlencode

_TIMEOUT_SECONDS = 60


class ApiError(Exception):
    """The API refused a request, or did not answer; the message is its problem's title, detail and code, or why."""


class Api:
    """Speaks to one address with one token."""

    def __init__(self, host: str, port: int, token: str) -> None:
        self._host, self._port, self._token = host, port, token

    def get(self, path: str, **query: Any) -> Any:
        """GET a path under /api/v1/; lists become repeated parameters."""
        return self._call("GET", f"{path}?{urlencode(query, doseq=True)}" if query else path, None)

    def post(self, path: str, body: dict[str, Any]) -> Any:
        """POST JSON to a path under /api/v1/."""
        return self._call("POST", path, json.dumps(body))

    def _call(self, method: str, path: str, body: str | None) -> Any:
        connection = HTTPConnection(self._host, self._port, timeout=_TIMEOUT_SECONDS)
        headers = {"Authorization": f"Bearer {self._token}", "Content-Type": "application/json"}
        try:
            connection.request(method, f"/api/v1/{path}", body=body, headers=headers)
            response = connection.getresponse()
            answer = json.loads(response.read())
        except (OSError, HTTPException) as error:
            raise ApiError(f"The web server does not answer ({error}).") from error
        finally:
            connection.close()
        if response.status >= 400:  # noqa: PLR2004 - where HTTP's refusals begin
            raise ApiError(f"{answer.get('title')} {answer.get('detail', '')} ({answer.get('code')})")
        return answer
