use super::*;
use locule_base::clock::ManualClock;

const VISITOR: Option<IpAddr> = Some(IpAddr::V4(std::net::Ipv4Addr::new(203, 0, 113, 7)));
const ANOTHER: Option<IpAddr> = Some(IpAddr::V4(std::net::Ipv4Addr::new(203, 0, 113, 8)));

fn activity(descriptors: u64) -> Arc<Activity> {
    let clock = locule_base::clock::SystemClock::shared();
    Activity::new(clock, AllUses::within(descriptors))
}

/// As many as are admitted.
fn fill(activity: &Arc<Activity>, kind: UseKind, visitor: Option<IpAddr>) -> Vec<Use> {
    let uses = (0..2000).map_while(|_| activity.begin(kind, visitor).ok());
    uses.collect()
}

#[tokio::test]
async fn all_sandboxes_together_use_half_of_the_descriptors() {
    let first = activity(40);
    let second = Activity::new(first.clock.clone(), first.all.clone());
    let mut open: Vec<_> = (0..10)
        .map(|number| {
            [&first, &second][number % 2]
                .begin(UseKind::Call, None)
                .unwrap()
        })
        .collect();
    for activity in [&first, &second] {
        let refused = activity.begin(UseKind::Call, None).unwrap_err();
        assert_eq!(refused, UseRefused::Busy);
    }
    open.pop();
    first.begin(UseKind::Call, None).unwrap();
}

#[tokio::test]
async fn visitors_of_all_sandboxes_leave_a_quarter_of_the_uses_to_calls() {
    let first = activity(160);
    let second = Activity::new(first.clock.clone(), first.all.clone());
    let visits = fill(&first, UseKind::Visit, None);
    assert_eq!(visits.len(), 30);
    assert!(fill(&second, UseKind::Probe, None).is_empty());
    assert_eq!(fill(&second, UseKind::Call, None).len(), 10);
}

/// 520 requests without a credential, to a port whose program never answers, shut the owner out.
#[tokio::test]
async fn visitors_of_a_port_take_no_call_to_the_guest_agent_away() {
    let activity = activity(1 << 20);
    let visits = fill(&activity, UseKind::Visit, VISITOR);
    let probes = fill(&activity, UseKind::Probe, VISITOR);
    assert_eq!((visits.len(), probes.len()), (256, 16));
    let others = fill(&activity, UseKind::Visit, ANOTHER);
    assert_eq!(others.len(), 256, "one visitor leaves half to others");
    assert_eq!(fill(&activity, UseKind::Probe, ANOTHER).len(), 16);
    assert_eq!(fill(&activity, UseKind::Call, None).len(), 512);
    // A visitor that leaves gives its share back.
    drop(visits);
    assert_eq!(fill(&activity, UseKind::Visit, VISITOR).len(), 256);
    drop(others);
    let state = activity.state();
    assert_eq!((state.visits.open, state.visits.by_visitor.len()), (0, 0));
}

/// The visitors of a private port share a credential, and often an address.
#[tokio::test]
async fn requests_with_a_credential_have_no_share_by_address() {
    let activity = activity(1 << 20);
    assert_eq!(fill(&activity, UseKind::Visit, None).len(), 512);
}

/// W-043.
#[tokio::test]
async fn an_open_stream_counts_as_activity_until_its_end() {
    for kind in [UseKind::Call, UseKind::Visit] {
        let clock = Arc::new(ManualClock::at(DateTime::UNIX_EPOCH));
        let activity = Activity::new(clock.clone(), AllUses::within(4096));
        let stream = activity.begin(kind, None).unwrap();
        clock.advance(Duration::from_mins(1));
        assert!(activity.is_open());
        drop(stream);
        assert!(!activity.is_open());
        assert_eq!(activity.last(), clock.now_utc());
    }
}

#[tokio::test]
async fn a_request_without_a_credential_is_no_activity() {
    let clock = Arc::new(ManualClock::at(DateTime::UNIX_EPOCH));
    let activity = Activity::new(clock.clone(), AllUses::within(4096));
    clock.advance(Duration::from_mins(1));
    let probes = fill(&activity, UseKind::Probe, None);
    assert!(!activity.is_open());
    activity.drain(Duration::from_mins(1)).await;
    activity.cut();
    assert!(probes.iter().all(|probe| probe.cut.is_cancelled()));
    drop(probes);
    assert_eq!(activity.last(), DateTime::UNIX_EPOCH);
    activity.admit();
    activity.begin(UseKind::Probe, None).unwrap();
    activity.begin(UseKind::Call, None).unwrap();
}

