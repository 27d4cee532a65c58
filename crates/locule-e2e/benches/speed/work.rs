//! Work of users: file transfers and work inside a guest, each compared with the same work without the platform.

use std::io::{Read as _, Write as _};
use std::net::Shutdown;

use anyhow::{Context as _, Result, ensure};
use locule_e2e::clock;
use locule_e2e::guest::{Guest, connect};
use locule_e2e::statistics::{Figure, percentile, ratio};

use crate::floor::Floor;
use crate::rig::{Rig, section, small, succeeded};

const FILE_BYTES: usize = 64 << 20;
const FILE_MB: f64 = 67.108_864;
const RAW_PORT: u16 = 9000;
/// Copies the bytes of a connection into a file, or of a file into a connection.
const RAW: &str = "import socket,os
s=socket.create_server(('0.0.0.0',9000))
while True:
    c,_=s.accept()
    k=c.recv(1)
    if k==b'w':
        b=bytearray(1<<20);f=open('/home/user/raw','wb',buffering=0)
        while (n:=c.recv_into(b)): f.write(memoryview(b)[:n])
        f.close();c.sendall(b'k')
    if k==b'r':
        f=open('/home/user/raw','rb');c.sendfile(f);f.close()
    c.close()
";

/// 64 MiB up and down, raw and through the API, in turn.
pub(crate) fn files(rig: &mut Rig) -> Result<()> {
    section("files");
    let sandbox = rig.create(&small())?;
    let guest = rig.guest(&sandbox.id)?;
    rig.api
        .write(&sandbox.id, "/home/user/raw.py", RAW.as_bytes())?;
    rig.exec(
        &sandbox.id,
        "setsid python3 /home/user/raw.py >/dev/null 2>&1 </dev/null &",
    )?;
    let up = clock::until(std::time::Duration::from_secs(30), || {
        connect(&guest.namespace, RAW_PORT).ok()
    });
    drop(up.context("the raw writer does not listen")?);
    let content: Vec<u8> = (0..FILE_BYTES)
        .map(|at| u8::try_from(at * 31 % 251).unwrap_or(0))
        .collect();
    let [mut raw_up, mut raw_down, mut api_up, mut api_down] = [const { Vec::new() }; 4];
    for round in 0..=rig.n {
        let times = [
            raw_write(&guest, &content)?,
            raw_read(&guest, content.len())?,
            clock::milliseconds(
                succeeded(
                    rig.api.write(&sandbox.id, "/home/user/api", &content)?,
                    "write",
                )?
                .took,
            ),
            api_read(rig, &sandbox.id, &content)?,
        ];
        if round > 0 {
            for (all, time) in [&mut raw_up, &mut raw_down, &mut api_up, &mut api_down]
                .into_iter()
                .zip(times)
            {
                all.push(FILE_MB / (time / 1000.0));
            }
        }
    }
    rig.destroy(&sandbox.id)?;
    // Both directions are compared with the raw writer. The rate at which a guest sends from its page cache is noted.
    let writer = Figure::new("64 MiB, raw TCP writer", "MB/s", raw_up);
    let raw = writer.p50();
    rig.add(writer);
    rig.add(Figure::new(
        "64 MiB, raw TCP reader (sendfile)",
        "MB/s",
        raw_down,
    ));
    for (name, values) in [("64 MiB up, API", api_up), ("64 MiB down, API", api_down)] {
        let figure = Figure::new(name, "MB/s", values);
        let value = ratio(figure.p50(), raw);
        rig.add(figure.at_least("p50 / raw writer p50", value, 0.4));
    }
    Ok(())
}

fn raw_write(guest: &Guest, content: &[u8]) -> Result<f64> {
    let begun = clock::now();
    let mut stream = connect(&guest.namespace, RAW_PORT)?;
    stream.write_all(b"w")?;
    stream.write_all(content)?;
    stream.shutdown(Shutdown::Write)?;
    let mut done = Vec::new();
    stream.read_to_end(&mut done)?;
    ensure!(done == b"k", "the raw writer failed");
    Ok(clock::milliseconds(clock::since(begun)))
}

fn raw_read(guest: &Guest, length: usize) -> Result<f64> {
    let begun = clock::now();
    let mut stream = connect(&guest.namespace, RAW_PORT)?;
    stream.write_all(b"r")?;
    let mut content = Vec::with_capacity(length);
    stream.read_to_end(&mut content)?;
    ensure!(
        content.len() == length,
        "the raw reader gave {} bytes",
        content.len()
    );
    Ok(clock::milliseconds(clock::since(begun)))
}

fn api_read(rig: &mut Rig, id: &str, content: &[u8]) -> Result<f64> {
    let answer = succeeded(rig.api.read(id, "/home/user/api")?, "read")?;
    ensure!(
        answer.body == content,
        "the content that was read differs from the content that was written"
    );
    Ok(clock::milliseconds(answer.took))
}

const PREPARE: &str = "set -e; cd /home/user; mkdir -p repo tree; cd repo; git init -q .; git config user.email b@b; git config user.name b
for i in $(seq 40); do seq $((i*100)) > f$i; done; git add -A; git commit -qm one
cp -r /usr/lib/python3*/json /usr/lib/python3*/email /home/user/tree/; sync";
/// Commands that run in turn in a sandbox and in a bare guest.
const WORK: [(&str, &str); 4] = [
    ("python start", "python3 -c pass"),
    (
        "git clone",
        "cd /home/user; rm -rf clone; git clone -q repo clone",
    ),
    (
        "compile (python -m compileall)",
        "cd /home/user; python3 -m compileall -q -f tree",
    ),
    (
        "fsync × 50",
        "python3 -c \"import os\nf=open('/home/user/sync','wb')\nfor i in range(50):\n f.write(b'x'*4096); f.flush(); os.fsync(f.fileno())\"",
    ),
];

/// The same commands over the same connection: only the surroundings of the VMM differ.
pub(crate) fn own_work(rig: &mut Rig, floor: &mut Floor) -> Result<()> {
    section("a guest's own work");
    let sandbox = rig.create(&small())?;
    let ours = rig.guest(&sandbox.id)?;
    let prepared = floor.prepare()?;
    let bare = floor.start(prepared)?;
    for guest in [&ours, &bare.guest] {
        run(guest, PREPARE)?;
    }
    for (name, script) in WORK {
        let (mut inside, mut outside) = (Vec::new(), Vec::new());
        for round in 0..=rig.n {
            // The order alternates, so that neither always finds warm caches.
            let order = if round % 2 == 0 {
                [true, false]
            } else {
                [false, true]
            };
            for is_ours in order {
                let time = run(if is_ours { &ours } else { &bare.guest }, script)?;
                if round > 0 {
                    if is_ours { &mut inside } else { &mut outside }.push(time);
                }
            }
        }
        let value = ratio(percentile(&outside, 50), percentile(&inside, 50));
        rig.add(Figure::new(&format!("{name}, bare VMM"), "ms", outside));
        let figure = Figure::new(&format!("{name}, sandbox"), "ms", inside);
        rig.add(figure.at_least("bare p50 / p50", value, 0.97));
    }
    floor.end(bare)?;
    rig.destroy(&sandbox.id)
}

fn run(guest: &Guest, script: &str) -> Result<f64> {
    let ran = guest.run("/bin/sh", &["-c", script])?;
    ensure!(ran.exit_code == 0, "{script}: {}", ran.output);
    Ok(clock::milliseconds(ran.took))
}
