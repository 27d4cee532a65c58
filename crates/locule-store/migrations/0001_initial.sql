-- The whole schema. Edited in place until the first release; forward only after it.
-- Every id is a UUID; times are TIMESTAMPTZ; states are text with a check.

CREATE TABLE cluster (
    only_row        BOOLEAN PRIMARY KEY DEFAULT TRUE CHECK (only_row),
    id              UUID NOT NULL,
    created_at      TIMESTAMPTZ NOT NULL,
    -- Set once, by the activation of the first account, which administers the platform. No later account is the first one, whatever became of the earlier accounts.
    first_administrator_at TIMESTAMPTZ
);
-- Drawn before each order to a host and sent with it: where a host has seen a higher number, the database went back in time.
CREATE SEQUENCE write_counter;

CREATE TABLE teams (
    id              UUID PRIMARY KEY,
    name            TEXT NOT NULL,
    slug            TEXT NOT NULL UNIQUE,
    is_byoc         BOOLEAN NOT NULL DEFAULT FALSE,
    -- What this team may use at a time, where that is not the default.
    sandboxes_max   INT,
    vcpus_max       INT,
    memory_mb_max   INT,
    creates_per_minute_max INT,
    paused_max      INT,
    storage_mb_max  INT,
    created_at      TIMESTAMPTZ NOT NULL,
    -- Deleted for everybody at once; a job destroys what it still has. Its slug stays taken.
    deleted_at      TIMESTAMPTZ
);

CREATE TABLE users (
    id              UUID PRIMARY KEY,
    email           TEXT NOT NULL,
    -- Whether the user has proved to own the address: by a token that was sent to the address, or by a provider that verified it.
    email_verified  BOOLEAN NOT NULL DEFAULT FALSE,
    password_hash   TEXT,
    -- When a person last changed or reset it. NULL: never since the account was created.
    password_set_at TIMESTAMPTZ,
    name            TEXT NOT NULL DEFAULT '',
    is_admin        BOOLEAN NOT NULL DEFAULT FALSE,
    status          TEXT NOT NULL DEFAULT 'active' CHECK (status IN ('inactive', 'active', 'disabled', 'deleted')),
    -- Raised when a login of the user ends, and when the user is disabled: tokens of sandboxes are derived from it.
    revocation      BIGINT NOT NULL DEFAULT 0,
    created_at      TIMESTAMPTZ NOT NULL,
    updated_at      TIMESTAMPTZ NOT NULL,
    deleted_at      TIMESTAMPTZ
);
CREATE UNIQUE INDEX users_email ON users (lower(email)) WHERE deleted_at IS NULL;
-- The search for people compares the beginning of their e-mail addresses.
CREATE INDEX users_email_prefix ON users (lower(email) text_pattern_ops) WHERE deleted_at IS NULL;
CREATE INDEX users_deleted ON users (deleted_at) WHERE deleted_at IS NOT NULL;

CREATE SEQUENCE revocations;

CREATE TABLE users_teams (
    -- The platform team has no members.
    team_id         UUID NOT NULL REFERENCES teams (id) CHECK (team_id <> '00000000-0000-0000-0000-000000000000'),
    user_id         UUID NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    is_default      BOOLEAN NOT NULL DEFAULT FALSE,
    role            TEXT NOT NULL DEFAULT 'member' CHECK (role IN ('owner', 'admin', 'member')),
    -- A user who is removed and added again has another number: tokens of sandboxes are derived from it.
    revocation      BIGINT NOT NULL DEFAULT nextval('revocations'),
    created_at      TIMESTAMPTZ NOT NULL,
    PRIMARY KEY (team_id, user_id)
);
CREATE INDEX users_teams_user ON users_teams (user_id);
-- A team has exactly one owner: this index refuses a second owner, and the use cases refuse to remove the only one.
CREATE UNIQUE INDEX users_teams_owner ON users_teams (team_id) WHERE role = 'owner';