#[tokio::test]
async fn draining_refuses_new_uses_and_cuts_uses_that_do_not_end() {
    let activity = activity(4096);
    let endless = activity.begin(UseKind::Call, None).unwrap();
    activity.drain(Duration::from_millis(1)).await;
    assert!(endless.cut.is_cancelled());
    for kind in [UseKind::Call, UseKind::Visit, UseKind::Probe] {
        let refused = activity.begin(kind, None).unwrap_err();
        assert_eq!(refused, UseRefused::Pausing);
    }
    activity.admit();
    let admitted = activity.begin(UseKind::Call, None).unwrap();
    assert!(!admitted.cut.is_cancelled());
}

trait NowUtc {
    fn now_utc(&self) -> DateTime<Utc>;
}

impl NowUtc for ManualClock {
    fn now_utc(&self) -> DateTime<Utc> {
        locule_base::clock::Clock::now(self)
    }
}

#[tokio::test]
async fn a_use_that_begins_during_a_pause_waits_for_the_outcome() {
    let activity = activity(4096);
    for paused in [true, false] {
        activity.drain(Duration::from_mins(1)).await;
        let probe = activity.begin_after_pause(UseKind::Probe, None).await;
        assert_eq!(probe.map(drop), Err(UseRefused::Pausing));
        let mut waiting = tokio::task::JoinSet::new();
        let begun = activity.clone();
        waiting.spawn(async move {
            let begun = begun.begin_after_pause(UseKind::Call, None);
            begun.await.map(drop)
        });
        while activity.waiting.available_permits() == WAITING_MAX {
            tokio::task::yield_now().await;
        }
        assert!(waiting.try_join_next().is_none());
        if paused {
            activity.set_paused();
        } else {
            activity.admit();
        }
        let expected = if paused {
            Err(UseRefused::Paused)
        } else {
            Ok(())
        };
        assert_eq!(waiting.join_next().await.unwrap().unwrap(), expected);
        activity.admit();
    }
}

#[tokio::test]
async fn few_uses_wait_for_the_outcome_of_a_pause() {
    let activity = activity(400);
    activity.drain(Duration::from_mins(1)).await;
    let mut waiting = tokio::task::JoinSet::new();
    for _ in 0..101 {
        let activity = activity.clone();
        waiting.spawn(async move {
            let begun = activity.begin_after_pause(UseKind::Call, None);
            begun.await.map(drop)
        });
    }
    let refused = waiting.join_next().await.unwrap().unwrap();
    assert_eq!(refused, Err(UseRefused::Busy));
    activity.admit();
    let others = waiting.join_all().await;
    assert!(others.iter().all(Result::is_ok), "{others:?}");
}

#[tokio::test]
async fn a_report_has_the_open_uses_by_purpose_and_is_no_use_itself() {
    let clock = Arc::new(ManualClock::at(DateTime::UNIX_EPOCH));
    let activity = Activity::new(clock.clone(), AllUses::within(4096));
    let terminal = Purpose {
        tag: Some("pty-1".to_owned()),
        ..Purpose::new(HolderKind::Terminal)
    };
    let open = activity.begin(UseKind::Call, None).unwrap();
    open.set_purpose(terminal.clone());
    clock.advance(Duration::from_mins(1));
    let visits = fill(&activity, UseKind::Visit, None);
    let probes = fill(&activity, UseKind::Probe, None);
    let report = activity.report();
    let held: Vec<_> = report
        .held_by
        .iter()
        .map(|holder| (&holder.purpose, holder.count, holder.since))
        .collect();
    let minute = DateTime::UNIX_EPOCH + Duration::from_mins(1);
    let port = Purpose::new(HolderKind::Port);
    assert_eq!(
        held,
        [(&terminal, 1, DateTime::UNIX_EPOCH), (&port, 512, minute)]
    );
    assert_eq!(report.last_active_at, minute);
    drop((open, visits));
    clock.advance(Duration::from_mins(1));
    let idle = SandboxActivity {
        last_active_at: minute,
        held_by: Vec::new(),
    };
    assert_eq!(activity.report(), idle, "a probe and a report are no use");
    drop(probes);
}

#[tokio::test]
async fn a_report_is_short_although_each_use_has_a_purpose_of_its_own() {
    let activity = activity(1 << 20);
    let uses = fill(&activity, UseKind::Call, None);
    for (pid, open) in (1..).zip(&uses) {
        open.set_purpose(Purpose {
            pid: Some(pid),
            ..Purpose::new(HolderKind::ProcessStream)
        });
    }
    let report = activity.report();
    assert_eq!(report.held_by.len(), 100);
    assert_eq!(report.held_by[0].purpose.pid, Some(1));
}
