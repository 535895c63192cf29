"""A camera that keeps its own ledger: sends events until each is acknowledged, and writes down the ids that were.

    sender.py --count N --acked FILE --token TOKEN --worker UUID --warehouse UUID [--batch N] [--pause SECONDS]

What is not acknowledged is sent again, as the same events, until it is.
"""

import argparse
import datetime
import http.client
import json
import random
import time
import uuid

ADDRESS = ("127.0.0.1", 8080)
PATH = "/ingestion/ergonomics"


def event(worker, warehouse):
    return {
        "event_id": str(uuid.uuid4()),
        "event_time": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="milliseconds"),
        "warehouse_id": warehouse,
        "zone_id": "fa152f1c-00b2-5a34-862c-0705db495df2",
        "camera_id": "cam-deb",
        "worker_id": worker,
        "model_version": "v1.2.3",
        "risk_score": round(random.uniform(0, 60), 2),
        "confidence": 0.85,
        "source": "camera",
        "posture_keypoints": {"head": {"x": 0.5, "y": 0.44, "confidence": 0.95}},
    }


def send(events, token):
    """Until all are acknowledged; gives how often it was tried."""
    body, tries = json.dumps(events), 0
    while True:
        tries += 1
        try:
            connection = http.client.HTTPConnection(*ADDRESS, timeout=10)
            connection.request("POST", PATH, body, {"Content-Type": "application/json", "Authorization": f"Bearer {token}"})
            answer = connection.getresponse()
            said = json.load(answer)
            connection.close()
            if answer.status == 202:
                verdicts = [result["status"] for result in said["results"]]
                if len(verdicts) == len(events) and set(verdicts) <= {"accepted", "duplicate"}:
                    return tries
                raise SystemExit(f"not all were taken: {said}")
            if answer.status not in (429, 503, 507):
                raise SystemExit(f"refused: {answer.status} {said}")
        except (OSError, http.client.HTTPException, ValueError):
            # It is being started anew.
            pass
        time.sleep(0.1)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--count", type=int, required=True)
    parser.add_argument("--batch", type=int, default=100)
    parser.add_argument("--acked", required=True)
    parser.add_argument("--token", required=True)
    parser.add_argument("--pause", type=float, default=0)
    parser.add_argument("--worker", required=True)
    parser.add_argument("--warehouse", required=True)
    args = parser.parse_args()
    tries = 0
    with open(args.acked, "a") as acked:
        for at in range(0, args.count, args.batch):
            events = [event(args.worker, args.warehouse) for _ in range(min(args.batch, args.count - at))]
            tries += send(events, args.token)
            acked.writelines(f"{one['event_id']}\n" for one in events)
            acked.flush()
            time.sleep(args.pause)
    print(f"{args.count} events acknowledged in {tries} requests")


if __name__ == "__main__":
    main()
