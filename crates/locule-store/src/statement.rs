//! SQL statements as values: the text, the types of the parameters that the code binds, and the type that it reads.
//!
//! A module declares its statements in one [`statements!`] block and runs them by name. Nothing else in this crate runs SQL
//! (`CREATE DATABASE`, `CREATE ROLE` and `LISTEN` excepted), and the tests below prepare every declared statement on a PostgreSQL with the migrations
//! applied: a table, column or type that does not exist, a missing parameter, and a column that the code cannot read fail the
//! test, whether or not another test runs the statement.

use std::marker::PhantomData;

use sqlx::error::BoxDynError;
use sqlx::postgres::{PgArguments, PgConnection, PgRow};
use sqlx::{Arguments as _, Encode, FromRow, Postgres, Type};

use crate::StoreError;

/// A statement with parameters `P` (a tuple) that returns rows of type `R`.
pub(crate) struct Statement<P, R = ()> {
    pub(crate) sql: &'static str,
    types: PhantomData<(P, fn() -> R)>,
}

impl<P, R> Statement<P, R> {
    pub(crate) const fn new(sql: &'static str) -> Self {
        Self {
            sql,
            types: PhantomData,
        }
    }
}

impl<P: Parameters, R> Statement<P, R> {
    /// Runs the statement and returns the number of rows that it changed.
    pub(crate) async fn execute(
        &self,
        conn: &mut PgConnection,
        values: P,
    ) -> Result<u64, StoreError> {
        let query = sqlx::query_with(self.sql, encode(values)?);
        Ok(query.execute(conn).await?.rows_affected())
    }
}

impl<P: Parameters, R> Statement<P, R>
where
    R: for<'r> FromRow<'r, PgRow> + Send + Unpin,
{
    pub(crate) async fn fetch_one(
        &self,
        conn: &mut PgConnection,
        values: P,
    ) -> Result<R, StoreError> {
        let query = sqlx::query_as_with(self.sql, encode(values)?);
        Ok(query.fetch_one(conn).await?)
    }

    pub(crate) async fn fetch_optional(
        &self,
        conn: &mut PgConnection,
        values: P,
    ) -> Result<Option<R>, StoreError> {
        let query = sqlx::query_as_with(self.sql, encode(values)?);
        Ok(query.fetch_optional(conn).await?)
    }

    pub(crate) async fn fetch_all(
        &self,
        conn: &mut PgConnection,
        values: P,
    ) -> Result<Vec<R>, StoreError> {
        let query = sqlx::query_as_with(self.sql, encode(values)?);
        Ok(query.fetch_all(conn).await?)
    }
}

fn encode(values: impl Parameters) -> Result<PgArguments, StoreError> {
    Ok(values.arguments().map_err(sqlx::Error::Encode)?)
}

/// Whether values of a Rust type can be bound to, or read from, an SQL type.
#[cfg(test)]
pub(crate) type IsCompatible = fn(&sqlx::postgres::PgTypeInfo) -> bool;

/// The parameters of a statement, in the order of their numbers.
pub(crate) trait Parameters {
    fn arguments(self) -> Result<PgArguments, BoxDynError>;
    #[cfg(test)]
    fn types() -> Vec<IsCompatible>;
}

