//! A process with a stage that is stuck is no longer fed to systemd's watchdog, though all else in it goes on. The test is
//! systemd: it holds the notification socket.

use std::io::ErrorKind;
use std::os::unix::net::UnixDatagram;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use common::lifecycle::{Lifecycle, Signals};

/// `WatchdogSec` of these processes.
const LIMIT: Duration = Duration::from_secs(1);
/// Turns of the stage that sticks, before it does.
const TURNS: u32 = 40;
const TURN: Duration = Duration::from_millis(50);
/// Far longer than any of it takes.
const DEADLINE: Duration = Duration::from_secs(60);
/// Says what the process does: `sticks` or `turns`.
const PLAY: &str = "SMARTPICK_TEST_WATCHDOG";

/// Not a test by itself: the process that the others watch.
#[test]
#[ignore = "started by the tests of this file"]
fn process() {
    let Ok(play) = std::env::var(PLAY) else { return };
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("starts");
    let ran = runtime.block_on(async {
        let mut life = Lifecycle::new();
        let sign = life.signs().add("turns");
        life.stage("turns", |stop| async move {
            while !stop.is_cancelled() {
                sign.show();
                tokio::time::sleep(TURN).await;
            }
            Ok(())
        });
        // In a row that is appended, as the edge's buffer is.
        let mut row = Lifecycle::new();
        let sign = row.signs().add("asks");
        row.stage("asks", |stop| async move {
            let mut turns = 0;
            while !stop.is_cancelled() {
                sign.show();
                tokio::time::sleep(TURN).await;
                turns += 1;
                if play == "sticks" && turns == TURNS {
                    // An answer that never comes.
                    std::future::pending::<()>().await;
                }
            }
            Ok(())
        });
        life.then(row);
        life.says(|| "healthy: all stages turn".to_owned());
        life.run(Signals::new()?, async || {}).await
    });
    ran.expect("stops when it is told to");
}

/// What systemd heard of a process, in order, until the watchdog was not fed for twice its time or `enough` times.
fn heard(play: &str, enough: usize) -> Vec<String> {
    let place = std::env::temp_dir().join(format!("smartpick-watchdog-{play}-{}", std::process::id()));
    drop(std::fs::remove_file(&place));
    let socket = UnixDatagram::bind(&place).expect("a socket");
    socket.set_read_timeout(Some(2 * LIMIT)).expect("a timeout");
    let mut child = Command::new(std::env::current_exe().expect("this program"))
        .args(["--exact", "watchdog::process", "--ignored", "--nocapture"])
        .env(PLAY, play)
        .env("NOTIFY_SOCKET", &place)
        .env("WATCHDOG_USEC", LIMIT.as_micros().to_string())
        .env_remove("WATCHDOG_PID")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("starts");
    let (began, mut all, mut buffer) = (Instant::now(), Vec::<String>::new(), [0; 512]);
    while began.elapsed() < DEADLINE && all.iter().filter(|told| told.contains("WATCHDOG=1")).count() < enough {
        match socket.recv(&mut buffer) {
            Ok(length) => all.push(String::from_utf8_lossy(&buffer[..length]).trim().to_owned()),
            // It is still starting.
            Err(error) if error.kind() == ErrorKind::WouldBlock && all.is_empty() => {}
            Err(error) if error.kind() == ErrorKind::WouldBlock => break,
            Err(error) => panic!("{error}"),
        }
    }
    let ended = child.try_wait().expect("a child of ours");
    child.kill().expect("it runs, or has ended");
    child.wait().expect("a child of ours");
    drop(std::fs::remove_file(&place));
    assert!(ended.is_none(), "it goes on, stuck as it is: {ended:?}, {all:?}");
    all
}

#[test]
fn a_process_whose_stages_turn_is_fed() {
    let all = heard("turns", 12);
    assert_eq!(all.first().map(String::as_str), Some("READY=1"), "{all:?}");
    assert!(all.iter().any(|told| told == "STATUS=healthy: all stages turn"), "{all:?}");
    assert_eq!(all.iter().filter(|told| *told == "WATCHDOG=1").count(), 12, "{all:?}");
}

#[test]
fn a_stuck_stage_is_left_to_the_watchdog() {
    let all = heard("sticks", 1_000);
    let fed = all.iter().filter(|told| *told == "WATCHDOG=1").count();
    // It was fed while the stage turned (two seconds, three times a second) and for as long as a turn may take. Up to the
    // deadline it would be more than a hundred.
    assert!((3..100).contains(&fed), "{all:?}");
}