-- People who were invited to a team. An invitation grants no right until the invited person accepts it with the token.
CREATE TABLE invitations (
    -- Stands for the invited person in the list of the team's members; no user has this id.
    id              UUID PRIMARY KEY,
    team_id         UUID NOT NULL REFERENCES teams (id),
    email           TEXT NOT NULL,
    role            TEXT NOT NULL CHECK (role IN ('admin', 'member')),
    token_hash      TEXT NOT NULL UNIQUE,
    -- Whether the token is sent to the address by e-mail, so that the token proves the address.
    by_mail         BOOLEAN NOT NULL,
    invited_by      UUID NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    created_at      TIMESTAMPTZ NOT NULL,
    expires_at      TIMESTAMPTZ NOT NULL,
    accepted_at     TIMESTAMPTZ,
    revoked_at      TIMESTAMPTZ
);
CREATE UNIQUE INDEX invitations_open ON invitations (team_id, lower(email)) WHERE accepted_at IS NULL AND revoked_at IS NULL;
CREATE INDEX invitations_email ON invitations (lower(email)) WHERE accepted_at IS NULL AND revoked_at IS NULL;
CREATE INDEX invitations_inviter ON invitations (invited_by);
-- The invitations that can be accepted, as long as they have not expired: the inviter must still be able to invite.
CREATE VIEW open_invitations AS
    SELECT i.* FROM invitations i
    JOIN teams t ON t.id = i.team_id AND t.deleted_at IS NULL
    JOIN users u ON u.id = i.invited_by AND u.status = 'active'
    JOIN users_teams m ON m.team_id = i.team_id AND m.user_id = i.invited_by AND m.role IN ('owner', 'admin')
    WHERE i.accepted_at IS NULL AND i.revoked_at IS NULL;

CREATE TABLE sessions (
    id              UUID PRIMARY KEY,
    user_id         UUID NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    -- The client's address at the login: failed logins from elsewhere do not lock a person out who logged in from here.
    address         TEXT NOT NULL DEFAULT '',
    -- The program that logged in, as the program describes itself.
    user_agent      TEXT NOT NULL DEFAULT '',
    created_at      TIMESTAMPTZ NOT NULL,
    expires_at      TIMESTAMPTZ NOT NULL,
    -- NULL: the end is still the one of the login.
    renewed_at      TIMESTAMPTZ,
    last_used_at    TIMESTAMPTZ,
    revoked_at      TIMESTAMPTZ
);
CREATE INDEX sessions_user ON sessions (user_id);

-- Tokens of activation and password-reset e-mails. Each works once. The table holds hashes only.
CREATE TABLE user_tokens (
    token_hash      TEXT PRIMARY KEY,
    purpose         TEXT NOT NULL CHECK (purpose IN ('activation', 'password_reset')),
    user_id         UUID NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    expires_at      TIMESTAMPTZ NOT NULL
);
CREATE INDEX user_tokens_user ON user_tokens (user_id);

CREATE TABLE oauth_providers (
    provider        TEXT NOT NULL,
    -- An id of the provider, which is text.
    provider_id     TEXT NOT NULL,
    user_id         UUID NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    email           TEXT NOT NULL DEFAULT '',
    created_at      TIMESTAMPTZ NOT NULL,
    PRIMARY KEY (provider, provider_id)
);
CREATE UNIQUE INDEX oauth_providers_user ON oauth_providers (user_id, provider);

CREATE TABLE admin_permissions (
    id              UUID PRIMARY KEY,
    user_id         UUID NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    permission      TEXT NOT NULL,
    created_at      TIMESTAMPTZ NOT NULL,
    UNIQUE (user_id, permission)
);

CREATE TABLE team_api_keys (
    id              UUID PRIMARY KEY,
    team_id         UUID NOT NULL REFERENCES teams (id),
    name            TEXT NOT NULL,
    key_hash        TEXT NOT NULL UNIQUE,
    key_prefix      TEXT NOT NULL,
    scope           TEXT NOT NULL DEFAULT 'full' CHECK (scope IN ('full', 'read', 'sandbox')),
    expires_at      TIMESTAMPTZ,
    created_by      UUID REFERENCES users (id) ON DELETE SET NULL,
    created_at      TIMESTAMPTZ NOT NULL,
    last_used       TIMESTAMPTZ
);
CREATE INDEX team_api_keys_team ON team_api_keys (team_id, created_at DESC, id DESC);
CREATE INDEX team_api_keys_creator ON team_api_keys (created_by);

