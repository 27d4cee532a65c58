//! The guest images that host agents fetch.

use std::fs::{self, File};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

use axum::body::Body;
use http::Request;
use locule_control::{HostImages, Image};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use sqlx::PgPool;

use crate::app::{Answer, App};
use crate::host_agents::Agent;

const LIST: &str = "/v1/hosts/images";
const DISK_BYTES: u64 = 40 << 20;

/// A bundle on disk, with the hash of each image.
pub(crate) struct Images {
    folder: PathBuf,
    pub(crate) kernel: String,
    initramfs: String,
    template: String,
}

impl Images {
    pub(crate) fn in_folder(folder: &Path) -> Self {
        let plain = |name: &str| {
            fs::write(folder.join(name), name.repeat(1000)).unwrap();
            let image = Image::plain(File::open(folder.join(name)).unwrap());
            image.unwrap().sha256().unwrap()
        };
        let (kernel, initramfs) = (plain("kernel"), plain("initramfs"));
        let disk = File::create_new(folder.join("disk")).unwrap();
        disk.set_len(DISK_BYTES).unwrap();
        disk.write_all_at(&vec![7; 300_000], 5 << 20).unwrap();
        let disk = Image::packed(File::open(folder.join("disk")).unwrap()).unwrap();
        let template = disk.sha256().unwrap();
        let file = |name: &str, sha256: &str| json!({ "file": name, "sha256": sha256 });
        let manifest = json!({
            "version": 1, "kernel_version": "6.1", "guest_version": "0.1",
            "kernel": file("kernel", &kernel), "initramfs": file("initramfs", &initramfs),
            "templates": { "minimal": file("disk", &template) },
        });
        fs::write(folder.join("manifest.json"), manifest.to_string()).unwrap();
        let folder = folder.to_owned();
        Self {
            folder,
            kernel,
            initramfs,
            template,
        }
    }

    pub(crate) fn open(&self) -> HostImages {
        HostImages::open(&self.folder).unwrap()
    }
}

async fn get(app: &App, token: &str, path: &str, range: &str) -> Answer {
    let mut request = Request::builder().uri(path).header("x-host-token", token);
    if !range.is_empty() {
        request = request.header("range", range);
    }
    app.send(request.body(Body::empty()).unwrap()).await
}

fn of(sha256: &str) -> String {
    format!("{LIST}/{sha256}")
}

async fn app_with_images(pool: PgPool, folder: &Path) -> (App, Images) {
    let images = Images::in_folder(folder);
    let app = App::start_with(pool, |config| config.hosts.images = images.open()).await;
    (app, images)
}

#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn a_host_reads_each_listed_image_by_the_hash_of_what_it_receives(pool: PgPool) {
    let folder = tempfile::tempdir().unwrap();
    let (app, images) = app_with_images(pool, folder.path()).await;
    let agent = Agent::registered(&app).await;
    let listed = get(&app, &agent.token, LIST, "").await;
    assert_eq!(listed.status, 200, "{}", listed.json);
    let listed = listed.json.as_array().unwrap();
    let told: Vec<_> = listed
        .iter()
        .map(|image| {
            (
                &image["kind"],
                &image["name"],
                &image["version"],
                &image["sha256"],
            )
        })
        .collect();
    let expected = [
        (
            json!("kernel"),
            Value::Null,
            json!("6.1"),
            json!(images.kernel),
        ),
        (
            json!("initramfs"),
            Value::Null,
            json!("0.1"),
            json!(images.initramfs),
        ),
        (
            json!("template"),
            json!("minimal"),
            Value::Null,
            json!(images.template),
        ),
    ];
    let expected: Vec<_> = expected.iter().map(|(a, b, c, d)| (a, b, c, d)).collect();
    assert_eq!(told, expected);
    for image in listed {
        let hash = image["sha256"].as_str().unwrap();
        let whole = get(&app, &agent.token, &of(hash), "").await;
        assert_eq!(whole.status, 200);
        assert_eq!(whole.headers["accept-ranges"], "bytes");
        assert_eq!(hex::encode(Sha256::digest(&whole.body)), hash);
        assert_eq!(image["size_bytes"], json!(whole.body.len()));
        // The holes of the disk are not sent.
        assert!(whole.body.len() < 1 << 20, "{}", whole.body.len());
    }
}

