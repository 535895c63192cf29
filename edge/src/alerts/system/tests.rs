use uuid::Uuid;

use super::*;
use crate::central_client::SendError;

const GIB: u64 = 1 << 30;

fn at(secs: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(1_800_000_000 + secs, 0).expect("in range")
}

fn thresholds() -> Thresholds {
    Thresholds {
        camera_silent_after: Duration::from_secs(300),
        wan_down_after: Duration::from_secs(30),
        buffer_filling_at: 0.8,
        disk_low_bytes: GIB,
    }
}

fn zone() -> ZoneId {
    ZoneId::from_uuid(Uuid::from_u128(1))
}

fn camera(name: &str, last_seen: i64, clock_suspect: bool) -> CameraReport {
    CameraReport { camera_id: name.to_owned(), zone_id: zone(), last_seen: at(last_seen), clock_suspect }
}

fn spill(used: u64, free: u64, disk: u64) -> SpillStats {
    SpillStats {
        bytes_used: used,
        bytes_max: used + free,
        bytes_free: free,
        disk_bytes_free: disk,
        ..SpillStats::default()
    }
}

fn well() -> Findings {
    Findings { cameras: Vec::new(), spill: Some(spill(0, 10 * GIB, 100 * GIB)), link: Some(Link::default()) }
}

/// The link has failed since then, or it is up.
fn link(since: Option<i64>) -> Findings {
    let failing = since.map(|since| (at(since), SendError::Link("refused".to_owned())));
    Findings { link: Some(Link { failing, ..Link::default() }), ..well() }
}

struct Run {
    watch: Watch,
    said: Vec<Change>,
}

impl Run {
    fn new() -> Self {
        Self { watch: Watch::new(thresholds()), said: Vec::new() }
    }

    fn look(&mut self, secs: i64, findings: &Findings) -> &mut Self {
        self.watch.look(at(secs), findings, &mut self.said);
        self
    }

    /// `+` raised, `~` updated, `-` cleared.
    fn signs(&self) -> String {
        let word = |change: &Change| match change {
            Change::Raised(e) => format!("+{}", e.rule),
            Change::Updated(e) => format!("~{}", e.rule),
            Change::Cleared(e) => format!("-{}", e.rule),
        };
        let words: Vec<String> = self.said.iter().map(word).collect();
        words.join(" ")
    }

    fn last(&self) -> &Episode {
        let (Change::Raised(e) | Change::Updated(e) | Change::Cleared(e)) = self.said.last().expect("something");
        e
    }
}

#[test]
fn all_well_says_nothing() {
    let mut run = Run::new();
    for secs in 0..1_000 {
        let cameras = vec![camera("cam-1", secs - 299, false)];
        run.look(secs, &Findings { cameras, ..well() });
    }
    // Nor does what is not known yet, or not there.
    run.look(1_001, &Findings::default());
    assert_eq!(run.signs(), "");
}

#[test]
fn a_wan_that_is_down_is_told_after_its_time_and_cleared_when_it_has_held() {
    let mut run = Run::new();
    run.look(0, &link(Some(0))).look(29, &link(Some(0)));
    assert_eq!(run.signs(), "");
    run.look(30, &link(Some(0))).look(500, &link(Some(0))).look(510, &link(None)).look(569, &link(None));
    assert_eq!(run.signs(), "+wan-down");
    assert_eq!((run.last().started_at, run.last().raised_at, run.last().subject), (at(0), at(30), Subject::System));
    run.look(570, &link(None)).look(600, &link(None));
    assert_eq!((run.signs().as_str(), run.last().ended_at), ("+wan-down -wan-down", Some(at(510))));
    assert_eq!(run.watch.open(), 0);
}

#[test]
fn a_flapping_link_is_one_episode() {
    let mut run = Run::new();
    for secs in 0..3_600 {
        // Ten seconds down, twenty up, for an hour: never down for thirty in a row.
        let down = (secs % 30 < 10).then(|| secs - secs % 30);
        run.look(secs, &link(down));
    }
    assert_eq!((run.signs().as_str(), run.last().started_at), ("+wan-down", at(0)));
    for secs in 3_600..3_700 {
        run.look(secs, &link(None));
    }
    assert_eq!(run.signs(), "+wan-down -wan-down");
}

#[test]
fn one_short_break_is_none() {
    let mut run = Run::new();
    run.look(0, &link(Some(0))).look(20, &link(None)).look(80, &link(None));
    run.look(100, &link(Some(100))).look(120, &link(None)).look(200, &link(None));
    assert_eq!(run.signs(), "");
}

#[test]
fn a_silent_camera_is_named_and_cleared_when_it_is_back() {
    let mut run = Run::new();
    let seen = |last: i64| Findings {
        cameras: vec![camera("cam-1", last, false), camera("cam-2", last + 250, false)],
        ..well()
    };
    run.look(299, &seen(0)).look(300, &seen(0)).look(301, &seen(0));
    assert_eq!(run.signs(), "+camera-silent");
    let raised = run.last().clone();
    assert_eq!((raised.camera_id.as_deref(), raised.zone_id, raised.started_at), (Some("cam-1"), Some(zone()), at(0)));
    assert!(raised.summary.contains("cam-1"));
    run.look(400, &seen(400)).look(459, &seen(459)).look(460, &seen(460));
    assert_eq!((run.signs().as_str(), run.last().ended_at), ("+camera-silent -camera-silent", Some(at(400))));
    assert_eq!(run.last().alert_id, raised.alert_id);
}