CREATE TABLE hosts (
    id              UUID PRIMARY KEY,
    type            TEXT NOT NULL DEFAULT 'regular' CHECK (type IN ('regular', 'byoc')),
    team_id         UUID REFERENCES teams (id),
    provider        TEXT NOT NULL DEFAULT '',
    availability_zone TEXT NOT NULL DEFAULT '',
    arch            TEXT NOT NULL DEFAULT '',
    address         TEXT NOT NULL DEFAULT '',
    cpu_cores       INT NOT NULL DEFAULT 0,
    memory_mb       INT NOT NULL DEFAULT 0,
    disk_gb         INT NOT NULL DEFAULT 0,
    status          TEXT NOT NULL DEFAULT 'pending' CHECK (status IN ('pending', 'online', 'unreachable')),
    last_heartbeat_at TIMESTAMPTZ,
    -- No sandbox is placed on a cordoned host. A host that is drained is cordoned.
    cordoned        BOOLEAN NOT NULL DEFAULT FALSE,
    drain           TEXT CHECK (drain IN ('pause', 'wait')),
    metadata        JSONB NOT NULL DEFAULT '{}',
    -- What the latest heartbeat said.
    report          JSONB NOT NULL DEFAULT '{}',
    cert_fingerprint TEXT NOT NULL DEFAULT '',
    cert_expires_at TIMESTAMPTZ,
    created_by      UUID REFERENCES users (id) ON DELETE SET NULL,
    created_at      TIMESTAMPTZ NOT NULL,
    updated_at      TIMESTAMPTZ NOT NULL,
    CHECK (type = 'byoc' OR team_id IS NULL),
    CHECK (cordoned OR drain IS NULL)
);
CREATE INDEX hosts_status ON hosts (status);
CREATE INDEX hosts_type ON hosts (type);
CREATE INDEX hosts_team ON hosts (team_id);

CREATE TABLE host_tokens (
    id              UUID PRIMARY KEY,
    host_id         UUID NOT NULL REFERENCES hosts (id) ON DELETE CASCADE,
    token_hash      TEXT NOT NULL UNIQUE,
    created_by      UUID REFERENCES users (id) ON DELETE SET NULL,
    created_at      TIMESTAMPTZ NOT NULL,
    expires_at      TIMESTAMPTZ NOT NULL,
    used_at         TIMESTAMPTZ
);
CREATE INDEX host_tokens_host ON host_tokens (host_id);

CREATE TABLE host_tags (
    host_id         UUID NOT NULL REFERENCES hosts (id) ON DELETE CASCADE,
    tag             TEXT NOT NULL,
    PRIMARY KEY (host_id, tag)
);
CREATE INDEX host_tags_tag ON host_tags (tag);

CREATE TABLE host_refresh_tokens (
    id              UUID PRIMARY KEY,
    host_id         UUID NOT NULL REFERENCES hosts (id) ON DELETE CASCADE,
    token_hash      TEXT NOT NULL UNIQUE,
    expires_at      TIMESTAMPTZ NOT NULL,
    created_at      TIMESTAMPTZ NOT NULL,
    -- When the host first showed that it has the token.
    confirmed_at    TIMESTAMPTZ,
    revoked_at      TIMESTAMPTZ,
    -- The token that the host got for this one.
    replaced_by     UUID
);
CREATE INDEX host_refresh_tokens_host ON host_refresh_tokens (host_id);

CREATE TABLE templates (
    id              UUID PRIMARY KEY,
    team_id         UUID NOT NULL REFERENCES teams (id),
    name            TEXT NOT NULL,
    type            TEXT NOT NULL DEFAULT 'base' CHECK (type IN ('base', 'snapshot')),
    vcpus           INT NOT NULL DEFAULT 1,
    memory_mb       INT NOT NULL DEFAULT 512,
    size_bytes      BIGINT NOT NULL DEFAULT 0,
    default_user    TEXT NOT NULL DEFAULT 'root',
    default_env     JSONB NOT NULL DEFAULT '{}',
    metadata        JSONB NOT NULL DEFAULT '{}',
    created_at      TIMESTAMPTZ NOT NULL,
    UNIQUE (team_id, name)
);

