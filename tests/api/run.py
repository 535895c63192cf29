"""Holds both binaries to their own OpenAPI documents: schemathesis makes up requests and looks at what a whole system
answers. What must never be: a 5xx that is not documented, a status, a content type, a header or a body that the document
does not have, a route that lets in who has no credential.

Run by `make test-api`: PYTHON/bin/python tests/api/run.py STACK [-n EXAMPLES] [--seed SEED]
"""

import argparse
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import time
import urllib.request

HERE = pathlib.Path(__file__).parent
# For each operation and way of making values up; a run takes two minutes on two cores.
EXAMPLES = 12
# Of each binary; whatever is left then is not tried.
SECONDS = 85
# A request that was made up by the document's rules may still be about a thing that there is not, and an operation that has
# no parameters ignores those it gets.
NOT_CHECKED = "positive_data_acceptance,negative_data_rejection"


def config(headers, operations):
    """A schemathesis.toml: headers for all operations, and others for some."""
    def table(values):
        return "{ " + ", ".join(f"{json.dumps(name)} = {json.dumps(value)}" for name, value in values.items()) + " }"

    lines = [f"headers = {table(headers)}"] if headers else []
    for path, values in operations.items():
        lines += ["[[operations]]", f"include-path = {json.dumps(path)}", f"headers = {table(values)}"]
    # These would end the session that the others are tried with.
    for method in ("POST", "DELETE"):
        lines += ["[[operations]]", f'include-name = "{method} /api/v1/session"', "headers = {}"]
    return "\n".join(lines) + "\n"


def bearer(token):
    return {"Authorization": f"Bearer {token}"}


def sign_in(program, edge):
    """Makes the edge an account, so that nobody is let in for being on the same machine, and signs in with it."""
    name, password = "schemathesis", "only-for-this-test"
    subprocess.run(
        [program, "users", "add", name, "--role", "admin", "--password-stdin", "--set", f"data_dir={edge['data_dir']}"],
        input=password + "\n", text=True, check=True, stdout=subprocess.DEVNULL,
    )
    body = json.dumps({"name": name, "password": password}).encode()
    request = urllib.request.Request(f"{edge['url']}/api/v1/session", body, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request) as answer:
        cookie = answer.headers["Set-Cookie"].split(";")[0]
    # A browser says so by itself; without it a cookie is not believed.
    return {"Cookie": cookie, "Sec-Fetch-Site": "same-origin"}


def check(name, url, settings, args, seconds):
    """Whether what answers at `url` keeps to its document."""
    with tempfile.TemporaryDirectory(prefix="smartpick-api-") as where:
        file = pathlib.Path(where, "schemathesis.toml")
        file.write_text(settings)
        print(f"--- {name}", flush=True)
        started = time.monotonic()
        command = [
            pathlib.Path(sys.executable).with_name("st"), "--config-file", file, "run", f"{url}/openapi.json",
            "--checks", "all", "--exclude-checks", NOT_CHECKED, "--phases", "examples,coverage,fuzzing",
            "--max-examples", str(args.examples), "--max-time", str(seconds), "--workers", "2", "--request-timeout", "20",
            # Made-up credentials would go beside the real ones; whether ours are needed is asked by leaving them out.
            "--generation-with-security-parameters", "false", "--generation-database", "none", "--suppress-health-check", "all", "--warnings", "off", "--no-color",
        ]
        if args.seed is not None:
            command += ["--seed", str(args.seed)]
        hooks = {"SCHEMATHESIS_HOOKS": "hooks", "PYTHONPATH": str(HERE)}
        done = subprocess.run(command, cwd=where, env=os.environ | hooks)
        print(f"--- {name}: {time.monotonic() - started:.0f} s", flush=True)
        return done.returncode == 0


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("stack", help="the program that starts a whole system")
    parser.add_argument("-n", "--examples", type=int, default=EXAMPLES)
    parser.add_argument("--seconds", type=int, default=SECONDS)
    parser.add_argument("--seed", type=int, help="of an earlier run, to see the same again")
    parser.add_argument("--only", choices=["edge", "central"])
    args = parser.parse_args()

    stack = subprocess.Popen([args.stack], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        ready = json.loads(stack.stdout.readline())
        edge, central = ready["edges"][0], ready["central"][0]
        camera = bearer(edge["camera_token"])
        own = bearer(edge["central_token"])
        session = sign_in(pathlib.Path(args.stack).with_name("smartpick-edge"), edge)
        runs = {
            "edge": (edge["url"], config(session, {
                "/ingestion/ergonomics": camera,
                "/ingestion/ergonomics/test": camera,
            })),
            "central": (central["url"], config(bearer(central["token"]), {
                "/api/v1/batches": own,
                "/api/v1/heartbeats": own,
            })),
        }
        wanted = [name for name in runs if args.only in (None, name)]
        # Both, even if the first one fails.
        kept = [check(name, *runs[name], args, args.seconds) for name in wanted]
    finally:
        # Its end of stdin is how it is told to go.
        stack.stdin.close()
        stack.wait(timeout=60)
    sys.exit(0 if all(kept) else 1)


if __name__ == "__main__":
    main()
