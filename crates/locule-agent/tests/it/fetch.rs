//! An agent without images fetches them from its control plane.

use std::fs::{self, File};
use std::os::unix::fs::FileExt as _;
use std::os::unix::fs::MetadataExt as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::sync::Arc;

use chrono::DateTime;
use locule_agent::{OnStop, purge};
use locule_agent_api::{HostAgent as _, ReportedState};
use locule_base::clock::{Clock as _, ManualClock};
use locule_base::errors::chain;
use locule_images::Image;
use nix::mount::{MsFlags, mount, umount};
use serde_json::{Value, json};

use crate::control_plane::{FakeControlPlane, Mood};
use crate::rig::{Rig, last_order, spec};

const DISK_BYTES: u64 = 64 << 20;

/// A control plane with images, and a host without.
struct Fleet {
    plane: FakeControlPlane,
    rig: Rig,
    kernel: String,
    initramfs: String,
    template: String,
}

fn disk() -> File {
    let disk = tempfile::tempfile().unwrap();
    disk.set_len(DISK_BYTES).unwrap();
    for (number, at) in [(1, 0), (2, 9 << 20), (3, DISK_BYTES - 5000)] {
        disk.write_all_at(&[number; 5000], at).unwrap();
    }
    disk
}

fn whole(image: &Image) -> Vec<u8> {
    let mut bytes = vec![0; usize::try_from(image.size_bytes()).unwrap()];
    assert_eq!(image.read_at(&mut bytes, 0).unwrap(), bytes.len());
    bytes
}

impl Fleet {
    async fn start() -> Self {
        let now = DateTime::from_timestamp(1_800_000_000, 0).unwrap();
        let clock = Arc::new(ManualClock::at(now));
        let plane = FakeControlPlane::start(clock.now()).await;
        let mut list = Vec::new();
        let mut add = |kind: &str, name: Value, image: &Image| {
            let (hash, bytes) = (image.sha256().unwrap(), whole(image));
            list.push(json!({
                "kind": kind, "name": name, "version": "1", "sha256": hash, "size_bytes": bytes.len(),
            }));
            plane.images(|images| images.bytes.insert(hash.clone(), bytes));
            hash
        };
        let plain = |text: &str| {
            let file = tempfile::tempfile().unwrap();
            file.write_all_at(text.as_bytes(), 0).unwrap();
            Image::plain(file).unwrap()
        };
        let kernel = add("kernel", Value::Null, &plain("kernel"));
        let initramfs = add("initramfs", Value::Null, &plain("initramfs"));
        let template = add(
            "template",
            json!("minimal"),
            &Image::packed(disk()).unwrap(),
        );
        plane.images(|images| images.list = json!(list));
        let rig = Rig::without_images(plane.server(), clock);
        Self {
            plane,
            rig,
            kernel,
            initramfs,
            template,
        }
    }

    fn folder(&self) -> PathBuf {
        self.rig.data_dir().join("images")
    }

    /// The names of the files that the agent has fetched.
    fn files(&self) -> Vec<String> {
        let files = fs::read_dir(self.folder()).unwrap();
        let names = files.map(|file| file.unwrap().file_name().into_string().unwrap());
        let mut names: Vec<_> = names.collect();
        names.sort_unstable();
        names
    }

    /// The first bytes of the requests for an image.
    fn asked(&self, hash: &str) -> Vec<usize> {
        let asked = self.plane.images(|images| images.asked.clone());
        let asked = asked.into_iter().filter(|(image, _)| image == hash);
        asked.map(|(_, from)| from).collect()
    }

    /// What an agent says that cannot start.
    async fn refused(&self) -> String {
        chain(&self.rig.try_to_start().await.unwrap_err())
    }

