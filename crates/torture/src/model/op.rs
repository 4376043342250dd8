//! The operations of a run. Numbers choose among what there is, so that any list of operations can
//! run, a shortened one too.

use roadstead_testkit::Random;

use super::universe::Universe;

/// The names of repositories: one is a prefix of the others.
pub const NAMES: [&str; 3] = ["ab", "ab/cd", "ab-cd"];
/// The tags.
pub const TAGS: [&str; 4] = ["t1", "t2", "dev-1", "dev-2"];
/// The settings of mutability, in the order that the reference knows.
pub const MODES: [&str; 4] = [
    "MUTABLE",
    "IMMUTABLE",
    "IMMUTABLE_WITH_EXCLUSION",
    "MUTABLE_WITH_EXCLUSION",
];

/// By which door a request comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Plane {
    /// The AWS API.
    Api,
    /// The OCI distribution API.
    V2,
}

/// How a chunk is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Chunk {
    /// The next bytes.
    Next,
    /// Bytes that were sent before.
    Again,
    /// Bytes behind the next ones.
    Gap,
}

/// One operation.
#[derive(Debug, Clone)]
pub enum Op {
    /// Makes a repository.
    Create(usize),
    /// Deletes one, whatever it holds or only if that is nothing.
    Remove(usize, bool),
    /// Brings the latest deleted one back.
    Restore(usize),
    /// Sets its mutability.
    Mode(usize, usize),
    /// Pushes a blob whole.
    Push(usize, usize, Plane),
    /// Pushes a blob under the digest of another.
    PushWrong(usize, usize),
    /// Asks for a blob.
    HasBlob(usize, usize, Plane),
    /// Reads a blob.
    GetBlob(usize, usize),
    /// Deletes a blob.
    DropBlob(usize, usize),
    /// Mounts a blob from one repository in another.
    Mount(usize, usize, usize),
    /// Pushes a manifest, under a tag or by its digest.
    Put(usize, usize, Option<usize>, Plane),
    /// Pushes a manifest with all that it needs, as a client does.
    Whole(usize, usize, Option<usize>, Plane),
    /// Reads a manifest by digest or tag.
    Get(usize, usize, Option<usize>, Plane),
    /// Deletes several by the API.
    Batch(usize, Vec<(usize, usize, u64)>),
    /// Deletes one on `/v2`.
    Delete(usize, usize, bool),
    /// Brings a deleted image back.
    Undelete(usize, usize),
    /// Opens an upload of a blob.
    Open(usize, usize),
    /// Sends a chunk to an upload.
    Chunk(usize, Chunk),
    /// Asks how far an upload is.
    Status(usize),
    /// Ends an upload with what is left, under the right digest or not.
    Finish(usize, bool),
    /// Gives an upload up.
    Cancel(usize),
    /// Sets one of the lifecycle policies, or none.
    Policy(usize, Option<usize>),
    /// Runs the policy.
    Run(usize),
    /// Moves the clock, minutes.
    Advance(u64),
    /// Sweeps.
    Sweep,
    /// Ends the server and starts it again.
    Restart,
}

/// The operations of a seed.
pub fn generate(seed: u64, count: usize, universe: &Universe) -> Vec<Op> {
    let mut random = Random::new(seed);
    (0..count).map(|_| any_op(&mut random, universe)).collect()
}

fn any_op(random: &mut Random, universe: &Universe) -> Op {
    let mut any = |end: usize| random.below(end as u64) as usize;
    // The first repository is used most, so that its states grow.
    let r = [0, 0, 0, 1, 2][any(5)];
    let (b, a) = (any(universe.blobs.len()), any(universe.artifacts.len()));
    let plane = if any(2) == 0 { Plane::Api } else { Plane::V2 };
    match any(200) {
        0..=7 => Op::Create(r),
        8..=9 => Op::Remove(r, any(3) == 0),
        10..=11 => Op::Restore(r),
        12..=16 => Op::Mode(r, any(6) % 4),
        17..=52 => Op::Push(r, b, plane),
        53..=54 => Op::PushWrong(r, b),
        55..=62 => Op::HasBlob(r, b, plane),
        63..=65 => Op::GetBlob(r, b),
        66 => Op::DropBlob(r, b),
        67..=76 => Op::Mount(r, any(3), b),
        77..=108 => {
            let tag = (any(4) > 0).then(|| any(TAGS.len()));
            Op::Put(r, a, tag, plane)
        }
        109..=122 => {
            let tag = (any(2) > 0).then(|| any(TAGS.len()));
            Op::Whole(r, a, tag, plane)
        }
        123..=130 => {
            let tag = (any(2) > 0).then(|| any(TAGS.len()));
            Op::Get(r, a, tag, plane)
        }
        131..=145 => {
            let count = 1 + any(4);
            let entries = (0..count).map(|_| (any(16), any(4), any(12) as u64));
            Op::Batch(r, entries.collect())
        }
        146..=155 => Op::Delete(r, any(16), any(2) == 0),
        156..=159 => Op::Undelete(r, a),
        160..=163 => Op::Open(r, b),
        164..=169 => {
            let chunk = [
                Chunk::Next,
                Chunk::Next,
                Chunk::Next,
                Chunk::Again,
                Chunk::Gap,
            ];
            Op::Chunk(any(1000), chunk[any(5)])
        }
        170 => Op::Status(any(1000)),
        171..=174 => Op::Finish(any(1000), any(5) > 0),
        175 => Op::Cancel(any(1000)),
        176..=178 => Op::Policy(r, (any(5) > 0).then(|| any(4))),
        179..=182 => Op::Run(r),
        183..=191 => Op::Advance([1, 5, 8, 20, 53, 59, 61, 600, 1500][any(9)]),
        192..=198 => Op::Sweep,
        _ => Op::Restart,
    }
}
