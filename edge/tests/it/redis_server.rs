//! A private redis-server on a Unix socket, to be killed and started at will.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

pub struct RedisServer {
    dir: PathBuf,
    child: Option<Child>,
}

impl RedisServer {
    /// A durable one, with its data in `dir`.
    pub fn start(dir: &Path) -> Self {
        Self::start_with(dir, &["--appendonly", "yes", "--appendfsync", "always"])
    }

    pub fn start_with(dir: &Path, args: &[&str]) -> Self {
        let mut server = Self { dir: dir.to_owned(), child: None };
        std::fs::write(dir.join("args"), args.join("\n")).expect("writes");
        server.up();
        server
    }

    pub fn url(&self) -> String {
        format!("unix://{}", self.dir.join("r.sock").display())
    }

    pub fn is_up(&self) -> bool {
        self.child.is_some()
    }

    /// Starts it with the data it left, and waits for its PONG.
    pub fn up(&mut self) {
        let args = std::fs::read_to_string(self.dir.join("args")).expect("reads");
        let child = Command::new("redis-server")
            .args(["--port", "0", "--save", "", "--unixsocket"])
            .arg(self.dir.join("r.sock"))
            .arg("--dir")
            .arg(&self.dir)
            .args(args.lines())
            .stdout(Stdio::null())
            .spawn()
            .expect("redis-server is installed (`make setup`)");
        self.child = Some(child);
        let deadline = Instant::now() + Duration::from_secs(20);
        loop {
            let pong = redis::Client::open(self.url())
                .and_then(|client| client.get_connection())
                .and_then(|mut connection| redis::cmd("PING").query::<String>(&mut connection));
            match pong {
                Ok(_) => return,
                Err(error) if Instant::now() > deadline => panic!("redis-server did not come up: {error}"),
                Err(_) => std::thread::sleep(Duration::from_millis(5)),
            }
        }
    }

    /// As a power cut would leave it, but for what the kernel still writes.
    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().expect("it was running");
            child.wait().expect("it is gone");
        }
    }

    pub fn query<T: redis::FromRedisValue>(&self, command: &mut redis::Cmd) -> T {
        let mut connection =
            redis::Client::open(self.url()).and_then(|client| client.get_connection()).expect("it is up");
        command.query(&mut connection).expect("it answers")
    }
}

impl Drop for RedisServer {
    fn drop(&mut self) {
        self.kill();
    }
}