CREATE TABLE sandboxes (
    id              UUID PRIMARY KEY,
    team_id         UUID NOT NULL REFERENCES teams (id),
    host_id         UUID,
    status          TEXT NOT NULL CHECK (status IN ('pending', 'starting', 'running', 'paused', 'hibernated', 'missing', 'stopped', 'error')),
    desired         TEXT NOT NULL CHECK (desired IN ('running', 'paused', 'gone')),
    generation      BIGINT NOT NULL,
    -- Grows with each write of the row: of two writers that read the same version, one fails.
    version         BIGINT NOT NULL DEFAULT 1,
    -- The transaction that wrote this version. A sweep finds by it what changed since the sweep before, in the order of commits.
    changed_in      BIGINT NOT NULL DEFAULT (pg_current_xact_id()::text::bigint),
    status_reason   TEXT,
    last_error      TEXT,
    cleanup_pending BOOLEAN NOT NULL DEFAULT FALSE,
    template        TEXT NOT NULL,
    template_id     UUID NOT NULL,
    -- The template's value at the creation of the sandbox.
    default_user    TEXT NOT NULL,
    vcpus           INT NOT NULL,
    memory_mb       INT NOT NULL,
    disk_size_mb    INT NOT NULL DEFAULT 5120,
    timeout_sec     INT NOT NULL DEFAULT 0,
    expires_at      TIMESTAMPTZ,
    timeout_given_sec INT,
    on_timeout      TEXT NOT NULL DEFAULT 'kill' CHECK (on_timeout IN ('kill', 'pause')),
    auto_resume     BOOLEAN NOT NULL DEFAULT FALSE,
    public_traffic  BOOLEAN NOT NULL DEFAULT FALSE,
    env             JSONB NOT NULL DEFAULT '{}',
    labels          JSONB NOT NULL DEFAULT '{}',
    guest_ip        TEXT NOT NULL DEFAULT '',
    host_ip         TEXT NOT NULL DEFAULT '',
    metadata        JSONB NOT NULL DEFAULT '{}',
    -- What the host reported last of the files of the sandbox.
    stored_bytes    BIGINT NOT NULL DEFAULT 0,
    created_at      TIMESTAMPTZ NOT NULL,
    started_at      TIMESTAMPTZ,
    last_active_at  TIMESTAMPTZ,
    last_updated    TIMESTAMPTZ NOT NULL,
    -- Whose request created it. The kind stays after the user is deleted, and the id of a key after the key is revoked.
    created_by_kind TEXT NOT NULL CHECK (created_by_kind IN ('user', 'api_key', 'system')),
    created_by_user UUID REFERENCES users (id) ON DELETE SET NULL,
    created_by_key  UUID,
    -- When it became stopped or error, and whose request destroyed it. No kind: no request did.
    ended_at        TIMESTAMPTZ,
    ended_by_kind   TEXT CHECK (ended_by_kind IN ('user', 'api_key')),
    ended_by_user   UUID REFERENCES users (id) ON DELETE SET NULL,
    ended_by_key    UUID,
    CHECK ((ended_at IS NOT NULL) = (status IN ('stopped', 'error'))),
    CHECK (host_id IS NOT NULL OR status IN ('pending', 'error', 'stopped'))
);
CREATE INDEX sandboxes_team ON sandboxes (team_id, created_at DESC, id DESC);
CREATE INDEX sandboxes_created ON sandboxes (created_at DESC, id DESC);
-- For lists of the sandboxes that have not ended, and of those that ended lately.
CREATE INDEX sandboxes_listed ON sandboxes (team_id, created_at DESC, id DESC) WHERE status NOT IN ('stopped', 'error');
CREATE INDEX sandboxes_ended ON sandboxes (team_id, ended_at) WHERE ended_at IS NOT NULL;
-- For the sandboxes on a host, for what they reserve of it, and for those that the host has to clean up.
CREATE INDEX sandboxes_host ON sandboxes (host_id, id) INCLUDE (status, vcpus, memory_mb, disk_size_mb)
    WHERE status NOT IN ('stopped', 'error') OR cleanup_pending;
