//! Slows down who guesses passwords. Pure: the time is an argument.
//!
//! Two counts, and whoever exceeds one waits, longer each time:
//! - **of an address**, over all accounts: up to a minute between guesses. One device gets about 1,400 guesses a day.
//! - **of an account**, over all addresses: up to ten seconds, so that many devices together get 8,640 a day. It does not
//!   hold up an address from which that account was signed in to before: a stranger who fails on purpose cannot
//!   keep a supervisor out of her own tablet, and on a new device she waits ten seconds.
//!
//! An attempt is counted when it begins, so many at once are no way around it; a right password takes it back, also the time
//! of the last failure, or a shared box would be slowed down for as long as people use it. Names that
//! do not exist are counted like others, or the wait would tell which do. In memory only: a restart forgets.

use std::collections::HashMap;
use std::hash::Hash;
use std::net::IpAddr;
use std::time::{Duration, Instant};

/// Failures that cost nothing: people mistype.
const ADDRESS_FREE: u32 = 5;
const ACCOUNT_FREE: u32 = 10;
const ADDRESS_WAIT_MAX: Duration = Duration::from_secs(60);
const ACCOUNT_WAIT_MAX: Duration = Duration::from_secs(10);
/// Failures are forgotten after this long without another.
const FORGET_AFTER: Duration = Duration::from_secs(60 * 60);
/// An address is known to an account for this long after signing in.
const KNOWN_FOR: Duration = Duration::from_secs(30 * 24 * 60 * 60);
/// Entries of each kind; beyond it the one with the fewest failures goes, so a flood of fresh ones evicts itself.
const ENTRIES_MAX: usize = 4_096;

/// An IPv4 address, or the /64 of an IPv6 address: who has one address of it has all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Address(IpAddr);

impl From<IpAddr> for Address {
    fn from(ip: IpAddr) -> Self {
        Self(match ip.to_canonical() {
            IpAddr::V4(v4) => v4.into(),
            IpAddr::V6(v6) => IpAddr::V6((v6.to_bits() & !u128::from(u64::MAX)).into()),
        })
    }
}

#[derive(Debug, Clone, Copy)]
struct Count {
    failures: u32,
    last: Instant,
}

struct Counts<K> {
    counts: HashMap<K, Count>,
    free: u32,
    wait_max: Duration,
}

impl<K: Hash + Eq + Clone> Counts<K> {
    fn new(free: u32, wait_max: Duration) -> Self {
        Self { counts: HashMap::new(), free, wait_max }
    }

    fn wait(&self, key: &K, now: Instant) -> Duration {
        let Some(count) = self.counts.get(key) else { return Duration::ZERO };
        let Some(beyond) = count.failures.checked_sub(self.free) else { return Duration::ZERO };
        let wait = Duration::from_secs(1u64 << beyond.min(16)).min(self.wait_max);
        (count.last + wait).saturating_duration_since(now)
    }

    /// Answers when the last failure before this one was.
    fn fail(&mut self, key: K, now: Instant) -> Option<Instant> {
        if !self.counts.contains_key(&key) && self.counts.len() >= ENTRIES_MAX {
            self.make_room(now);
        }
        let before = self.counts.get(&key).map(|count| count.last);
        let count = self.counts.entry(key).or_insert(Count { failures: 0, last: now });
        if now.saturating_duration_since(count.last) > FORGET_AFTER {
            count.failures = 0;
        }
        *count = Count { failures: count.failures.saturating_add(1), last: now };
        before
    }

    fn make_room(&mut self, now: Instant) {
        self.counts.retain(|_, count| now.saturating_duration_since(count.last) <= FORGET_AFTER);
        if self.counts.len() >= ENTRIES_MAX
            && let Some(least) = self.counts.iter().min_by_key(|(_, c)| (c.failures, c.last)).map(|(k, _)| k.clone())
        {
            self.counts.remove(&least);
        }
    }

