"""The example consumer must print every event that a whole system accepted, each once, and find a damaged frame.

Run by `make test-consumer`: PYTHON/bin/python tests/consumer/check.py STACK
"""

import datetime
import json
import pathlib
import queue
import subprocess
import sys
import threading
import time
import urllib.request
import uuid

import redis

EVENTS, PER_REQUEST = 600, 50
# A whole system needs seconds from a POST to the stream; a busy machine a few more.
WITHIN = 60
CONSUMER = pathlib.Path(__file__).with_name("consumer.py")


def event(edge, number):
    return {
        "event_id": str(uuid.uuid4()),
        "event_time": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="milliseconds"),
        "warehouse_id": edge["warehouse_id"], "zone_id": str(uuid.UUID(int=7)), "camera_id": f"cam-{number % 9}",
        "worker_id": str(uuid.uuid4()), "model_version": "v1", "risk_score": number % 101, "confidence": 0.9,
        "source": "camera", "posture_keypoints": {"head": [number, 1.5]},
    }


def send(edge, events):
    headers = {"Content-Type": "application/json", "Authorization": f"Bearer {edge['camera_token']}"}
    request = urllib.request.Request(f"{edge['url']}/ingestion/ergonomics", json.dumps(events).encode(), headers)
    with urllib.request.urlopen(request) as answer:
        said = json.load(answer)
    assert said["accepted"] == len(events), said


def lines_of(pipe):
    lines = queue.Queue()

    def read():
        for line in pipe:
            lines.put(line)

    threading.Thread(target=read, daemon=True).start()
    return lines


def damage(store):
    """Adds a copy of an entry with one bit of its frame turned over."""
    for key in store.keys("ergonomics:events:*"):
        for _, fields in store.xrange(key, count=1):
            frame = bytearray(fields[b"frame"])
            frame[len(frame) // 2] ^= 1
            store.xadd(key, fields | {b"frame": bytes(frame)})
            return
    raise AssertionError("the stream has no entry to damage")


def main():
    stack = subprocess.Popen([sys.argv[1]], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    consumer = None
    try:
        ready = json.loads(stack.stdout.readline())
        edge = ready["edges"][0]
        consumer = subprocess.Popen(
            [sys.executable, CONSUMER, ready["central_redis_url"], "check"],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )
        printed, complained = lines_of(consumer.stdout), lines_of(consumer.stderr)
        sent = {}
        for start in range(0, EVENTS, PER_REQUEST):
            events = [event(edge, start + number) for number in range(PER_REQUEST)]
            send(edge, events)
            sent |= {one["event_id"]: one for one in events}
        end, got = time.monotonic() + WITHIN, {}
        while len(got) < len(sent) and time.monotonic() < end:
            try:
                one = json.loads(printed.get(timeout=1))
            except queue.Empty:
                assert consumer.poll() is None, complained.get()
                continue
            assert one["event_id"] not in got, f"{one} was printed twice"
            got[one["event_id"]] = one
        assert got.keys() == sent.keys(), f"{len(sent)} were sent, {len(got)} printed"
        for id, one in got.items():
            said = sent[id]
            at = datetime.datetime.fromisoformat(said["event_time"]).timestamp()
            assert abs(one["event_time_us"] / 1e6 - at) < 0.001, (one, said)
            assert all(one[name] == said[name] for name in ("zone_id", "camera_id", "risk_score")), (one, said)
        damage(redis.Redis.from_url(ready["central_redis_url"]))
        complaint = complained.get(timeout=WITHIN)
        assert "checksum" in complaint, complaint
        assert consumer.poll() is None, "it ended at a damaged frame"
        print(f"The example consumer printed all {len(got)} events once, and found the damaged frame.")
    finally:
        if consumer is not None:
            consumer.kill()
        # Its end of stdin is how it is told to go.
        stack.stdin.close()
        stack.wait(timeout=60)


if __name__ == "__main__":
    main()
