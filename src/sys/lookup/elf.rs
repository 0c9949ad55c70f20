//! ELF programs (elf(5)): whether this machine runs them, and whether their dynamic loader
//! exists, which a scratch or musl image lacks for programs built against glibc.

use std::ffi::OsStr;
use std::fs::File;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::FileExt;
use std::path::Path;

use super::{Unfit, machine};

pub(super) const MAGIC: &[u8] = b"\x7fELF";

/// Machine numbers (`e_machine`) by the names that Docker and uname(1) use.
const MACHINES: [(u64, &str); 9] = [
    (3, "i386"),
    (8, "mips"),
    (20, "ppc"),
    (21, "ppc64le"),
    (22, "s390x"),
    (40, "arm"),
    (62, "amd64 (x86_64)"),
    (183, "arm64 (aarch64)"),
    (243, "riscv64"),
];

#[cfg(target_arch = "x86_64")]
const OWN_MACHINE: u64 = 62;
#[cfg(target_arch = "aarch64")]
const OWN_MACHINE: u64 = 183;

/// 32-bit programs that a kernel for this machine may run by itself.
#[cfg(target_arch = "x86_64")]
const COMPATIBLE_MACHINE: u64 = 3;
#[cfg(target_arch = "aarch64")]
const COMPATIBLE_MACHINE: u64 = 40;

/// The type of the program header that names the dynamic loader.
const PT_INTERP: usize = 3;

/// Where numbers stand: the first three in the header, the others in a program header.
#[derive(Debug)]
struct ElfLayout {
    /// The size of the header.
    len: usize,
    /// The size of a program header.
    entry: usize,
    table: usize,
    entry_len: usize,
    count: usize,
    offset: usize,
    size: usize,
    /// How wide an address is.
    word: usize,
}

const ELF64: ElfLayout = ElfLayout {
    len: 64,
    entry: 56,
    table: 32,
    entry_len: 54,
    count: 56,
    offset: 8,
    size: 32,
    word: 8,
};

const ELF32: ElfLayout = ElfLayout {
    len: 52,
    entry: 32,
    table: 28,
    entry_len: 42,
    count: 44,
    offset: 4,
    size: 16,
    word: 4,
};

/// The beginning of an ELF file.
#[derive(Debug, Clone, Copy)]
struct Header<'a> {
    bytes: &'a [u8],
    layout: &'static ElfLayout,
    is_little_endian: bool,
}

impl<'a> Header<'a> {
    /// `None` if it is cut off or says nothing that makes sense.
    fn parse(bytes: &'a [u8]) -> Option<Self> {
        let (layout, is_little_endian) = match bytes.get(4..6)? {
            [1, order @ 1..=2] => (&ELF32, *order == 1),
            [2, order @ 1..=2] => (&ELF64, *order == 1),
            _ => return None,
        };
        (bytes.len() >= layout.len).then_some(Self {
            bytes,
            layout,
            is_little_endian,
        })
    }

    /// Whether this kernel runs programs of this kind.
    fn runs(self) -> bool {
        machine::runs(&self.with_loader(b"/proc/self/launchgate-has-no-loader\0"))
    }

    /// A program of the same kind whose dynamic loader is `loader`; it can't start if that does
    /// not exist.
    fn with_loader(self, loader: &[u8]) -> Vec<u8> {
        let layout = self.layout;
        let (len, entry_len) = (layout.len, layout.entry);
        let mut made = self.bytes[..len].to_vec();
        made.resize(len + entry_len, 0);
        self.put(&mut made, layout.table, len, layout.word);
        self.put(&mut made, layout.entry_len, entry_len, 2);
        self.put(&mut made, layout.count, 1, 2);
        self.put(&mut made, len, PT_INTERP, 4);
        self.put(&mut made, len + layout.offset, len + entry_len, layout.word);
        self.put(&mut made, len + layout.size, loader.len(), layout.word);
        made.extend(loader);
        made
    }

    /// Writes a number of so many bytes.
    fn put(self, bytes: &mut [u8], at: usize, number: usize, len: usize) {
        for (i, byte) in number.to_le_bytes().into_iter().take(len).enumerate() {
            let place = if self.is_little_endian {
                i
            } else {
                len - 1 - i
            };
            bytes[at + place] = byte;
        }
    }

    /// Reads a number of so many bytes.
    fn get(self, bytes: &[u8], at: usize, len: usize) -> Option<u64> {
        let bytes = bytes.get(at..at + len)?;
        let add = |sum: u64, byte: &u8| sum << 8 | u64::from(*byte);
        Some(if self.is_little_endian {
            bytes.iter().rev().fold(0, add)
        } else {
            bytes.iter().fold(0, add)
        })
    }