/// The columns that a row type reads: by name, or by position where there is no name.
#[cfg(test)]
pub(crate) trait Columns {
    fn columns() -> Vec<(Option<&'static str>, IsCompatible)>;
}

macro_rules! tuples {
    ($(($($type:ident)*))*) => { $(
        #[expect(non_snake_case, reason = "one name for a type and its value")]
        impl<$($type),*> Parameters for ($($type,)*)
        where
            $($type: for<'t> Encode<'t, Postgres> + Type<Postgres>,)*
        {
            fn arguments(self) -> Result<PgArguments, BoxDynError> {
                let ($($type,)*) = self;
                let mut all = PgArguments::default();
                $(all.add($type)?;)*
                Ok(all)
            }

            #[cfg(test)]
            fn types() -> Vec<IsCompatible> {
                vec![$(<$type as Type<Postgres>>::compatible,)*]
            }
        }

        #[cfg(test)]
        impl<$($type: Type<Postgres>),*> Columns for ($($type,)*) {
            fn columns() -> Vec<(Option<&'static str>, IsCompatible)> {
                vec![$((None, <$type as Type<Postgres>>::compatible as IsCompatible),)*]
            }
        }
    )* };
}

tuples! {
    (A)
    (A B)
    (A B C)
    (A B C D)
    (A B C D E)
    (A B C D E F)
    (A B C D E F G)
    (A B C D E F G H)
    (A B C D E F G H I)
    (A B C D E F G H I J)
    (A B C D E F G H I J K)
    (A B C D E F G H I J K L)
    (A B C D E F G H I J K L M N)
    (A B C D E F G H I J K L M N O P Q R S T U V W)
}

impl Parameters for () {
    fn arguments(self) -> Result<PgArguments, BoxDynError> {
        Ok(PgArguments::default())
    }

