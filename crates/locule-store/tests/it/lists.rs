//! Lists of sandboxes: content, order, pages, and the index that each list reads.

use std::collections::BTreeMap;
use std::time::Duration;

use locule_domain::{SandboxState, StopReason};
use locule_ids::{HostId, SandboxId, TeamId};
use locule_store::PgConnection;
use locule_store::sandboxes::{self, Filter};
use locule_testkit::builders::{self, noon};
use sqlx::PgPool;

fn all() -> Filter {
    Filter {
        limit: 100,
        ..Filter::default()
    }
}

async fn ids(conn: &mut PgConnection, team: TeamId, filter: &Filter) -> Vec<SandboxId> {
    let listed = sandboxes::list(conn, team, filter).await.unwrap();
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
                ..Filter::default()
            };
            let page = sandboxes::list(&mut conn, team, &filter).await.unwrap();
            let Some(last) = page.last() else { break };
            after = Some((last.created_at, last.id));
            walked.extend(page.iter().map(|sandbox| sandbox.id));
        }
        assert_eq!(whole.len(), 11);
        assert_eq!(walked, whole, "ascending: {ascending}");
    }
}

/// The plan of a statement for a table that is too large for a sequential scan; an empty table would get one.
async fn plan(conn: &mut PgConnection, sql: String) -> String {
    for costly in ["SET enable_seqscan = off", "SET enable_bitmapscan = off"] {
        sqlx::query(costly).execute(&mut *conn).await.unwrap();
    }
    let lines: Vec<String> =
        sqlx::query_scalar(sqlx::AssertSqlSafe(format!("EXPLAIN (COSTS OFF) {sql}")))
            .fetch_all(conn)
            .await
            .unwrap();
    lines.join("\n")
}

#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn the_frequent_lists_read_an_index_in_order(pool: PgPool) {
    let mut conn = pool.acquire().await.unwrap();
    let team = TeamId::random().as_uuid();
    let id = SandboxId::random().as_uuid();
    let filled = |sql: &str| {
        sql.replace("$1::uuid", &format!("'{id}'::uuid"))
            .replace("$2::text[]", "NULL::text[]")
            .replace("ANY ($2)", "ANY (NULL::text[])")
            .replace("$3", "'{}'")
            .replace("$4::text", "NULL::text")
            .replace("template = $4", "template = NULL")
            .replace("$5::timestamptz", "NULL::timestamptz")
            .replace(">= $5", ">= NULL")
            .replace("$6::timestamptz", "'2027-01-01'::timestamptz")
            .replace(
                "($6, $7)",
                &format!("('2027-01-01'::timestamptz, '{id}'::uuid)"),
            )
            .replace("LIMIT $8", "LIMIT 100")
            .replace("LIMIT $2", "LIMIT 100")
            .replace("id > $1", &format!("id > '{id}'"))
            .replace("team_id = $1", &format!("team_id = '{team}'"))
    };
    let list = plan(&mut conn, filled(sandboxes::list_sql(false))).await;
    assert!(list.contains("Index Scan using sandboxes_team"), "{list}");
    assert!(!list.contains("Sort"), "{list}");
    assert!(list.contains("ROW(created_at, id) < ROW("), "{list}");
    let ascending = plan(&mut conn, filled(sandboxes::list_sql(true))).await;
    assert!(
        ascending.contains("Index Scan Backward using sandboxes_team"),
        "{ascending}"
    );
    assert!(!ascending.contains("Sort"), "{ascending}");
    let sweep = plan(&mut conn, filled(sandboxes::unreconciled_sql())).await;
    assert!(
        sweep.contains("Index Scan using sandboxes_unsettled"),
        "{sweep}"
    );
    assert!(!sweep.contains("Sort"), "{sweep}");
}