-- For the sandboxes that count against a team's quota.
CREATE INDEX sandboxes_in_use ON sandboxes (team_id)
    INCLUDE (desired, vcpus, memory_mb, on_timeout, timeout_sec, stored_bytes)
    WHERE status NOT IN ('stopped', 'error') AND desired <> 'gone';
CREATE INDEX sandboxes_creator_user ON sandboxes (created_by_user) WHERE created_by_user IS NOT NULL;
CREATE INDEX sandboxes_ender_user ON sandboxes (ended_by_user) WHERE ended_by_user IS NOT NULL;
CREATE INDEX sandboxes_creator_key ON sandboxes (created_by_key) WHERE created_by_key IS NOT NULL;
-- For what a sweep reads: sandboxes that are not in their desired state or whose host owes a cleanup, and those that changed.
CREATE INDEX sandboxes_owed ON sandboxes (id) INCLUDE (host_id)
    WHERE (status NOT IN ('stopped', 'error') AND status <> desired) OR cleanup_pending;
CREATE INDEX sandboxes_changed ON sandboxes (changed_in) INCLUDE (id, host_id, version);

-- The callers who were given a token of a sandbox: at most 64 of a sandbox. A token of another caller is not accepted.
CREATE TABLE sandbox_callers (
    -- In the order in which the callers were added.
    number          BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    sandbox_id      UUID NOT NULL REFERENCES sandboxes (id) ON DELETE CASCADE,
    user_id         UUID REFERENCES users (id) ON DELETE CASCADE,
    api_key_id      UUID REFERENCES team_api_keys (id) ON DELETE CASCADE,
    created_at      TIMESTAMPTZ NOT NULL,
    UNIQUE NULLS NOT DISTINCT (sandbox_id, user_id, api_key_id),
    CHECK (num_nonnulls(user_id, api_key_id) = 1)
);
CREATE INDEX sandbox_callers_user ON sandbox_callers (user_id);
CREATE INDEX sandbox_callers_key ON sandbox_callers (api_key_id);

-- Links that open a port of a private sandbox in a browser, once. A link that has expired is deleted when the next one is made.
CREATE TABLE port_links (
    id              UUID PRIMARY KEY,
    sandbox_id      UUID NOT NULL REFERENCES sandboxes (id) ON DELETE CASCADE,
    port            INT NOT NULL CHECK (port BETWEEN 1 AND 65535),
    user_id         UUID REFERENCES users (id) ON DELETE CASCADE,
    session_id      UUID REFERENCES sessions (id) ON DELETE CASCADE,
    api_key_id      UUID REFERENCES team_api_keys (id) ON DELETE CASCADE,
    expires_at      TIMESTAMPTZ NOT NULL,
    CHECK ((user_id IS NULL) = (session_id IS NULL)),
    CHECK (num_nonnulls(user_id, api_key_id) = 1)
);
CREATE INDEX port_links_expiry ON port_links (expires_at);
CREATE INDEX port_links_sandbox ON port_links (sandbox_id);
CREATE INDEX port_links_user ON port_links (user_id);
CREATE INDEX port_links_session ON port_links (session_id);
CREATE INDEX port_links_key ON port_links (api_key_id);

CREATE TABLE idempotency_keys (
    team_id         UUID NOT NULL REFERENCES teams (id),
    key             TEXT NOT NULL,
    request_hash    TEXT NOT NULL,
    sandbox_id      UUID NOT NULL,
    -- The error of a create that failed: a repeated request gets the same error.
    failure         JSONB,
    created_at      TIMESTAMPTZ NOT NULL,
    PRIMARY KEY (team_id, key)
);

CREATE TABLE audit_logs (
    id              UUID PRIMARY KEY,
    team_id         UUID NOT NULL,
    actor_type      TEXT NOT NULL CHECK (actor_type IN ('user', 'api_key', 'system')),
    actor_id        TEXT,
    actor_name      TEXT NOT NULL DEFAULT '',
    resource_type   TEXT NOT NULL,
    resource_id     TEXT,
    action          TEXT NOT NULL,
    scope           TEXT NOT NULL DEFAULT 'team' CHECK (scope IN ('team', 'admin')),
    status          TEXT NOT NULL DEFAULT 'success' CHECK (status IN ('success', 'info', 'warning', 'error')),
    metadata        JSONB NOT NULL DEFAULT '{}',
    created_at      TIMESTAMPTZ NOT NULL
);
CREATE INDEX audit_logs_team ON audit_logs (team_id, created_at DESC, id DESC);

