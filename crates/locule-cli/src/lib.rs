//! User verbs, output, configuration of the user.