#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn a_part_of_an_image_is_read_by_its_range(pool: PgPool) {
    let folder = tempfile::tempdir().unwrap();
    let (app, images) = app_with_images(pool, folder.path()).await;
    let agent = Agent::registered(&app).await;
    for hash in [&images.kernel, &images.template] {
        let read = async |range: String| get(&app, &agent.token, &of(hash), &range).await;
        let whole = read(String::new()).await.body;
        let length = whole.len();
        for (range, from, end) in [
            ("bytes=0-0".to_owned(), 0, 1),
            ("bytes=5-12".to_owned(), 5, 13),
            ("bytes=1000-".to_owned(), 1000, length),
            (format!("bytes=100-{}", length * 2), 100, length),
            (format!("bytes={}-", length - 1), length - 1, length),
        ] {
            let part = read(range.clone()).await;
            assert_eq!(part.status, 206, "{range}");
            let told = format!("bytes {from}-{}/{length}", end - 1);
            assert_eq!(part.headers["content-range"], told);
            assert_eq!(part.headers["content-length"], (end - from).to_string());
            assert_eq!(part.body, whole[from..end], "{range}");
        }
        let beyond = read(format!("bytes={length}-")).await;
        assert_eq!(beyond.status, 416, "{}", beyond.json);
        assert_eq!(beyond.json["error"]["code"], "invalid_range");
        for ignored in ["bytes=5-2", "lines=1-2", "bytes=-5"] {
            assert_eq!(read(ignored.to_owned()).await.status, 200, "{ignored}");
        }
    }
}

#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn a_hash_of_no_image_and_a_path_out_of_the_folder_are_not_found(pool: PgPool) {
    let folder = tempfile::tempdir().unwrap();
    let (app, _) = app_with_images(pool, folder.path()).await;
    let agent = Agent::registered(&app).await;
    for name in [
        "0".repeat(64),
        "kernel".to_owned(),
        "manifest.json".to_owned(),
        "..%2Fmanifest.json".to_owned(),
        "%2e%2e%2f%2e%2e%2fetc%2fpasswd".to_owned(),
        "../../../etc/passwd".to_owned(),
        "%00".to_owned(),
    ] {
        let refused = get(&app, &agent.token, &of(&name), "").await;
        assert_eq!(refused.status, 404, "{name}");
        assert_eq!(refused.json["error"]["code"], "not_found", "{name}");
    }
}

/// B-129.
#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn only_the_agent_of_a_host_that_exists_reads_images(pool: PgPool) {
    let folder = tempfile::tempdir().unwrap();
    let (app, images) = app_with_images(pool, folder.path()).await;
    let agent = Agent::registered(&app).await;
    let paths = [LIST.to_owned(), of(&images.kernel)];
    for path in &paths {
        for token in [app.token.as_str(), app.key.as_str(), "", "x.y.z"] {
            assert_eq!(get(&app, token, path, "").await.status, 401, "{token}");
        }
        let person = app.by(&app.token, "GET", path, &Value::Null).await;
        assert_eq!(person.status, 401, "{}", person.json);
        assert_eq!(app.call("GET", path, "").await.status, 401);
        assert_eq!(get(&app, &agent.token, path, "").await.status, 200);
    }
    let host = format!("/v1/hosts/{}", agent.id);
    let deleted = app.by(&app.token, "DELETE", &host, &Value::Null).await;
    assert_eq!(deleted.status, 204, "{}", deleted.json);
    for path in &paths {
        let refused = get(&app, &agent.token, path, "").await;
        assert_eq!(refused.status, 404, "{}", refused.json);
        assert_eq!(refused.json["error"]["code"], "host_deleted");
        assert_eq!(refused.json["error"]["host_id"], json!(agent.id));
    }
}

#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn a_control_plane_without_images_lists_none(pool: PgPool) {
    let app = App::start(pool).await;
    let agent = Agent::registered(&app).await;
    assert_eq!(get(&app, &agent.token, LIST, "").await.json, json!([]));
}