    fn take_back(&mut self, key: &K, guess: Guess) {
        if let Some(count) = self.counts.get_mut(key) {
            count.failures = count.failures.saturating_sub(1);
            // Unless another failed since.
            if count.last == guess.at {
                count.last = guess.before.unwrap_or(guess.at);
            }
            if count.failures == 0 {
                self.counts.remove(key);
            }
        }
    }
}

/// An attempt that has begun, and what the count of its address was of before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub struct Guess {
    at: Instant,
    before: Option<Instant>,
}

pub struct Throttle {
    addresses: Counts<Address>,
    accounts: Counts<String>,
    known: HashMap<(String, Address), Instant>,
}

impl Default for Throttle {
    fn default() -> Self {
        Self {
            addresses: Counts::new(ADDRESS_FREE, ADDRESS_WAIT_MAX),
            accounts: Counts::new(ACCOUNT_FREE, ACCOUNT_WAIT_MAX),
            known: HashMap::new(),
        }
    }
}

impl Throttle {
    /// An attempt begins; until it is known to be right it counts as a failure.
    ///
    /// # Errors
    /// How long to wait first.
    pub fn begin(&mut self, account: &str, address: Address, now: Instant) -> Result<Guess, Duration> {
        let account = account.to_owned();
        let mut wait = self.addresses.wait(&address, now);
        let known = self.is_known(&account, address, now);
        if !known {
            wait = wait.max(self.accounts.wait(&account, now));
        }
        if !wait.is_zero() {
            return Err(wait);
        }
        let before = self.addresses.fail(address, now);
        if !known {
            self.accounts.fail(account, now);
        }
        Ok(Guess { at: now, before })
    }

    /// The password was right. The address's earlier failures stay: they may have been guesses at other accounts.
    pub fn succeed(&mut self, account: &str, address: Address, guess: Guess, now: Instant) {
        self.addresses.take_back(&address, guess);
        self.accounts.counts.remove(account);
        let key = (account.to_owned(), address);
        if !self.known.contains_key(&key)
            && self.known.len() >= ENTRIES_MAX
            && let Some(oldest) = self.known.iter().min_by_key(|(_, at)| **at).map(|(key, _)| key.clone())
        {
            self.known.remove(&oldest);
        }
        self.known.insert(key, now);
    }