    /// Removes what an agent left that did not start.
    fn clean(&self) {
        let data_dir = self.rig.data_dir();
        fs::remove_file(data_dir.join("host-credentials.json")).unwrap();
        purge(&data_dir).unwrap();
        let left: Vec<_> = fs::read_dir(&data_dir).unwrap().flatten().collect();
        assert!(left.is_empty(), "{left:?}");
        self.rig.assert_clean();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_without_images_fetches_them_and_goes_on_where_a_connection_broke() {
    let fleet = Fleet::start().await;
    fleet
        .plane
        .images(|images| images.breaks = vec![2, usize::MAX, usize::MAX, 70_000, 1]);
    fleet.rig.start_again().await;
    assert_eq!(fleet.asked(&fleet.kernel), [0, 2]);
    assert_eq!(fleet.asked(&fleet.initramfs), [0]);
    assert_eq!(fleet.asked(&fleet.template), [0, 70_000, 70_001]);
    let mut expected = vec![
        fleet.kernel.clone(),
        fleet.initramfs.clone(),
        fleet.template.clone(),
        "manifest.json".to_owned(),
    ];
    expected.sort_unstable();
    assert_eq!(fleet.files(), expected);
    // A virtual machine monitor, which has a user of its own, opens its kernel by the name.
    for image in [&fleet.kernel, &fleet.initramfs, &fleet.template] {
        let meta = fs::metadata(fleet.folder().join(image)).unwrap();
        assert_eq!(meta.permissions().mode() & 0o777, 0o644, "{image}");
    }
    assert_eq!(
        fs::read(fleet.folder().join(&fleet.kernel)).unwrap(),
        b"kernel"
    );
    let fetched = File::open(fleet.folder().join(&fleet.template)).unwrap();
    let meta = fetched.metadata().unwrap();
    assert_eq!(meta.len(), DISK_BYTES);
    assert!(meta.blocks() * 512 < 1 << 20, "{}", meta.blocks());
    assert_eq!(
        Image::packed(fetched).unwrap().sha256().unwrap(),
        fleet.template
    );

    fleet.plane.beats(1).await;
    let templates = json!([{ "name": "minimal", "sha256": fleet.template }]);
    assert_eq!(fleet.plane.heartbeat()["templates"], templates);
    let desired = spec();
    let sandbox = desired.order.sandbox;
    let agent = fleet.rig.registry();
    agent.create_sandbox(desired).await.unwrap();
    drop(agent);

    // The sandboxes of a host do not wait for the control plane.
    fleet.rig.stop(OnStop::Keep).await;
    fleet.plane.become_of(Mood::Silent);
    fleet.rig.start_again().await;
    let agent = fleet.rig.registry();
    let report = agent.get_sandbox(sandbox).await.unwrap();
    assert_eq!(report.state, ReportedState::Running);
    agent.destroy_sandbox(last_order(sandbox)).await.unwrap();
    drop(agent);
    fleet.rig.stop(OnStop::Pause).await;

    // What the control plane does not list any more is removed.
    fleet.plane.become_of(Mood::Well);
    let asked = fleet.plane.images(|images| images.asked.len());
    fs::write(fleet.folder().join("an-image-of-before"), "").unwrap();
    fleet.rig.start_again().await;
    assert_eq!(fleet.files(), expected);
    assert_eq!(fleet.plane.images(|images| images.asked.len()), asked);
    fleet.rig.stop(OnStop::Pause).await;
    fleet.rig.assert_clean();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_image_with_another_content_than_its_hash_says_is_removed_and_refused() {
    let fleet = Fleet::start().await;
    fleet.plane.images(|images| {
        let bytes = images.bytes.get_mut(&fleet.template).unwrap();
        bytes[20_000] ^= 1;
    });
    let said = fleet.refused().await;
    assert!(said.contains("another content"), "{said}");
    assert!(said.contains(&fleet.template), "{said}");
    let mut left = vec![fleet.kernel.clone(), fleet.initramfs.clone()];
    left.sort_unstable();
    assert_eq!(fleet.files(), left);
    fleet.clean();
}

/// An agent that lost its power had not synced what it received.
#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_part_of_an_earlier_agent_is_fetched_again_and_a_good_one_is_not() {
    let fleet = Fleet::start().await;
    fs::create_dir_all(fleet.folder()).unwrap();
    let part = |hash: &str| fleet.folder().join(format!("{hash}.part"));
    fs::write(part(&fleet.kernel), "ker").unwrap();
    fs::write(part(&fleet.template), vec![0; 10_000]).unwrap();
    fleet.rig.start_again().await;
    assert_eq!(fleet.asked(&fleet.kernel), [3]);
    assert_eq!(fleet.asked(&fleet.template), [10_000, 0]);
    assert_eq!(fleet.files().len(), 4);
    fleet.rig.stop(OnStop::Pause).await;
    fleet.rig.assert_clean();
}

/// A disk of 128 KiB, until it is dropped.
struct SmallDisk(PathBuf);

impl SmallDisk {
    fn at(folder: PathBuf) -> Self {
        fs::create_dir_all(&folder).unwrap();
        let (kind, size) = (Some("tmpfs"), Some("size=128k"));
        mount(kind, &folder, kind, MsFlags::empty(), size).unwrap();
        Self(folder)
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = umount(&self.0);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_is_told_before_it_is_filled() {
    let fleet = Fleet::start().await;
    let small = SmallDisk::at(fleet.folder());
    let said = fleet.refused().await;
    assert!(
        said.contains("the disk is full: the guest images need"),
        "{said}"
    );
    assert!(said.contains(fleet.folder().to_str().unwrap()), "{said}");
    assert_eq!(fleet.files(), Vec::<String>::new());
    drop(small);
    fleet.clean();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_control_plane_without_images_is_told() {
    let fleet = Fleet::start().await;
    fleet.plane.images(|images| images.list = json!([]));
    let said = fleet.refused().await;
    assert!(
        said.contains("the control plane has no guest images"),
        "{said}"
    );
    fleet.clean();
}
