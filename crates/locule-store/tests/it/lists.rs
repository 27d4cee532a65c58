//! Lists of sandboxes: content, order, pages, and the index that each list reads.

use std::collections::BTreeMap;
use std::time::Duration;

use locule_domain::{SandboxState, StopReason};
use locule_ids::{ApiKeyId, HostId, SandboxId, TeamId};
use locule_store::PgConnection;
use locule_store::sandboxes::{self, Author, AuthorId, AuthorKind, Creator, Filter};
use locule_testkit::builders::{self, noon};
use sqlx::PgPool;

fn all() -> Filter {
    Filter {
        limit: 100,
        ..Filter::default()
    }
}

async fn ids(conn: &mut PgConnection, team: TeamId, filter: &Filter) -> Vec<SandboxId> {
    let filter = Filter {
        team: Some(team),
        ..filter.clone()
    };
    let listed = sandboxes::list(conn, &filter).await.unwrap();
    let count = sandboxes::count(conn, &filter).await.unwrap();
    assert_eq!(count, listed.len() as u64, "{filter:?}");
    listed.iter().map(|sandbox| sandbox.id).collect()
}

#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn a_list_has_the_teams_sandboxes_that_have_not_ended_newest_first(pool: PgPool) {
    let mut conn = pool.acquire().await.unwrap();
    let (_, team) = builders::team(&mut conn, "ada").await;
    let (_, other) = builders::team(&mut conn, "bob").await;
    let at = |minute| noon() + Duration::from_mins(minute);
    let old = builders::sandbox(team)
        .created_at(at(1))
        .insert(&mut conn)
        .await
        .id;
    let new = builders::sandbox(team)
        .created_at(at(2))
        .insert(&mut conn)
        .await
        .id;
    builders::sandbox(other).insert(&mut conn).await;
    let gone = SandboxState::Stopped {
        reason: StopReason::Expired,
    };
    builders::sandbox(team).state(gone).insert(&mut conn).await;
    assert_eq!(ids(&mut conn, team, &all()).await, [new, old]);
    let ascending = Filter {
        ascending: true,
        ..all()
    };
    assert_eq!(ids(&mut conn, team, &ascending).await, [old, new]);
    // An ended sandbox is not listed, even when the filter names its state.
    let stopped = Filter {
        states: vec![gone],
        ..all()
    };
    assert!(ids(&mut conn, team, &stopped).await.is_empty());
}

#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn each_filter_selects_the_matching_sandboxes(pool: PgPool) {
    let mut conn = pool.acquire().await.unwrap();
    let (_, team) = builders::team(&mut conn, "ada").await;
    let later = noon() + Duration::from_mins(5);
    let paused = builders::sandbox(team).on(HostId::random(), SandboxState::Paused);
    let paused = paused
        .label("a", "1")
        .label("b", "2")
        .insert(&mut conn)
        .await
        .id;
    let other = builders::sandbox(team).label("a", "2").with(|sandbox| {
        sandbox.template = "other".to_owned();
        sandbox.started_at = Some(later);
    });
    let other = other.insert(&mut conn).await.id;
    let labels = |pairs: &[(&str, &str)]| {
        let owned = pairs
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        Filter {
            labels: owned.collect::<BTreeMap<_, _>>(),
            ..all()
        }
    };
    let cases = [
        (
            Filter {
                states: vec![SandboxState::Paused],
                ..all()
            },
            vec![paused],
        ),
        (
            Filter {
                states: vec![SandboxState::Running],
                ..all()
            },
            vec![],
        ),
        (labels(&[("a", "1")]), vec![paused]),
        (labels(&[("a", "1"), ("b", "2")]), vec![paused]),
        (labels(&[("a", "1"), ("b", "1")]), vec![]),
        (labels(&[("a", "")]), vec![]),
        (
            Filter {
                template: Some("other".to_owned()),
                ..all()
            },
            vec![other],
        ),
        (
            Filter {
                started_after: Some(later),
                ..all()
            },
            vec![other],
        ),
        (
            Filter {
                started_after: Some(later + Duration::from_secs(1)),
                ..all()
            },
            vec![],
        ),
    ];
    for (filter, wanted) in cases {
        assert_eq!(ids(&mut conn, team, &filter).await, wanted, "{filter:?}");
    }
}

