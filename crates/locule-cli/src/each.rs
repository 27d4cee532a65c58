//! Commands that act on several things: each of them, also after an action failed.

use std::fmt::Display;
use std::process::ExitCode;

use locule_client::{Client, ClientError};
use serde::Serialize;

use crate::find::{Finder, Listed};
use crate::{messages, printer};

/// What an action on one thing answers: the thing, which has an id.
pub(crate) trait Answer: Serialize {
    fn id(&self) -> String;
}

/// Acts on each item. Prints the id of each thing as soon as the action is done, or all things as JSON at the end. A failure is printed
/// with its item, the next item follows, and the exit code is 1.
///
/// # Errors
///
/// The API refused the credentials, as it would for every other item, or standard output failed.
pub(crate) async fn each<Item: Display, Done: Answer>(
    items: impl IntoIterator<Item = Item>,
    json: bool,
    mut act: impl AsyncFnMut(&Item) -> anyhow::Result<Done>,
) -> anyhow::Result<ExitCode> {
    let (mut done, mut code) = (Vec::new(), ExitCode::SUCCESS);
    for item in items {
        match act(&item).await {
            Ok(thing) => {
                if !json {
                    printer::print_line(&thing.id());
                }
                done.push(thing);
            }
            Err(error) if is_unauthorized(&error) => return Err(error),
            Err(error) => {
                let sentence = messages::sentence(&error);
                printer::print_message(&format!("error: {item}: {sentence}"));
                code = ExitCode::FAILURE;
            }
        }
    }
    if json {
        printer::json(&done)?;
    }
    Ok(code)
}

/// As [`each`], on the things with these ids or beginnings of ids.
pub(crate) async fn each_found<I: Listed, Done: Answer>(
    client: &Client,
    (ids, json): (&[String], bool),
    act: impl AsyncFn(I) -> Result<Done, ClientError>,
) -> anyhow::Result<ExitCode> {
    let mut finder = Finder::new(client);
    let acted = each(ids, json, async |text| {
        Ok(act(finder.find(text).await?).await?)
    });
    acted.await
}

fn is_unauthorized(error: &anyhow::Error) -> bool {
    let error = error.downcast_ref::<ClientError>();
    error.is_some_and(|error| error.code() == Some("unauthorized"))
}