    #[cfg(test)]
    fn types() -> Vec<IsCompatible> {
        Vec::new()
    }
}

/// What a statement that is only executed reads.
#[cfg(test)]
impl Columns for () {
    fn columns() -> Vec<(Option<&'static str>, IsCompatible)> {
        Vec::new()
    }
}

/// Declares a struct that is read from rows by column name. `..part: Part` reads another such struct from the same row.
macro_rules! row {
    (
        $(#[$doc:meta])* $vis:vis struct $name:ident {
            $(..$part:ident: $part_type:ty,)?
            $($field:ident: $type:ty,)*
        }
    ) => {
        $(#[$doc])*
        #[derive(sqlx::FromRow)]
        $vis struct $name {
            $(#[sqlx(flatten)] $part: $part_type,)?
            $($field: $type,)*
        }

        #[cfg(test)]
        impl $crate::statement::Columns for $name {
            fn columns() -> Vec<(Option<&'static str>, $crate::statement::IsCompatible)> {
                let parts = [
                    $(<$part_type as $crate::statement::Columns>::columns(),)?
                    vec![$((
                        Some(stringify!($field)),
                        <$type as sqlx::Type<sqlx::Postgres>>::compatible as $crate::statement::IsCompatible,
                    ),)*],
                ];
                parts.into_iter().flatten().collect()
            }
        }
    };
}
pub(crate) use row;

/// Declares the statements of a module: `NAME: (parameters) => Row = "SQL";`, without `=> Row` where no row is read.
macro_rules! statements {
    (@row) => { () };
    (@row $row:ty) => { $row };
    ($($(#[$doc:meta])* $name:ident: $parameters:ty $(=> $row:ty)? = $sql:expr;)*) => {
        $(
            $(#[$doc])*
            const $name: $crate::statement::Statement<
                $parameters,
                $crate::statement::statements!(@row $($row)?),
            > = $crate::statement::Statement::new($sql);
        )*

        /// Every statement of this module, for the test that prepares them.
        #[cfg(test)]
        pub(crate) fn statements() -> Vec<$crate::statement::tests::Declared> {
            vec![$($crate::statement::tests::Declared::new(
                concat!(module_path!(), "::", stringify!($name)),
                &$name,
            ),)*]
        }
    };
}
pub(crate) use statements;

#[cfg(test)]
pub(crate) mod tests {
    use std::path::Path;

    use sqlx::{
        AssertSqlSafe, Column as _, Either, Executor as _, PgConnection, PgPool, SqlSafeStr as _,
        Statement as _, TypeInfo as _,
    };

    use super::{Columns, IsCompatible, Parameters, Statement};
    use crate::{
        api_keys, audit, authority, cluster, database, host_tokens, hosts, idempotency,
        invitations, jobs, members, oauth_providers, periodic, port_links, sandbox_callers,
        sandboxes, sessions, teams, templates, users,
    };

    /// A statement without its types, as the code declares it.
    pub(crate) struct Declared {
        name: &'static str,
        sql: &'static str,
        parameters: Vec<IsCompatible>,
        columns: Vec<(Option<&'static str>, IsCompatible)>,
    }

    impl Declared {
        pub(crate) fn new<P: Parameters, R: Columns>(
            name: &'static str,
            statement: &Statement<P, R>,
        ) -> Self {
            Self {
                name,
                sql: statement.sql,
                parameters: P::types(),
                columns: R::columns(),
            }
        }

        /// The differences between the declaration and the statement as PostgreSQL prepared it.
        fn differences(&self, prepared: &sqlx::postgres::PgStatement) -> Vec<String> {
            let mut found = Vec::new();
            let parameters = match prepared.parameters() {
                Some(Either::Left(types)) => types,
                Some(Either::Right(_)) | None => &[],
            };
            if parameters.len() != self.parameters.len() {
                found.push(format!(
                    "{} parameters are bound, the statement has {}",
                    self.parameters.len(),
                    parameters.len()
                ));
            }
            for (index, (is_compatible, kind)) in self.parameters.iter().zip(parameters).enumerate()
            {
                if !is_compatible(kind) {
                    found.push(format!("${} is {}", index + 1, kind.name()));
                }
            }
            for (index, (name, is_compatible)) in self.columns.iter().enumerate() {
                let column = match name {
                    Some(name) => prepared.columns().iter().find(|one| one.name() == *name),
                    None => prepared.columns().get(index),
                };
                let name = name.map_or_else(|| format!("column {}", index + 1), str::to_owned);
                match column {
                    Some(column) if is_compatible(column.type_info()) => {}
                    Some(column) => found.push(format!("{name} is {}", column.type_info().name())),
                    None => found.push(format!("{name} is missing")),
                }
            }
            // A statement that is only executed may return rows that are not read.
            if !self.columns.is_empty() && prepared.columns().len() != self.columns.len() {
                found.push(format!(
                    "{} columns are read, the statement returns {}",
                    self.columns.len(),
                    prepared.columns().len()
                ));
            }
            found
        }
    }

    fn all() -> Vec<Vec<Declared>> {
        vec![
            api_keys::statements(),
            audit::statements(),
            authority::statements(),
            cluster::statements(),
            database::statements(),
            host_tokens::statements(),
            hosts::load::statements(),
            hosts::statements(),
            idempotency::statements(),
            invitations::statements(),
            jobs::statements(),
            members::statements(),
            oauth_providers::statements(),
            periodic::statements(),
            port_links::statements(),
            sandbox_callers::statements(),
            sandboxes::creators::statements(),
            sandboxes::description::statements(),
            sandboxes::list::statements(),
            sandboxes::on_host::statements(),
            sandboxes::statements(),
            sandboxes::sweep::statements(),
            sessions::statements(),
            teams::statements(),
            templates::statements(),
            users::statements(),
        ]
    }

    mod needs_setup {
        use super::*;

        #[sqlx::test(migrator = "crate::MIGRATIONS")]
        async fn every_statement_fits_the_schema_and_the_types_of_the_code(pool: PgPool) {
            let mut conn = pool.acquire().await.unwrap();
            let mut wrong = Vec::new();
            for declared in all().into_iter().flatten() {
                let found = match (&mut *conn).prepare(declared.sql.into_sql_str()).await {
                    Ok(prepared) => declared.differences(&prepared),
                    Err(error) => vec![error.to_string()],
                };
                wrong.extend(
                    found
                        .iter()
                        .map(|text| format!("{}: {text}", declared.name)),
                );
            }
            assert!(wrong.is_empty(), "{}", wrong.join("\n"));
        }

        /// PostgreSQL checks the rights to tables and functions where it begins to execute a plan, also one that it only
        /// explains.
        async fn refusal(conn: &mut PgConnection, declared: &Declared) -> Option<String> {
            let nulls = vec!["NULL"; declared.parameters.len()].join(", ");
            let values = if nulls.is_empty() {
                nulls
            } else {
                format!("({nulls})")
            };
            let prepare = format!("PREPARE one AS {}", declared.sql);
            sqlx::raw_sql(AssertSqlSafe(prepare))
                .execute(&mut *conn)
                .await
                .unwrap();
            let explain = format!("EXPLAIN EXECUTE one{values}");
            let explained = sqlx::raw_sql(AssertSqlSafe(explain)).execute(&mut *conn);
            let refused = explained.await.err().map(|error| error.to_string());
            sqlx::raw_sql("DEALLOCATE one")
                .execute(&mut *conn)
                .await
                .unwrap();
            refused
        }

        #[sqlx::test(migrator = "crate::MIGRATIONS")]
        async fn the_role_of_serve_may_run_every_statement_but_those_of_the_owner(pool: PgPool) {
            let mut conn = pool.acquire().await.unwrap();
            crate::ensure_serve_role(&mut conn).await.unwrap();
            let granted = crate::grant_to_serve(&mut conn, crate::SERVE_ROLE);
            granted.await.unwrap();
            // A generic plan: with NULL for a parameter PostgreSQL could leave tables out.
            let settings = format!(
                "SET plan_cache_mode = force_generic_plan; SET ROLE {}",
                crate::SERVE_ROLE
            );
            sqlx::raw_sql(AssertSqlSafe(settings))
                .execute(&mut *conn)
                .await
                .unwrap();
            let mut refused = Vec::new();
            for declared in all().into_iter().flatten() {
                if let Some(why) = refusal(&mut conn, &declared).await {
                    refused.push(format!("{}: {why}", declared.name));
                }
            }
            assert_eq!(refused.len(), 1, "{}", refused.join("\n"));
            assert!(
                refused[0].contains("GRANT_TO_SERVE") && refused[0].contains("permission denied"),
                "{}",
                refused[0]
            );
        }

        #[sqlx::test(migrator = "crate::MIGRATIONS")]
        async fn a_statement_that_does_not_fit_is_found(pool: PgPool) {
            const SQL: &str = "SELECT name, created_at FROM teams WHERE id = $1";
            let mut conn = pool.acquire().await.unwrap();
            let prepared = (&mut *conn).prepare(SQL.into_sql_str()).await.unwrap();
            let right: Statement<(uuid::Uuid,), (String, chrono::DateTime<chrono::Utc>)> =
                Statement::new(SQL);
            let one_more: Statement<(uuid::Uuid, i64), (String, chrono::DateTime<chrono::Utc>)> =
                Statement::new(SQL);
            let other_types: Statement<(i64,), (String, String)> = Statement::new(SQL);
            let one_column: Statement<(uuid::Uuid,), (String,)> = Statement::new(SQL);
            let differences = [
                Declared::new("right", &right).differences(&prepared),
                Declared::new("one_more", &one_more).differences(&prepared),
                Declared::new("other_types", &other_types).differences(&prepared),
                Declared::new("one_column", &one_column).differences(&prepared),
            ];
            let expected: [&[&str]; 4] = [
                &[],
                &["2 parameters are bound, the statement has 1"],
                &["$1 is UUID", "column 2 is TIMESTAMPTZ"],
                &["1 columns are read, the statement returns 2"],
            ];
            assert_eq!(differences, expected);
        }
    }

    /// A statement that bypasses [`statements!`](super::statements) would not be prepared by the test above.
    #[test]
    fn no_module_runs_sql_that_is_not_declared() {
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
        let mut folders = vec![source.clone()];
        let mut declaring = 0;
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    folders.push(path);
                    continue;
                }
                if path == source.join("statement.rs") {
                    continue;
                }
                let text = std::fs::read_to_string(&path).unwrap();
                declaring += text.matches("statements! {").count();
                // The name of a database or a role cannot be a parameter: `CREATE DATABASE` is put together.
                let excepted = usize::from(path == source.join("database.rs"));
                let bypasses = ["sqlx::query", "raw_sql", "QueryBuilder", "Executor"];
                let found: usize = bypasses.iter().map(|word| text.matches(word).count()).sum();
                assert!(found <= excepted, "{} runs SQL of its own", path.display());
            }
        }
        assert_eq!(
            declaring,
            all().len(),
            "a module's statements are not in `all`"
        );
    }
}
