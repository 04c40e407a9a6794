"""Hands what an SSH server was asked to run to a pretend router, and prints what it says.

For `ForceCommand`: the command is in `SSH_ORIGINAL_COMMAND`. Only the standard library is needed.
"""

import argparse
import json
import os
import socket
import sys


def main() -> int:
    """Return the router's exit status."""
    parser = argparse.ArgumentParser(prog="console")
    parser.add_argument("--socket", required=True, help="the router's console socket")
    parser.add_argument("--user", default="appliance", help="who it is to the router")
    told = parser.parse_args()
    line = os.environ.get("SSH_ORIGINAL_COMMAND", "")
    with socket.socket(socket.AF_UNIX) as router:
        router.connect(told.socket)
        router.sendall(json.dumps({"user": told.user, "line": line}).encode() + b"\n")
        with router.makefile("rb") as answers:
            answer = json.loads(answers.readline())
    sys.stdout.buffer.write(answer["said"].encode("utf-8", "surrogateescape"))
    return int(answer["status"])


if __name__ == "__main__":
    sys.exit(main())
