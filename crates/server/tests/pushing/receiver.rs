//! An HTTP server on 127.0.0.1 that notes what it is told and answers as a test says.

use serde_json::Value;
use std::collections::VecDeque;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::sleep;

use super::{POLL, POLLS_MAX};

/// What a receiver was told, with the signature.
#[derive(Debug, Clone)]
pub struct Told {
    pub body: String,
    pub signature: Option<String>,
    pub content_type: Option<String>,
}

impl Told {
    pub fn event(&self) -> Value {
        serde_json::from_str(&self.body).expect("JSON")
    }

    /// What tells the images of these tests apart.
    pub fn tag(&self) -> String {
        let event = self.event();
        let tag = event["detail"]["image-tag"].as_str();
        tag.unwrap_or_default().to_owned()
    }
}

/// How a receiver answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    Status(u16),
    /// It stays silent for as long as the test runs.
    Never,
    /// It refuses once the test says so.
    LaterRefused,
}

/// An HTTP server on 127.0.0.1 that notes what it is told.
#[derive(Clone)]
pub struct Receiver {
    pub address: String,
    told: Arc<Mutex<Vec<Told>>>,
    /// The first answers; 204 after them.
    answers: Arc<Mutex<VecDeque<Answer>>>,
    /// Lets [`Answer::LaterRefused`] go.
    pub is_open: Arc<AtomicBool>,
}

impl Receiver {
    pub fn start(answers: &[Answer]) -> Self {
        Self::start_at("127.0.0.1:0", answers)
    }

    pub fn start_at(address: &str, answers: &[Answer]) -> Self {
        let listener = TcpListener::bind(address).expect("a port");
        let receiver = Self {
            address: listener.local_addr().expect("its address").to_string(),
            told: Arc::default(),
            answers: Arc::new(Mutex::new(answers.iter().copied().collect())),
            is_open: Arc::default(),
        };
        let own = receiver.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let own = own.clone();
                std::thread::spawn(move || own.hear(stream));
            }
        });
        receiver
    }

    fn hear(&self, stream: TcpStream) {
        let mut reader = BufReader::new(stream.try_clone().expect("the stream twice"));
        let (mut length, mut signature, mut content_type) = (0, None, None);
        loop {
            let mut line = String::new();
            if reader.read_line(&mut line).unwrap_or(0) == 0 {
                return;
            }
            let Some((name, value)) = line.trim_end().split_once(": ") else {
                if line.trim_end().is_empty() {
                    break;
                }
                continue;
            };
            match name.to_lowercase().as_str() {
                "content-length" => length = value.parse().expect("a length"),
                "content-type" => content_type = Some(value.to_owned()),
                "roadstead-signature" => signature = Some(value.to_owned()),
                _ => {}
            }
        }
        let mut body = vec![0; length];
        if reader.read_exact(&mut body).is_err() {
            return;
        }
        self.told.lock().expect("a lock").push(Told {
            body: String::from_utf8(body).expect("UTF-8"),
            signature,
            content_type,
        });
        let answer = self.answers.lock().expect("a lock").pop_front();
        let status = match answer.unwrap_or(Answer::Status(204)) {
            Answer::Never => {
                // Until the other side gives up.
                let _ = reader.read(&mut [0]);
                return;
            }
            Answer::LaterRefused => {
                while !self.is_open.load(Ordering::SeqCst) {
                    sleep(POLL);
                }
                503
            }
            Answer::Status(status) => status,
        };
        let place = match status {
            300..400 => format!("Location: http://{}/elsewhere\r\n", self.address),
            _ => String::new(),
        };
        let head = "Content-Length: 0\r\nConnection: close\r\n";
        let mut stream = stream;
        // The other side may have gone.
        let _ = write!(stream, "HTTP/1.1 {status} X\r\n{head}{place}\r\n");
    }

    pub fn url(&self) -> String {
        format!("http://{}/hook?token=quiet", self.address)
    }

    pub fn told(&self) -> Vec<Told> {
        self.told.lock().expect("a lock").clone()
    }

    /// Waits until it was told so often.
    pub fn wait_for(&self, count: usize) -> Vec<Told> {
        for _ in 0..POLLS_MAX {
            let told = self.told();
            if told.len() >= count {
                return told;
            }
            sleep(POLL);
        }
        panic!("told {} of {count}: {:?}", self.told().len(), self.told());
    }
}
