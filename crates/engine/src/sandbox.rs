//! The container that holds the network of a node, and its image.
//!
//! Every container of a node joins the network of one of them, and whoever holds it must not end:
//! the network goes with its holder, and those that joined it keep a dead one until each of them
//! is started again. If a container of the deployment held it, a crash of that one would cut off
//! the others. So a node has a container of its own for this, which does nothing but wait; then
//! every other one may end and start as it likes, and the published port stays. If the sandbox
//! ends all the same (somebody removes it, or the engine itself was restarted), the node is made
//! anew as a whole.
//!
//! No image can be counted on where the engine has no way to the outside, so the image is made
//! here: one file, a program of a few instructions that waits for ever.

use bytes::Bytes;

use crate::engine::{Engine, EngineError};
use crate::node::short;

/// Its only program.
pub const PROGRAM: &str = "/pause";
/// The tag changes with the contents.
const TAG: &str = "1";

const ELF_HEADER_BYTES: u64 = 64;
const PROGRAM_HEADER_BYTES: u64 = 56;
/// Where the file is mapped.
const BASE: u64 = 0x40_0000;
const BLOCK: usize = 512;

/// A machine that the program can be written for.
struct Machine {
    /// As the kernel and the engine call it.
    names: [&'static str; 2],
    /// As ELF numbers it.
    number: u16,
    /// `pause()`, again and again.
    code: &'static [u8],
}

const MACHINES: [Machine; 2] = [
    Machine {
        names: ["x86_64", "amd64"],
        number: 62,
        // mov eax, 34 (pause); syscall; jmp to the start
        code: &[0xb8, 0x22, 0, 0, 0, 0x0f, 0x05, 0xeb, 0xf7],
    },
    Machine {
        names: ["aarch64", "arm64"],
        number: 183,
        // x0 to x4 = 0; x8 = 73 (ppoll); svc 0; back to the start
        code: &[
            0x00, 0x00, 0x80, 0xd2, 0x01, 0x00, 0x80, 0xd2, 0x02, 0x00, 0x80, 0xd2, 0x03, 0x00,
            0x80, 0xd2, 0x04, 0x00, 0x80, 0xd2, 0x28, 0x09, 0x80, 0xd2, 0x01, 0x00, 0x00, 0xd4,
            0xf9, 0xff, 0xff, 0x17,
        ],
    },
];

/// The name of the image of a server: its own, so that it can be removed without asking others.
pub fn image(server: &str) -> String {
    format!("{}:{TAG}", repository(server))
}

fn repository(server: &str) -> String {
    format!("roadstead-sandbox-{}", short(server))
}

/// Makes the image unless it is there.
pub async fn ensure_image(engine: &Engine, server: &str) -> Result<(), EngineError> {
    match engine.image(&image(server)).await {
        Ok(_) => return Ok(()),
        Err(EngineError::Missing(_)) => {}
        Err(error) => return Err(error),
    }
    let architecture = engine.architecture().await?;
    let program = program(&architecture).ok_or_else(|| {
        EngineError::Refused(format!(
            "no node can be made on a machine of {architecture}"
        ))
    })?;
    let layer = Bytes::from(tar(PROGRAM.trim_start_matches('/'), &program));
    engine.import(&repository(server), TAG, layer).await
}

/// The program as a static ELF file; none for a machine that is not known.
fn program(architecture: &str) -> Option<Vec<u8>> {
    let machine = MACHINES
        .iter()
        .find(|machine| machine.names.contains(&architecture))?;
    let headers = ELF_HEADER_BYTES + PROGRAM_HEADER_BYTES;
    let whole = headers + machine.code.len() as u64;
    let mut file = Vec::new();
    // 64 bits, little end first, version 1.
    file.extend([0x7f, b'E', b'L', b'F', 2, 1, 1, 0]);
    file.extend([0; 8]);
    file.extend(2_u16.to_le_bytes()); // a program
    file.extend(machine.number.to_le_bytes());
    file.extend(1_u32.to_le_bytes());
    file.extend((BASE + headers).to_le_bytes()); // where it starts
    file.extend(ELF_HEADER_BYTES.to_le_bytes()); // the program header follows
    file.extend(0_u64.to_le_bytes()); // no sections
    file.extend(0_u32.to_le_bytes());
    file.extend((ELF_HEADER_BYTES as u16).to_le_bytes());
    file.extend((PROGRAM_HEADER_BYTES as u16).to_le_bytes());
    file.extend(1_u16.to_le_bytes());
    file.extend([0; 6]);
    file.extend(1_u32.to_le_bytes()); // loaded
    file.extend(5_u32.to_le_bytes()); // to be read and run
    file.extend(0_u64.to_le_bytes());
    file.extend(BASE.to_le_bytes());
    file.extend(BASE.to_le_bytes());
    file.extend(whole.to_le_bytes());
    file.extend(whole.to_le_bytes());
    file.extend(0x1_0000_u64.to_le_bytes()); // aligned for pages of any size
    file.extend(machine.code);
    Some(file)
}

/// A tar (ustar) of one file that may be run.
fn tar(name: &str, contents: &[u8]) -> Vec<u8> {
    let mut header = [0_u8; BLOCK];
    let mut put = |at: usize, text: &str| {
        for (place, byte) in header.iter_mut().skip(at).zip(text.bytes()) {
            *place = byte;
        }
    };
    put(0, name);
    put(100, "0000755\0");
    put(108, "0000000\0");
    put(116, "0000000\0");
    put(124, &format!("{:011o}\0", contents.len()));
    put(136, "00000000000\0");
    put(148, "        ");
    put(156, "0");
    put(257, "ustar\x0000");
    let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
    let sum = format!("{sum:06o}\0 ");
    for (place, byte) in header.iter_mut().skip(148).zip(sum.bytes()) {
        *place = byte;
    }
    let mut file = header.to_vec();
    file.extend(contents);
    // The end is two empty blocks.
    file.resize((file.len().div_ceil(BLOCK) + 2) * BLOCK, 0);
    file
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::process::ExitStatusExt as _;
    use std::process::Command;

    #[test]
    fn the_tar_is_one_that_tar_reads() {
        let folder = tempfile::tempdir().unwrap();
        let archive = folder.path().join("layer.tar");
        std::fs::write(&archive, tar("pause", b"contents")).unwrap();
        let mut command = Command::new("tar");
        command
            .arg("-xf")
            .arg(&archive)
            .arg("-C")
            .arg(folder.path());
        assert!(command.status().unwrap().success());
        let file = folder.path().join("pause");
        assert_eq!(std::fs::read(file).unwrap(), b"contents");
    }

    #[test]
    fn the_program_waits_until_it_is_ended() {
        use std::os::unix::fs::PermissionsExt as _;
        assert_eq!(program("riscv64"), None);
        assert_eq!(program("arm64"), program("aarch64"));
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("pause");
        std::fs::write(&file, program(std::env::consts::ARCH).unwrap()).unwrap();
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o755)).unwrap();
        let mut child = Command::new(&file).spawn().unwrap();
        std::thread::sleep(std::time::Duration::from_millis(200));
        assert!(child.try_wait().unwrap().is_none(), "it runs");
        child.kill().unwrap();
        assert_eq!(child.wait().unwrap().signal(), Some(9));
    }
}