/// W-051: the cursor has the precision of the rows.
#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn the_pages_contain_each_row_once_although_many_have_the_same_moment(pool: PgPool) {
    let mut conn = pool.acquire().await.unwrap();
    let (_, team) = builders::team(&mut conn, "ada").await;
    for number in 0..11 {
        let at = noon() + Duration::from_micros(number / 4);
        builders::sandbox(team)
            .created_at(at)
            .insert(&mut conn)
            .await;
    }
    for ascending in [false, true] {
        let whole = ids(&mut conn, team, &Filter { ascending, ..all() }).await;
        let (mut walked, mut after) = (Vec::new(), None);
        loop {
            let filter = Filter {
                ascending,
                limit: 3,
                after,
                team: Some(team),
                ..Filter::default()
            };
            let page = sandboxes::list(&mut conn, &filter).await.unwrap();
            let Some(last) = page.last() else { break };
            after = Some((last.created_at, last.id));
            walked.extend(page.iter().map(|sandbox| sandbox.id));
        }
        assert_eq!(whole.len(), 11);
        assert_eq!(walked, whole, "ascending: {ascending}");
    }
}

#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn a_list_has_the_sandboxes_that_ended_since_a_moment(pool: PgPool) {
    let mut conn = pool.acquire().await.unwrap();
    let (_, team) = builders::team(&mut conn, "ada").await;
    let at = |minute| noon() + Duration::from_mins(minute);
    let gone = SandboxState::Stopped {
        reason: StopReason::Expired,
    };
    // An inserted row that has ended has ended at its creation.
    let ended_at = async |conn: &mut PgConnection, minute| {
        let row = builders::sandbox(team).created_at(at(minute)).state(gone);
        row.insert(conn).await.id
    };
    let early = ended_at(&mut conn, 1).await;
    let late = ended_at(&mut conn, 2).await;
    let living = builders::sandbox(team).insert(&mut conn).await.id;
    let since = |minute| Filter {
        ended_since: Some(at(minute)),
        ..all()
    };
    assert_eq!(ids(&mut conn, team, &since(1)).await, [late, early, living]);
    assert_eq!(ids(&mut conn, team, &since(2)).await, [late, living]);
    assert_eq!(ids(&mut conn, team, &since(3)).await, [living]);
    let stopped = Filter {
        states: vec![gone],
        ..since(1)
    };
    assert_eq!(ids(&mut conn, team, &stopped).await, [late, early]);
    // An end that is undone leaves no trace: the row is as that of a sandbox that never ended.
    let seen = sandboxes::get(&mut conn, late).await.unwrap().unwrap();
    let mut next = seen.clone();
    next.state = SandboxState::Paused;
    next.host = Some(HostId::random());
    assert!(
        sandboxes::update(&mut conn, &seen, &next, at(4))
            .await
            .unwrap()
    );
    let described = sandboxes::describe(&mut conn, [late].into_iter())
        .await
        .unwrap();
    assert_eq!(described[&late].ended_at, None);
}

#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn a_list_is_searched_by_text_label_name_creator_and_host(pool: PgPool) {
    let mut conn = pool.acquire().await.unwrap();
    let (user, team) = builders::team(&mut conn, "ada").await;
    let (_, other_team) = builders::team(&mut conn, "bob").await;
    let host = HostId::random();
    let own = Creator {
        user: Some(user),
        key: None,
    };
    let one = builders::sandbox(team)
        .label("Stage", "Prod_1")
        .on(host, SandboxState::Paused);
    sandboxes::insert(&mut conn, &one.0, own).await.unwrap();
    let one = one.0.id;
    let two = builders::sandbox(team).with(|sandbox| sandbox.template = "Python-3".to_owned());
    let two = two.created_at(noon() + Duration::from_secs(1));
    let two = two.insert(&mut conn).await.id;
    let foreign = builders::sandbox(other_team).label("Stage", "Prod_1");
    let foreign = foreign.insert(&mut conn).await.id;
    let text = |text: &str| Filter {
        text: Some(text.to_owned()),
        ..all()
    };
    let id = one.to_string();
    for (filter, wanted) in [
        (text("prod"), vec![one]),
        (text("STAGE=p"), vec![one]),
        // No character is a placeholder.
        (text("prod%1"), vec![]),
        (text("d_1"), vec![one]),
        (text("python"), vec![two]),
        (text(&id[..12]), vec![one]),
        (text(&id[6..].to_uppercase()), vec![one]),
        (text("sb-"), vec![two, one]),
        (
            Filter {
                label_names: vec!["Stage".to_owned()],
                ..all()
            },
            vec![one],
        ),
        (
            Filter {
                label_names: vec!["Stage".to_owned(), "none".to_owned()],
                ..all()
            },
            vec![],
        ),
        (
            Filter {
                created_by: own,
                ..all()
            },
            vec![one],
        ),
        (
            Filter {
                created_by: Creator {
                    user: None,
                    key: Some(ApiKeyId::random()),
                },
                ..all()
            },
            vec![],
        ),
        (
            Filter {
                host: Some(host),
                ..all()
            },
            vec![one],
        ),
    ] {
        assert_eq!(ids(&mut conn, team, &filter).await, wanted, "{filter:?}");
    }
    // Without a team, the sandboxes of every team.
    let mut found = Vec::new();
    for sandbox in sandboxes::list(&mut conn, &text("prod")).await.unwrap() {
        found.push(sandbox.id);
    }
    found.sort_unstable();
    let mut wanted = vec![one, foreign];
    wanted.sort_unstable();
    assert_eq!(found, wanted);
}

