//! The files that a VMM program needs, as reported by the program itself and by its dynamic loader.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::path::{Component, Path, PathBuf};

use locule_base::command::Command;

use super::{Bind, Use, elf, failed};
use crate::accelerator::AcceleratorKind;
use crate::machine::VmmError;

/// Tells the loader the libraries outside its default folders.
const LOADER_CACHE: &str = "/etc/ld.so.cache";
const DEVICES: [&str; 2] = ["/dev/null", "/dev/urandom"];

/// Every path that `program` may see. `has_firmware`: the program is a QEMU, which has firmware folders and loadable
/// accelerators.
pub(crate) async fn contents_for(
    program: &Path,
    has_firmware: bool,
    accelerator: AcceleratorKind,
) -> Result<Vec<Bind>, VmmError> {
    let mut contents = Contents::default();
    contents.add(program, Use::Code);
    for device in DEVICES {
        contents.add(device, Use::Device);
    }
    if accelerator == AcceleratorKind::Kvm {
        contents.add("/dev/kvm", Use::Device);
    }
    let loader =
        elf::interpreter(program).map_err(failed(format!("read {}", program.display())))?;
    if let Some(loader) = loader {
        contents.add(&loader, Use::Code);
        if Path::new(LOADER_CACHE).exists() {
            contents.add(LOADER_CACHE, Use::Data);
        }
        let mut libraries = elf::libraries(&loader, program).await?;
        if has_firmware {
            for module in accelerator_modules(&libraries) {
                libraries.extend(elf::libraries(&loader, &module).await?);
                contents.add(module, Use::Code);
            }
        }
        for library in libraries {
            contents.add(library, Use::Code);
        }
    }
    if has_firmware {
        for folder in firmware_folders(program).await? {
            contents.add(folder, Use::Data);
        }
    }
    Ok(contents.into_binds())
}

#[derive(Debug, Default)]
struct Contents(BTreeMap<PathBuf, Use>);

impl Contents {
    fn add(&mut self, path: impl AsRef<Path>, used_as: Use) {
        self.0.insert(plain(path.as_ref()), used_as);
    }

    /// The paths to bind, without those inside a folder that is bound anyway.
    fn into_binds(self) -> Vec<Bind> {
        let covered = |path: &Path| {
            let folders = path.ancestors().skip(1);
            folders
                .into_iter()
                .any(|folder| self.0.contains_key(folder))
        };
        let binds = self.0.iter().filter(|(path, _)| !covered(path));
        binds
            .map(|(path, used_as)| Bind {
                path: path.clone(),
                used_as: *used_as,
            })
            .collect()
    }
}

/// Removes `.` and `..` but keeps symbolic links: the program opens the file under this name.
fn plain(path: &Path) -> PathBuf {
    let mut plain = PathBuf::new();
    for part in path.components() {
        match part {
            Component::ParentDir => drop(plain.pop()),
            Component::CurDir => {}
            Component::Prefix(_) | Component::RootDir | Component::Normal(_) => plain.push(part),
        }
    }
    plain
}

/// Accelerators that a distribution builds as modules, in a folder `qemu` beside the libraries. The other modules in it
/// (displays, sound, remote disks) belong to devices that no sandbox has.
fn accelerator_modules(libraries: &[PathBuf]) -> Vec<PathBuf> {
    let folders = libraries.iter().filter_map(|library| library.parent());
    let folders = folders.filter_map(|folder| fs::canonicalize(folder.join("qemu")).ok());
    let folders: std::collections::BTreeSet<_> = folders.collect();
    let files = folders
        .iter()
        .filter_map(|folder| fs::read_dir(folder).ok());
    let paths = files.flatten().flatten().map(|entry| entry.path());
    paths.filter(|path| is_accelerator(path)).collect()
}

fn is_accelerator(path: &Path) -> bool {
    let name = path.file_name().and_then(OsStr::to_str).unwrap_or_default();
    name.starts_with("accel-") && path.extension() == Some(OsStr::new("so"))
}

/// The folders in which QEMU looks for firmware, as QEMU lists them.
async fn firmware_folders(program: &Path) -> Result<Vec<PathBuf>, VmmError> {
    let output = Command::new(program).args(["-L", "help"]).run().await;
    let output = output.map_err(|error| VmmError::Unusable(error.to_string()))?;
    let listing = String::from_utf8_lossy(&output.stdout);
    let folders = listing.lines().map(str::trim).map(PathBuf::from);
    Ok(folders
        .filter(|folder| folder.is_absolute() && folder.is_dir())
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dots_are_removed_from_the_path_of_a_bind() {
        let cases = [
            ("/usr/bin/../share/qemu", "/usr/share/qemu"),
            ("/lib64/./ld.so", "/lib64/ld.so"),
            ("/../../etc/x", "/etc/x"),
        ];
        for (given, expected) in cases {
            assert_eq!(plain(Path::new(given)), Path::new(expected));
        }
    }

    #[test]
    fn a_path_inside_a_bound_folder_is_not_bound_again() {
        let mut contents = Contents::default();
        for path in ["/a/b/c", "/a/b", "/a/bc", "/a/b/c/d"] {
            contents.add(path, Use::Data);
        }
        let binds = contents.into_binds();
        let paths: Vec<_> = binds
            .iter()
            .map(|bind| bind.path.to_str().unwrap())
            .collect();
        assert_eq!(paths, ["/a/b", "/a/bc"]);
    }
}