#[test]
fn silence_may_be_allowed_and_a_camera_that_is_gone_for_good_is_forgotten() {
    let week = 7 * 86_400;
    let gone = Findings { cameras: vec![camera("cam-1", 0, false)], ..well() };
    let mut run = Run::new();
    run.look(300, &gone).look(week - 1, &gone).look(week, &gone).look(week + 60, &gone);
    assert_eq!(run.signs(), "+camera-silent -camera-silent");
    let mut run = Run::new();
    run.watch.thresholds.camera_silent_after = Duration::ZERO;
    run.look(300, &gone).look(100_000, &gone);
    assert_eq!(run.signs(), "");
}

#[test]
fn a_probe_that_has_not_looked_is_none() {
    assert!(Findings::new(Vec::new(), &Probe::default(), None).spill.is_none());
}

#[test]
fn a_wrong_clock_is_one_episode_however_it_wavers() {
    let mut run = Run::new();
    for secs in 0..300 {
        let cameras = vec![camera("cam-1", secs, secs % 40 == 0)];
        run.look(secs, &Findings { cameras, ..well() });
    }
    assert_eq!(run.signs(), "+camera-clock");
    run.look(400, &Findings { cameras: vec![camera("cam-1", 400, false)], ..well() });
    assert_eq!(run.signs(), "+camera-clock -camera-clock");
}

#[test]
fn a_filling_buffer_has_two_marks_and_its_words_grow() {
    let mut run = Run::new();
    let filled =
        |share: u64| Findings { spill: Some(spill(share * GIB / 10, (100 - share) * GIB / 10, 100 * GIB)), ..well() };
    run.look(0, &filled(79)).look(1, &filled(80)).look(2, &filled(80)).look(3, &filled(90));
    assert_eq!(run.signs(), "+buffer-filling ~buffer-filling");
    assert_eq!(run.last().summary, "The buffer on disk is 90 % full");
    let mut full = filled(99);
    full.spill.as_mut().expect("there").full = true;
    run.look(4, &full);
    assert_eq!(run.last().severity, Severity::Critical);
    // Between the marks it stays, however long.
    run.look(10, &filled(75)).look(1_000, &filled(75));
    assert_eq!(run.watch.open(), 1);
    run.look(1_001, &filled(69)).look(1_060, &filled(69)).look(1_061, &filled(69));
    assert_eq!((run.watch.open(), run.last().ended_at), (0, Some(at(1_001))));
}

#[test]
fn a_low_disk_has_two_marks() {
    let mut run = Run::new();
    let free = |mib: u64| Findings { spill: Some(spill(0, GIB, mib << 20)), ..well() };
    run.look(0, &free(1_024)).look(1, &free(1_023));
    assert_eq!((run.signs().as_str(), run.last().severity), ("+disk-low", Severity::Critical));
    run.look(100, &free(1_200)).look(200, &free(1_200));
    assert_eq!(run.watch.open(), 1, "not far enough above the mark");
    run.look(300, &free(1_280)).look(360, &free(1_280));
    assert_eq!(run.watch.open(), 0);
}

#[test]
fn what_was_open_at_the_last_stop_goes_on_under_its_id() {
    let mut first = Run::new();
    let silent = Findings { cameras: vec![camera("cam-1", 0, false)], ..link(Some(0)) };
    first.look(0, &silent).look(300, &silent);
    let open: Vec<Episode> = first
        .said
        .iter()
        .map(|change| match change {
            Change::Raised(e) | Change::Updated(e) | Change::Cleared(e) => e.clone(),
        })
        .collect();
    assert_eq!(open.len(), 2);
    let mut next = Run::new();
    for episode in &open {
        next.watch.resume(episode.clone());
    }
    // The camera has not been heard of in this run, the link is down again.
    next.look(400, &link(Some(390))).look(500, &link(Some(390)));
    assert_eq!((next.signs().as_str(), next.watch.open()), ("", 2));
    let back = |secs| Findings { cameras: vec![camera("cam-1", secs, false)], ..link(None) };
    next.look(600, &back(600)).look(660, &back(660));
    assert_eq!(next.signs(), "-wan-down -camera-silent");
    assert_eq!(next.last().alert_id, open.iter().find(|e| &*e.rule == CAMERA_SILENT).expect("it").alert_id);
    // What no watch knows is closed.
    let mut next = Run::new();
    next.watch.resume(Episode { rule: "of-old".into(), ..open[0].clone() });
    next.look(400, &well());
    assert_eq!(next.signs(), "-of-old");
}

#[test]
fn made_up_cameras_do_not_fill_the_memory_nor_hide_the_box() {
    let mut run = Run::new();
    for round in 0..10 {
        let cameras = (0..1_000).map(|n| camera(&format!("cam-{round}-{n}"), round * 1_000, true)).collect();
        run.look(round * 1_000 + 400, &Findings { cameras, ..well() });
    }
    assert_eq!(run.watch.watched.len(), WATCHED_MAX);
    run.look(20_000, &link(Some(0)));
    assert_eq!(&*run.last().rule, WAN_DOWN);
}