    fn is_program(self) -> bool {
        const ET_EXEC: u64 = 2;
        const ET_DYN: u64 = 3;
        matches!(self.get(self.bytes, 16, 2), Some(ET_EXEC | ET_DYN))
    }

    fn machine(self) -> u64 {
        self.get(self.bytes, 18, 2).unwrap_or_default()
    }

    /// The path of the dynamic loader (`PT_INTERP`).
    fn loader(self, file: &File) -> Option<Vec<u8>> {
        let layout = self.layout;
        let table = self.get(self.bytes, layout.table, layout.word)?;
        let len = self.get(self.bytes, layout.entry_len, 2)?;
        let count = self.get(self.bytes, layout.count, 2)?;
        for i in 0..count.min(64) {
            let mut entry = vec![0; layout.entry];
            let at = table.checked_add(i * len)?;
            file.read_exact_at(&mut entry, at).ok()?;
            if self.get(&entry, 0, 4)? != PT_INTERP as u64 {
                continue;
            }
            let offset = self.get(&entry, layout.offset, layout.word)?;
            let size = self.get(&entry, layout.size, layout.word)?;
            let mut name = vec![0; usize::try_from(size.min(4096)).ok()?];
            file.read_exact_at(&mut name, offset).ok()?;
            name.retain(|&byte| byte != 0);
            return Some(name);
        }
        None
    }
}

pub(super) fn check(file: &Path, head: &[u8], opened: &File) -> Result<(), Unfit> {
    let shown = file.display();
    let Some(header) = Header::parse(head) else {
        return Err(Unfit::not_executable(
            format!("{shown} is damaged: its ELF header is cut off or invalid"),
            "copy it into the image again",
        ));
    };
    if !header.is_program() {
        return Err(Unfit::not_executable(
            format!("{shown} is an object file or a core dump, not a program"),
            "use the path of a program",
        ));
    }
    let is_own = (header.machine(), header.layout.word) == (OWN_MACHINE, ELF64.word)
        && header.is_little_endian;
    if !is_own && !header.runs() {
        return Err(Unfit::not_executable(
            format!(
                "{shown} is built for {}, but this machine is {}",
                name(header.machine()),
                name(OWN_MACHINE)
            ),
            format!(
                "build the image for this machine, as in `docker build --platform linux/{}`",
                if OWN_MACHINE == 62 { "amd64" } else { "arm64" }
            ),
        ));
    }
    // Don't check the loader of an emulated program: the emulator may use its own root.
    if !is_own && header.machine() != COMPATIBLE_MACHINE {
        return Ok(());
    }
    let Some(loader) = header.loader(opened) else {
        return Ok(());
    };
    let path = Path::new(OsStr::from_bytes(&loader));
    if path.exists() {
        return Ok(());
    }
    Err(Unfit::not_found(
        format!(
            "{shown} needs the dynamic loader {}, which does not exist",
            path.display()
        ),
        "link it statically, or build it for the C library of this image",
    ))
}

fn name(machine: u64) -> String {
    let known = MACHINES.iter().find(|(number, _)| *number == machine);
    known.map_or_else(
        || format!("machine {machine}"),
        |(_, name)| (*name).to_owned(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The kernel is asked about a program that can't start; of its own kind it must say so.
    #[test]
    fn the_kernel_runs_programs_of_its_own_kind_and_no_others() {
        let own = std::fs::read("/proc/self/exe").unwrap();
        assert!(Header::parse(&own[..64]).unwrap().runs());
        for (class, order, len) in [(1, 1, 52), (1, 2, 52), (2, 1, 64), (2, 2, 64)] {
            let mut other = vec![0; len];
            other[..4].copy_from_slice(MAGIC);
            (other[4], other[5], other[6]) = (class, order, 1);
            let header = Header::parse(&other).unwrap();
            let mut made = other.clone();
            header.put(&mut made, 16, 2, 2);
            header.put(&mut made, 18, 0xfeed, 2);
            let header = Header::parse(&made).unwrap();
            assert_eq!(header.machine(), 0xfeed);
            assert!(header.is_program());
            assert!(!header.runs());
        }
    }

    #[test]
    fn a_loader_is_read_as_it_was_written() {
        use std::io::Write as _;
        for (class, order, len) in [(1, 1, 52), (1, 2, 52), (2, 1, 64), (2, 2, 64)] {
            let mut head = vec![0; len];
            (head[4], head[5]) = (class, order);
            let header = Header::parse(&head).unwrap();
            let made = header.with_loader(b"/lib/ld.so\0");
            let mut file = tempfile::tempfile().unwrap();
            file.write_all(&made).unwrap();
            let loader = Header::parse(&made).unwrap().loader(&file);
            assert_eq!(loader.unwrap(), b"/lib/ld.so");
        }
    }
}
