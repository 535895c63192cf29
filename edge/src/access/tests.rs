//! The file and its image together, with a clock of the tests' own.

use std::time::Duration;

use chrono::TimeDelta;
use common::web::sign_in::{SESSION_AGE_MAX, SESSION_IDLE_MAX};

use super::store::{By, TokenKind, UserRow};
use super::*;

fn start() -> DateTime<Utc> {
    DateTime::from_timestamp(1_763_380_800, 0).expect("a time")
}

struct Site {
    access: Arc<Access>,
    /// As the command line has it: another connection to the same file.
    cli: Store,
    dir: tempfile::TempDir,
}

fn by() -> By<'static> {
    By { who: "tester", now: start() }
}

fn a_box() -> Site {
    let dir = tempfile::tempdir().expect("a directory");
    let access = Access::open(dir.path(), None).expect("opens");
    Site { access, cli: Store::open(dir.path()).expect("opens twice"), dir }
}

impl Site {
    fn user(&mut self, name: &str, role: Role) -> UserRow {
        // The password is of no interest here, so it need not be hashed.
        self.cli.add_user(name, role, "not a hash", by()).expect("is added");
        self.access.refresh().expect("reads");
        self.access.image().user(name).expect("is there").clone()
    }

    fn begin(&self, user: &UserRow, n: u8, now: DateTime<Utc>) -> Credential {
        let hash = [n; 32];
        let mut store = self.access.store();
        store.begin_for_user(&hash, user, now.timestamp_millis()).expect("begins");
        self.access.reload(&mut store).expect("reads");
        Credential::Session(hash)
    }

    fn is(&self, credential: Credential, after: Duration) -> Option<Role> {
        let now = start() + TimeDelta::from_std(after).expect("in range");
        self.access.caller(credential, now).map(|caller| caller.role)
    }
}

const HOUR: Duration = Duration::from_secs(3_600);

#[test]
fn a_session_ends_when_it_is_not_used_and_after_a_week_in_any_case() {
    let mut site = a_box();
    let anna = site.user("anna", Role::Supervisor);
    let session = site.begin(&anna, 1, start());
    assert_eq!(site.is(session, SESSION_IDLE_MAX), Some(Role::Supervisor));
    assert_eq!(site.is(session, SESSION_IDLE_MAX + Duration::from_millis(1)), None, "asking is no use");

    let mut at = Duration::ZERO;
    while at + 11 * HOUR <= SESSION_AGE_MAX {
        at += 11 * HOUR;
        assert_eq!(site.is(session, at), Some(Role::Supervisor), "{at:?}");
        site.access.note_use(session, start() + at);
    }
    assert_eq!(site.is(session, SESSION_AGE_MAX + HOUR), None, "used an hour ago, but a week old");
    let over = site.access.image().over(start() + SESSION_AGE_MAX + HOUR);
    assert_eq!(over, [[1; 32]]);
}

#[test]
fn a_screens_session_lasts_as_long_as_its_token() {
    let mut site = a_box();
    let token = site.cli.add_token(TokenKind::Kiosk, "dock", by()).expect("is added");
    site.access.refresh().expect("reads");
    let id = site.access.image().kiosk(&token_hash(&token)).expect("is there").id;
    site.access.store().begin_for_kiosk(&[7; 32], id, start().timestamp_millis()).expect("begins");
    site.cli.remove_token(TokenKind::Camera, "dock", by()).expect_err("a camera is no kiosk");
    site.access.reload(&mut site.access.store()).expect("reads");
    let (session, itself) = (Credential::Session([7; 32]), Credential::Kiosk(token_hash(&token)));
    assert_eq!(site.is(session, 9_000 * HOUR), Some(Role::Viewer));
    site.cli.remove_token(TokenKind::Kiosk, "DOCK", by()).expect("is there");
    site.access.refresh().expect("reads");
    assert_eq!((site.is(session, HOUR), site.is(itself, HOUR)), (None, None));
}