CREATE INDEX audit_logs_resource ON audit_logs (team_id, resource_type, created_at DESC, id DESC);
CREATE INDEX audit_logs_resource_id ON audit_logs (team_id, resource_id, created_at DESC, id DESC);
CREATE INDEX audit_logs_actor ON audit_logs (team_id, actor_id, created_at DESC, id DESC);

-- Entries of the audit log never change. One exception: when a person's account is purged, `audit_anonymize` removes the
-- person from the entries. The trigger refuses every other change, from every role. The role of `locule serve` is not even
-- permitted to try (`grant_to_serve`).
CREATE FUNCTION audit_logs_are_append_only() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF TG_OP = 'UPDATE' AND current_setting('locule.anonymizing', TRUE) = 'on'
        AND (NEW.actor_id IS NULL OR NEW.actor_id = OLD.actor_id)
        AND (NEW.actor_name = 'deleted-user' OR NEW.actor_name = OLD.actor_name)
        AND (NEW.resource_id IS NULL OR NEW.resource_id = OLD.resource_id)
        AND NEW.metadata IN (OLD.metadata, OLD.metadata - 'email' - 'address')
        AND (NEW.id, NEW.team_id, NEW.actor_type, NEW.resource_type, NEW.action, NEW.scope, NEW.status, NEW.created_at)
          = (OLD.id, OLD.team_id, OLD.actor_type, OLD.resource_type, OLD.action, OLD.scope, OLD.status, OLD.created_at)
    THEN
        RETURN NEW;
    END IF;
    RAISE EXCEPTION 'the audit log is append-only';
END $$;
CREATE TRIGGER audit_logs_append_only BEFORE UPDATE OR DELETE ON audit_logs
    FOR EACH ROW EXECUTE FUNCTION audit_logs_are_append_only();
CREATE TRIGGER audit_logs_never_emptied BEFORE TRUNCATE ON audit_logs
    FOR EACH STATEMENT EXECUTE FUNCTION audit_logs_are_append_only();

-- With the rights of the owner of the table, for a caller that may not change an entry. It changes nothing but the entries of a
-- deleted user, and finds no object in a schema that a caller could fill.
CREATE FUNCTION audit_anonymize(user_id UUID) RETURNS VOID
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    person CONSTANT TEXT := 'usr-' || user_id;
    address CONSTANT TEXT := (SELECT email FROM public.users WHERE id = user_id AND deleted_at IS NOT NULL);
BEGIN
    IF address IS NULL THEN
        RAISE EXCEPTION 'the user % is not deleted', user_id;
    END IF;
    PERFORM set_config('locule.anonymizing', 'on', TRUE);
    -- An entry about an invitation names the address and no user.
    UPDATE public.audit_logs SET metadata = metadata - 'email'
    WHERE resource_type = 'member' AND metadata ->> 'email' = address
      AND created_at <= (SELECT deleted_at FROM public.users WHERE id = user_id);
    UPDATE public.audit_logs SET
        actor_name  = CASE WHEN actor_id = person THEN 'deleted-user' ELSE actor_name END,
        actor_id    = nullif(actor_id, person),
        metadata    = CASE WHEN resource_id = person THEN metadata - 'email' - 'address' ELSE metadata END,
        resource_id = nullif(resource_id, person)
    WHERE actor_id = person OR resource_id = person;
    PERFORM set_config('locule.anonymizing', 'off', TRUE);
END $$;

REVOKE EXECUTE ON FUNCTION audit_anonymize(UUID) FROM PUBLIC;

