"""Reads the consolidated stream (packaging/stream-contract.md) and prints each event as a line of JSON, until killed.

consumer.py REDIS_URL [GROUP] [PARTITIONS]
"""
import json, struct, sys, uuid
import msgpack, redis, zstandard
from crc32c import crc32c

url, group, partitions = (sys.argv[1:] + ["example", "8"][len(sys.argv) - 2:])[:3]
store = redis.Redis.from_url(url)
keys = ["ergonomics:events:{%d}" % partition for partition in range(int(partitions))]
seen = set()  # A real consumer would let its database tell repetitions, by a unique key.

def create():
    for key in keys:
        try:
            store.xgroup_create(key, group, id="0", mkstream=True)
        except redis.ResponseError as error:
            if "BUSYGROUP" not in str(error): raise

def events(frame):
    for record in msgpack.unpackb(zstandard.ZstdDecompressor().decompress(frame)):
        body, (crc,) = record[:-4], struct.unpack("<I", record[-4:])
        if crc32c(body) != crc: raise ValueError("a record's checksum does not match")
        if body[0] in (1, 2) and body[1] == 1:
            yield msgpack.unpackb(body[26 if body[0] == 1 else 34:])

create()
while True:
    try:
        found = store.xreadgroup(group, "example-1", {key: ">" for key in keys}, count=16, block=1000)
    except redis.ResponseError:  # NOGROUP: Redis was wiped.
        create()
        continue
    for key, entries in dict(found or {}).items():
        for id, fields in (entries[0] if entries and isinstance(entries[0], list) else entries):
            try:
                if crc32c(fields[b"frame"]) != int(fields[b"crc32c"]): raise ValueError("a frame's checksum does not match")
                for event_id, at, _, warehouse, zone, camera, *rest in events(fields[b"frame"]):
                    if (warehouse, at, event_id) not in seen:
                        seen.add((warehouse, at, event_id))
                        print(json.dumps({"event_id": str(uuid.UUID(bytes=event_id)), "event_time_us": at, "zone_id": str(
                            uuid.UUID(bytes=zone)), "camera_id": camera, "risk_score": rest[2] / 100}), flush=True)
            except (ValueError, zstandard.ZstdError, msgpack.UnpackException) as error:
                print(f"{id.decode()}: {error}", file=sys.stderr, flush=True)  # Central keeps it as a dead letter.
            store.xack(key, group, id)
