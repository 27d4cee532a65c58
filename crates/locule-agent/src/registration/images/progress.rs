//! How far a fetch is, in the log of the agent.

use std::collections::BTreeMap;

use locule_api::HostImage;

/// A line for each so many percent.
const STEP_PERCENT: u64 = 10;

#[derive(Debug)]
pub(super) struct Progress {
    total_bytes: u64,
    /// By the hash of the image.
    received: BTreeMap<String, u64>,
    /// At which the next line is due.
    next_percent: u64,
}

impl Progress {
    /// Of a fetch of these images.
    pub(super) fn of(missing: &[HostImage]) -> Self {
        let total_bytes = missing.iter().map(|image| image.size_bytes).sum();
        if total_bytes > 0 {
            tracing::info!(
                images = missing.len(),
                total_bytes,
                "the agent fetches guest images from the control plane"
            );
        }
        Self {
            total_bytes,
            received: BTreeMap::new(),
            next_percent: STEP_PERCENT,
        }
    }

    /// So many bytes of an image are here.
    pub(super) fn is_at(&mut self, image: &HostImage, bytes: u64) {
        self.received.insert(image.sha256.clone(), bytes);
        let received_bytes: u64 = self.received.values().sum();
        let percent = (received_bytes * 100).checked_div(self.total_bytes);
        let percent = percent.unwrap_or(100);
        if percent >= self.next_percent {
            self.next_percent = percent - percent % STEP_PERCENT + STEP_PERCENT;
            let total_bytes = self.total_bytes;
            tracing::info!(
                received_bytes,
                total_bytes,
                percent,
                "guest images are being fetched"
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use locule_api::HostImageKind;

    use super::*;

    #[test]
    fn a_line_is_due_for_each_tenth_also_after_a_jump_and_for_nothing_at_all() {
        let image = HostImage {
            kind: HostImageKind::Kernel,
            name: None,
            version: None,
            sha256: "a".to_owned(),
            size_bytes: 1000,
        };
        let mut progress = Progress::of(std::slice::from_ref(&image));
        let mut due = Vec::new();
        for bytes in [0, 99, 100, 101, 350, 1000] {
            progress.is_at(&image, bytes);
            due.push(progress.next_percent);
        }
        assert_eq!(due, [10, 10, 20, 20, 40, 110]);
        Progress::of(&[]).is_at(&image, 1);
    }
}
