"""What the SDK's addresses lead to when sandboxes have host names."""

import time
import urllib.error
import urllib.request

from e2b import Sandbox


def fetch(url):
    return urllib.request.urlopen(url, timeout=30).read()


def fetch_once_served(url):
    deadline = time.monotonic() + 60
    while True:
        try:
            return fetch(url)
        except urllib.error.HTTPError as error:
            assert error.code == 502 and time.monotonic() < deadline, error


def test_a_port_and_signed_files_are_reached_without_a_header():
    sandbox = Sandbox.create(timeout=120)
    try:
        sandbox.files.write("served/page", "page")
        sandbox.commands.run("python3 -m http.server 8000 --bind 127.0.0.1", cwd="served", background=True)
        assert fetch_once_served(f"https://{sandbox.get_host(8000)}/page") == b"page"
        link = sandbox.download_url("served/page", use_signature_expiration=60)
        assert link.startswith("https://49983-") and fetch(link) == b"page"
    finally:
        sandbox.kill()
