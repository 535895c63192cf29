//! An edge of our own making: it knows the protocol, and can say anything. It stands for real ones where the test is of
//! headquarters.

use std::borrow::Cow;
use std::net::IpAddr;

use anyhow::{Context as _, ensure};
use common::clock;
use common::event::{Event, Hundredths, Source};
use common::ids::{BatchId, Epoch, EventId, WarehouseId, WorkerId, ZoneId};
use common::protocol::{
    BATCH_CONTENT_TYPE, BATCHES_PATH, HEADER_BATCH_ID, HEADER_CHECKSUM, HEADER_PROTOCOL, HEADER_RECORDS,
    PROTOCOL_VERSION, Receipt, pack_frame,
};
use common::record::{Kind, Record, event_payload};
use uuid::Uuid;

use crate::events::{Snapshot, simulated};
use crate::stack::Stack;

/// An edge of our own making: it knows the protocol, and can say anything.
pub struct Sender {
    http: reqwest::Client,
    url: String,
    token: String,
    pub edge_id: Uuid,
    pub warehouse_id: Uuid,
    pub epoch: Epoch,
}

impl Sender {
    /// Registers it at headquarters.
    ///
    /// # Errors
    /// If it cannot be.
    pub async fn new(stack: &Stack, warehouse_id: Uuid) -> anyhow::Result<Self> {
        let edge_id = Uuid::new_v4();
        drop(rustls::crypto::ring::default_provider().install_default());
        Ok(Self {
            // Others may have all the connections that headquarters takes from the usual address.
            http: reqwest::Client::builder().no_proxy().local_address(IpAddr::from([127, 0, 0, 3])).build()?,
            url: format!("{}{BATCHES_PATH}", stack.centrals[0].url),
            token: stack.setup.add_edge(warehouse_id, edge_id).await?,
            edge_id,
            warehouse_id,
            epoch: Epoch::random(),
        })
    }

    /// Records of simulated events with seqs from 1 up.
    pub fn records(&self, count: usize, seed: u64) -> Vec<Vec<u8>> {
        let snapshots = simulated(self.warehouse_id, count, seed);
        snapshots.iter().zip(1..).map(|(snapshot, seq)| self.record(seq, &event_payload(&event(snapshot)))).collect()
    }

    pub fn record(&self, seq: u64, payload: &[u8]) -> Vec<u8> {
        Record {
            kind: Kind::Event,
            epoch: self.epoch,
            seq,
            accepted_ms: common::clock::now().timestamp_millis(),
            payload,
        }
        .write()
    }

    /// Posts whatever it is; answers status and body.
    ///
    /// # Errors
    /// If there is no answer.
    pub async fn post(
        &self,
        batch: BatchId,
        records: usize,
        crc: u32,
        frame: Vec<u8>,
    ) -> anyhow::Result<(u16, String)> {
        let request = self
            .http
            .post(&self.url)
            .bearer_auth(&self.token)
            .header(reqwest::header::CONTENT_TYPE, BATCH_CONTENT_TYPE)
            .header(HEADER_PROTOCOL, PROTOCOL_VERSION)
            .header(HEADER_BATCH_ID, batch.to_string())
            .header(HEADER_CHECKSUM, format!("{crc:08x}"))
            .header(HEADER_RECORDS, records)
            .body(frame);
        let response = request.send().await?;
        Ok((response.status().as_u16(), response.text().await?))
    }

    /// # Errors
    /// If headquarters does not confirm each record.
    pub async fn send(&self, batch: BatchId, records: &[Vec<u8>]) -> anyhow::Result<Receipt> {
        let frame = pack_frame(records)?;
        let (status, text) = self.post(batch, records.len(), crc32c::crc32c(&frame), frame).await?;
        ensure!(status == 200, "{status}: {text}");
        let receipt: Receipt = serde_json::from_str(&text).with_context(|| text.clone())?;
        let told = receipt.committed as usize + receipt.duplicates as usize + receipt.dead_letters.len();
        ensure!(told == records.len() && receipt.batch_id == batch, "{receipt:?} for {} records", records.len());
        Ok(receipt)
    }
}

/// As an edge writes it.
#[expect(clippy::missing_panics_doc, reason = "simulated values are in bounds")]
pub fn event(snapshot: &Snapshot) -> Event<'_> {
    let hundredths = |value: f64, max| Hundredths::round(value, max).expect("simulated values are in bounds");
    Event {
        event_id: EventId::from_uuid(snapshot.event_id),
        event_time: snapshot.event_time,
        ingest_time: clock::now(),
        warehouse_id: WarehouseId::from_uuid(snapshot.warehouse_id),
        zone_id: ZoneId::from_uuid(snapshot.zone_id),
        camera_id: Cow::Borrowed(&snapshot.camera_id),
        worker_id: snapshot.worker_id.map(WorkerId::from_uuid),
        model_version: Cow::Borrowed(&snapshot.model_version),
        risk_score: hundredths(snapshot.risk_score, 100),
        confidence: hundredths(snapshot.confidence, 1),
        source: Source::parse(&snapshot.source).expect("a simulated source is known"),
        clock_suspect: false,
        posture_keypoints: Cow::Borrowed(snapshot.posture_keypoints.get()),
    }
}