-- Gives a role the rights of `locule serve`: to read and write every table, but to add entries to the audit log only, and to change
-- no schema. Run by the owner after each migration.
CREATE FUNCTION grant_to_serve(role_name TEXT) RETURNS VOID LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    EXECUTE format('GRANT USAGE ON SCHEMA public TO %I', role_name);
    EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO %I', role_name);
    EXECUTE format('REVOKE UPDATE, DELETE ON public.audit_logs FROM %I', role_name);
    EXECUTE format('REVOKE INSERT, UPDATE, DELETE ON public._sqlx_migrations FROM %I', role_name);
    EXECUTE format('GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA public TO %I', role_name);
    EXECUTE format('GRANT EXECUTE ON FUNCTION public.audit_anonymize(UUID) TO %I', role_name);
END $$;
REVOKE EXECUTE ON FUNCTION grant_to_serve(TEXT) FROM PUBLIC;

-- An outbox: a transaction that changes a row inserts the jobs that follow from the change. A worker that takes a job moves
-- `run_at` to the end of its lease, so that a job whose worker crashed is due again, and deletes the job when it is done.
CREATE TABLE jobs (
    id              UUID PRIMARY KEY,
    kind            TEXT NOT NULL,
    payload         JSONB NOT NULL,
    attempts        INT NOT NULL DEFAULT 0,
    run_at          TIMESTAMPTZ NOT NULL,
    last_error      TEXT,
    created_at      TIMESTAMPTZ NOT NULL
);
CREATE INDEX jobs_due ON jobs (run_at);

-- The latest pass of each periodic job, by whichever process of the control plane.
CREATE TABLE periodic_jobs (
    name            TEXT PRIMARY KEY,
    last_started_at TIMESTAMPTZ,
    last_finished_at TIMESTAMPTZ,
    -- Why the pass that finished last failed.
    last_error      TEXT,
    -- What that pass looked at, what it changed, and what it could not change.
    found           BIGINT NOT NULL DEFAULT 0,
    changed         BIGINT NOT NULL DEFAULT 0,
    failed          BIGINT NOT NULL DEFAULT 0
);

CREATE TABLE sandbox_metrics_snapshots (
    team_id         UUID NOT NULL REFERENCES teams (id),
    sampled_at      TIMESTAMPTZ NOT NULL,
    running_count   INT NOT NULL DEFAULT 0,
    vcpus_reserved  INT NOT NULL DEFAULT 0,
    memory_mb_reserved INT NOT NULL DEFAULT 0,
    PRIMARY KEY (team_id, sampled_at)
);

CREATE TABLE sandbox_metric_points (
    sandbox_id      UUID NOT NULL,
    tier            TEXT NOT NULL CHECK (tier IN ('10m', '2h', '24h')),
    -- Milliseconds: two samples of one second are two points.
    ts_ms           BIGINT NOT NULL,
    cpu_pct         DOUBLE PRECISION NOT NULL DEFAULT 0,
    mem_bytes       BIGINT NOT NULL DEFAULT 0,
    disk_bytes      BIGINT NOT NULL DEFAULT 0,
    PRIMARY KEY (sandbox_id, tier, ts_ms)
);

CREATE TABLE template_builds (
    id              UUID PRIMARY KEY,
    team_id         UUID NOT NULL REFERENCES teams (id),
    template_id     UUID,
    name            TEXT NOT NULL,
    base_template   TEXT NOT NULL,
    recipe          JSONB NOT NULL DEFAULT '[]',
    healthcheck     TEXT NOT NULL DEFAULT '',
    vcpus           INT NOT NULL DEFAULT 1,
    memory_mb       INT NOT NULL DEFAULT 512,
    skip_pre_post   BOOLEAN NOT NULL DEFAULT FALSE,
    status          TEXT NOT NULL DEFAULT 'pending' CHECK (status IN ('pending', 'running', 'success', 'failed', 'cancelled')),
    current_step    INT NOT NULL DEFAULT 0,
    total_steps     INT NOT NULL DEFAULT 0,
    logs            JSONB NOT NULL DEFAULT '[]',
    error           TEXT NOT NULL DEFAULT '',
    sandbox_id      UUID,
    host_id         UUID,
    default_user    TEXT NOT NULL DEFAULT 'root',
    default_env     JSONB NOT NULL DEFAULT '{}',
    metadata        JSONB NOT NULL DEFAULT '{}',
    created_at      TIMESTAMPTZ NOT NULL,
    started_at      TIMESTAMPTZ,
    completed_at    TIMESTAMPTZ
);
CREATE INDEX template_builds_team ON template_builds (team_id, created_at DESC, id DESC);