#[test]
fn removing_changing_and_demoting_take_effect_with_the_next_look() {
    let mut site = a_box();
    assert_eq!(site.is(Credential::Local, HOUR), Some(Role::Admin), "no accounts yet");
    let (anna, ben) = (site.user("anna", Role::Admin), site.user("ben", Role::Admin));
    assert_eq!(site.is(Credential::Local, HOUR), None);
    let (a, b) = (site.begin(&anna, 1, start()), site.begin(&ben, 2, start()));
    site.cli.set_role("Anna", Role::Viewer, by()).expect("is there");
    site.cli.set_password("ben", "another", by()).expect("is there");
    site.access.refresh().expect("reads");
    assert_eq!((site.is(a, HOUR), site.is(b, HOUR)), (Some(Role::Viewer), None));
    let again = site.access.store().begin_for_user(&[3; 32], &ben, 0);
    assert!(matches!(again, Err(StoreError::Changed)), "checked against the password of before");
    assert!(site.cli.remove_user("anna", by()).expect("is there"), "ben is left");
    assert!(!site.cli.remove_user("ben", by()).expect("is there"));
    site.access.refresh().expect("reads");
    assert_eq!((site.is(a, HOUR), site.is(Credential::Local, HOUR)), (None, Some(Role::Admin)));
}

#[test]
fn an_account_has_fifty_sessions_at_most_and_the_stalest_goes() {
    let mut site = a_box();
    let anna = site.user("anna", Role::Viewer);
    let sessions: Vec<_> =
        (0..53).map(|n| site.begin(&anna, n, start() + TimeDelta::seconds(i64::from(n) / 10))).collect();
    let open = sessions.iter().filter(|session| site.is(**session, HOUR).is_some()).count();
    assert_eq!(open, 50);
    assert!(site.is(sessions[52], HOUR).is_some(), "the new one never goes");
}

#[test]
fn last_uses_are_saved_and_outlive_a_change_of_the_file() {
    let mut site = a_box();
    let token = site.cli.add_token(TokenKind::Camera, "cam-1", by()).expect("is added");
    site.access.refresh().expect("reads");
    let used = |site: &Site| site.cli.tokens(TokenKind::Camera).expect("reads")[0].used_at;
    assert!(site.access.is_camera(&token, start()) && !site.access.is_camera("spc_other", start()));
    site.cli.add_token(TokenKind::Camera, "cam-2", by()).expect("is added");
    site.access.keep_up(false, false, start()).expect("works");
    assert_eq!(used(&site), None, "not its turn");
    site.access.keep_up(true, false, start()).expect("works");
    assert_eq!(used(&site), Some(start()));
    let next = start() + TimeDelta::seconds(3);
    assert!(site.access.is_camera(&token, next));
    site.access.keep_up(true, false, next).expect("works");
    assert_eq!(used(&site), Some(start()), "not worth a write yet");
}

#[test]
fn the_audit_says_who_did_what() {
    let mut site = a_box();
    site.user("anna", Role::Viewer);
    site.cli.add_user("ANNA", Role::Viewer, "", by()).expect_err("the same name");
    site.cli.set_role("nobody", Role::Viewer, by()).expect_err("no such account");
    site.cli.set_role("anna", Role::Admin, by()).expect("is there");
    let said: Vec<_> = site.cli.audit(10).expect("reads").into_iter().map(|line| (line.who, line.what)).collect();
    let line = |what: &str| ("tester".to_owned(), what.to_owned());
    assert_eq!(said, [line("added the account anna as viewer"), line("made anna admin")]);
    assert_eq!(site.cli.audit(1).expect("reads").len(), 1);
}

#[test]
fn nobody_else_can_read_the_file() {
    use std::os::unix::fs::PermissionsExt as _;
    let site = a_box();
    for name in ["access.db", "access.db-wal", "access.db-shm"] {
        let mode = std::fs::metadata(site.dir.path().join(name)).expect("is there").permissions().mode();
        assert_eq!(mode & 0o077, 0, "{name}: {mode:o}");
    }
}