#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn a_description_names_team_creator_and_who_ended_the_sandbox(pool: PgPool) {
    let mut conn = pool.acquire().await.unwrap();
    let (user, team) = builders::team(&mut conn, "ada").await;
    let key = Creator {
        user: None,
        key: Some(ApiKeyId::random()),
    };
    let own = Creator {
        user: Some(user),
        key: None,
    };
    let row = builders::sandbox(team).0;
    sandboxes::insert(&mut conn, &row, key).await.unwrap();
    sandboxes::set_ended_by(&mut conn, row.id, own)
        .await
        .unwrap();
    let system = builders::sandbox(team).insert(&mut conn).await.id;
    let ids = [row.id, system, SandboxId::random()];
    let described = sandboxes::describe(&mut conn, ids.into_iter())
        .await
        .unwrap();
    assert_eq!(described.len(), 2);
    let one = &described[&row.id];
    assert_eq!(one.team_name, "ada");
    assert_eq!(one.created_by.kind, AuthorKind::ApiKey);
    assert_eq!(one.created_by.id, key.key.map(AuthorId::ApiKey));
    assert_eq!(one.created_by.name, None, "the key is revoked");
    let ended_by = one.ended_by.clone().unwrap();
    assert_eq!(ended_by.id, Some(AuthorId::User(user)));
    assert_eq!(ended_by.name.as_deref(), Some("ada"));
    assert_eq!(described[&system].created_by, Author::SYSTEM);
    assert_eq!(described[&system].ended_by, None);
}

/// The plan of a statement with these values, for a table that is too large for a sequential scan; an empty table would get one.
async fn plan(conn: &mut PgConnection, sql: &str, values: &str) -> String {
    for set in [
        "enable_seqscan = off",
        "enable_bitmapscan = off",
        "plan_cache_mode = force_custom_plan",
    ] {
        execute(conn, format!("SET {set}")).await;
    }
    execute(conn, format!("PREPARE planned AS {sql}")).await;
    let explain = format!("EXPLAIN (COSTS OFF) EXECUTE planned ({values})");
    let lines: Vec<String> = sqlx::query_scalar(sqlx::AssertSqlSafe(explain))
        .fetch_all(&mut *conn)
        .await
        .unwrap();
    execute(conn, "DEALLOCATE planned".to_owned()).await;
    lines.join("\n")
}

async fn execute(conn: &mut PgConnection, sql: String) {
    sqlx::query(sqlx::AssertSqlSafe(sql))
        .execute(conn)
        .await
        .unwrap();
}

#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn the_frequent_lists_read_an_index_in_order(pool: PgPool) {
    let mut conn = pool.acquire().await.unwrap();
    let team = format!("'{}'", TeamId::random().as_uuid());
    let id = format!("'{}'", SandboxId::random().as_uuid());
    let noon = "'2027-01-01'";
    let list = |team: &str, ended_since: &str| {
        let unset = "NULL, '{}', '{}', NULL, NULL, NULL, NULL, NULL, NULL";
        format!("{team}, {ended_since}, {unset}, {noon}, {id}, 100")
    };
    let (newest, oldest) = (sandboxes::list_sql(false), sandboxes::list_sql(true));
    for (sql, values, index) in [
        (
            newest,
            list(&team, "NULL"),
            "Index Scan using sandboxes_listed",
        ),
        (
            oldest,
            list(&team, "NULL"),
            "Index Scan Backward using sandboxes_listed",
        ),
        (newest, list(&team, noon), "Index Scan using sandboxes_team"),
        (
            newest,
            list("NULL", noon),
            "Index Scan using sandboxes_created",
        ),
    ] {
        let plan = plan(&mut conn, sql, &values).await;
        assert!(plan.contains(index), "{index}: {plan}");
        assert!(!plan.contains("Sort"), "{plan}");
        assert!(plan.contains("(ROW(created_at, id) "), "{plan}");
    }
    // A sweep reads what changed, what is owed, and the rows of one host.
    let values = [
        "1, 100".to_owned(),
        format!("{id}, 100"),
        format!("{id}, {id}, 100"),
    ];
    let indexes = ["sandboxes_changed", "sandboxes_owed", "sandboxes_host"];
    for ((sql, values), index) in sandboxes::sweep_sql().into_iter().zip(values).zip(indexes) {
        let plan = plan(&mut conn, sql, &values).await;
        assert!(plan.contains(&format!("using {index}")), "{index}: {plan}");
        assert!(!plan.contains("Sort"), "{plan}");
    }
}
