#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""fetch.py SCRIPT: scripts/fetch-cifar10 with a small made-up archive, from a file and from a server on
this machine that breaks off; with curl and with wget, whichever are here."""
import hashlib
import http.server
import io
import os
import pathlib
import shutil
import subprocess
import sys
import tarfile
import tempfile
import threading

FOLDER = "cifar-10-batches-bin"
NAMES = [f"data_batch_{i}.bin" for i in range(1, 6)] + ["test_batch.bin"]


def make_archive(path, names=NAMES):
    with tarfile.open(path, "w:gz") as tar:
        for i, name in enumerate(names):
            data = os.urandom(3073 * (i + 2))
            info = tarfile.TarInfo(f"{FOLDER}/{name}")
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return path


class Flaky(http.server.BaseHTTPRequestHandler):
    """Serves one file with ranges; sends at most `limit` bytes of it, then breaks off."""

    def do_GET(self):
        server = self.server
        server.requests.append(self.headers.get("Range"))
        data, begin = server.data, 0
        if server.ranges and self.headers.get("Range"):
            begin = int(self.headers["Range"].split("=")[1].split("-")[0])
        if begin >= len(data):
            self.send_error(416)
            return
        self.send_response(206 if begin else 200)
        self.send_header("Content-Length", str(len(data) - begin))
        if begin:
            self.send_header("Content-Range", f"bytes {begin}-{len(data) - 1}/{len(data)}")
        self.end_headers()
        self.wfile.write(data[begin:begin + server.limit])
        self.close_connection = True

    def log_message(self, *args):
        pass


def serve(data, limit, ranges=True):
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Flaky)
    server.data, server.limit, server.ranges, server.requests = data, limit, ranges, []
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server, f"http://127.0.0.1:{server.server_address[1]}/cifar-10-binary.tar.gz"


class Fetch:
    def __init__(self, script, root, archive):
        self.script, self.root, self.archive = script, root, archive
        self.data = archive.read_bytes()
        self.home = root / "home"

    def run(self, *args, url=None, path=None, **env):
        settings = dict(os.environ, HOME=str(self.home), LEHR_CIFAR10_TRIES="2",
                        LEHR_CIFAR10_URL=url or f"file://{self.archive}",
                        LEHR_CIFAR10_SIZE=str(len(self.data)),
                        LEHR_CIFAR10_MD5=hashlib.md5(self.data).hexdigest())
        settings.pop("XDG_DATA_HOME", None)
        for proxy in [k for k in settings if k.lower().endswith("_proxy")]:
            settings.pop(proxy)
        settings.update(env)
        if path:
            settings["PATH"] = path
        done = subprocess.run(["/bin/sh", self.script, *args], env=settings, capture_output=True,
                              text=True, cwd="/")
        return done.returncode, done.stdout + done.stderr

    def target(self):
        return self.home / ".local/share/lehr"

    def reset(self):
        shutil.rmtree(self.home, ignore_errors=True)

    def check(self, where=None):
        """The folder has exactly what the archive has, and nothing else is left beside it."""
        where = where or self.target()
        with tarfile.open(self.archive) as tar:
            for name in NAMES:
                want = tar.extractfile(f"{FOLDER}/{name}").read()
                assert (where / FOLDER / name).read_bytes() == want, name
        assert [p.name for p in where.iterdir()] == [FOLDER], list(where.iterdir())


def plain(fetch):
    code, text = fetch.run()
    assert code == 0 and str(fetch.target() / FOLDER) in text, text
    assert "--data cifar10\n" in text, text
    fetch.check()
    code, text = fetch.run(url="file:///nonexistent")
    assert code == 0 and "nothing to do" in text, text
    (fetch.target() / FOLDER / "test_batch.bin").unlink()
    code, text = fetch.run()
    assert code == 0 and "incomplete" in text, text
    fetch.check()
    fetch.reset()


def elsewhere(fetch):
    other = fetch.root / "other place"
    code, text = fetch.run("--to", str(other), "--archive", str(fetch.archive), url="file:///none")
    assert code == 0 and f"cifar10:{other}/{FOLDER}" in text, text
    fetch.check(other)
    assert fetch.archive.exists()
    code, text = fetch.run("--to", str(fetch.root / "kept"), "--keep")
    assert code == 0 and (fetch.root / "kept/cifar-10-binary.tar.gz").exists(), text


def wrong(fetch):
    code, text = fetch.run(LEHR_CIFAR10_MD5="0" * 32)
    assert code == 4 and "MD5" in text and "damaged" in text, text
    assert list(fetch.target().iterdir()) == [], "a damaged archive must not be continued"
    code, text = fetch.run("--archive", str(fetch.archive), LEHR_CIFAR10_SIZE="170052171",
                           LEHR_CIFAR10_MD5="0")
    assert code == 4 and "instead of 170052171" in text, text
    assert fetch.archive.exists()
    other = make_archive(fetch.root / "less.tar.gz", NAMES[:5])
    data = other.read_bytes()
    code, text = fetch.run("--archive", str(other), LEHR_CIFAR10_SIZE=str(len(data)),
                           LEHR_CIFAR10_MD5=hashlib.md5(data).hexdigest())
    assert code == 4 and "six files" in text, text
    assert list(fetch.target().iterdir()) == []
    for args in (["--what"], ["--to"], ["--archive", "/nonexistent"]):
        code, text = fetch.run(*args)
        assert code == 2, text
    code, text = fetch.run(url="file:///nonexistent")
    assert code == 1 and "does not go on" in text, text
    fetch.reset()


def resumed(fetch):
    """A third of the file is there from an earlier attempt."""
    fetch.target().mkdir(parents=True)
    part = fetch.target() / "cifar-10-binary.tar.gz.part"
    part.write_bytes(fetch.data[:len(fetch.data) // 3])
    code, text = fetch.run()
    assert code == 0 and "going on at byte" in text, text
    fetch.check()
    fetch.reset()


def tools_without(fetch, *missing):
    """A PATH with the tools that the script may use, some left out."""
    folder = pathlib.Path(tempfile.mkdtemp(dir=fetch.root))
    for tool in ("awk", "basename", "cat", "cp", "curl", "cut", "df", "gzip", "md5sum", "mkdir", "mktemp",
                 "mv", "rm", "sh", "sleep", "tail", "tar", "tr", "wc", "wget"):
        found = shutil.which(tool)
        if found and tool not in missing:
            (folder / tool).symlink_to(found)
    return str(folder)


def over_http(fetch, tool):
    path = tools_without(fetch, "wget" if tool == "curl" else "curl")
    server, url = serve(fetch.data, limit=len(fetch.data) // 4 + 1)
    code, text = fetch.run(url=url, path=path)
    assert code == 0, text
    assert len(server.requests) == 4, server.requests
    assert server.requests[-1] is not None, "the last attempt must have asked for the rest only"
    fetch.check()
    fetch.reset()
    server.shutdown()
    server, url = serve(fetch.data[:1000], limit=1000)
    code, text = fetch.run(url=url, path=path)
    assert code in (1, 4), text
    assert not (fetch.target() / FOLDER).exists()
    server.shutdown()
    fetch.reset()


def main():
    script = str(pathlib.Path(sys.argv[1]).resolve())
    with tempfile.TemporaryDirectory() as folder:
        root = pathlib.Path(folder)
        fetch = Fetch(script, root, make_archive(root / "archive.tar.gz"))
        plain(fetch)
        elsewhere(fetch)
        wrong(fetch)
        resumed(fetch)
        used = [tool for tool in ("curl", "wget") if shutil.which(tool)]
        for tool in used:
            over_http(fetch, tool)
        code, text = fetch.run(url="http://127.0.0.1:9/x", path=tools_without(fetch, "curl", "wget"))
        assert code == 1 and "neither curl nor wget" in text, text
    print(f"fetch-cifar10: all as wanted, over HTTP with {' and '.join(used) or 'nothing'}")


main()