CREATE TABLE channels (
    id              UUID PRIMARY KEY,
    team_id         UUID NOT NULL REFERENCES teams (id) ON DELETE CASCADE,
    name            TEXT NOT NULL,
    provider        TEXT NOT NULL,
    config          JSONB NOT NULL,
    event_types     TEXT[] NOT NULL,
    created_at      TIMESTAMPTZ NOT NULL,
    updated_at      TIMESTAMPTZ NOT NULL,
    UNIQUE (team_id, name)
);

CREATE TABLE daily_usage (
    team_id         UUID NOT NULL REFERENCES teams (id),
    day             DATE NOT NULL,
    cpu_minutes     NUMERIC(18, 4) NOT NULL DEFAULT 0,
    ram_mb_minutes  NUMERIC(18, 4) NOT NULL DEFAULT 0,
    PRIMARY KEY (team_id, day)
);

-- A name that the platform has is no team's. Where the platform's came later, the team's own goes first.
CREATE FUNCTION templates_keep_platform_names() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    platform CONSTANT UUID := '00000000-0000-0000-0000-000000000000';
BEGIN
    IF NEW.team_id <> platform
        AND EXISTS (SELECT 1 FROM templates WHERE team_id = platform AND name = NEW.name)
    THEN
        RAISE EXCEPTION 'the template name % is the platform''s', NEW.name USING ERRCODE = 'unique_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER templates_platform_names BEFORE INSERT OR UPDATE ON templates
    FOR EACH ROW EXECUTE FUNCTION templates_keep_platform_names();

-- Tell every replica of the control plane of a change, when the change commits (`src/changes.rs`).
CREATE FUNCTION notify_of_sandbox() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM pg_notify('locule_changes', json_build_object('kind', 'sandbox', 'team', NEW.team_id, 'id', NEW.id,
        'status', NEW.status, 'desired', NEW.desired, 'at', NEW.last_updated)::text);
    RETURN NULL;
END $$;
CREATE TRIGGER sandboxes_notify_of_insert AFTER INSERT ON sandboxes
    FOR EACH ROW EXECUTE FUNCTION notify_of_sandbox();
-- Not for what changes while a sandbox is used, such as the moment of its last use.
CREATE TRIGGER sandboxes_notify_of_update AFTER UPDATE ON sandboxes
    FOR EACH ROW WHEN ((OLD.status, OLD.desired, OLD.host_id, OLD.status_reason, OLD.last_error, OLD.timeout_sec, OLD.expires_at,
            OLD.on_timeout, OLD.auto_resume, OLD.public_traffic, OLD.labels)
        IS DISTINCT FROM (NEW.status, NEW.desired, NEW.host_id, NEW.status_reason, NEW.last_error, NEW.timeout_sec, NEW.expires_at,
            NEW.on_timeout, NEW.auto_resume, NEW.public_traffic, NEW.labels))
    EXECUTE FUNCTION notify_of_sandbox();

CREATE FUNCTION notify_of_audit_entry() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM pg_notify('locule_changes', json_build_object('kind', 'audit_entry', 'team', NEW.team_id, 'id', NEW.id,
        'resource_type', NEW.resource_type, 'scope', NEW.scope)::text);
    RETURN NULL;
END $$;
CREATE TRIGGER audit_logs_notify AFTER INSERT ON audit_logs
    FOR EACH ROW EXECUTE FUNCTION notify_of_audit_entry();

INSERT INTO teams (id, name, slug, created_at)
    VALUES ('00000000-0000-0000-0000-000000000000', 'Platform', 'platform', '1970-01-01T00:00:00Z');
INSERT INTO templates (id, team_id, name, type, default_user, created_at)
    VALUES ('00000000-0000-0000-0000-000000000000', '00000000-0000-0000-0000-000000000000', 'minimal', 'base', 'user', '1970-01-01T00:00:00Z');
