"""Reads the consolidated stream (packaging/stream-contract.md) and prints each event as a line of JSON, until killed.

consumer.py REDIS_URL [GROUP] [PARTITIONS]
"""
import contextlib, json, sys, uuid
import msgpack, redis, zstandard
from crc32c import crc32c

url, group, partitions = (sys.argv[1:] + ["example", "8"][len(sys.argv) - 2:])[:3]
store = redis.Redis.from_url(url, protocol=2)
keys = ["ergonomics:events:{%d}" % partition for partition in range(int(partitions))]
seen = set()  # A real consumer would let its database tell repetitions, by a unique key.

def events(frame):
    for record in msgpack.unpackb(zstandard.ZstdDecompressor().decompress(frame)):
        if crc32c(record[:-4]) != int.from_bytes(record[-4:], "little"): raise ValueError("a record's checksum is wrong")
        if record[0] in (1, 2) and record[1] == 1:  # Of a version that we know, and an event.
            yield msgpack.unpackb(record[26 if record[0] == 1 else 34:-4])

while True:
    try:
        found = store.xreadgroup(group, "example-1", dict.fromkeys(keys, ">"), count=16, block=1000)
    except redis.ResponseError as error:
        if "NOGROUP" not in str(error): raise
        for key in keys:  # It is the first time, or Redis was wiped. Where a group is already, it stays.
            with contextlib.suppress(redis.ResponseError): store.xgroup_create(key, group, id="0", mkstream=True)
        continue
    for key, entries in found:
        for id, fields in entries:
            try:
                if crc32c(fields[b"frame"]) != int(fields[b"crc32c"]): raise ValueError("a frame's checksum is wrong")
                for event_id, at, _, warehouse, zone, camera, *rest in events(fields[b"frame"]):
                    own = warehouse in (fields[b"warehouse_id"], bytes(16))  # Of another site: a dead letter.
                    if own and (warehouse, at, event_id) not in seen:
                        seen.add((warehouse, at, event_id))
                        print(json.dumps({"event_id": str(uuid.UUID(bytes=event_id)), "event_time_us": at, "zone_id": str(
                            uuid.UUID(bytes=zone)), "camera_id": camera, "risk_score": rest[2] / 100}), flush=True)
            except (ValueError, zstandard.ZstdError, msgpack.UnpackException) as error:
                print(f"{id.decode()}: {error}", file=sys.stderr, flush=True)  # Central keeps it as a dead letter.
            store.xack(key, group, id)