    fn is_known(&self, account: &str, address: Address, now: Instant) -> bool {
        self.known.get(&(account.to_owned(), address)).is_some_and(|at| now.saturating_duration_since(*at) <= KNOWN_FOR)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn address(last: u8) -> Address {
        IpAddr::from([192, 0, 2, last]).into()
    }

    /// Guesses as fast as it is let, for this long; says how many it got.
    fn guesses(throttle: &mut Throttle, addresses: u8, start: Instant, during: Duration) -> u32 {
        let (mut now, mut count) = (start, 0);
        while now < start + during {
            let mut soonest = during;
            for a in 0..addresses {
                match throttle.begin("anna", address(a), now) {
                    Ok(_) => {
                        count += 1;
                        soonest = Duration::ZERO;
                    }
                    Err(wait) => soonest = soonest.min(wait),
                }
            }
            now += soonest;
        }
        count
    }

    #[test]
    fn waits_grow_up_to_a_minute() {
        let (mut throttle, mut now) = (Throttle::default(), Instant::now());
        let mut waits = Vec::new();
        for n in 0..14 {
            // Each at another account: it is the address that waits.
            while let Err(wait) = throttle.begin(&format!("a{n}"), address(1), now) {
                waits.push(wait.as_secs());
                now += wait;
            }
        }
        assert_eq!(waits, [1, 2, 4, 8, 16, 32, 60, 60, 60]);
        assert!(throttle.begin("b", address(2), now).is_ok(), "others are not held up");
        assert!(throttle.begin("b", address(1), now + FORGET_AFTER + SECOND).is_ok(), "and it is forgotten");
    }

    #[test]
    fn a_day_of_guessing_gets_a_device_1500_and_many_devices_9000() {
        let (day, now) = (Duration::from_secs(86_400), Instant::now());
        let one = guesses(&mut Throttle::default(), 1, now, day);
        assert!((1_300..1_500).contains(&one), "{one}");
        let many = guesses(&mut Throttle::default(), 200, now, day);
        assert!((8_000..9_000).contains(&many), "{many}");
    }

    #[test]
    fn a_stranger_holds_nobody_up_on_a_known_device_and_ten_seconds_on_a_new_one() {
        let (mut throttle, now) = (Throttle::default(), Instant::now());
        let first = throttle.begin("anna", address(1), now).expect("the first");
        throttle.succeed("anna", address(1), first, now);
        for a in 10..200 {
            throttle.begin("anna", address(a), now).ok();
        }
        assert!(throttle.begin("anna", address(1), now).is_ok());
        let wait = throttle.begin("anna", address(2), now).expect_err("a new device waits");
        assert!(wait <= ACCOUNT_WAIT_MAX, "{wait:?}");
    }

    #[test]
    fn a_right_password_takes_back_its_own_attempt_only() {
        let (mut throttle, mut now) = (Throttle::default(), Instant::now());
        let mut guessed = 0;
        // Somebody with an account of their own signs in between guesses at another's.
        for _ in 0..100 {
            guessed += u32::from(throttle.begin("anna", address(1), now).is_ok());
            if let Ok(right) = throttle.begin("mallory", address(1), now) {
                throttle.succeed("mallory", address(1), right, now);
            }
            now += Duration::from_millis(10);
        }
        assert!(guessed <= ADDRESS_FREE + 1, "{guessed}");
    }

    /// A box that many share: after some of them have mistyped, the others come in one after the other.
    #[test]
    fn right_passwords_are_not_waited_for_anew() {
        let (mut throttle, start) = (Throttle::default(), Instant::now());
        let mut now = start;
        for n in 0..11 {
            while let Err(wait) = throttle.begin(&format!("a{n}"), address(1), now) {
                now += wait;
            }
        }
        now += ADDRESS_WAIT_MAX;
        for n in 0..200 {
            let right = throttle.begin(&format!("b{n}"), address(1), now).expect("the wait is over");
            now += SECOND;
            throttle.succeed(&format!("b{n}"), address(1), right, now);
        }
        let wrong = throttle.begin("a0", address(1), now).expect("once");
        assert!(throttle.begin("b0", address(1), now).is_err(), "a wrong one is: {wrong:?}");
        let later = now + FORGET_AFTER + SECOND;
        assert!(throttle.begin("b0", address(1), later).is_ok(), "and all are forgotten");
    }

    #[test]
    fn a_flood_of_names_and_addresses_evicts_itself() {
        let (mut throttle, now) = (Throttle::default(), Instant::now());
        for a in 0..20 {
            throttle.begin("anna", address(a), now).ok();
        }
        for n in 0..3 * ENTRIES_MAX {
            let ip = u32::try_from(n).expect("small") + 0x0a00_0000;
            let _counted = throttle.begin(&format!("n{n}"), IpAddr::V4(ip.into()).into(), now).expect("a fresh one");
        }
        assert!(throttle.addresses.counts.len() <= ENTRIES_MAX && throttle.accounts.counts.len() <= ENTRIES_MAX);
        assert!(throttle.begin("anna", address(99), now).is_err(), "the one under attack is still slowed");
    }

    #[test]
    fn an_ipv6_network_is_one_address() {
        let ip = |text: &str| Address::from(text.parse::<IpAddr>().expect("an address"));
        assert_eq!(ip("2001:db8::1"), ip("2001:db8::ffff:1"));
        assert_ne!(ip("2001:db8::1"), ip("2001:db8:0:1::1"));
        assert_eq!(ip("::ffff:192.0.2.1"), ip("192.0.2.1"));
    }
}
