-- The whole schema. Edited in place until the first release; forward only after it.
-- Every id is a UUID; times are TIMESTAMPTZ; states are text with a check.

CREATE TABLE cluster (
    only_row        BOOLEAN PRIMARY KEY DEFAULT TRUE CHECK (only_row),
    id              UUID NOT NULL,
    created_at      TIMESTAMPTZ NOT NULL
);
-- Drawn before each order to a host and sent with it: where a host has seen a higher number, the database went back in time.
CREATE SEQUENCE write_counter;

CREATE TABLE teams (
    id              UUID PRIMARY KEY,
    name            TEXT NOT NULL,
    slug            TEXT NOT NULL UNIQUE,
    is_byoc         BOOLEAN NOT NULL DEFAULT FALSE,
    created_at      TIMESTAMPTZ NOT NULL,
    deleted_at      TIMESTAMPTZ
);

CREATE TABLE users (
    id              UUID PRIMARY KEY,
    email           TEXT NOT NULL,
    password_hash   TEXT,
    name            TEXT NOT NULL DEFAULT '',
    is_admin        BOOLEAN NOT NULL DEFAULT FALSE,
    status          TEXT NOT NULL DEFAULT 'active' CHECK (status IN ('inactive', 'active', 'disabled', 'deleted')),
    created_at      TIMESTAMPTZ NOT NULL,
    updated_at      TIMESTAMPTZ NOT NULL,
    deleted_at      TIMESTAMPTZ
);
CREATE UNIQUE INDEX users_email ON users (lower(email)) WHERE deleted_at IS NULL;

CREATE TABLE users_teams (
    -- Nobody is a member of the platform team.
    team_id         UUID NOT NULL REFERENCES teams (id) CHECK (team_id <> '00000000-0000-0000-0000-000000000000'),
    user_id         UUID NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    is_default      BOOLEAN NOT NULL DEFAULT FALSE,
    role            TEXT NOT NULL DEFAULT 'member' CHECK (role IN ('owner', 'admin', 'member')),
    created_at      TIMESTAMPTZ NOT NULL,
    PRIMARY KEY (team_id, user_id)
);
CREATE INDEX users_teams_user ON users_teams (user_id);

CREATE TABLE sessions (
    id              UUID PRIMARY KEY,
    user_id         UUID NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    created_at      TIMESTAMPTZ NOT NULL,
    expires_at      TIMESTAMPTZ NOT NULL,
    revoked_at      TIMESTAMPTZ
);
CREATE INDEX sessions_user ON sessions (user_id);

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
CREATE INDEX team_api_keys_team ON team_api_keys (team_id);

CREATE TABLE hosts (
    id              UUID PRIMARY KEY,
    type            TEXT NOT NULL DEFAULT 'regular' CHECK (type IN ('regular', 'byoc')),
    team_id         UUID REFERENCES teams (id),
    address         TEXT NOT NULL DEFAULT '',
    status          TEXT NOT NULL DEFAULT 'pending' CHECK (status IN ('pending', 'online', 'unreachable')),
    last_heartbeat_at TIMESTAMPTZ,
    created_by      UUID REFERENCES users (id) ON DELETE SET NULL,
    created_at      TIMESTAMPTZ NOT NULL,
    updated_at      TIMESTAMPTZ NOT NULL
);
CREATE INDEX hosts_status ON hosts (status);

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
    -- Grows with each write of the row: two writers that read the same row cannot both win.
    version         BIGINT NOT NULL DEFAULT 1,
    status_reason   TEXT,
    last_error      TEXT,
    cleanup_pending BOOLEAN NOT NULL DEFAULT FALSE,
    template        TEXT NOT NULL,
    template_id     UUID NOT NULL,
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
    created_at      TIMESTAMPTZ NOT NULL,
    started_at      TIMESTAMPTZ,
    last_active_at  TIMESTAMPTZ,
    last_updated    TIMESTAMPTZ NOT NULL,
    CHECK (host_id IS NOT NULL OR status IN ('pending', 'error', 'stopped'))
);
CREATE INDEX sandboxes_team ON sandboxes (team_id, created_at DESC, id DESC);
CREATE INDEX sandboxes_host ON sandboxes (host_id, status);
-- What every sweep walks through.
CREATE INDEX sandboxes_unsettled ON sandboxes (id) WHERE status NOT IN ('stopped', 'error') OR cleanup_pending;

CREATE TABLE idempotency_keys (
    team_id         UUID NOT NULL REFERENCES teams (id),
    key             TEXT NOT NULL,
    request_hash    TEXT NOT NULL,
    sandbox_id      UUID NOT NULL,
    -- What the request was answered where nothing came of it: whoever repeats it is answered the same.
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

-- What was written to the trail stays in it.
CREATE FUNCTION audit_logs_are_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the audit trail is append only';
END $$;
CREATE TRIGGER audit_logs_append_only BEFORE UPDATE OR DELETE ON audit_logs
    FOR EACH ROW EXECUTE FUNCTION audit_logs_are_append_only();
CREATE TRIGGER audit_logs_never_emptied BEFORE TRUNCATE ON audit_logs
    FOR EACH STATEMENT EXECUTE FUNCTION audit_logs_are_append_only();

INSERT INTO teams (id, name, slug, created_at)
    VALUES ('00000000-0000-0000-0000-000000000000', 'Platform', 'platform', '1970-01-01T00:00:00Z');
INSERT INTO templates (id, team_id, name, type, default_user, created_at)
    VALUES ('00000000-0000-0000-0000-000000000000', '00000000-0000-0000-0000-000000000000', 'minimal', 'base', 'user', '1970-01-01T00:00:00Z');
