// Generated from openapi/public.json by `make golden`. Do not edit.

export interface paths {
    "/auth/oauth/{provider}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Start a sign-in with a provider
         * @description For browsers: redirects to the authorization page of the provider.
         */
        get: operations["begin_oauth"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/auth/oauth/{provider}/callback": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Complete a sign-in with a provider
         * @description For browsers: the provider redirects here. The response redirects to the page under `/auth/` with the login in cookies or
         *     with the query parameter `error`, or to the settings page with the query parameter `connected` or `connect_error`.
         */
        get: operations["finish_oauth"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/health": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Get the health of the platform
         * @description Responds with 200 when sandboxes can be created.
         */
        get: operations["get_health"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/sandboxes": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** List running sandboxes */
        get: operations["e2b_list_sandboxes_v1"];
        put?: never;
        /**
         * Create a sandbox
         * @description The sandbox times out after 15 seconds when `timeout` is absent.
         */
        post: operations["e2b_create_sandbox_v1"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/sandboxes/{id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Get a sandbox */
        get: operations["e2b_get_sandbox"];
        put?: never;
        post?: never;
        /**
         * Kill a sandbox
         * @description Responds with 404 when the sandbox has ended.
         */
        delete: operations["e2b_kill_sandbox"];
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/sandboxes/{id}/connect": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Connect to a sandbox
         * @description Resumes a paused sandbox. Responds with 200 when the sandbox was running, with 201 when the sandbox was resumed.
         */
        post: operations["e2b_connect_sandbox_v1"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/sandboxes/{id}/pause": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Pause a sandbox
         * @description Responds with 409 when the sandbox is paused.
         */
        post: operations["e2b_pause_sandbox"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/sandboxes/{id}/refreshes": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Extend the timeout of a sandbox
         * @description The sandbox times out no earlier than the given number of seconds from now.
         */
        post: operations["e2b_refresh_sandbox"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/sandboxes/{id}/resume": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Resume a sandbox
         * @description Responds with 409 when the sandbox is running.
         */
        post: operations["e2b_resume_sandbox"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/sandboxes/{id}/timeout": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Set the timeout of a sandbox
         * @description The sandbox times out the given number of seconds from now. 0 ends the sandbox at once.
         */
        post: operations["e2b_set_timeout"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/admin/audit-logs": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** List audit log entries of the platform */
        get: operations["list_platform_audit_logs"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/admin/audit-logs/{id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Get an audit log entry of the platform */
        get: operations["get_platform_audit_log"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/admin/sandboxes": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * List the sandboxes of all teams
         * @description Returns sandboxes as the list of a team does, each with its team. The header `Link` has the address of the next page.
         */
        get: operations["list_all_sandboxes"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/admin/tasks": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * List background tasks
         * @description Returns the periodic tasks of the control plane, with their latest pass. A task that each process runs is shown as the process that
         *     responds runs it.
         */
        get: operations["list_tasks"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/admin/teams": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * List all teams
         * @description Deleted teams come last.
         */
        get: operations["list_all_teams"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/admin/teams/{id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        post?: never;
        /**
         * Delete any team
         * @description Destroys the sandboxes of the team.
         */
        delete: operations["delete_any_team"];
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/admin/teams/{id}/byoc": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        /**
         * Set whether a team may bring its own hosts
         * @description The permission cannot be withdrawn while the team has hosts.
         */
        put: operations["set_team_byoc"];
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/admin/teams/{id}/quota": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Get the limits of any team
         * @description Returns the limits that were set for the team, the limits in force, and their use by the sandboxes of the team.
         */
        get: operations["get_team_quota"];
        /** Set the limits of a team */
        put: operations["set_team_quota"];
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/admin/users": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** List all users */
        get: operations["list_all_users"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/admin/users/{id}/active": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        /**
         * Enable or disable a user
         * @description Disabling a user ends the user's logins, revokes the user's API keys, and destroys the sandboxes of the teams that the user
         *     owns. Returns the sandboxes of other teams that the user or those keys created and that still exist. The last administrator of the
         *     platform cannot be disabled.
         */
        put: operations["set_user_active"];
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/api-keys": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * List API keys
         * @description Returns the team's keys, newest first, without the secret keys.
         */
        get: operations["list_api_keys"];
        put?: never;
        /**
         * Create an API key
         * @description No other response contains the secret key.
         */
        post: operations["create_api_key"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/api-keys/{id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        post?: never;
        /**
         * Revoke an API key
         * @description Returns the sandboxes that the key created and that still exist. A member may revoke the member's own keys, the team's owner and
         *     admins any key. Revoking a key that does not exist succeeds.
         */
        delete: operations["revoke_api_key"];
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/audit-logs": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * List audit log entries
         * @description Returns the team's entries, newest first. Members see entries with the scope `team`, the owner and admins all entries.
         */
        get: operations["list_audit_logs"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/audit-logs/{id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Get an audit log entry
         * @description An entry with the scope `admin` does not exist for members.
         */
        get: operations["get_audit_log"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/auth/activate": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Activate an account
         * @description Takes the token from the activation e-mail, sets the password of the account, and logs in.
         */
        post: operations["activate"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/auth/login": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Log in
         * @description Failed logins are limited by account and address. A request with a token of an earlier login of the account in `Authorization`,
         *     which may have ended, has a limit of its own: failed logins of others do not refuse it.
         */
        post: operations["login"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/auth/logout": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Log out
         * @description Ends the login that the token belongs to.
         */
        post: operations["logout"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/auth/renew": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Renew a login
         * @description Returns a new token of the same login, for the same team, which ends six hours from now; 30 days after the login at the latest.
         *     Replace the token everywhere: an earlier token goes on until its own end. To renew with an earlier token more than a minute after the
         *     renewal ends the login, because two clients have the token then.
         */
        post: operations["renew"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/auth/signup": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Sign up
         * @description Creates an account and a team of its own, and logs in. The first account administers the platform; later accounts need an
         *     invitation to a team, which the sign-up accepts, unless sign-up is open.
         */
        post: operations["sign_up"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/auth/switch-team": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Switch to another team
         * @description Returns a token for another team of the authenticated user. The login stays the same.
         */
        post: operations["switch_team"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/events": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Follow the events of a team
         * @description Responds with a stream of server-sent events that tells what changes in the team: sandboxes, and for a login also members, API keys, the team and the audit log. The first event is `resync`: load what you show, then follow. Events are not kept: the stream sends `resync` again when events may be missing, and `Last-Event-ID` has no effect. A comment is sent every 15 seconds. When the caller loses its right, the stream ends with an event `error`, whose data is the body of an error response.
         */
        get: operations["follow_events"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/hosts": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * List hosts
         * @description Returns all hosts to a platform administrator, and to other people the hosts of their team. Oldest first.
         */
        get: operations["list_hosts"];
        put?: never;
        /**
         * Create a host
         * @description Creates a host whose agent registers with the returned token. Hosts of the type `regular` are for platform administrators. A host of
         *     the type `byoc` is for a team that may bring its own hosts, and for its owner and admins.
         */
        post: operations["create_host"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/hosts/{id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Get a host */
        get: operations["get_host"];
        put?: never;
        post?: never;
        /**
         * Delete a host
         * @description Refused while the host holds sandboxes, also paused ones, unless `force` is `true`: then the sandboxes end with the host, and their
         *     files are removed if the host agent can be reached. An agent that cannot be reached pauses its sandboxes and keeps their files.
         */
        delete: operations["delete_host"];
        options?: never;
        head?: never;
        /**
         * Change a host
         * @description Cordons or uncordons the host. New sandboxes are placed on hosts that are not cordoned. Uncordoning also ends a drain.
         */
        patch: operations["update_host"];
        trace?: never;
    };
    "/v1/hosts/{id}/accept-database": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Accept the database
         * @description Makes the host accept the platform's database although the host has seen later writes, or those of another database: a backup was
         *     restored. The platform then compares the sandboxes on the host with the database again, and pauses and keeps those that are not in it.
         *     For platform administrators.
         */
        post: operations["accept_database"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/hosts/{id}/delete-preview": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Preview the delete of a host
         * @description Lists the sandboxes that a forced delete of the host ends.
         */
        get: operations["preview_host_delete"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/hosts/{id}/drain": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Drain a host
         * @description Cordons the host, so that no sandbox is placed or resumed there, and pauses its running sandboxes or waits until they end. Returns
         *     the sandboxes that the host holds at this moment: the pauses go on after the response. Paused sandboxes stay on the host.
         */
        post: operations["drain_host"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/hosts/{id}/heartbeat": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Send a heartbeat
         * @description For the agent of the host. The error code `host_deleted` says that the host was deleted: the host agent pauses its sandboxes, keeps
         *     their files and exits.
         */
        post: operations["send_heartbeat"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/hosts/{id}/quarantine": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * List the quarantine of a host
         * @description Lists the sandboxes that the host holds and that are not in the database, in the order of their ids: a backup was restored that is
         *     older than they are. The platform pauses and keeps them until they are imported.
         */
        get: operations["list_host_quarantine"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/hosts/{id}/quarantine/{sandbox_id}/import": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Import a sandbox
         * @description Adds a sandbox that the host holds to the database, from what the host has of the sandbox. Afterwards the sandbox is paused, and its
         *     ports are private. A host that a team brings gets sandboxes of this team only.
         */
        post: operations["import_sandbox"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/hosts/{id}/sandboxes": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * List the sandboxes on a host
         * @description Lists the sandboxes that the host holds, in the order of their ids: those that start, run, are paused or are missing.
         */
        get: operations["list_host_sandboxes"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/hosts/{id}/tags": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * List the tags of a host
         * @description In alphabetical order.
         */
        get: operations["list_host_tags"];
        put?: never;
        /**
         * Add a tag to a host
         * @description Succeeds also if the host has the tag.
         */
        post: operations["add_host_tag"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/hosts/{id}/tags/{tag}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        post?: never;
        /**
         * Remove a tag from a host
         * @description Succeeds also if the host does not have the tag.
         */
        delete: operations["remove_host_tag"];
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/hosts/{id}/token": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Create a registration token
         * @description Creates a new registration token for a host that is pending. Earlier registration tokens of the host become invalid.
         */
        post: operations["create_host_token"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/hosts/auth/refresh": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Refresh the credentials of a host agent
         * @description Returns new credentials for a refresh token, which is revoked. A host agent that did not receive the response sends the request
         *     again, with the access token that it still has.
         */
        post: operations["refresh_host"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/hosts/images": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * List the guest images
         * @description For host agents. A host needs every listed image: the kernel, the initramfs, and the root filesystem of each template. The list is
         *     empty if the control plane has no images.
         */
        get: operations["list_host_images"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/hosts/images/{sha256}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Read a guest image
         * @description For host agents. The SHA-256 hash of the response is the one in the path. The root filesystem of a template is sent packed: each
         *     block of 64 KiB that is not zero, after its offset, and at the end the size of the filesystem; the numbers have 8 bytes and are
         *     little-endian. The header `Range` asks for a part, such as the rest after a connection broke.
         */
        get: operations["read_host_image"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/hosts/register": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Register a host agent
         * @description Uses the registration token of a pending host, and returns the credentials of the host agent. The host is `online` after its first
         *     heartbeat, for which the control plane calls the host agent at its address. A host agent on another machine sends a certificate
         *     signing request, and gets the certificate by which the control plane knows the host.
         */
        post: operations["register_host"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/info": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Get information about the platform
         * @description Requires no login. A page that offers a login learns here what the platform offers.
         */
        get: operations["get_info"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/invitations/{token}/accept": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Accept an invitation to a team
         * @description Makes the authenticated user, whose e-mail address must be the invited one, a member of the team. Returns the team.
         */
        post: operations["accept_invitation"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/limits": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Get the limits of the team
         * @description Returns the limits of the team, and the use of each limit by its sandboxes.
         */
        get: operations["get_limits"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/me": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Get the authenticated user */
        get: operations["get_me"];
        put?: never;
        post?: never;
        /**
         * Delete the authenticated user
         * @description Deletes the account and the teams without other members. Requires the account's password, or a login of the last ten minutes. The
         *     account of the platform's last administrator cannot be deleted.
         */
        delete: operations["delete_me"];
        options?: never;
        head?: never;
        /**
         * Rename the authenticated user
         * @description Returns a token with the new name, for the same team.
         */
        patch: operations["rename_me"];
        trace?: never;
    };
    "/v1/me/password": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Change the password
         * @description Sets the first password when the account has none. Ends every login of the account. Returns the sign-in providers and API keys
         *     that were added since the password was last set, and removes them on request.
         */
        post: operations["change_password"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/me/password/reset": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Request a password reset
         * @description Sends an e-mail with a token that resets the password. The response is the same when no account has the address.
         */
        post: operations["forgot_password"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/me/password/reset/confirm": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Reset the password
         * @description Takes the token from the password reset e-mail. Ends every login of the account. Returns the sign-in providers and API keys that
         *     were added since the password was last set, and removes them on request.
         */
        post: operations["reset_password"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/me/providers/{provider}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        post?: never;
        /**
         * Remove a sign-in method
         * @description Disconnects the provider from the account. The last sign-in method of an account cannot be removed.
         */
        delete: operations["disconnect_provider"];
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/me/providers/{provider}/connect": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Connect a sign-in provider
         * @description Starts to connect the provider to the account. Open `auth_url` in the browser that received the response.
         */
        get: operations["connect_provider"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/me/sessions": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * List logins
         * @description Returns the logins of the authenticated user that have not ended, newest first.
         */
        get: operations["list_sessions"];
        put?: never;
        post?: never;
        /**
         * End all other logins
         * @description Ends every login of the authenticated user but the one of the request.
         */
        delete: operations["end_other_sessions"];
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/me/sessions/{id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        post?: never;
        /**
         * End a login
         * @description The tokens of the login, the connections that were opened with them, and the user's tokens of sandboxes are no longer valid.
         */
        delete: operations["end_session"];
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/sandboxes": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * List sandboxes
         * @description Returns the team's sandboxes, newest first, without sandboxes in the status `stopped` or `error` unless the query asks for them. The header `Link` has the address of the next page.
         */
        get: operations["list_sandboxes"];
        put?: never;
        /** Create a sandbox */
        post: operations["create_sandbox"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/sandboxes/{id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Get a sandbox
         * @description Returns the sandbox in any state.
         */
        get: operations["get_sandbox"];
        put?: never;
        post?: never;
        /**
         * Destroy a sandbox
         * @description Destroying a sandbox that has ended succeeds.
         */
        delete: operations["destroy_sandbox"];
        options?: never;
        head?: never;
        /**
         * Change a sandbox
         * @description Changes the fields that the body names, of a running or paused sandbox. New timeouts count as activity: the idle time starts again.
         */
        patch: operations["update_sandbox"];
        trace?: never;
    };
    "/v1/sandboxes/{id}/clock": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Get the clock of a sandbox
         * @description Returns what will pause or end the sandbox, when, and what keeps it awake. The request does not count as activity and does not reach the sandbox.
         */
        get: operations["get_clock"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/sandboxes/{id}/exec": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Run a command
         * @description Waits until the command exits, or starts the command in the background.
         */
        post: operations["exec"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/sandboxes/{id}/exec/stream": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Run a command over a WebSocket
         * @description The messages on the socket are `ClientMessage` and `ServerMessage`.
         */
        get: operations["exec_stream"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/sandboxes/{id}/files/list": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** List a directory */
        post: operations["list_files"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/sandboxes/{id}/files/mkdir": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Create a directory
         * @description Also creates the parent directories that do not exist.
         */
        post: operations["make_directory"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/sandboxes/{id}/files/move": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Move a file or directory
         * @description Also creates the parent directories of `to` that do not exist. Responds with 409 when `to` exists, unless `overwrite` is set.
         */
        post: operations["move_file"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/sandboxes/{id}/files/read": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Read a file */
        post: operations["read_file"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/sandboxes/{id}/files/remove": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Remove a file or directory
         * @description Removes a directory with everything in it.
         */
        post: operations["remove_file"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/sandboxes/{id}/files/sign": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Sign the address of a file
         * @description Returns an address that reads or writes one file without a credential, until it expires. A browser saves what the address reads as a file. The address ends with the right of its caller: it is refused once the caller's API key is deleted or the caller's login has ended. A paused sandbox answers the address if it resumes automatically.
         */
        post: operations["sign_file"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/sandboxes/{id}/files/stat": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Get a file or directory
         * @description Returns what a list has about it, without its contents.
         */
        post: operations["stat_file"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/sandboxes/{id}/files/stream/read": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Read a file as a stream */
        post: operations["read_file_stream"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/sandboxes/{id}/files/stream/write": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Write a file of any size
         * @description The body has the part `path` before the part `file`.
         */
        post: operations["write_file_stream"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/sandboxes/{id}/files/write": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Write a file
         * @description The body has the parts `path` and `file`.
         */
        post: operations["write_file"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/sandboxes/{id}/pause": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Pause a sandbox
         * @description Saves the memory of a running sandbox, which then holds no CPU and no memory.
         */
        post: operations["pause_sandbox"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/sandboxes/{id}/ping": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Reset the idle timeout of a sandbox */
        post: operations["ping_sandbox"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/sandboxes/{id}/ports": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * List listening ports
         * @description Returns the TCP ports on which programs of the sandbox listen, without the guest agent's. Asks the guest agent, which counts as activity of the sandbox. What the guest agent answers is as trustworthy as the programs in the sandbox.
         */
        get: operations["list_ports"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/sandboxes/{id}/ports/{port}/link": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Link to a port
         * @description Returns an address that opens the port of a private sandbox in a browser: it works once, within 60 seconds. The browser keeps a cookie that opens this port of this sandbox to the pages of the port's own host name for 8 hours at most, and no longer than the caller has its right. Programs in the sandbox see neither the address nor the cookie. Responds with 400 where ports have no host names, which `url_pattern` of the list of ports tells, and for the guest agent's port 49983.
         */
        post: operations["link_port"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/sandboxes/{id}/processes": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * List processes
         * @description Returns the processes that clients started in the sandbox.
         */
        get: operations["list_processes"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/sandboxes/{id}/processes/{selector}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        post?: never;
        /** Send a signal to a process */
        delete: operations["kill_process"];
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/sandboxes/{id}/processes/{selector}/stream": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Attach to a process over a WebSocket
         * @description Streams the output of a running process. Closing the socket does not end the process.
         */
        get: operations["process_stream"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/sandboxes/{id}/pty": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Connect to a terminal over a WebSocket
         * @description Starts a program in a pseudo-terminal, or attaches to a running one. The messages on the socket are `PtyClientMessage` and
         *     `PtyServerMessage`. Closing the socket does not end the program: connect again with its tag and your position in the output.
         */
        get: operations["pty"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/sandboxes/{id}/resume": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Resume a sandbox
         * @description Restores a paused sandbox with the memory that was saved.
         */
        post: operations["resume_sandbox"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/teams": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * List teams
         * @description Returns the teams of the authenticated user, in the order of joining.
         */
        get: operations["list_teams"];
        put?: never;
        /**
         * Create a team
         * @description The authenticated user becomes the owner.
         */
        post: operations["create_team"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/teams/{id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Get a team
         * @description Returns the team, its members and the invited people. Requires a token for the team.
         */
        get: operations["get_team"];
        put?: never;
        post?: never;
        /**
         * Delete a team
         * @description Destroys the sandboxes of the team; a sandbox on an unreachable host is destroyed when the host returns. Requires a token
         *     for the team, and the role owner.
         */
        delete: operations["delete_team"];
        options?: never;
        head?: never;
        /**
         * Rename a team
         * @description Requires a token for the team, and the role owner or admin.
         */
        patch: operations["rename_team"];
        trace?: never;
    };
    "/v1/teams/{id}/leave": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Leave a team
         * @description Revokes the API keys that the user created for the team. The owner cannot leave. Requires a token for the team.
         */
        post: operations["leave_team"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/teams/{id}/members": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * List team members
         * @description Returns the members in the order of joining, then the invited people. Requires a token for the team.
         */
        get: operations["list_members"];
        put?: never;
        /**
         * Invite a person to a team
         * @description The person becomes a member by accepting the invitation within 7 days. The response is the same whether or not an account has the
         *     address. A mail server sends the link of the invitation to the address; without one the response contains the link. Another
         *     invitation of the same address replaces the first. Requires a token for the team, and the role owner or admin.
         */
        post: operations["add_member"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/teams/{id}/members/{user_id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        post?: never;
        /**
         * Remove a team member
         * @description Revokes the API keys that the member created for the team, or the invitation of an invited person. Returns the team's sandboxes
         *     that the member or those keys created and that still exist. The owner cannot be removed. Requires a token for the team, and the
         *     role owner or admin.
         */
        delete: operations["remove_member"];
        options?: never;
        head?: never;
        /**
         * Set the role of a team member
         * @description The role of the owner cannot be changed. Requires a token for the team, and the role owner or admin.
         */
        patch: operations["set_member_role"];
        trace?: never;
    };
    "/v1/users/search": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Search users
         * @description Returns the users whose e-mail address begins with the given text, 10 at most.
         */
        get: operations["search_users"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v2/sandboxes": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * List sandboxes
         * @description Returns running and paused sandboxes in pages.
         */
        get: operations["e2b_list_sandboxes"];
        put?: never;
        /**
         * Create a sandbox
         * @description The sandbox times out after 300 seconds when `timeout` is absent.
         */
        post: operations["e2b_create_sandbox"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v2/sandboxes/{id}/connect": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Connect to a sandbox
         * @description Resumes a paused sandbox. Responds with 200 when the sandbox was running, with 201 when the sandbox was resumed.
         */
        post: operations["e2b_connect_sandbox"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
}
export type webhooks = Record<string, never>;
export interface components {
    schemas: {
        /** @description Body of `POST /v1/auth/activate`. */
        ActivateRequest: {
            /** @description The password of the account, which replaces the password of the sign-up. */
            password: components["schemas"]["NewPassword"];
            /** @description From the mail. */
            token: string;
        };
        /** @description A user, an API key, or the platform itself. */
        Actor: {
            /** @description Absent for the platform, and for a user whose account is deleted. */
            id?: string | null;
            kind: components["schemas"]["ActorKind"];
            /** @description Absent for the platform, for a user whose account is deleted, and for a key that is revoked. */
            name?: string | null;
        };
        /**
         * @description The kind of an actor.
         * @enum {string}
         */
        ActorKind: "user" | "api_key" | "system";
        /** @description An API key that the user created. */
        AddedApiKey: {
            /** Format: date-time */
            created_at: string;
            id: components["schemas"]["ApiKeyId"];
            name: string;
            team_id: components["schemas"]["TeamId"];
        };
        /** @description A sign-in provider that was connected to the account. */
        AddedProvider: {
            /** Format: date-time */
            connected_at: string;
            /** @description The e-mail address at the provider. Empty when the provider told none. */
            email: string;
            provider: string;
        };
        AddHostTagRequest: {
            tag: string;
        };
        /** @description Body of `POST /v1/teams/{id}/members`. */
        AddMemberRequest: {
            /** @description The e-mail address of the person, with or without an account. */
            email: components["schemas"]["Email"];
        };
        /** @description A sandbox as platform administrators see it, with its team. */
        AdminSandbox: components["schemas"]["Sandbox"] & {
            team: components["schemas"]["SandboxTeam"];
        };
        /** @description A task of the control plane that runs on a period. */
        AdminTask: {
            /**
             * Format: int64
             * @description The number of things that the latest pass changed.
             */
            changed?: number | null;
            /**
             * Format: int64
             * @description The number of things that the latest pass could not change.
             */
            failed?: number | null;
            /**
             * Format: int64
             * @description The number of things that the latest pass looked at. Absent for a task that counts nothing.
             */
            found?: number | null;
            /** @description The error of that pass. Absent when the pass succeeded. The log of the control plane has the details. */
            last_error?: string | null;
            /**
             * Format: date-time
             * @description The end of the latest pass that has ended, whether it failed or not.
             */
            last_finished_at?: string | null;
            /**
             * Format: date-time
             * @description The start of the latest pass.
             */
            last_started_at?: string | null;
            name: string;
            /**
             * Format: int64
             * @description Seconds between two passes.
             */
            period_sec: number;
        };
        AdminTaskList: {
            items: components["schemas"]["AdminTask"][];
        };
        /** @description A team as platform administrators see it, with its owner and its use of the platform. */
        AdminTeam: components["schemas"]["Team"] & {
            /**
             * Format: int64
             * @description Number of sandboxes that have not ended, those of a deleted team included.
             */
            active_sandbox_count: number;
            /** Format: int64 */
            channel_count: number;
            /** Format: date-time */
            deleted_at?: string | null;
            /** Format: int64 */
            member_count: number;
            owner_email: string;
            owner_name: string;
        };
        AdminTeamPage: {
            /** Format: int64 */
            page: number;
            /** Format: int64 */
            per_page: number;
            teams: components["schemas"]["AdminTeam"][];
            /** Format: int64 */
            total: number;
            /** Format: int64 */
            total_pages: number;
        };
        /** @description A user account as platform administrators see it. */
        AdminUser: {
            /** Format: date-time */
            created_at: string;
            email: string;
            id: components["schemas"]["UserId"];
            is_admin: boolean;
            name: string;
            /** @description The status of the account: `inactive`, `active` or `disabled`. */
            status: string;
            /** Format: int64 */
            teams_joined: number;
            /** Format: int64 */
            teams_owned: number;
        };
        AdminUserPage: {
            /** Format: int64 */
            page: number;
            /** Format: int64 */
            per_page: number;
            /** Format: int64 */
            total: number;
            /** Format: int64 */
            total_pages: number;
            users: components["schemas"]["AdminUser"][];
        };
        ApiKey: {
            /** Format: date-time */
            created_at: string;
            created_by?: components["schemas"]["UserId"] | null;
            /** @description The name of that user. */
            created_by_name?: string | null;
            creator_email?: string | null;
            /** Format: date-time */
            expires_at?: string | null;
            id: components["schemas"]["ApiKeyId"];
            /** @description The secret key. Present only in the response that creates the key. */
            key?: string | null;
            /** @description The first ten characters of the key. */
            key_prefix: string;
            /** Format: date-time */
            last_used?: string | null;
            name: string;
            scope: components["schemas"]["KeyScope"];
            team_id: components["schemas"]["TeamId"];
        };
        /**
         * @description The id of an API key. The id is not the secret key.
         * @example key-6ba7b810-9dad-11d1-80b4-00c04fd430c8
         */
        ApiKeyId: string;
        /** @description An audit log entry: an action, its actor and the resource that was acted on. */
        AuditEntry: {
            action: string;
            actor_id?: string | null;
            actor_name?: string | null;
            /** @description The kind of actor: `user`, `api_key` or `system`. */
            actor_type: string;
            /** Format: date-time */
            created_at: string;
            id: components["schemas"]["AuditId"];
            metadata?: Record<string, never>;
            resource_id?: string | null;
            /** @description The name of the user, team or API key that was acted on. Absent when the platform does not know a name. */
            resource_name?: string | null;
            resource_type: string;
            /** @description Visibility of the entry: `team` for all members of the team, `admin` for its owner and admins. */
            scope: string;
            /** @description The outcome: `success`, `info`, `warning` or `error`. */
            status: string;
        };
        /** @description An entry was added to the audit log. */
        AuditEvent: {
            id?: components["schemas"]["AuditId"] | null;
        };
        /**
         * @description The id of an audit log entry.
         * @example log-6ba7b810-9dad-11d1-80b4-00c04fd430c8
         */
        AuditId: string;
        /** @description A page of audit log entries, newest first. */
        AuditPage: {
            items: components["schemas"]["AuditEntry"][];
            /** @description The value of `before` that gets the next page. Present whenever this page holds an entry. */
            next_before?: string | null;
        };
        /** @description A login token, and the account that it belongs to. */
        AuthResponse: {
            email: string;
            /**
             * Format: date-time
             * @description The time at which the token ends, unless the login ends before.
             */
            expires_at?: string | null;
            name: string;
            team_id?: components["schemas"]["TeamId"] | null;
            /** @description The token to send as `Authorization: Bearer`. */
            token: string;
            user_id: components["schemas"]["UserId"];
        };
        /** @description Body of `POST /v1/me/password`. */
        ChangePasswordRequest: {
            /**
             * Format: password
             * @description The new password again. Required when the account has no password yet.
             */
            confirm_password?: string | null;
            /**
             * Format: password
             * @description The current password. Required when the account has a password.
             */
            current_password?: string | null;
            new_password: components["schemas"]["NewPassword"];
            /** @description Whether to disconnect the sign-in providers and revoke the API keys that were added since the password was last set. */
            remove_added?: boolean;
        };
        /** @description A message from the client. The first message is `auth` when the upgrade request carries no credential, and `start` otherwise. */
        ClientMessage: {
            token: string;
            /** @enum {string} */
            type: "auth";
        } | (components["schemas"]["StartMessage"] & {
            /** @enum {string} */
            type: "start";
        }) | {
            data: string;
            /** @enum {string} */
            type: "stdin";
        } | {
            /** @enum {string} */
            type: "stdin_close";
        } | {
            signal: components["schemas"]["SignalName"];
            /** @enum {string} */
            type: "signal";
        } | {
            /** @enum {string} */
            type: "stop";
        };
        /** @description Response of `GET /v1/me/providers/{provider}/connect`. */
        ConnectProviderResponse: {
            /** @description The provider's authorization page. Open the page in the browser that received this response. */
            auth_url: string;
        };
        /** @description Body of `POST /v1/api-keys`. Every field has a default. */
        CreateApiKeyRequest: {
            /**
             * Format: date-time
             * @description The time at which the key expires. Absent: never.
             * @default null
             */
            expires_at: string | null;
            /**
             * @description The name of the key. A name is generated when empty.
             * @default
             */
            name: string;
            /** @default full */
            scope: components["schemas"]["KeyScope"];
        };
        /** @description A host, and the token with which its agent registers. The token is shown once. */
        CreatedHost: {
            /** @description The hash of the CA by which the host agent knows the control plane: `locule agent --ca-hash`. */
            ca_hash: string;
            host: components["schemas"]["Host"];
            /** @description The URL that host agents on other machines call: `locule agent --server`. Absent when the operator has set none. */
            hosts_url?: string | null;
            /** @description Valid for an hour, and for one registration. */
            registration_token: string;
        };
        /** @description A sandbox, in short. */
        CreatedSandbox: {
            /** Format: date-time */
            created_at: string;
            id: components["schemas"]["SandboxId"];
            /** @description Empty when the labels are longer than 4 KiB. */
            labels?: {
                [key: string]: string;
            };
            status: components["schemas"]["SandboxStatus"];
            team_id: components["schemas"]["TeamId"];
            template: string;
        };
        /**
         * @description The sandboxes that a removed user or a revoked key created and that still exist. A program that was left running in one of them
         *     goes on until the sandbox is destroyed.
         */
        CreatedSandboxes: {
            /** @description Whether more sandboxes exist than the list contains. */
            has_more: boolean;
            /** @description Newest first, 100 at most. */
            sandboxes: components["schemas"]["CreatedSandbox"][];
        };
        CreateHostRequest: {
            availability_zone?: string | null;
            /** @description The provider of the machine, such as `hetzner`. */
            provider?: string | null;
            team_id?: components["schemas"]["TeamId"] | null;
            type: components["schemas"]["HostType"];
        };
        /** @description Body of `POST /v1/sandboxes`. Every field has a default. */
        CreateSandboxRequest: {
            /**
             * @description Whether a request for one of the sandbox's ports resumes a paused sandbox.
             * @default null
             */
            auto_resume: boolean | null;
            /** @description Environment variables of every process in the sandbox. Names and values of variables and labels together have 65536 bytes at most. */
            envs?: {
                [key: string]: string;
            };
            /**
             * Format: int64
             * @description Seconds until the sandbox times out, counted from now.
             */
            expires_in_sec?: number | null;
            /** @description Labels to find the sandbox by. Names and values of variables and labels together have 65536 bytes at most. */
            labels?: {
                [key: string]: string;
            };
            /** @description Memory in MiB, a multiple of 128. Zero or less stands for the default of 512. */
            memory_mb?: (number | null) | (number | null);
            /** @default null */
            on_timeout: components["schemas"]["OnTimeout"] | null;
            /**
             * @description Whether requests for the sandbox's ports need no token; `false` when absent.
             * @default null
             */
            public_traffic: boolean | null;
            /** @default null */
            template: components["schemas"]["TemplateName"] | null;
            /**
             * Format: int64
             * @description Seconds without activity after which the sandbox is paused; 0 never pauses an idle sandbox.
             */
            timeout_sec?: number | null;
            /**
             * Format: int64
             * @description Number of virtual CPUs. Zero or less stands for the default of 1.
             */
            vcpus?: number | null;
        };
        /**
         * @description The id of a user or of an API key.
         * @example usr-6ba7b810-9dad-11d1-80b4-00c04fd430c8
         */
        CreatorId: string;
        /** @description Body of `DELETE /v1/me`. */
        DeleteMeRequest: {
            /** @description The account's e-mail address, which confirms the deletion. */
            confirmation: string;
            /**
             * Format: password
             * @description The account's password. Not required when the login is younger than ten minutes.
             */
            current_password?: string | null;
        };
        /**
         * @description The state that users and policy ask for. It differs from the status while an operation is in progress.
         * @enum {string}
         */
        DesiredStatus: "running" | "paused" | "gone";
        /** @description A host that is drained, and the sandboxes that it holds at this moment. */
        DrainedHost: {
            host: components["schemas"]["Host"];
            sandboxes: components["schemas"]["HostSandbox"][];
        };
        DrainHostRequest: {
            /** @description The treatment of the sandboxes that run. */
            running: components["schemas"]["HostDrain"];
        };
        "e2b.AutoResume": {
            enabled: boolean;
        };
        /** @description Body of both connect operations. Clients of `/sandboxes/{id}/connect` always send `timeout`. */
        "e2b.ConnectSandbox": {
            /**
             * @description Not supported: `false` is refused.
             * @enum {boolean|null}
             */
            memory?: true | null;
            /**
             * Format: int64
             * @description Seconds until the sandbox times out, counted from now.
             */
            timeout?: number | null;
        };
        /** @description Body of every error response. */
        "e2b.Error": {
            /**
             * Format: int32
             * @description The HTTP status code, repeated for the JavaScript SDK, which reads the status from the body.
             */
            code: number;
            error_code?: string | null;
            message: string;
        };
        "e2b.Lifecycle": {
            autoResume: boolean;
            onTimeout: components["schemas"]["OnTimeout"];
        };
        /** @description A sandbox in a list. */
        "e2b.ListedSandbox": {
            alias?: string | null;
            clientID: string;
            /** Format: int32 */
            cpuCount: number;
            /** Format: int32 */
            diskSizeMB: number;
            /** Format: date-time */
            endAt: string;
            envdVersion: string;
            /** Format: int32 */
            memoryMB: number;
            metadata?: {
                [key: string]: string;
            } | null;
            sandboxID: components["schemas"]["e2b.SandboxId"];
            /** Format: date-time */
            startedAt: string;
            state: components["schemas"]["e2b.SandboxState"];
            templateID: string;
        };
        /**
         * @description The network configuration. Only `allowPublicTraffic` takes effect. Any other field is refused unless its value is empty,
         *     because the platform does not enforce such a rule.
         */
        "e2b.Network": {
            /** @default null */
            allowOut: string[] | null;
            /**
             * @description Whether ports are reachable without a token. When `false`, every port except the guest agent's requires the traffic
             *     access token.
             * @default null
             */
            allowPublicTraffic: boolean | null;
            /** @default null */
            denyOut: string[] | null;
            /** @default null */
            dnsServers: string[] | null;
            /** @description Not supported: a value that is not empty is refused. */
            egressProxy?: Record<string, never> | null;
            /** @default null */
            httpsPorts: number[] | null;
            /** @default null */
            maskRequestHost: string | null;
            /** @description Not supported: a value that is not empty is refused. */
            rules?: Record<string, never> | null;
        };
        /** @description Body of both create operations. The default of `timeout` is 15 seconds in `/sandboxes` and 300 seconds in `/v2/sandboxes`. */
        "e2b.NewSandbox": {
            /**
             * @description Not supported: `false` is refused.
             * @enum {boolean|null}
             */
            allow_internet_access?: true | null;
            /** @description Whether the sandbox is paused, instead of killed, at its timeout. */
            autoPause?: boolean | null;
            /**
             * @description Not supported: `false` is refused.
             * @enum {boolean|null}
             */
            autoPauseMemory?: true | null;
            autoResume?: components["schemas"]["e2b.AutoResume"] | null;
            /** @description Environment variables of every process in the sandbox. Names and values of variables and labels together have 65536 bytes at most. */
            envVars?: {
                [key: string]: string;
            } | null;
            /** @description Not supported: a value that is not empty is refused. */
            iam?: Record<string, never> | null;
            /**
             * Format: int64
             * @description Memory in MiB, rounded up to a multiple of 128; the details of the sandbox have the rounded value. Default: 512.
             */
            memoryMB?: number | null;
            /** @description Labels to find the sandbox by. Names and values of variables and labels together have 65536 bytes at most. */
            metadata?: {
                [key: string]: string;
            } | null;
            network?: components["schemas"]["e2b.Network"] | null;
            templateID: components["schemas"]["TemplateName"];
            /**
             * Format: int64
             * @description Seconds until the sandbox times out, counted from now.
             */
            timeout?: number | null;
            /** @description Not supported. A value that is not empty is refused. */
            volumeMounts?: Record<string, never>[] | null;
        };
        /** @description Body of `POST /sandboxes/{id}/pause`; may be absent. */
        "e2b.PauseSandbox": {
            /**
             * @description Not supported: `false` is refused.
             * @enum {boolean|null}
             */
            memory?: true | null;
            /**
             * @description Not supported: `true` is refused.
             * @enum {boolean|null}
             */
            requireHealthyGuest?: false | null;
        };
        /** @description Body of `POST /sandboxes/{id}/refreshes`. */
        "e2b.Refresh": {
            /**
             * Format: int64
             * @description Minimum number of seconds until the sandbox times out, counted from now: 3600 at most, 60 when absent.
             */
            duration?: number | null;
        };
        /** @description Body of `POST /sandboxes/{id}/resume`. */
        "e2b.ResumeSandbox": {
            /** @description Whether the sandbox is paused at its timeout. `true` is refused unless the sandbox was created with `autoPause`. */
            autoPause?: boolean | null;
            /**
             * @description Not supported: `false` is refused.
             * @enum {boolean|null}
             */
            memory?: true | null;
            /**
             * Format: int64
             * @description Seconds until the sandbox times out, counted from now.
             */
            timeout?: number | null;
        };
        /** @description A sandbox, as the create and connect operations return one. */
        "e2b.Sandbox": {
            alias?: string | null;
            clientID: string;
            domain?: string | null;
            envdAccessToken?: string | null;
            envdVersion: string;
            sandboxID: components["schemas"]["e2b.SandboxId"];
            templateID: string;
            /** @description The traffic access token of the sandbox's ports. `null` unless `network.allowPublicTraffic` is `false`. */
            trafficAccessToken?: string | null;
        };
        /** @description Response of `GET /sandboxes/{id}`. */
        "e2b.SandboxDetail": components["schemas"]["e2b.ListedSandbox"] & {
            domain?: string | null;
            envdAccessToken?: string | null;
            lifecycle: components["schemas"]["e2b.Lifecycle"];
            network: components["schemas"]["e2b.Network"];
        };
        /**
         * @description The id of a sandbox: 128 bits as 25 digits of base 36.
         * @example 6dfzh5ik5uxynzmlf5cshamdk
         */
        "e2b.SandboxId": string;
        /**
         * @description The state of a sandbox. The SDKs know these two states.
         * @enum {string}
         */
        "e2b.SandboxState": "running" | "paused";
        /** @description Body of `POST /sandboxes/{id}/timeout`. */
        "e2b.SetTimeout": {
            /**
             * Format: int64
             * @description Seconds until the sandbox times out, counted from now. 0 ends the sandbox at once.
             */
            timeout: number;
        };
        /**
         * @description An e-mail address of ASCII letters.
         * @example ada@example.org
         */
        Email: string;
        /**
         * @description The beginning of an e-mail address, up to the `@` at least.
         * @example ada@ex
         */
        EmailPrefix: string;
        /**
         * @description Encoding of bytes as JSON text.
         * @enum {string}
         */
        Encoding: "utf-8" | "base64";
        /** @description Body of every error response. */
        ErrorBody: {
            error: components["schemas"]["ErrorDetail"];
            /** @description As `error.sandbox_ids`. */
            sandbox_ids?: components["schemas"]["SandboxId"][];
        };
        /**
         * @description Machine-readable reason of an error. Clients depend on the code and the HTTP status, never on the message.
         * @enum {string}
         */
        ErrorCode: "invalid_request" | "invalid_token" | "already_activated" | "last_login_method" | "unauthorized" | "wrong_password" | "forbidden" | "no_team" | "recent_login_required" | "account_not_activated" | "account_disabled" | "account_deactivated" | "signup_closed" | "invitation_required" | "not_found" | "host_deleted" | "provider_not_found" | "command_not_found" | "command_not_executable" | "method_not_allowed" | "invalid_state" | "conflict" | "host_unreachable" | "has_active_sandboxes" | "signup_cooldown" | "email_taken" | "owns_team_with_members" | "last_administrator" | "misdirected_request" | "idempotency_request_mismatch" | "idempotency_in_progress" | "too_large" | "invalid_range" | "unsupported_media_type" | "quota_exceeded" | "rate_limited" | "internal_error" | "not_implemented" | "agent_error" | "disk_full" | "host_unavailable" | "no_hosts_available" | "not_ready";
        ErrorDetail: {
            /** @description A documented error code. Older clients may receive a code that is newer than the client. */
            code: components["schemas"]["ErrorCode"];
            host_id?: components["schemas"]["HostId"] | null;
            /** @description Human-readable message, which may change. */
            message: string;
            /** @description With the code `has_active_sandboxes`: the sandboxes on the host. */
            sandbox_ids?: components["schemas"]["SandboxId"][];
        };
        /** @description Body of `POST /v1/sandboxes/{id}/exec`. */
        ExecRequest: {
            args?: string[];
            /** @description Whether to respond as soon as the command has started, with its process id. */
            background?: boolean;
            /** @description The program to run, found through the sandbox's `PATH`. */
            cmd: string;
            cwd?: string | null;
            envs?: {
                [key: string]: string;
            };
            /** @description A name to select the process by. Generated for a background command when absent. */
            tag?: string | null;
            /**
             * Format: int64
             * @description Seconds after which the command is killed; 30 when absent. Ignored for a background command.
             */
            timeout_sec?: number | null;
            /** @description The user to run the command as; the sandbox's default user when absent. */
            user?: string | null;
        };
        /** @description The result of a command that has ended. */
        ExecResult: {
            cmd: string;
            /** Format: int64 */
            duration_ms: number;
            /** @description The encoding of `stdout` and `stderr`: base64 when either is not UTF-8. */
            encoding: components["schemas"]["Encoding"];
            /**
             * Format: int32
             * @description The exit code; 128 plus the number of the signal when a signal ended the command.
             */
            exit_code: number;
            sandbox_id: components["schemas"]["SandboxId"];
            stderr: string;
            stdout: string;
            /** @description Whether the command was killed because it took longer than `timeout_sec`. `stdout` and `stderr` are what it printed until then. */
            timed_out?: boolean;
            /** @description Whether the command was killed because it printed more than 16 MiB. `stdout` and `stderr` are the first 16 MiB. */
            truncated?: boolean;
        };
        /** @description A command that was started in the background. */
        ExecStarted: {
            cmd: string;
            /** Format: int32 */
            pid: number;
            sandbox_id: components["schemas"]["SandboxId"];
            tag: string;
        };
        FileEntry: {
            group: string;
            /**
             * Format: int32
             * @description Permission bits as a number.
             */
            mode: number;
            /**
             * Format: int64
             * @description Time of the last modification in seconds since 1970-01-01T00:00:00Z.
             */
            modified_at: number;
            name: string;
            owner: string;
            path: string;
            /** @description Permission bits as text, in the format of `ls -l`. */
            permissions: string;
            /** Format: int64 */
            size: number;
            symlink_target?: string | null;
            type: components["schemas"]["FileEntryKind"];
        };
        /** @enum {string} */
        FileEntryKind: "file" | "directory" | "symlink" | "unknown";
        /** @description Response of the operations `mkdir`, `move` and `stat` on files. */
        FileEntryResponse: {
            entry: components["schemas"]["FileEntry"];
        };
        FileList: {
            entries: components["schemas"]["FileEntry"][];
        };
        /**
         * @description The operation that a signed address permits.
         * @enum {string}
         */
        FileOperation: "read" | "write";
        /**
         * @description A path in the sandbox.
         * @example /home/user/a.txt
         */
        FilePath: string;
        /** @description The parts of an upload. */
        FileUpload: {
            /** Format: binary */
            file: string;
            path: components["schemas"]["FilePath"];
        };
        /** @description Body of `POST /v1/me/password/reset`. */
        ForgotPasswordRequest: {
            email: components["schemas"]["Email"];
        };
        /** @description A user that a search found. */
        FoundUser: {
            email: string;
            user_id: components["schemas"]["UserId"];
            /** @description Whether the user has proved to own the e-mail address. */
            verified: boolean;
        };
        /** @description Response of `GET /health` when sandboxes can be created. */
        Health: {
            /** @description Always `ok`. */
            status: string;
            version: string;
        };
        /** @description Uses of one kind that keep a sandbox awake. */
        Holder: {
            /**
             * Format: int32
             * @description Number of such uses.
             */
            count: number;
            kind: components["schemas"]["HolderKind"];
            /**
             * Format: int32
             * @description The id of the process, where the client named the process by its id.
             */
            pid?: number | null;
            /**
             * Format: int32
             * @description The port of the program.
             */
            port?: number | null;
            /**
             * Format: date-time
             * @description The beginning of the oldest of them.
             */
            since: string;
            /** @description The tag of the process, where it has one. */
            tag?: string | null;
        };
        /**
         * @description The kind of a use of a sandbox.
         * @enum {string}
         */
        HolderKind: "terminal" | "command" | "process_stream" | "transfer" | "port" | "call";
        Host: {
            /** @description The accelerator of the virtual machines: `kvm`, or `tcg` for emulation, which does not isolate. */
            accelerator?: string | null;
            /** @description The address at which the control plane reaches the host agent. */
            address?: string | null;
            /** @description The version of the host agent, as its latest heartbeat said. */
            agent_version?: string | null;
            /** @description The processor architecture of the machine. */
            arch?: string | null;
            availability_zone?: string | null;
            /** @description Whether new sandboxes are placed on other hosts only. */
            cordoned?: boolean;
            /** Format: int32 */
            cpu_cores?: number | null;
            /** Format: date-time */
            created_at: string;
            created_by?: components["schemas"]["UserId"] | null;
            /** Format: int32 */
            disk_gb?: number | null;
            drain?: components["schemas"]["HostDrain"] | null;
            /**
             * Format: int64
             * @description Memory that virtual machines may still use, as the latest heartbeat said.
             */
            free_memory_mb?: number | null;
            id: components["schemas"]["HostId"];
            /**
             * Format: date-time
             * @description The time of the latest heartbeat.
             */
            last_heartbeat_at?: string | null;
            /** Format: int32 */
            memory_mb?: number | null;
            /** Format: int64 */
            paused_sandboxes?: number;
            /**
             * Format: int64
             * @description Free space for disks and snapshots, as the latest heartbeat said.
             */
            pool_free_bytes?: number | null;
            provider?: string | null;
            /**
             * Format: int64
             * @description The memory of the running sandboxes together, as they were created with.
             */
            reserved_memory_mb?: number;
            /**
             * Format: int64
             * @description The sandboxes on the host that run, start, or are missing.
             */
            running_sandboxes?: number;
            status: components["schemas"]["HostStatus"];
            team_id?: components["schemas"]["TeamId"] | null;
            team_name?: string | null;
            type: components["schemas"]["HostType"];
            /** Format: date-time */
            updated_at: string;
        };
        /** @description The credentials of a host agent. They are shown once. */
        HostCredentials: {
            /** @description The certificate of the CA of hosts, in PEM. */
            ca_cert_pem?: string | null;
            /** @description The certificate for the key of the signing request, in PEM. Valid for 7 days. */
            cert_pem?: string | null;
            host: components["schemas"]["Host"];
            /** @description Valid for 60 days, and for one refresh. */
            refresh_token: string;
            /** @description The access token, for the header `X-Host-Token`. Valid for 7 days. */
            token: string;
        };
        /** @description The sandboxes that a forced delete of a host ends. */
        HostDeletePreview: {
            host: components["schemas"]["Host"];
            sandbox_ids: components["schemas"]["SandboxId"][];
            sandboxes: components["schemas"]["HostSandbox"][];
        };
        /**
         * @description The treatment of the running sandboxes of a host that is drained.
         * @enum {string}
         */
        HostDrain: "pause" | "wait";
        /** @description A host agent's statement about its host, every 30 seconds. */
        HostHeartbeat: {
            accelerator: string;
            /** @description The address of the host agent, if it is not the one of the registration. */
            address?: string | null;
            agent_version: string;
            /** @description The id of the machine's current boot. */
            boot_id: string;
            /** Format: int64 */
            free_memory_mib: number;
            /** @description A hash of all sandboxes on the host and their states. Empty: the agent does not know yet what the host holds. */
            inventory_hash?: string;
            /** Format: int64 */
            pool_free_bytes: number;
            /**
             * Format: int32
             * @description The version of the protocol between the control plane and the host agent.
             */
            protocol: number;
            /** @description The templates from which the host can create sandboxes. */
            templates?: components["schemas"]["HostTemplate"][];
        };
        /**
         * @description The id of a host.
         * @example host-6ba7b810-9dad-11d1-80b4-00c04fd430c8
         */
        HostId: string;
        /** @description A guest image that host agents fetch. */
        HostImage: {
            kind: components["schemas"]["HostImageKind"];
            /** @description The name of the template. */
            name?: string | null;
            /** @description The hash of the bytes that a host fetches. */
            sha256: components["schemas"]["Sha256"];
            /**
             * Format: int64
             * @description The number of the bytes that a host fetches.
             */
            size_bytes: number;
            /** @description The version of the kernel, or of the guest agent in the initramfs. */
            version?: string | null;
        };
        /**
         * @description The use of a guest image.
         * @enum {string}
         */
        HostImageKind: "kernel" | "initramfs" | "template";
        /** @description A sandbox on a host, in any state in which the host holds files of the sandbox. */
        HostSandbox: {
            /** Format: date-time */
            created_at: string;
            /** Format: int32 */
            disk_size_mb: number;
            id: components["schemas"]["SandboxId"];
            /** Format: int32 */
            memory_mb: number;
            status: components["schemas"]["SandboxStatus"];
            team_id: components["schemas"]["TeamId"];
            team_name?: string | null;
            template: string;
            /** Format: int32 */
            vcpus: number;
        };
        /**
         * @description The state of a host.
         * @enum {string}
         */
        HostStatus: "pending" | "online" | "unreachable";
        /** @description A template that a host has. */
        HostTemplate: {
            name: components["schemas"]["TemplateName"];
            /** @description The hash of the template's root filesystem. */
            sha256: components["schemas"]["Sha256"];
        };
        /**
         * @description The owner of a host, whose sandboxes the host runs.
         * @enum {string}
         */
        HostType: "regular" | "byoc";
        /**
         * @description A key that the client generates for a request and repeats when it retries the request.
         * @example 6ba7b810-9dad-11d1-80b4-00c04fd430c8
         */
        IdempotencyKey: string;
        /** @description The idle timeout of a running sandbox. */
        IdleClock: {
            /** Format: date-time */
            last_active_at: string;
            /**
             * Format: date-time
             * @description The moment at which the sandbox is paused unless it is used before. Absent while the sandbox is in use.
             */
            pauses_at?: string | null;
            /** Format: int32 */
            timeout_sec: number;
        };
        ImportSandboxRequest: {
            team_id?: components["schemas"]["TeamId"] | null;
        };
        /**
         * @description The operations that an API key may perform.
         * @enum {string}
         */
        KeyScope: "full" | "read" | "sandbox";
        /**
         * @description The name of a label, or a name and a value as `name=value`.
         * @example stage=prod
         */
        LabelFilter: string;
        /** @description A limit of a team and how much of it is used. */
        LimitUse: {
            /** Format: int64 */
            max: number;
            /** Format: int64 */
            used: number;
        };
        /** @description A port on which a program of the sandbox listens. */
        ListeningPort: {
            /** @description The address that the program listens on: `0.0.0.0` and `::` stand for every address. */
            address: string;
            /**
             * Format: int32
             * @description The process that listens. Absent when the guest agent cannot tell.
             */
            pid?: number | null;
            /** Format: int32 */
            port: number;
            /** @description The name of the process. */
            process?: string | null;
            /** @description The address of the port from outside. Absent when `url_pattern` is. */
            url?: string | null;
        };
        /** @description Body of `POST /v1/sandboxes/{id}/files/list`. */
        ListFilesRequest: {
            /**
             * Format: int64
             * @description Number of levels to descend. 0 counts as 1, and a value above 64 as 64.
             */
            depth?: number;
            path: components["schemas"]["FilePath"];
        };
        /** @description Body of `POST /v1/auth/login`. */
        LoginRequest: {
            email: components["schemas"]["Email"];
            /** Format: password */
            password: string;
        };
        /** @description A login of the authenticated user. */
        LoginSession: {
            /** @description The address from which the program logged in: of IPv6 the first 64 bits. Absent when it is not known. */
            address?: string | null;
            /** @description The program that logged in, in its own words (`User-Agent`). Absent when it said nothing. */
            client?: string | null;
            /**
             * Format: date-time
             * @description The time of the login.
             */
            created_at: string;
            /** @description Whether the request was made with this login. */
            current: boolean;
            /**
             * Format: date-time
             * @description The time at which the login ends unless it is renewed.
             */
            expires_at: string;
            id: components["schemas"]["SessionId"];
            /** Format: date-time */
            last_used_at?: string | null;
        };
        /** @description The logins of the authenticated user that have not ended. */
        LoginSessionList: {
            /** @description Newest first, 100 at most. */
            items: components["schemas"]["LoginSession"][];
        };
        /** @description The account of the authenticated user. */
        Me: {
            email: string;
            has_password: boolean;
            /** @description Whether the user administers the platform. */
            is_admin: boolean;
            name: string;
            /** @description The connected sign-in providers, such as `github`. */
            providers: string[];
            team_id?: components["schemas"]["TeamId"] | null;
            user_id: components["schemas"]["UserId"];
        };
        /** @description A member of a team, or an invited person. */
        Member: {
            email: string;
            /**
             * Format: date-time
             * @description The time at which the member joined, or the person was invited.
             */
            joined_at: string;
            /** @description The link that accepts the invitation. Present only in the response that invites, and only when the platform has no mail server. */
            link?: string | null;
            /** @description The display name. Empty for an invited person. */
            name: string;
            role: components["schemas"]["Role"];
            status: components["schemas"]["MemberStatus"];
            /** @description The id of the member. The id of an invited person stands for the invitation, and removes it. */
            user_id: components["schemas"]["UserId"];
            /** @description Whether the member has proved to own the e-mail address. Always `false` for an invited person. */
            verified: boolean;
        };
        /**
         * @description Whether a person is in the team.
         * @enum {string}
         */
        MemberStatus: "active" | "invited";
        /** @description Body of `POST /v1/sandboxes/{id}/files/move`. */
        MoveFileRequest: {
            from: components["schemas"]["FilePath"];
            /** @description Replaces what is at `to`. Without it the request fails when `to` exists. */
            overwrite?: boolean;
            to: components["schemas"]["FilePath"];
        };
        /**
         * @description A name without control characters and with at least one character that is not a space.
         * @example Ada Lovelace
         */
        Name: string;
        /**
         * @description A new password: 8 characters or more.
         * @example correct horse battery staple
         */
        NewPassword: string;
        /** @description An empty object. */
        NoData: Record<string, never>;
        /**
         * @description Action on the process when the client's socket closes.
         * @enum {string}
         */
        OnDisconnect: "kill" | "detach";
        /**
         * @description Action on a sandbox at its `expires_at`.
         * @enum {string}
         */
        OnTimeout: "kill" | "pause";
        /**
         * @description The page token from the response with the previous page; empty for the first page.
         * @example 1764030000000000.6dfzh5ik5uxynzmlf5cshamdk
         */
        PageToken: string;
        /** @description Response to a new password: the ways into the account that were added since the password was last set. */
        PasswordResponse: {
            /** @description API keys that the user created, in every team; 100 at most. */
            api_keys: components["schemas"]["AddedApiKey"][];
            /** @description Sign-in providers. */
            providers: components["schemas"]["AddedProvider"][];
            /** @description Whether the providers were disconnected and the keys revoked. */
            removed: boolean;
        };
        /** @description The path of a file or directory. */
        PathRequest: {
            path: components["schemas"]["FilePath"];
        };
        /** @description The platform, as a page that offers a login needs to know it. */
        PlatformInfo: {
            /**
             * @description The accelerator of the virtual machines: `kvm`, or `tcg` for emulation, which is for development and trusted code only.
             *     Absent while no host answers.
             */
            accelerator?: string | null;
            /** @description Whether the platform sends e-mails: without them a forgotten password cannot be reset, and the inviter passes an invitation on. */
            mail: boolean;
            /** @description The sign-in providers that are set up, such as `github`. */
            providers: string[];
            /** @description The domain under which each port of a sandbox has a host name. Absent when the operator has set none. */
            sandbox_domain?: string | null;
            /** @description The people that may create an account. */
            sign_up: components["schemas"]["SignUp"];
            /** @description The URL of the platform. Absent when the operator has set none. */
            url?: string | null;
            version: string;
        };
        /**
         * Format: int64
         * @description The number of a port.
         */
        Port: number;
        /** @description Response of `POST /v1/sandboxes/{id}/ports/{port}/link`. */
        PortLink: {
            /**
             * Format: date-time
             * @description The address is not accepted from then on.
             */
            expires_at: string;
            /** @description Opens the port in a browser, once. */
            url: string;
        };
        /** @description Response of `GET /v1/sandboxes/{id}/ports`. */
        PortList: {
            ports: components["schemas"]["ListeningPort"][];
            /**
             * @description The address of any port, with `{port}` in place of its number. Absent when the sandbox has no host names: the platform
             *     has no domain for sandboxes, and the request did not reach it at a loopback name.
             */
            url_pattern?: string | null;
        };
        Process: {
            args?: string[];
            cmd: string;
            /** Format: int32 */
            pid: number;
            tag?: string | null;
        };
        /** @description Response of `GET /v1/sandboxes/{id}/processes`. */
        ProcessList: {
            processes: components["schemas"]["Process"][];
        };
        /**
         * @description A message from the client of a terminal. The first message is `auth` when the upgrade request carries no credential, and
         *     `start` or `connect` otherwise.
         */
        PtyClientMessage: {
            token: string;
            /** @enum {string} */
            type: "auth";
        } | (components["schemas"]["PtyStart"] & {
            /** @enum {string} */
            type: "start";
        }) | (components["schemas"]["PtyConnect"] & {
            /** @enum {string} */
            type: "connect";
        }) | {
            data: string;
            /** @enum {string} */
            type: "input";
        } | {
            /** Format: int32 */
            cols: number;
            /** Format: int32 */
            rows: number;
            /** @enum {string} */
            type: "resize";
        } | {
            /** @enum {string} */
            type: "kill";
        } | {
            /** @enum {string} */
            type: "pong";
        };
        /** @description Connects to a terminal that was started before. */
        PtyConnect: {
            /**
             * Format: int64
             * @description The position in the output to continue from; 0 asks for all output that the sandbox still keeps. Absent: only new output.
             */
            offset?: number | null;
            tag: string;
        };
        /** @description A message from the server of a terminal. The socket closes after `exit` and after an `error` that is fatal. */
        PtyServerMessage: {
            /**
             * Format: int64
             * @description The position in the output of the byte that follows. Each byte of an `output` and of a `gap` counts one. A client that
             *     connects again sends the sum as its `offset`. An offset smaller than the requested one means that the tag belongs to
             *     another terminal now.
             */
            offset: number;
            /** Format: int32 */
            pid: number;
            tag: string;
            /** @enum {string} */
            type: "started";
        } | {
            data: string;
            /** @enum {string} */
            type: "output";
        } | {
            /** Format: int64 */
            bytes: number;
            /** @enum {string} */
            type: "gap";
        } | {
            bytes: number;
            /** @enum {string} */
            type: "ack";
        } | {
            /** Format: int32 */
            exit_code: number;
            /**
             * Format: int32
             * @description The number of the signal that ended the program.
             */
            signal?: number | null;
            /** @enum {string} */
            type: "exit";
        } | {
            data: string;
            /** @description Whether the socket closes. Otherwise only the message that the error is about had no effect. */
            fatal: boolean;
            /** @enum {string} */
            type: "error";
        } | {
            /** @enum {string} */
            type: "ping";
        };
        /** @description Starts a program in a new terminal. */
        PtyStart: {
            args?: string[];
            /** @description Default: `/bin/bash`, or `/bin/sh` in a sandbox without it. */
            cmd?: string | null;
            /**
             * Format: int32
             * @description Absent or 0: 80.
             */
            cols?: number;
            cwd?: string | null;
            /** @description `TERM` is `xterm-256color` unless it is given here. */
            envs?: {
                [key: string]: string;
            };
            /**
             * Format: int32
             * @description Absent or 0: 24.
             */
            rows?: number;
            /**
             * @description The name to connect with later: a letter, then up to 63 letters, digits, `.`, `_` and `-`. Default: `pty-` and 8
             *     hexadecimal digits.
             */
            tag?: string | null;
            user?: string | null;
        };
        /** @description A sandbox that a host holds and that is not in the database. The values are the host's. */
        QuarantinedSandbox: {
            /** Format: date-time */
            created_at: string;
            /** Format: int32 */
            disk_size_mb: number;
            id: components["schemas"]["SandboxId"];
            /** Format: date-time */
            last_active_at?: string | null;
            /** Format: int32 */
            memory_mb: number;
            /** @description `paused`, or `running` until the platform pauses the sandbox. */
            status: components["schemas"]["SandboxStatus"];
            /**
             * Format: int64
             * @description The bytes that the disk and the saved memory of the sandbox occupy on the host.
             */
            stored_bytes?: number | null;
            team_id: components["schemas"]["TeamId"];
            /** @description The name of the team. Absent where no such team exists: an import needs another `team_id` then. */
            team_name?: string | null;
            template: string;
            /** Format: int32 */
            vcpus: number;
        };
        RefreshHostRequest: {
            /** @description A certificate signing request, as for a registration. */
            csr_pem?: string | null;
            refresh_token: string;
        };
        /** @description A host agent's request to register. */
        RegisterHostRequest: {
            /** @description The address at which the control plane reaches the host agent: a name or an IP address, and a port. */
            address: string;
            arch?: string | null;
            /** Format: int32 */
            cpu_cores?: number | null;
            /** @description A certificate signing request in PEM, of an ECDSA key on the curve P-256. Required at an address on another machine. */
            csr_pem?: string | null;
            /** Format: int32 */
            disk_gb?: number | null;
            /** Format: int32 */
            memory_mb?: number | null;
            /** @description The registration token of the host. */
            token: string;
        };
        /** @description Body of `PATCH /v1/me`. */
        RenameMeRequest: {
            name: components["schemas"]["Name"];
        };
        /** @description Body of `POST /v1/me/password/reset/confirm`. */
        ResetPasswordRequest: {
            new_password: components["schemas"]["NewPassword"];
            /** @description Whether to disconnect the sign-in providers and revoke the API keys that were added since the password was last set. */
            remove_added?: boolean;
            /** @description From the mail. */
            token: string;
        };
        /**
         * @description The role of a member in a team.
         * @enum {string}
         */
        Role: "owner" | "admin" | "member";
        /** @description A sandbox. */
        Sandbox: {
            /** @description Whether a request for one of the sandbox's ports resumes the sandbox when it is paused. */
            auto_resume: boolean;
            /** Format: date-time */
            created_at: string;
            /** @description The user or API key whose request created the sandbox. */
            created_by: components["schemas"]["Actor"];
            desired: components["schemas"]["DesiredStatus"];
            /** Format: int32 */
            disk_size_mb: number;
            /**
             * Format: date-time
             * @description The moment at which the status became `stopped` or `error`.
             */
            ended_at?: string | null;
            ended_by?: components["schemas"]["Actor"] | null;
            /** Format: date-time */
            expires_at?: string | null;
            guest_ip?: string | null;
            host_id?: components["schemas"]["HostId"] | null;
            host_ip?: string | null;
            id: components["schemas"]["SandboxId"];
            labels?: {
                [key: string]: string;
            };
            /** Format: date-time */
            last_active_at?: string | null;
            /** @description The last operation's failure, when the failure left the sandbox unchanged. */
            last_error?: string | null;
            /** Format: date-time */
            last_updated: string;
            /** Format: int32 */
            memory_mb: number;
            /** @description Versions of the components that run the sandbox: `kernel_version`, `vmm_version`, `agent_version`, `guest_version`. */
            metadata?: {
                [key: string]: string;
            };
            /** @description The action at `expires_at`. */
            on_timeout: components["schemas"]["OnTimeout"];
            origin: components["schemas"]["SandboxOrigin"];
            /** @description Whether requests for the sandbox's ports need no token. */
            public_traffic: boolean;
            /** Format: date-time */
            started_at?: string | null;
            status: components["schemas"]["SandboxStatus"];
            /**
             * @description The reason of the status `stopped` or `error`, and of `paused` if the platform paused the sandbox: `idle`, `expired`,
             *     `memory_pressure`, `host_stopping`, or `control_plane_lost` if the host lost the contact with the control plane.
             */
            status_reason?: string | null;
            template: string;
            /**
             * Format: int32
             * @description Seconds without activity after which the sandbox is paused; 0 never pauses an idle sandbox.
             */
            timeout_sec: number;
            /** Format: int32 */
            vcpus: number;
        };
        /** @description The moments at which a sandbox is paused or ends, and the uses that keep the sandbox awake. */
        SandboxClock: {
            /**
             * Format: date-time
             * @description The moment at which `on_timeout` applies.
             */
            expires_at?: string | null;
            /** @description Uses of the sandbox at this moment, in the order of the beginnings. At most 100 entries. */
            held_by: components["schemas"]["Holder"][];
            idle?: components["schemas"]["IdleClock"] | null;
            /**
             * Format: date-time
             * @description The moment of the answer, by the platform's clock.
             */
            now: string;
            on_timeout?: components["schemas"]["OnTimeout"] | null;
        };
        /** @description A sandbox was created, or its state, times, labels or reach changed. */
        SandboxEvent: {
            /** Format: date-time */
            at: string;
            desired: components["schemas"]["DesiredStatus"];
            id: components["schemas"]["SandboxId"];
            status: components["schemas"]["SandboxStatus"];
        };
        /**
         * @description The id of a sandbox.
         * @example sb-6ba7b810-9dad-11d1-80b4-00c04fd430c8
         */
        SandboxId: string;
        /** @description The limits of one sandbox. */
        SandboxLimits: {
            /** Format: int32 */
            memory_mb_max: number;
            /** Format: int32 */
            memory_mb_min: number;
            /**
             * Format: int32
             * @description The memory of a sandbox is a multiple of this.
             */
            memory_mb_step: number;
            /**
             * Format: int64
             * @description The longest idle timeout, and the longest time until a sandbox expires.
             */
            timeout_sec_max: number;
            /** Format: int32 */
            vcpus_max: number;
        };
        /** @description The template that a sandbox was started from. */
        SandboxOrigin: {
            template: string;
        };
        /**
         * @description The last observed state of a sandbox.
         * @enum {string}
         */
        SandboxStatus: "pending" | "starting" | "running" | "paused" | "missing" | "stopped" | "error";
        /** @description The team that owns a sandbox. */
        SandboxTeam: {
            id: components["schemas"]["TeamId"];
            name: string;
        };
        /**
         * @description A part of an id, of the name of a template, or of a label.
         * @example prod
         */
        SearchText: string;
        /** @description A message from the server. The socket closes after `exit` and after `error`. */
        ServerMessage: {
            /** Format: int32 */
            pid: number;
            /** @enum {string} */
            type: "start";
        } | {
            data: string;
            /** @enum {string} */
            type: "stdout";
        } | {
            data: string;
            /** @enum {string} */
            type: "stderr";
        } | {
            /** Format: int64 */
            bytes: number;
            /** @enum {string} */
            type: "gap";
        } | {
            bytes: number;
            /** @enum {string} */
            type: "ack";
        } | {
            /** Format: int32 */
            exit_code: number;
            /**
             * Format: int32
             * @description The number of the signal that ended the process.
             */
            signal?: number | null;
            /** @description Whether the process was killed because it ran longer than `timeout_sec`. */
            timed_out?: boolean;
            /** @enum {string} */
            type: "exit";
        } | {
            data: string;
            /** @enum {string} */
            type: "error";
        };
        /**
         * @description The id of a login.
         * @example ses-6ba7b810-9dad-11d1-80b4-00c04fd430c8
         */
        SessionId: string;
        /** @description Body of `PUT /v1/admin/users/{id}/active`. */
        SetActiveRequest: {
            active: boolean;
        };
        /** @description Body of `PUT /v1/admin/teams/{id}/byoc`. */
        SetByocRequest: {
            enabled: boolean;
        };
        /** @description Body of `PUT /v1/admin/teams/{id}/quota`. A limit that is absent or `null` has the platform's default. */
        SetQuotaRequest: {
            /**
             * Format: int32
             * @default null
             */
            creates_per_minute_max: number | null;
            /**
             * Format: int32
             * @default null
             */
            memory_mb_max: number | null;
            /**
             * Format: int32
             * @description Paused sandboxes, and running ones that the platform pauses at a timeout.
             * @default null
             */
            paused_sandboxes_max: number | null;
            /**
             * Format: int32
             * @description Sandboxes that may run or be starting at the same time.
             * @default null
             */
            sandboxes_max: number | null;
            /**
             * Format: int32
             * @description Disks and saved memory of all sandboxes together.
             * @default null
             */
            storage_mb_max: number | null;
            /**
             * Format: int32
             * @default null
             */
            vcpus_max: number | null;
        };
        /** @description Body of `PATCH /v1/teams/{id}/members/{user_id}`. */
        SetRoleRequest: {
            /**
             * @description The new role.
             * @enum {string}
             */
            role: "admin" | "member";
        };
        /**
         * @description A SHA-256 hash in hexadecimal.
         * @example 7d47529268ae18f8480b895f5f71758051927eaa7a2e1c126f1bbf5492068915
         */
        Sha256: string;
        /** @enum {string} */
        SignalName: "SIGHUP" | "SIGINT" | "SIGQUIT" | "SIGKILL" | "SIGTERM";
        /** @description Response of `POST /v1/sandboxes/{id}/files/sign`: an address that needs no credential. */
        SignedAddress: {
            /** Format: date-time */
            expires_at: string;
            /** @description For `read` a `GET` of the address downloads the file; for `write` a `POST` of a multipart body with the part `file` writes the file. */
            url: string;
        };
        /** @description Body of `POST /v1/sandboxes/{id}/files/sign`. */
        SignFileRequest: {
            /**
             * Format: int64
             * @description Seconds until the address expires. Default: 3600.
             */
            expires_in_sec?: number | null;
            operation: components["schemas"]["FileOperation"];
            path: components["schemas"]["FilePath"];
        };
        /**
         * @description The people that may create an account.
         * @enum {string}
         */
        SignUp: "open" | "invitation" | "closed";
        /** @description Body of `POST /v1/auth/signup`. */
        SignupRequest: {
            email: components["schemas"]["Email"];
            /** @description The token of an invitation to a team, which the sign-up accepts. The e-mail address must be the invited one. */
            invitation?: string | null;
            /** @description The display name, which other users can see. */
            name: components["schemas"]["Name"];
            password: components["schemas"]["NewPassword"];
        };
        /** @description Response to a sign-up: a login, or a message when the account must be activated by e-mail first. */
        SignupResponse: components["schemas"]["AuthResponse"] | {
            /** @description Human-readable instructions. */
            message: string;
        };
        /** @description The command to run. */
        StartMessage: {
            args?: string[];
            cmd: string;
            cwd?: string | null;
            /** @description The encoding of `stdout` and `stderr` messages. */
            encoding?: components["schemas"]["Encoding"];
            envs?: {
                [key: string]: string;
            };
            on_disconnect?: components["schemas"]["OnDisconnect"];
            /** @description Whether stdin stays open for `stdin` messages. */
            stdin?: boolean;
            /**
             * Format: int64
             * @description Seconds after which the process is killed. Absent or 0: never.
             */
            timeout_sec?: number | null;
            user?: string | null;
        };
        /** @description Body of `POST /v1/auth/switch-team`. */
        SwitchTeamRequest: {
            team_id: components["schemas"]["TeamId"];
        };
        Team: {
            /** Format: date-time */
            created_at: string;
            id: components["schemas"]["TeamId"];
            /** @description Whether the team may bring its own hosts. */
            is_byoc: boolean;
            name: string;
            /** @description A unique name that never changes and is never reused for another team. */
            slug: string;
        };
        /** @description A team with its members and the invited people. */
        TeamDetail: {
            members: components["schemas"]["Member"][];
            team: components["schemas"]["Team"];
        };
        /** @description An event of `GET /v1/events`: its name stands after `event:`, its value as JSON after `data:`. */
        TeamEvent: {
            /** @description Anything may have changed: load what is shown. The first event of every stream, and sent again when events may be missing. */
            data: components["schemas"]["NoData"];
            /** @enum {string} */
            event: "resync";
        } | {
            data: components["schemas"]["SandboxEvent"];
            /** @enum {string} */
            event: "sandbox";
        } | {
            data: components["schemas"]["AuditEvent"];
            /** @enum {string} */
            event: "audit";
        } | {
            /** @description The members or invitations of the team changed. */
            data: components["schemas"]["NoData"];
            /** @enum {string} */
            event: "members";
        } | {
            /** @description The API keys of the team changed. */
            data: components["schemas"]["NoData"];
            /** @enum {string} */
            event: "keys";
        } | {
            /** @description The team itself changed. */
            data: components["schemas"]["NoData"];
            /** @enum {string} */
            event: "team";
        };
        /**
         * @description The id of a team.
         * @example team-6ba7b810-9dad-11d1-80b4-00c04fd430c8
         */
        TeamId: string;
        /** @description The limits of a team, and the use of each limit by its sandboxes. */
        TeamLimits: {
            /**
             * Format: int32
             * @description Sandboxes that the team may create in a minute.
             */
            creates_per_minute_max: number;
            /** @description Memory of running sandboxes, in MiB. */
            memory_mb: components["schemas"]["LimitUse"];
            /** @description Paused sandboxes, and running ones that the platform pauses at a timeout. */
            paused_sandboxes: components["schemas"]["LimitUse"];
            sandbox: components["schemas"]["SandboxLimits"];
            /** @description Running sandboxes. */
            sandboxes: components["schemas"]["LimitUse"];
            /** @description Disks and saved memory, in MiB, as hosts reported them last. */
            storage_mb: components["schemas"]["LimitUse"];
            /** @description Virtual CPUs of running sandboxes. */
            vcpus: components["schemas"]["LimitUse"];
        };
        /**
         * @description Letters, digits, spaces or any of `_ - @ '`, and at least one character that is not a space.
         * @example Ada's team
         */
        TeamName: string;
        /** @description Body of `POST /v1/teams` and `PATCH /v1/teams/{id}`. */
        TeamNameRequest: {
            name: components["schemas"]["TeamName"];
        };
        /** @description The limits of a team as an administrator sees them. */
        TeamQuota: {
            /** @description The limits that hold for the team, and the use of them by its sandboxes. */
            limits: components["schemas"]["TeamLimits"];
            /** @description The limits that `PUT /v1/admin/teams/{id}/quota` set. A limit that is `null` has the platform's default. */
            own: components["schemas"]["SetQuotaRequest"];
        };
        /** @description A team, and the role of the authenticated user in that team. */
        TeamWithRole: components["schemas"]["Team"] & {
            role: components["schemas"]["Role"];
        };
        /**
         * @description The name of a template.
         * @example minimal
         */
        TemplateName: string;
        UpdateHostRequest: {
            /** @description `true`: new sandboxes are placed on other hosts only. `false` also ends a drain. */
            cordoned: boolean;
        };
        /** @description Body of `PATCH /v1/sandboxes/{id}`. A field that is absent stays as it is. */
        UpdateSandboxRequest: {
            /**
             * @description Whether a request for one of the sandbox's ports resumes the sandbox when it is paused.
             * @default null
             */
            auto_resume: boolean | null;
            /**
             * Format: int64
             * @description Seconds from now until `expires_at`. `null`: the sandbox never expires.
             */
            expires_in_sec?: number | null;
            /** @description Labels to set. `null` removes a label; a label that is not named stays. Names and values of variables and labels together have 65536 bytes at most. */
            labels?: {
                [key: string]: string | null;
            } | null;
            /** @default null */
            on_timeout: components["schemas"]["OnTimeout"] | null;
            /**
             * @description Whether requests for the sandbox's ports need no token.
             * @default null
             */
            public_traffic: boolean | null;
            /**
             * Format: int64
             * @description Seconds without activity after which the sandbox is paused; 0 never pauses an idle sandbox.
             */
            timeout_sec?: number | null;
        };
        /**
         * @description The id of a user.
         * @example usr-6ba7b810-9dad-11d1-80b4-00c04fd430c8
         */
        UserId: string;
    };
    responses: never;
    parameters: never;
    requestBodies: never;
    headers: never;
    pathItems: never;
}
export type $defs = Record<string, never>;
export interface operations {
    begin_oauth: {
        parameters: {
            query?: {
                /** @description `signup` also creates an account when none exists. */
                intent?: "login" | "signup";
            };
            header?: never;
            path: {
                /** @description The name of the provider: `github` */
                provider: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Redirect to the provider. A cookie holds the state of the sign-in */
            302: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            /** @description The request cannot be read, or a value is out of its bounds. */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The resource does not exist, or belongs to another team. */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description Too many requests were sent, or a limit of the team is reached. */
            429: {
                headers: {
                    /** @description Seconds to wait before the next request. Absent when waiting does not help. */
                    "Retry-After"?: number;
                    /** @description `false` when repeating the request does not help. */
                    "should-retry"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description An internal error occurred. */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The operation is not possible at the moment. The same request may succeed later. */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
        };
    };
    finish_oauth: {
        parameters: {
            query?: {
                code?: string;
                error?: string;
                state?: string;
            };
            header?: never;
            path: {
                /** @description The name of the provider: `github` */
                provider: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Redirect to the dashboard */
            302: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            /** @description The request cannot be read, or a value is out of its bounds. */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The resource does not exist, or belongs to another team. */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description Too many requests were sent, or a limit of the team is reached. */
            429: {
                headers: {
                    /** @description Seconds to wait before the next request. Absent when waiting does not help. */
                    "Retry-After"?: number;
                    /** @description `false` when repeating the request does not help. */
                    "should-retry"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description An internal error occurred. */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The operation is not possible at the moment. The same request may succeed later. */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
        };
    };
    get_health: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Health"];
                };
            };
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
        };
    };
    e2b_list_sandboxes_v1: {
        parameters: {
            query?: {
                /** @description Labels that a sandbox must have, as in `/v2/sandboxes`. */
                metadata?: string;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["e2b.ListedSandbox"][];
                };
            };
            /** @description The request cannot be read, or a value is out of its bounds. */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["e2b.Error"];
                };
            };
            /** @description The credential is missing, unknown, expired or revoked. */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["e2b.Error"];
                };
            };
            /** @description The credential does not allow the operation. */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["e2b.Error"];
                };
            };
            /** @description Too many requests were sent, or a limit of the team is reached. */
            429: {
                headers: {
                    /** @description Seconds to wait before the next request. Absent when waiting does not help. */
                    "Retry-After"?: number;
                    /** @description `false` when repeating the request does not help. */
                    "should-retry"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["e2b.Error"];
                };
            };
            /** @description An internal error occurred. */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["e2b.Error"];
                };
            };
            /** @description The operation is not possible at the moment. The same request may succeed later. */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["e2b.Error"];
                };
            };
        };
    };
    e2b_create_sandbox_v1: {
        parameters: {
            query?: never;
            header?: {
                /** @description A key that makes the request safe to retry: the same key with the same request returns the same sandbox */
                "Idempotency-Key"?: components["schemas"]["IdempotencyKey"] | null;
            };
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["e2b.NewSandbox"];
            };
        };
        responses: {
            201: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["e2b.Sandbox"];
                };
            };
            /** @description The request cannot be read, or a value is out of its bounds. */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["e2b.Error"];
                };
            };
            /** @description The credential is missing, unknown, expired or revoked. */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["e2b.Error"];
                };
            };
            /** @description The credential does not allow the operation. */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["e2b.Error"];
                };
            };
            /** @description The resource does not exist, or belongs to another team. */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["e2b.Error"];
                };
            };
            /** @description The body took too long to arrive. */
            408: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["e2b.Error"];
                };
            };
            /** @description The state of the resource does not allow the operation, or another request changed the resource first. */
            409: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["e2b.Error"];
                };
            };
            /** @description The body is larger than the operation accepts. */
            413: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["e2b.Error"];
                };
            };
            /** @description The operation does not accept the media type of the body. */
            415: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["e2b.Error"];
                };
            };
            /** @description The idempotency key was used with a different request. */
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["e2b.Error"];
                };
            };
            /** @description Too many requests were sent, or a limit of the team is reached. */
            429: {
                headers: {
                    /** @description Seconds to wait before the next request. Absent when waiting does not help. */
                    "Retry-After"?: number;
                    /** @description `false` when repeating the request does not help. */
                    "should-retry"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["e2b.Error"];
                };
            };
            /** @description An internal error occurred. */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["e2b.Error"];
                };
            };
            /** @description The host or the sandbox failed, or sent an invalid response. */
            502: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["e2b.Error"];
                };
            };
            /** @description The operation is not possible at the moment. The same request may succeed later. */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["e2b.Error"];
                };
            };
        };
    };
    e2b_get_sandbox: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                id: components["schemas"]["e2b.SandboxId"];
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["e2b.SandboxDetail"];
                };
            };
            /** @description The request cannot be read, or a value is out of its bounds. */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["e2b.Error"];
                };
            };
            /** @description The credential is missing, unknown, expired or revoked. */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["e2b.Error"];
                };
            };
            /** @description The credential does not allow the operation. */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["e2b.Error"];
                };
            };
            /** @description The resource does not exist, or belongs to another team. */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["e2b.Error"];
                };
            };
            /** @description Too many requests were sent, or a limit of the team is reached. */
            429: {
                headers: {
                    /** @description Seconds to wait before the next request. Absent when waiting does not help. */
                    "Retry-After"?: number;
                    /** @description `false` when repeating the request does not help. */
                    "should-retry"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["e2b.Error"];
                };
            };
            /** @description An internal error occurred. */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["e2b.Error"];
                };
            };
            /** @description The operation is not possible at the moment. The same request may succeed later. */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["e2b.Error"];
                };
            };
        };
    };
    e2b_kill_sandbox: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                id: components["schemas"]["e2b.SandboxId"];
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            204: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            /** @description The request cannot be read, or a value is out of its bounds. */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["e2b.Error"];
                };
            };
            /** @description The credential is missing, unknown, expired or revoked. */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["e2b.Error"];
                };
            };
            /** @description The credential does not allow the operation. */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["e2b.Error"];
                };
            };
            /** @description The resource does not exist, or belongs to another team. */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["e2b.Error"];
                };
            };
            /** @description The state of the resource does not allow the operation, or another request changed the resource first. */
            409: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["e2b.Error"];
                };
            };
            /** @description Too many requests were sent, or a limit of the team is reached. */
            429: {
                headers: {
                    /** @description Seconds to wait before the next request. Absent when waiting does not help. */
                    "Retry-After"?: number;
                    /** @description `false` when repeating the request does not help. */
                    "should-retry"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["e2b.Error"];
                };
            };
            /** @description An internal error occurred. */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["e2b.Error"];
                };
            };
            /** @description The host or the sandbox failed, or sent an invalid response. */
            502: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["e2b.Error"];
                };
            };
            /** @description The operation is not possible at the moment. The same request may succeed later. */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["e2b.Error"];
                };
            };
        };
    };
    e2b_connect_sandbox_v1: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                id: components["schemas"]["e2b.SandboxId"];
            };
            cookie?: never;
        };
        requestBody?: {
            content: {
                "application/json": components["schemas"]["e2b.ConnectSandbox"] | null;
            };
        };
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["e2b.Sandbox"];
                };
            };
            201: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["e2b.Sandbox"];
                };
            };
            /** @description The request cannot be read, or a value is out of its bounds. */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["e2b.Error"];
                };
            };
            /** @description The credential is missing, unknown, expired or revoked. */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["e2b.Error"];
                };
            };
            /** @description The credential does not allow the operation. */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["e2b.Error"];
                };
            };
            /** @description The resource does not exist, or belongs to another team. */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["e2b.Error"];
                };
            };
            /** @description The body took too long to arrive. */
            408: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["e2b.Error"];
                };
            };
            /** @description The state of the resource does not allow the operation, or another request changed the resource first. */
            409: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["e2b.Error"];
                };
            };
            /** @description The body is larger than the operation accepts. */
            413: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["e2b.Error"];
                };
            };
            /** @description Too many requests were sent, or a limit of the team is reached. */
            429: {
                headers: {
                    /** @description Seconds to wait before the next request. Absent when waiting does not help. */
                    "Retry-After"?: number;
                    /** @description `false` when repeating the request does not help. */
                    "should-retry"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["e2b.Error"];
                };
            };
            /** @description An internal error occurred. */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["e2b.Error"];
                };
            };
            /** @description The host or the sandbox failed, or sent an invalid response. */
            502: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["e2b.Error"];
                };
            };
            /** @description The operation is not possible at the moment. The same request may succeed later. */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["e2b.Error"];
                };
            };
        };
    };
    e2b_pause_sandbox: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                id: components["schemas"]["e2b.SandboxId"];
            };
            cookie?: never;
        };
        requestBody?: {
            content: {
                "application/json": components["schemas"]["e2b.PauseSandbox"] | null;
            };
        };
        responses: {
            204: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            /** @description The request cannot be read, or a value is out of its bounds. */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["e2b.Error"];
                };
            };
            /** @description The credential is missing, unknown, expired or revoked. */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["e2b.Error"];
                };
            };
            /** @description The credential does not allow the operation. */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["e2b.Error"];
                };
            };
            /** @description The resource does not exist, or belongs to another team. */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["e2b.Error"];
                };
            };
            /** @description The body took too long to arrive. */
            408: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["e2b.Error"];
                };
            };
            /** @description The state of the resource does not allow the operation, or another request changed the resource first. */
            409: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["e2b.Error"];
                };
            };
            /** @description The body is larger than the operation accepts. */
            413: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["e2b.Error"];
                };
            };
            /** @description Too many requests were sent, or a limit of the team is reached. */
            429: {
                headers: {
                    /** @description Seconds to wait before the next request. Absent when waiting does not help. */
                    "Retry-After"?: number;
                    /** @description `false` when repeating the request does not help. */
                    "should-retry"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["e2b.Error"];
                };
            };
            /** @description An internal error occurred. */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["e2b.Error"];
                };
            };
            /** @description The host or the sandbox failed, or sent an invalid response. */
            502: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["e2b.Error"];
                };
            };
            /** @description The operation is not possible at the moment. The same request may succeed later. */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["e2b.Error"];
                };
            };
        };
    };
    e2b_refresh_sandbox: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                id: components["schemas"]["e2b.SandboxId"];
            };
            cookie?: never;
        };
        requestBody?: {
            content: {
                "application/json": components["schemas"]["e2b.Refresh"] | null;
            };
        };
        responses: {
            204: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            /** @description The request cannot be read, or a value is out of its bounds. */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["e2b.Error"];
                };
            };
            /** @description The credential is missing, unknown, expired or revoked. */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["e2b.Error"];
                };
            };
            /** @description The credential does not allow the operation. */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["e2b.Error"];
                };
            };
            /** @description The resource does not exist, or belongs to another team. */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["e2b.Error"];
                };
            };
            /** @description The body took too long to arrive. */
            408: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["e2b.Error"];
                };
            };
            /** @description The state of the resource does not allow the operation, or another request changed the resource first. */
            409: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["e2b.Error"];
                };
            };
            /** @description The body is larger than the operation accepts. */
            413: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["e2b.Error"];
                };
            };
            /** @description Too many requests were sent, or a limit of the team is reached. */
            429: {
                headers: {
                    /** @description Seconds to wait before the next request. Absent when waiting does not help. */
                    "Retry-After"?: number;
                    /** @description `false` when repeating the request does not help. */
                    "should-retry"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["e2b.Error"];
                };
            };
            /** @description An internal error occurred. */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["e2b.Error"];
                };
            };
            /** @description The host or the sandbox failed, or sent an invalid response. */
            502: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["e2b.Error"];
                };
            };
            /** @description The operation is not possible at the moment. The same request may succeed later. */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["e2b.Error"];
                };
            };
        };
    };
    e2b_resume_sandbox: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                id: components["schemas"]["e2b.SandboxId"];
            };
            cookie?: never;
        };
        requestBody?: {
            content: {
                "application/json": components["schemas"]["e2b.ResumeSandbox"] | null;
            };
        };
        responses: {
            201: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["e2b.Sandbox"];
                };
            };
            /** @description The request cannot be read, or a value is out of its bounds. */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["e2b.Error"];
                };
            };
            /** @description The credential is missing, unknown, expired or revoked. */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["e2b.Error"];
                };
            };
            /** @description The credential does not allow the operation. */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["e2b.Error"];
                };
            };
            /** @description The resource does not exist, or belongs to another team. */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["e2b.Error"];
                };
            };
            /** @description The body took too long to arrive. */
            408: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["e2b.Error"];
                };
            };
            /** @description The state of the resource does not allow the operation, or another request changed the resource first. */
            409: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["e2b.Error"];
                };
            };
            /** @description The body is larger than the operation accepts. */
            413: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["e2b.Error"];
                };
            };
            /** @description Too many requests were sent, or a limit of the team is reached. */
            429: {
                headers: {
                    /** @description Seconds to wait before the next request. Absent when waiting does not help. */
                    "Retry-After"?: number;
                    /** @description `false` when repeating the request does not help. */
                    "should-retry"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["e2b.Error"];
                };
            };
            /** @description An internal error occurred. */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["e2b.Error"];
                };
            };
            /** @description The host or the sandbox failed, or sent an invalid response. */
            502: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["e2b.Error"];
                };
            };
            /** @description The operation is not possible at the moment. The same request may succeed later. */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["e2b.Error"];
                };
            };
        };
    };
    e2b_set_timeout: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                id: components["schemas"]["e2b.SandboxId"];
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["e2b.SetTimeout"];
            };
        };
        responses: {
            204: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            /** @description The request cannot be read, or a value is out of its bounds. */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["e2b.Error"];
                };
            };
            /** @description The credential is missing, unknown, expired or revoked. */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["e2b.Error"];
                };
            };
            /** @description The credential does not allow the operation. */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["e2b.Error"];
                };
            };
            /** @description The resource does not exist, or belongs to another team. */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["e2b.Error"];
                };
            };
            /** @description The body took too long to arrive. */
            408: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["e2b.Error"];
                };
            };
            /** @description The state of the resource does not allow the operation, or another request changed the resource first. */
            409: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["e2b.Error"];
                };
            };
            /** @description The body is larger than the operation accepts. */
            413: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["e2b.Error"];
                };
            };
            /** @description The operation does not accept the media type of the body. */
            415: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["e2b.Error"];
                };
            };
            /** @description Too many requests were sent, or a limit of the team is reached. */
            429: {
                headers: {
                    /** @description Seconds to wait before the next request. Absent when waiting does not help. */
                    "Retry-After"?: number;
                    /** @description `false` when repeating the request does not help. */
                    "should-retry"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["e2b.Error"];
                };
            };
            /** @description An internal error occurred. */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["e2b.Error"];
                };
            };
            /** @description The host or the sandbox failed, or sent an invalid response. */
            502: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["e2b.Error"];
                };
            };
            /** @description The operation is not possible at the moment. The same request may succeed later. */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["e2b.Error"];
                };
            };
        };
    };
    list_platform_audit_logs: {
        parameters: {
            query?: {
                /** @description Actions to include. Repeat the parameter, or separate the values by commas. */
                action?: string[];
                /** @description Ids of the users and API keys to include as actors. Repeat the parameter, or separate the values by commas. */
                actor_id?: string[];
                /** @description The `next_before` of the previous page. */
                before?: components["schemas"]["PageToken"];
                /** @description The earliest time of an entry to include. */
                from?: string;
                /** @description Number of entries per page: 50 when absent. A value above 200 counts as 200. */
                limit?: number;
                /** @description Ids of resources to include. Repeat the parameter, or separate the values by commas. */
                resource_id?: string[];
                /** @description Resource types to include. Repeat the parameter, or separate the values by commas. */
                resource_type?: string[];
                /** @description The time before which an entry is included. */
                to?: string;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["AuditPage"];
                };
            };
            /** @description The request cannot be read, or a value is out of its bounds. */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The credential is missing, unknown, expired or revoked. */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The credential does not allow the operation. */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description Too many requests were sent, or a limit of the team is reached. */
            429: {
                headers: {
                    /** @description Seconds to wait before the next request. Absent when waiting does not help. */
                    "Retry-After"?: number;
                    /** @description `false` when repeating the request does not help. */
                    "should-retry"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description An internal error occurred. */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The operation is not possible at the moment. The same request may succeed later. */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
        };
    };
    get_platform_audit_log: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                id: components["schemas"]["AuditId"];
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["AuditEntry"];
                };
            };
            /** @description The request cannot be read, or a value is out of its bounds. */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The credential is missing, unknown, expired or revoked. */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The credential does not allow the operation. */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The resource does not exist, or belongs to another team. */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description Too many requests were sent, or a limit of the team is reached. */
            429: {
                headers: {
                    /** @description Seconds to wait before the next request. Absent when waiting does not help. */
                    "Retry-After"?: number;
                    /** @description `false` when repeating the request does not help. */
                    "should-retry"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description An internal error occurred. */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The operation is not possible at the moment. The same request may succeed later. */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
        };
    };
    list_all_sandboxes: {
        parameters: {
            query?: {
                /** @description The user or API key whose request created the sandboxes. */
                created_by?: components["schemas"]["CreatorId"];
                /** @description The token in the address of the next page. */
                cursor?: components["schemas"]["PageToken"];
                /** @description Whether sandboxes that ended in the last seven days are included when `status` is absent. */
                ended?: boolean;
                /** @description The host that the sandboxes are on. */
                host?: components["schemas"]["HostId"];
                /** @description A label that a sandbox must have, as `name` or as `name=value`. Repeat the parameter for several labels. */
                label?: components["schemas"]["LabelFilter"][];
                /** @description Number of sandboxes per page: 1000 when absent. */
                limit?: number;
                /** @description A part of the id, of the template's name, or of a label as `name=value`, in upper or lower case. */
                q?: components["schemas"]["SearchText"];
                /** @description Statuses to include. Repeat the parameter, or separate the values by commas. `stopped` and `error` include sandboxes that ended in the last seven days. */
                status?: components["schemas"]["SandboxStatus"][];
                /** @description The team that the sandboxes belong to. */
                team?: components["schemas"]["TeamId"];
                template?: components["schemas"]["TemplateName"];
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    /** @description The address of the next page, with the relation `next`; absent on the last page */
                    Link?: string;
                    /** @description The number of sandboxes on all pages */
                    "X-Total-Count"?: number;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["AdminSandbox"][];
                };
            };
            /** @description The request cannot be read, or a value is out of its bounds. */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The credential is missing, unknown, expired or revoked. */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The credential does not allow the operation. */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description Too many requests were sent, or a limit of the team is reached. */
            429: {
                headers: {
                    /** @description Seconds to wait before the next request. Absent when waiting does not help. */
                    "Retry-After"?: number;
                    /** @description `false` when repeating the request does not help. */
                    "should-retry"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description An internal error occurred. */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The operation is not possible at the moment. The same request may succeed later. */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
        };
    };
    list_tasks: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["AdminTaskList"];
                };
            };
            /** @description The credential is missing, unknown, expired or revoked. */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The credential does not allow the operation. */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description Too many requests were sent, or a limit of the team is reached. */
            429: {
                headers: {
                    /** @description Seconds to wait before the next request. Absent when waiting does not help. */
                    "Retry-After"?: number;
                    /** @description `false` when repeating the request does not help. */
                    "should-retry"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description An internal error occurred. */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The operation is not possible at the moment. The same request may succeed later. */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
        };
    };
    list_all_teams: {
        parameters: {
            query?: {
                /** @description The number of the page, from 1. */
                page?: number;
                /**
                 * @description Text to search for, in any case: in the name, the e-mail address and the id of a user; in the name, the slug, the id and the
                 *     owner of a team.
                 */
                q?: string;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["AdminTeamPage"];
                };
            };
            /** @description The request cannot be read, or a value is out of its bounds. */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The credential is missing, unknown, expired or revoked. */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The credential does not allow the operation. */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description Too many requests were sent, or a limit of the team is reached. */
            429: {
                headers: {
                    /** @description Seconds to wait before the next request. Absent when waiting does not help. */
                    "Retry-After"?: number;
                    /** @description `false` when repeating the request does not help. */
                    "should-retry"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description An internal error occurred. */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The operation is not possible at the moment. The same request may succeed later. */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
        };
    };
    delete_any_team: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                id: components["schemas"]["TeamId"];
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            204: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            /** @description The request cannot be read, or a value is out of its bounds. */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The credential is missing, unknown, expired or revoked. */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The credential does not allow the operation. */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The resource does not exist, or belongs to another team. */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description Too many requests were sent, or a limit of the team is reached. */
            429: {
                headers: {
                    /** @description Seconds to wait before the next request. Absent when waiting does not help. */
                    "Retry-After"?: number;
                    /** @description `false` when repeating the request does not help. */
                    "should-retry"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description An internal error occurred. */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The operation is not possible at the moment. The same request may succeed later. */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
        };
    };
    set_team_byoc: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                id: components["schemas"]["TeamId"];
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["SetByocRequest"];
            };
        };
        responses: {
            204: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            /** @description The request cannot be read, or a value is out of its bounds. */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The credential is missing, unknown, expired or revoked. */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The credential does not allow the operation. */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The resource does not exist, or belongs to another team. */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The body took too long to arrive. */
            408: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The state of the resource does not allow the operation, or another request changed the resource first. */
            409: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The body is larger than the operation accepts. */
            413: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The operation does not accept the media type of the body. */
            415: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description Too many requests were sent, or a limit of the team is reached. */
            429: {
                headers: {
                    /** @description Seconds to wait before the next request. Absent when waiting does not help. */
                    "Retry-After"?: number;
                    /** @description `false` when repeating the request does not help. */
                    "should-retry"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description An internal error occurred. */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The operation is not possible at the moment. The same request may succeed later. */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
        };
    };
    get_team_quota: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                id: components["schemas"]["TeamId"];
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["TeamQuota"];
                };
            };
            /** @description The request cannot be read, or a value is out of its bounds. */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The credential is missing, unknown, expired or revoked. */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The credential does not allow the operation. */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The resource does not exist, or belongs to another team. */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description Too many requests were sent, or a limit of the team is reached. */
            429: {
                headers: {
                    /** @description Seconds to wait before the next request. Absent when waiting does not help. */
                    "Retry-After"?: number;
                    /** @description `false` when repeating the request does not help. */
                    "should-retry"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description An internal error occurred. */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The operation is not possible at the moment. The same request may succeed later. */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
        };
    };
    set_team_quota: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                id: components["schemas"]["TeamId"];
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["SetQuotaRequest"];
            };
        };
        responses: {
            204: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            /** @description The request cannot be read, or a value is out of its bounds. */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The credential is missing, unknown, expired or revoked. */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The credential does not allow the operation. */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The resource does not exist, or belongs to another team. */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The body took too long to arrive. */
            408: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The body is larger than the operation accepts. */
            413: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The operation does not accept the media type of the body. */
            415: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description Too many requests were sent, or a limit of the team is reached. */
            429: {
                headers: {
                    /** @description Seconds to wait before the next request. Absent when waiting does not help. */
                    "Retry-After"?: number;
                    /** @description `false` when repeating the request does not help. */
                    "should-retry"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description An internal error occurred. */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The operation is not possible at the moment. The same request may succeed later. */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
        };
    };
    list_all_users: {
        parameters: {
            query?: {
                /** @description The number of the page, from 1. */
                page?: number;
                /**
                 * @description Text to search for, in any case: in the name, the e-mail address and the id of a user; in the name, the slug, the id and the
                 *     owner of a team.
                 */
                q?: string;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["AdminUserPage"];
                };
            };
            /** @description The request cannot be read, or a value is out of its bounds. */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The credential is missing, unknown, expired or revoked. */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The credential does not allow the operation. */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description Too many requests were sent, or a limit of the team is reached. */
            429: {
                headers: {
                    /** @description Seconds to wait before the next request. Absent when waiting does not help. */
                    "Retry-After"?: number;
                    /** @description `false` when repeating the request does not help. */
                    "should-retry"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description An internal error occurred. */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The operation is not possible at the moment. The same request may succeed later. */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
        };
    };
    set_user_active: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                id: components["schemas"]["UserId"];
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["SetActiveRequest"];
            };
        };
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["CreatedSandboxes"];
                };
            };
            /** @description The request cannot be read, or a value is out of its bounds. */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The credential is missing, unknown, expired or revoked. */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The credential does not allow the operation. */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The resource does not exist, or belongs to another team. */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The body took too long to arrive. */
            408: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The state of the resource does not allow the operation, or another request changed the resource first. */
            409: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The body is larger than the operation accepts. */
            413: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The operation does not accept the media type of the body. */
            415: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description Too many requests were sent, or a limit of the team is reached. */
            429: {
                headers: {
                    /** @description Seconds to wait before the next request. Absent when waiting does not help. */
                    "Retry-After"?: number;
                    /** @description `false` when repeating the request does not help. */
                    "should-retry"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description An internal error occurred. */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The operation is not possible at the moment. The same request may succeed later. */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
        };
    };
    list_api_keys: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ApiKey"][];
                };
            };
            /** @description The credential is missing, unknown, expired or revoked. */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The credential does not allow the operation. */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description Too many requests were sent, or a limit of the team is reached. */
            429: {
                headers: {
                    /** @description Seconds to wait before the next request. Absent when waiting does not help. */
                    "Retry-After"?: number;
                    /** @description `false` when repeating the request does not help. */
                    "should-retry"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description An internal error occurred. */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The operation is not possible at the moment. The same request may succeed later. */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
        };
    };
    create_api_key: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: {
            content: {
                "application/json": components["schemas"]["CreateApiKeyRequest"] | null;
            };
        };
        responses: {
            201: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ApiKey"];
                };
            };
            /** @description The request cannot be read, or a value is out of its bounds. */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The credential is missing, unknown, expired or revoked. */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The credential does not allow the operation. */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The body took too long to arrive. */
            408: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The body is larger than the operation accepts. */
            413: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description Too many requests were sent, or a limit of the team is reached. */
            429: {
                headers: {
                    /** @description Seconds to wait before the next request. Absent when waiting does not help. */
                    "Retry-After"?: number;
                    /** @description `false` when repeating the request does not help. */
                    "should-retry"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description An internal error occurred. */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The operation is not possible at the moment. The same request may succeed later. */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
        };
    };
    revoke_api_key: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                id: components["schemas"]["ApiKeyId"];
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["CreatedSandboxes"];
                };
            };
            /** @description The request cannot be read, or a value is out of its bounds. */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The credential is missing, unknown, expired or revoked. */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The credential does not allow the operation. */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description Too many requests were sent, or a limit of the team is reached. */
            429: {
                headers: {
                    /** @description Seconds to wait before the next request. Absent when waiting does not help. */
                    "Retry-After"?: number;
                    /** @description `false` when repeating the request does not help. */
                    "should-retry"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description An internal error occurred. */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The operation is not possible at the moment. The same request may succeed later. */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
        };
    };
    list_audit_logs: {
        parameters: {
            query?: {
                /** @description Actions to include. Repeat the parameter, or separate the values by commas. */
                action?: string[];
                /** @description Ids of the users and API keys to include as actors. Repeat the parameter, or separate the values by commas. */
                actor_id?: string[];
                /** @description The `next_before` of the previous page. */
                before?: components["schemas"]["PageToken"];
                /** @description The earliest time of an entry to include. */
                from?: string;
                /** @description Number of entries per page: 50 when absent. A value above 200 counts as 200. */
                limit?: number;
                /** @description Ids of resources to include. Repeat the parameter, or separate the values by commas. */
                resource_id?: string[];
                /** @description Resource types to include. Repeat the parameter, or separate the values by commas. */
                resource_type?: string[];
                /** @description The time before which an entry is included. */
                to?: string;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["AuditPage"];
                };
            };
            /** @description The request cannot be read, or a value is out of its bounds. */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The credential is missing, unknown, expired or revoked. */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The credential does not allow the operation. */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description Too many requests were sent, or a limit of the team is reached. */
            429: {
                headers: {
                    /** @description Seconds to wait before the next request. Absent when waiting does not help. */
                    "Retry-After"?: number;
                    /** @description `false` when repeating the request does not help. */
                    "should-retry"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description An internal error occurred. */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The operation is not possible at the moment. The same request may succeed later. */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
        };
    };
    get_audit_log: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                id: components["schemas"]["AuditId"];
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["AuditEntry"];
                };
            };
            /** @description The request cannot be read, or a value is out of its bounds. */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The credential is missing, unknown, expired or revoked. */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The credential does not allow the operation. */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The resource does not exist, or belongs to another team. */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description Too many requests were sent, or a limit of the team is reached. */
            429: {
                headers: {
                    /** @description Seconds to wait before the next request. Absent when waiting does not help. */
                    "Retry-After"?: number;
                    /** @description `false` when repeating the request does not help. */
                    "should-retry"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description An internal error occurred. */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The operation is not possible at the moment. The same request may succeed later. */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
        };
    };
    activate: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["ActivateRequest"];
            };
        };
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["AuthResponse"];
                };
            };
            /** @description The request cannot be read, or a value is out of its bounds. */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The credential does not allow the operation. */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The body took too long to arrive. */
            408: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The body is larger than the operation accepts. */
            413: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The operation does not accept the media type of the body. */
            415: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description Too many requests were sent, or a limit of the team is reached. */
            429: {
                headers: {
                    /** @description Seconds to wait before the next request. Absent when waiting does not help. */
                    "Retry-After"?: number;
                    /** @description `false` when repeating the request does not help. */
                    "should-retry"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description An internal error occurred. */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The operation is not possible at the moment. The same request may succeed later. */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
        };
    };
    login: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["LoginRequest"];
            };
        };
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["AuthResponse"];
                };
            };
            /** @description The request cannot be read, or a value is out of its bounds. */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The credential is missing, unknown, expired or revoked. */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The credential does not allow the operation. */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The body took too long to arrive. */
            408: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The body is larger than the operation accepts. */
            413: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The operation does not accept the media type of the body. */
            415: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description Too many requests were sent, or a limit of the team is reached. */
            429: {
                headers: {
                    /** @description Seconds to wait before the next request. Absent when waiting does not help. */
                    "Retry-After"?: number;
                    /** @description `false` when repeating the request does not help. */
                    "should-retry"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description An internal error occurred. */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The operation is not possible at the moment. The same request may succeed later. */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
        };
    };
    logout: {
        parameters: {
            query?: {
                /** @description Whether to end every login of the account. */
                all?: boolean;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            204: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            /** @description The request cannot be read, or a value is out of its bounds. */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The credential is missing, unknown, expired or revoked. */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The credential does not allow the operation. */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description Too many requests were sent, or a limit of the team is reached. */
            429: {
                headers: {
                    /** @description Seconds to wait before the next request. Absent when waiting does not help. */
                    "Retry-After"?: number;
                    /** @description `false` when repeating the request does not help. */
                    "should-retry"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description An internal error occurred. */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The operation is not possible at the moment. The same request may succeed later. */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
        };
    };
    renew: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["AuthResponse"];
                };
            };
            /** @description The credential is missing, unknown, expired or revoked. */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The credential does not allow the operation. */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description Too many requests were sent, or a limit of the team is reached. */
            429: {
                headers: {
                    /** @description Seconds to wait before the next request. Absent when waiting does not help. */
                    "Retry-After"?: number;
                    /** @description `false` when repeating the request does not help. */
                    "should-retry"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description An internal error occurred. */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The operation is not possible at the moment. The same request may succeed later. */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
        };
    };
    sign_up: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["SignupRequest"];
            };
        };
        responses: {
            201: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["SignupResponse"];
                };
            };
            /** @description The request cannot be read, or a value is out of its bounds. */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The credential does not allow the operation. */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The body took too long to arrive. */
            408: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The state of the resource does not allow the operation, or another request changed the resource first. */
            409: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The body is larger than the operation accepts. */
            413: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The operation does not accept the media type of the body. */
            415: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description Too many requests were sent, or a limit of the team is reached. */
            429: {
                headers: {
                    /** @description Seconds to wait before the next request. Absent when waiting does not help. */
                    "Retry-After"?: number;
                    /** @description `false` when repeating the request does not help. */
                    "should-retry"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description An internal error occurred. */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The operation is not possible at the moment. The same request may succeed later. */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
        };
    };
    switch_team: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["SwitchTeamRequest"];
            };
        };
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["AuthResponse"];
                };
            };
            /** @description The request cannot be read, or a value is out of its bounds. */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The credential is missing, unknown, expired or revoked. */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The credential does not allow the operation. */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The resource does not exist, or belongs to another team. */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The body took too long to arrive. */
            408: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The body is larger than the operation accepts. */
            413: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The operation does not accept the media type of the body. */
            415: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description Too many requests were sent, or a limit of the team is reached. */
            429: {
                headers: {
                    /** @description Seconds to wait before the next request. Absent when waiting does not help. */
                    "Retry-After"?: number;
                    /** @description `false` when repeating the request does not help. */
                    "should-retry"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description An internal error occurred. */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The operation is not possible at the moment. The same request may succeed later. */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
        };
    };
    follow_events: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "text/event-stream": components["schemas"]["TeamEvent"];
                };
            };
            /** @description The credential is missing, unknown, expired or revoked. */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The credential does not allow the operation. */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description Too many requests were sent, or a limit of the team is reached. */
            429: {
                headers: {
                    /** @description Seconds to wait before the next request. Absent when waiting does not help. */
                    "Retry-After"?: number;
                    /** @description `false` when repeating the request does not help. */
                    "should-retry"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description An internal error occurred. */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The operation is not possible at the moment. The same request may succeed later. */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
        };
    };
    list_hosts: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Host"][];
                };
            };
            /** @description The credential is missing, unknown, expired or revoked. */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The credential does not allow the operation. */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description Too many requests were sent, or a limit of the team is reached. */
            429: {
                headers: {
                    /** @description Seconds to wait before the next request. Absent when waiting does not help. */
                    "Retry-After"?: number;
                    /** @description `false` when repeating the request does not help. */
                    "should-retry"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description An internal error occurred. */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The operation is not possible at the moment. The same request may succeed later. */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
        };
    };
    create_host: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["CreateHostRequest"];
            };
        };
        responses: {
            201: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["CreatedHost"];
                };
            };
            /** @description The request cannot be read, or a value is out of its bounds. */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The credential is missing, unknown, expired or revoked. */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The credential does not allow the operation. */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The body took too long to arrive. */
            408: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The body is larger than the operation accepts. */
            413: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The operation does not accept the media type of the body. */
            415: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description Too many requests were sent, or a limit of the team is reached. */
            429: {
                headers: {
                    /** @description Seconds to wait before the next request. Absent when waiting does not help. */
                    "Retry-After"?: number;
                    /** @description `false` when repeating the request does not help. */
                    "should-retry"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description An internal error occurred. */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The operation is not possible at the moment. The same request may succeed later. */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
        };
    };
    get_host: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                id: components["schemas"]["HostId"];
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Host"];
                };
            };
            /** @description The request cannot be read, or a value is out of its bounds. */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The credential is missing, unknown, expired or revoked. */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The credential does not allow the operation. */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The resource does not exist, or belongs to another team. */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description Too many requests were sent, or a limit of the team is reached. */
            429: {
                headers: {
                    /** @description Seconds to wait before the next request. Absent when waiting does not help. */
                    "Retry-After"?: number;
                    /** @description `false` when repeating the request does not help. */
                    "should-retry"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description An internal error occurred. */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The operation is not possible at the moment. The same request may succeed later. */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
        };
    };
    delete_host: {
        parameters: {
            query?: {
                force?: boolean;
            };
            header?: never;
            path: {
                id: components["schemas"]["HostId"];
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            204: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            /** @description The request cannot be read, or a value is out of its bounds. */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The credential is missing, unknown, expired or revoked. */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The credential does not allow the operation. */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The resource does not exist, or belongs to another team. */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The state of the resource does not allow the operation, or another request changed the resource first. */
            409: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description Too many requests were sent, or a limit of the team is reached. */
            429: {
                headers: {
                    /** @description Seconds to wait before the next request. Absent when waiting does not help. */
                    "Retry-After"?: number;
                    /** @description `false` when repeating the request does not help. */
                    "should-retry"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description An internal error occurred. */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The operation is not possible at the moment. The same request may succeed later. */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
        };
    };
    update_host: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                id: components["schemas"]["HostId"];
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["UpdateHostRequest"];
            };
        };
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Host"];
                };
            };
            /** @description The request cannot be read, or a value is out of its bounds. */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The credential is missing, unknown, expired or revoked. */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The credential does not allow the operation. */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The resource does not exist, or belongs to another team. */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The body took too long to arrive. */
            408: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The body is larger than the operation accepts. */
            413: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The operation does not accept the media type of the body. */
            415: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description Too many requests were sent, or a limit of the team is reached. */
            429: {
                headers: {
                    /** @description Seconds to wait before the next request. Absent when waiting does not help. */
                    "Retry-After"?: number;
                    /** @description `false` when repeating the request does not help. */
                    "should-retry"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description An internal error occurred. */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The operation is not possible at the moment. The same request may succeed later. */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
        };
    };
    accept_database: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                id: components["schemas"]["HostId"];
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Host"];
                };
            };
            /** @description The request cannot be read, or a value is out of its bounds. */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The credential is missing, unknown, expired or revoked. */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The credential does not allow the operation. */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The resource does not exist, or belongs to another team. */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The state of the resource does not allow the operation, or another request changed the resource first. */
            409: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description Too many requests were sent, or a limit of the team is reached. */
            429: {
                headers: {
                    /** @description Seconds to wait before the next request. Absent when waiting does not help. */
                    "Retry-After"?: number;
                    /** @description `false` when repeating the request does not help. */
                    "should-retry"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description An internal error occurred. */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The host or the sandbox failed, or sent an invalid response. */
            502: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The operation is not possible at the moment. The same request may succeed later. */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
        };
    };
    preview_host_delete: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                id: components["schemas"]["HostId"];
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["HostDeletePreview"];
                };
            };
            /** @description The request cannot be read, or a value is out of its bounds. */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The credential is missing, unknown, expired or revoked. */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The credential does not allow the operation. */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The resource does not exist, or belongs to another team. */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description Too many requests were sent, or a limit of the team is reached. */
            429: {
                headers: {
                    /** @description Seconds to wait before the next request. Absent when waiting does not help. */
                    "Retry-After"?: number;
                    /** @description `false` when repeating the request does not help. */
                    "should-retry"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description An internal error occurred. */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The operation is not possible at the moment. The same request may succeed later. */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
        };
    };
    drain_host: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                id: components["schemas"]["HostId"];
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["DrainHostRequest"];
            };
        };
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["DrainedHost"];
                };
            };
            /** @description The request cannot be read, or a value is out of its bounds. */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The credential is missing, unknown, expired or revoked. */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The credential does not allow the operation. */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The resource does not exist, or belongs to another team. */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The body took too long to arrive. */
            408: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The body is larger than the operation accepts. */
            413: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The operation does not accept the media type of the body. */
            415: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description Too many requests were sent, or a limit of the team is reached. */
            429: {
                headers: {
                    /** @description Seconds to wait before the next request. Absent when waiting does not help. */
                    "Retry-After"?: number;
                    /** @description `false` when repeating the request does not help. */
                    "should-retry"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description An internal error occurred. */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The operation is not possible at the moment. The same request may succeed later. */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
        };
    };
    send_heartbeat: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                id: components["schemas"]["HostId"];
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["HostHeartbeat"];
            };
        };
        responses: {
            204: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            /** @description The request cannot be read, or a value is out of its bounds. */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The credential is missing, unknown, expired or revoked. */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The credential does not allow the operation. */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The resource does not exist, or belongs to another team. */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The body took too long to arrive. */
            408: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The state of the resource does not allow the operation, or another request changed the resource first. */
            409: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The body is larger than the operation accepts. */
            413: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The operation does not accept the media type of the body. */
            415: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description Too many requests were sent, or a limit of the team is reached. */
            429: {
                headers: {
                    /** @description Seconds to wait before the next request. Absent when waiting does not help. */
                    "Retry-After"?: number;
                    /** @description `false` when repeating the request does not help. */
                    "should-retry"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description An internal error occurred. */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The operation is not possible at the moment. The same request may succeed later. */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
        };
    };
    list_host_quarantine: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                id: components["schemas"]["HostId"];
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["QuarantinedSandbox"][];
                };
            };
            /** @description The request cannot be read, or a value is out of its bounds. */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The credential is missing, unknown, expired or revoked. */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The credential does not allow the operation. */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The resource does not exist, or belongs to another team. */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description Too many requests were sent, or a limit of the team is reached. */
            429: {
                headers: {
                    /** @description Seconds to wait before the next request. Absent when waiting does not help. */
                    "Retry-After"?: number;
                    /** @description `false` when repeating the request does not help. */
                    "should-retry"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description An internal error occurred. */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The host or the sandbox failed, or sent an invalid response. */
            502: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The operation is not possible at the moment. The same request may succeed later. */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
        };
    };
    import_sandbox: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                id: components["schemas"]["HostId"];
                sandbox_id: components["schemas"]["SandboxId"];
            };
            cookie?: never;
        };
        requestBody?: {
            content: {
                "application/json": components["schemas"]["ImportSandboxRequest"] | null;
            };
        };
        responses: {
            201: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["HostSandbox"];
                };
            };
            /** @description The request cannot be read, or a value is out of its bounds. */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The credential is missing, unknown, expired or revoked. */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The credential does not allow the operation. */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The resource does not exist, or belongs to another team. */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The body took too long to arrive. */
            408: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The state of the resource does not allow the operation, or another request changed the resource first. */
            409: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The body is larger than the operation accepts. */
            413: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description Too many requests were sent, or a limit of the team is reached. */
            429: {
                headers: {
                    /** @description Seconds to wait before the next request. Absent when waiting does not help. */
                    "Retry-After"?: number;
                    /** @description `false` when repeating the request does not help. */
                    "should-retry"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description An internal error occurred. */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The host or the sandbox failed, or sent an invalid response. */
            502: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The operation is not possible at the moment. The same request may succeed later. */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
        };
    };
    list_host_sandboxes: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                id: components["schemas"]["HostId"];
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["HostSandbox"][];
                };
            };
            /** @description The request cannot be read, or a value is out of its bounds. */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The credential is missing, unknown, expired or revoked. */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The credential does not allow the operation. */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The resource does not exist, or belongs to another team. */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description Too many requests were sent, or a limit of the team is reached. */
            429: {
                headers: {
                    /** @description Seconds to wait before the next request. Absent when waiting does not help. */
                    "Retry-After"?: number;
                    /** @description `false` when repeating the request does not help. */
                    "should-retry"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description An internal error occurred. */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The operation is not possible at the moment. The same request may succeed later. */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
        };
    };
    list_host_tags: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                id: components["schemas"]["HostId"];
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": string[];
                };
            };
            /** @description The request cannot be read, or a value is out of its bounds. */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The credential is missing, unknown, expired or revoked. */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The credential does not allow the operation. */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The resource does not exist, or belongs to another team. */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description Too many requests were sent, or a limit of the team is reached. */
            429: {
                headers: {
                    /** @description Seconds to wait before the next request. Absent when waiting does not help. */
                    "Retry-After"?: number;
                    /** @description `false` when repeating the request does not help. */
                    "should-retry"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description An internal error occurred. */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The operation is not possible at the moment. The same request may succeed later. */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
        };
    };
    add_host_tag: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                id: components["schemas"]["HostId"];
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["AddHostTagRequest"];
            };
        };
        responses: {
            204: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            /** @description The request cannot be read, or a value is out of its bounds. */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The credential is missing, unknown, expired or revoked. */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The credential does not allow the operation. */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The resource does not exist, or belongs to another team. */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The body took too long to arrive. */
            408: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The body is larger than the operation accepts. */
            413: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The operation does not accept the media type of the body. */
            415: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description Too many requests were sent, or a limit of the team is reached. */
            429: {
                headers: {
                    /** @description Seconds to wait before the next request. Absent when waiting does not help. */
                    "Retry-After"?: number;
                    /** @description `false` when repeating the request does not help. */
                    "should-retry"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description An internal error occurred. */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The operation is not possible at the moment. The same request may succeed later. */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
        };
    };
    remove_host_tag: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                id: components["schemas"]["HostId"];
                tag: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            204: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            /** @description The request cannot be read, or a value is out of its bounds. */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The credential is missing, unknown, expired or revoked. */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The credential does not allow the operation. */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The resource does not exist, or belongs to another team. */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description Too many requests were sent, or a limit of the team is reached. */
            429: {
                headers: {
                    /** @description Seconds to wait before the next request. Absent when waiting does not help. */
                    "Retry-After"?: number;
                    /** @description `false` when repeating the request does not help. */
                    "should-retry"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description An internal error occurred. */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The operation is not possible at the moment. The same request may succeed later. */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
        };
    };
    create_host_token: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                id: components["schemas"]["HostId"];
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            201: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["CreatedHost"];
                };
            };
            /** @description The request cannot be read, or a value is out of its bounds. */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The credential is missing, unknown, expired or revoked. */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The credential does not allow the operation. */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The resource does not exist, or belongs to another team. */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The state of the resource does not allow the operation, or another request changed the resource first. */
            409: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description Too many requests were sent, or a limit of the team is reached. */
            429: {
                headers: {
                    /** @description Seconds to wait before the next request. Absent when waiting does not help. */
                    "Retry-After"?: number;
                    /** @description `false` when repeating the request does not help. */
                    "should-retry"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description An internal error occurred. */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The operation is not possible at the moment. The same request may succeed later. */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
        };
    };
    refresh_host: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["RefreshHostRequest"];
            };
        };
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["HostCredentials"];
                };
            };
            /** @description The request cannot be read, or a value is out of its bounds. */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The credential is missing, unknown, expired or revoked. */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The body took too long to arrive. */
            408: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The body is larger than the operation accepts. */
            413: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The operation does not accept the media type of the body. */
            415: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description Too many requests were sent, or a limit of the team is reached. */
            429: {
                headers: {
                    /** @description Seconds to wait before the next request. Absent when waiting does not help. */
                    "Retry-After"?: number;
                    /** @description `false` when repeating the request does not help. */
                    "should-retry"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description An internal error occurred. */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The operation is not possible at the moment. The same request may succeed later. */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
        };
    };
    list_host_images: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["HostImage"][];
                };
            };
            /** @description The credential is missing, unknown, expired or revoked. */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The credential does not allow the operation. */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The resource does not exist, or belongs to another team. */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description Too many requests were sent, or a limit of the team is reached. */
            429: {
                headers: {
                    /** @description Seconds to wait before the next request. Absent when waiting does not help. */
                    "Retry-After"?: number;
                    /** @description `false` when repeating the request does not help. */
                    "should-retry"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description An internal error occurred. */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The operation is not possible at the moment. The same request may succeed later. */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
        };
    };
    read_host_image: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                sha256: components["schemas"]["Sha256"];
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/octet-stream": unknown;
                };
            };
            206: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/octet-stream": unknown;
                };
            };
            /** @description The request cannot be read, or a value is out of its bounds. */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The credential is missing, unknown, expired or revoked. */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The credential does not allow the operation. */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The resource does not exist, or belongs to another team. */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The range begins after the end of the resource. */
            416: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description Too many requests were sent, or a limit of the team is reached. */
            429: {
                headers: {
                    /** @description Seconds to wait before the next request. Absent when waiting does not help. */
                    "Retry-After"?: number;
                    /** @description `false` when repeating the request does not help. */
                    "should-retry"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description An internal error occurred. */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The operation is not possible at the moment. The same request may succeed later. */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
        };
    };
    register_host: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["RegisterHostRequest"];
            };
        };
        responses: {
            201: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["HostCredentials"];
                };
            };
            /** @description The request cannot be read, or a value is out of its bounds. */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The credential is missing, unknown, expired or revoked. */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The resource does not exist, or belongs to another team. */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The body took too long to arrive. */
            408: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The state of the resource does not allow the operation, or another request changed the resource first. */
            409: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The body is larger than the operation accepts. */
            413: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The operation does not accept the media type of the body. */
            415: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description Too many requests were sent, or a limit of the team is reached. */
            429: {
                headers: {
                    /** @description Seconds to wait before the next request. Absent when waiting does not help. */
                    "Retry-After"?: number;
                    /** @description `false` when repeating the request does not help. */
                    "should-retry"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description An internal error occurred. */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The operation is not possible at the moment. The same request may succeed later. */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
        };
    };
    get_info: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["PlatformInfo"];
                };
            };
            /** @description Too many requests were sent, or a limit of the team is reached. */
            429: {
                headers: {
                    /** @description Seconds to wait before the next request. Absent when waiting does not help. */
                    "Retry-After"?: number;
                    /** @description `false` when repeating the request does not help. */
                    "should-retry"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description An internal error occurred. */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The operation is not possible at the moment. The same request may succeed later. */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
        };
    };
    accept_invitation: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description The token in the link of the invitation */
                token: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["TeamWithRole"];
                };
            };
            /** @description The request cannot be read, or a value is out of its bounds. */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The credential is missing, unknown, expired or revoked. */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The credential does not allow the operation. */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description Too many requests were sent, or a limit of the team is reached. */
            429: {
                headers: {
                    /** @description Seconds to wait before the next request. Absent when waiting does not help. */
                    "Retry-After"?: number;
                    /** @description `false` when repeating the request does not help. */
                    "should-retry"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description An internal error occurred. */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The operation is not possible at the moment. The same request may succeed later. */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
        };
    };
    get_limits: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["TeamLimits"];
                };
            };
            /** @description The credential is missing, unknown, expired or revoked. */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The credential does not allow the operation. */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description Too many requests were sent, or a limit of the team is reached. */
            429: {
                headers: {
                    /** @description Seconds to wait before the next request. Absent when waiting does not help. */
                    "Retry-After"?: number;
                    /** @description `false` when repeating the request does not help. */
                    "should-retry"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description An internal error occurred. */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The operation is not possible at the moment. The same request may succeed later. */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
        };
    };
    get_me: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Me"];
                };
            };
            /** @description The credential is missing, unknown, expired or revoked. */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The credential does not allow the operation. */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description Too many requests were sent, or a limit of the team is reached. */
            429: {
                headers: {
                    /** @description Seconds to wait before the next request. Absent when waiting does not help. */
                    "Retry-After"?: number;
                    /** @description `false` when repeating the request does not help. */
                    "should-retry"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description An internal error occurred. */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The operation is not possible at the moment. The same request may succeed later. */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
        };
    };
    delete_me: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["DeleteMeRequest"];
            };
        };
        responses: {
            204: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            /** @description The request cannot be read, or a value is out of its bounds. */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The credential is missing, unknown, expired or revoked. */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The credential does not allow the operation. */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The body took too long to arrive. */
            408: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The state of the resource does not allow the operation, or another request changed the resource first. */
            409: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The body is larger than the operation accepts. */
            413: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The operation does not accept the media type of the body. */
            415: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description Too many requests were sent, or a limit of the team is reached. */
            429: {
                headers: {
                    /** @description Seconds to wait before the next request. Absent when waiting does not help. */
                    "Retry-After"?: number;
                    /** @description `false` when repeating the request does not help. */
                    "should-retry"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description An internal error occurred. */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The operation is not possible at the moment. The same request may succeed later. */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
        };
    };
    rename_me: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["RenameMeRequest"];
            };
        };
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["AuthResponse"];
                };
            };
            /** @description The request cannot be read, or a value is out of its bounds. */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The credential is missing, unknown, expired or revoked. */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The credential does not allow the operation. */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The body took too long to arrive. */
            408: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The body is larger than the operation accepts. */
            413: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The operation does not accept the media type of the body. */
            415: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description Too many requests were sent, or a limit of the team is reached. */
            429: {
                headers: {
                    /** @description Seconds to wait before the next request. Absent when waiting does not help. */
                    "Retry-After"?: number;
                    /** @description `false` when repeating the request does not help. */
                    "should-retry"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description An internal error occurred. */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The operation is not possible at the moment. The same request may succeed later. */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
        };
    };
    change_password: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["ChangePasswordRequest"];
            };
        };
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["PasswordResponse"];
                };
            };
            /** @description The request cannot be read, or a value is out of its bounds. */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The credential is missing, unknown, expired or revoked. */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The credential does not allow the operation. */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The body took too long to arrive. */
            408: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The body is larger than the operation accepts. */
            413: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The operation does not accept the media type of the body. */
            415: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description Too many requests were sent, or a limit of the team is reached. */
            429: {
                headers: {
                    /** @description Seconds to wait before the next request. Absent when waiting does not help. */
                    "Retry-After"?: number;
                    /** @description `false` when repeating the request does not help. */
                    "should-retry"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description An internal error occurred. */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The operation is not possible at the moment. The same request may succeed later. */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
        };
    };
    forgot_password: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["ForgotPasswordRequest"];
            };
        };
        responses: {
            204: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            /** @description The request cannot be read, or a value is out of its bounds. */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The body took too long to arrive. */
            408: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The body is larger than the operation accepts. */
            413: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The operation does not accept the media type of the body. */
            415: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description Too many requests were sent, or a limit of the team is reached. */
            429: {
                headers: {
                    /** @description Seconds to wait before the next request. Absent when waiting does not help. */
                    "Retry-After"?: number;
                    /** @description `false` when repeating the request does not help. */
                    "should-retry"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description An internal error occurred. */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The operation is not possible at the moment. The same request may succeed later. */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
        };
    };
    reset_password: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["ResetPasswordRequest"];
            };
        };
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["PasswordResponse"];
                };
            };
            /** @description The request cannot be read, or a value is out of its bounds. */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The body took too long to arrive. */
            408: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The body is larger than the operation accepts. */
            413: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The operation does not accept the media type of the body. */
            415: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description Too many requests were sent, or a limit of the team is reached. */
            429: {
                headers: {
                    /** @description Seconds to wait before the next request. Absent when waiting does not help. */
                    "Retry-After"?: number;
                    /** @description `false` when repeating the request does not help. */
                    "should-retry"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description An internal error occurred. */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The operation is not possible at the moment. The same request may succeed later. */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
        };
    };
    disconnect_provider: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description The name of the provider: `github` */
                provider: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            204: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            /** @description The request cannot be read, or a value is out of its bounds. */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The credential is missing, unknown, expired or revoked. */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The credential does not allow the operation. */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The resource does not exist, or belongs to another team. */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description Too many requests were sent, or a limit of the team is reached. */
            429: {
                headers: {
                    /** @description Seconds to wait before the next request. Absent when waiting does not help. */
                    "Retry-After"?: number;
                    /** @description `false` when repeating the request does not help. */
                    "should-retry"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description An internal error occurred. */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The operation is not possible at the moment. The same request may succeed later. */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
        };
    };
    connect_provider: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description The name of the provider: `github` */
                provider: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ConnectProviderResponse"];
                };
            };
            /** @description The request cannot be read, or a value is out of its bounds. */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The credential is missing, unknown, expired or revoked. */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The credential does not allow the operation. */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The resource does not exist, or belongs to another team. */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description Too many requests were sent, or a limit of the team is reached. */
            429: {
                headers: {
                    /** @description Seconds to wait before the next request. Absent when waiting does not help. */
                    "Retry-After"?: number;
                    /** @description `false` when repeating the request does not help. */
                    "should-retry"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description An internal error occurred. */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The operation is not possible at the moment. The same request may succeed later. */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
        };
    };
    list_sessions: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["LoginSessionList"];
                };
            };
            /** @description The credential is missing, unknown, expired or revoked. */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The credential does not allow the operation. */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description Too many requests were sent, or a limit of the team is reached. */
            429: {
                headers: {
                    /** @description Seconds to wait before the next request. Absent when waiting does not help. */
                    "Retry-After"?: number;
                    /** @description `false` when repeating the request does not help. */
                    "should-retry"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description An internal error occurred. */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The operation is not possible at the moment. The same request may succeed later. */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
        };
    };
    end_other_sessions: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            204: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            /** @description The credential is missing, unknown, expired or revoked. */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The credential does not allow the operation. */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description Too many requests were sent, or a limit of the team is reached. */
            429: {
                headers: {
                    /** @description Seconds to wait before the next request. Absent when waiting does not help. */
                    "Retry-After"?: number;
                    /** @description `false` when repeating the request does not help. */
                    "should-retry"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description An internal error occurred. */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The operation is not possible at the moment. The same request may succeed later. */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
        };
    };
    end_session: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                id: components["schemas"]["SessionId"];
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            204: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            /** @description The request cannot be read, or a value is out of its bounds. */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The credential is missing, unknown, expired or revoked. */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The credential does not allow the operation. */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The resource does not exist, or belongs to another team. */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description Too many requests were sent, or a limit of the team is reached. */
            429: {
                headers: {
                    /** @description Seconds to wait before the next request. Absent when waiting does not help. */
                    "Retry-After"?: number;
                    /** @description `false` when repeating the request does not help. */
                    "should-retry"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description An internal error occurred. */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The operation is not possible at the moment. The same request may succeed later. */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
        };
    };
    list_sandboxes: {
        parameters: {
            query?: {
                /** @description The user or API key whose request created the sandboxes. */
                created_by?: components["schemas"]["CreatorId"];
                /** @description The token in the address of the next page. */
                cursor?: components["schemas"]["PageToken"];
                /** @description Whether sandboxes that ended in the last seven days are included when `status` is absent. */
                ended?: boolean;
                /** @description A label that a sandbox must have, as `name` or as `name=value`. Repeat the parameter for several labels. */
                label?: components["schemas"]["LabelFilter"][];
                /** @description Number of sandboxes per page: 1000 when absent. */
                limit?: number;
                /** @description A part of the id, of the template's name, or of a label as `name=value`, in upper or lower case. */
                q?: components["schemas"]["SearchText"];
                /** @description Statuses to include. Repeat the parameter, or separate the values by commas. `stopped` and `error` include sandboxes that ended in the last seven days. */
                status?: components["schemas"]["SandboxStatus"][];
                template?: components["schemas"]["TemplateName"];
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    /** @description The address of the next page, with the relation `next`; absent on the last page */
                    Link?: string;
                    /** @description The number of sandboxes on all pages */
                    "X-Total-Count"?: number;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Sandbox"][];
                };
            };
            /** @description The request cannot be read, or a value is out of its bounds. */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The credential is missing, unknown, expired or revoked. */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The credential does not allow the operation. */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description Too many requests were sent, or a limit of the team is reached. */
            429: {
                headers: {
                    /** @description Seconds to wait before the next request. Absent when waiting does not help. */
                    "Retry-After"?: number;
                    /** @description `false` when repeating the request does not help. */
                    "should-retry"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description An internal error occurred. */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The operation is not possible at the moment. The same request may succeed later. */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
        };
    };
    create_sandbox: {
        parameters: {
            query?: never;
            header?: {
                /** @description A key that makes the request safe to retry: the same key with the same request returns the same sandbox */
                "Idempotency-Key"?: components["schemas"]["IdempotencyKey"] | null;
            };
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["CreateSandboxRequest"];
            };
        };
        responses: {
            201: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Sandbox"];
                };
            };
            /** @description The request cannot be read, or a value is out of its bounds. */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The credential is missing, unknown, expired or revoked. */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The credential does not allow the operation. */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The resource does not exist, or belongs to another team. */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The body took too long to arrive. */
            408: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The state of the resource does not allow the operation, or another request changed the resource first. */
            409: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The body is larger than the operation accepts. */
            413: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The operation does not accept the media type of the body. */
            415: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The idempotency key was used with a different request. */
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description Too many requests were sent, or a limit of the team is reached. */
            429: {
                headers: {
                    /** @description Seconds to wait before the next request. Absent when waiting does not help. */
                    "Retry-After"?: number;
                    /** @description `false` when repeating the request does not help. */
                    "should-retry"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description An internal error occurred. */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The host or the sandbox failed, or sent an invalid response. */
            502: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The operation is not possible at the moment. The same request may succeed later. */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
        };
    };
    get_sandbox: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                id: components["schemas"]["SandboxId"];
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Sandbox"];
                };
            };
            /** @description The request cannot be read, or a value is out of its bounds. */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The credential is missing, unknown, expired or revoked. */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The credential does not allow the operation. */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The resource does not exist, or belongs to another team. */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description Too many requests were sent, or a limit of the team is reached. */
            429: {
                headers: {
                    /** @description Seconds to wait before the next request. Absent when waiting does not help. */
                    "Retry-After"?: number;
                    /** @description `false` when repeating the request does not help. */
                    "should-retry"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description An internal error occurred. */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The operation is not possible at the moment. The same request may succeed later. */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
        };
    };
    destroy_sandbox: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                id: components["schemas"]["SandboxId"];
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            204: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            /** @description The request cannot be read, or a value is out of its bounds. */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The credential is missing, unknown, expired or revoked. */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The credential does not allow the operation. */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The resource does not exist, or belongs to another team. */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The state of the resource does not allow the operation, or another request changed the resource first. */
            409: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description Too many requests were sent, or a limit of the team is reached. */
            429: {
                headers: {
                    /** @description Seconds to wait before the next request. Absent when waiting does not help. */
                    "Retry-After"?: number;
                    /** @description `false` when repeating the request does not help. */
                    "should-retry"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description An internal error occurred. */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The host or the sandbox failed, or sent an invalid response. */
            502: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The operation is not possible at the moment. The same request may succeed later. */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
        };
    };
    update_sandbox: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                id: components["schemas"]["SandboxId"];
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["UpdateSandboxRequest"];
            };
        };
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Sandbox"];
                };
            };
            /** @description The request cannot be read, or a value is out of its bounds. */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The credential is missing, unknown, expired or revoked. */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The credential does not allow the operation. */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The resource does not exist, or belongs to another team. */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The body took too long to arrive. */
            408: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The state of the resource does not allow the operation, or another request changed the resource first. */
            409: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The body is larger than the operation accepts. */
            413: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The operation does not accept the media type of the body. */
            415: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description Too many requests were sent, or a limit of the team is reached. */
            429: {
                headers: {
                    /** @description Seconds to wait before the next request. Absent when waiting does not help. */
                    "Retry-After"?: number;
                    /** @description `false` when repeating the request does not help. */
                    "should-retry"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description An internal error occurred. */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The host or the sandbox failed, or sent an invalid response. */
            502: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The operation is not possible at the moment. The same request may succeed later. */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
        };
    };
    get_clock: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                id: components["schemas"]["SandboxId"];
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["SandboxClock"];
                };
            };
            /** @description The request cannot be read, or a value is out of its bounds. */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The credential is missing, unknown, expired or revoked. */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The credential does not allow the operation. */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The resource does not exist, or belongs to another team. */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The state of the resource does not allow the operation, or another request changed the resource first. */
            409: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description Too many requests were sent, or a limit of the team is reached. */
            429: {
                headers: {
                    /** @description Seconds to wait before the next request. Absent when waiting does not help. */
                    "Retry-After"?: number;
                    /** @description `false` when repeating the request does not help. */
                    "should-retry"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description An internal error occurred. */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The host or the sandbox failed, or sent an invalid response. */
            502: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The operation is not possible at the moment. The same request may succeed later. */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
        };
    };
    exec: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                id: components["schemas"]["SandboxId"];
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["ExecRequest"];
            };
        };
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ExecResult"];
                };
            };
            202: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ExecStarted"];
                };
            };
            /** @description The request cannot be read, or a value is out of its bounds. */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The credential is missing, unknown, expired or revoked. */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The credential does not allow the operation. */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The resource does not exist, or belongs to another team. */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The body took too long to arrive. */
            408: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The state of the resource does not allow the operation, or another request changed the resource first. */
            409: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The body is larger than the operation accepts. */
            413: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The operation does not accept the media type of the body. */
            415: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description Too many requests were sent, or a limit of the team is reached. */
            429: {
                headers: {
                    /** @description Seconds to wait before the next request. Absent when waiting does not help. */
                    "Retry-After"?: number;
                    /** @description `false` when repeating the request does not help. */
                    "should-retry"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description An internal error occurred. */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The host or the sandbox failed, or sent an invalid response. */
            502: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The operation is not possible at the moment. The same request may succeed later. */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
        };
    };
    exec_stream: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                id: components["schemas"]["SandboxId"];
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The connection continues as a WebSocket */
            101: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            /** @description The request cannot be read, or a value is out of its bounds. */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The credential is missing, unknown, expired or revoked. */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The credential does not allow the operation. */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description Too many requests were sent, or a limit of the team is reached. */
            429: {
                headers: {
                    /** @description Seconds to wait before the next request. Absent when waiting does not help. */
                    "Retry-After"?: number;
                    /** @description `false` when repeating the request does not help. */
                    "should-retry"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description An internal error occurred. */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The operation is not possible at the moment. The same request may succeed later. */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
        };
    };
    list_files: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                id: components["schemas"]["SandboxId"];
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["ListFilesRequest"];
            };
        };
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["FileList"];
                };
            };
            /** @description The request cannot be read, or a value is out of its bounds. */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The credential is missing, unknown, expired or revoked. */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The credential does not allow the operation. */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The resource does not exist, or belongs to another team. */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The body took too long to arrive. */
            408: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The state of the resource does not allow the operation, or another request changed the resource first. */
            409: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The body is larger than the operation accepts. */
            413: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The operation does not accept the media type of the body. */
            415: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description Too many requests were sent, or a limit of the team is reached. */
            429: {
                headers: {
                    /** @description Seconds to wait before the next request. Absent when waiting does not help. */
                    "Retry-After"?: number;
                    /** @description `false` when repeating the request does not help. */
                    "should-retry"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description An internal error occurred. */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The host or the sandbox failed, or sent an invalid response. */
            502: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The operation is not possible at the moment. The same request may succeed later. */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
        };
    };
    make_directory: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                id: components["schemas"]["SandboxId"];
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["PathRequest"];
            };
        };
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["FileEntryResponse"];
                };
            };
            /** @description The request cannot be read, or a value is out of its bounds. */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The credential is missing, unknown, expired or revoked. */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The credential does not allow the operation. */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The resource does not exist, or belongs to another team. */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The body took too long to arrive. */
            408: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The state of the resource does not allow the operation, or another request changed the resource first. */
            409: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The body is larger than the operation accepts. */
            413: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The operation does not accept the media type of the body. */
            415: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description Too many requests were sent, or a limit of the team is reached. */
            429: {
                headers: {
                    /** @description Seconds to wait before the next request. Absent when waiting does not help. */
                    "Retry-After"?: number;
                    /** @description `false` when repeating the request does not help. */
                    "should-retry"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description An internal error occurred. */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The host or the sandbox failed, or sent an invalid response. */
            502: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The operation is not possible at the moment. The same request may succeed later. */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The disk of the sandbox is full. */
            507: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
        };
    };
    move_file: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                id: components["schemas"]["SandboxId"];
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["MoveFileRequest"];
            };
        };
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["FileEntryResponse"];
                };
            };
            /** @description The request cannot be read, or a value is out of its bounds. */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The credential is missing, unknown, expired or revoked. */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The credential does not allow the operation. */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The resource does not exist, or belongs to another team. */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The body took too long to arrive. */
            408: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The state of the resource does not allow the operation, or another request changed the resource first. */
            409: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The body is larger than the operation accepts. */
            413: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The operation does not accept the media type of the body. */
            415: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description Too many requests were sent, or a limit of the team is reached. */
            429: {
                headers: {
                    /** @description Seconds to wait before the next request. Absent when waiting does not help. */
                    "Retry-After"?: number;
                    /** @description `false` when repeating the request does not help. */
                    "should-retry"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description An internal error occurred. */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The host or the sandbox failed, or sent an invalid response. */
            502: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The operation is not possible at the moment. The same request may succeed later. */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The disk of the sandbox is full. */
            507: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
        };
    };
    read_file: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                id: components["schemas"]["SandboxId"];
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["PathRequest"];
            };
        };
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/octet-stream": unknown;
                };
            };
            /** @description The request cannot be read, or a value is out of its bounds. */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The credential is missing, unknown, expired or revoked. */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The credential does not allow the operation. */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The resource does not exist, or belongs to another team. */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The body took too long to arrive. */
            408: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The state of the resource does not allow the operation, or another request changed the resource first. */
            409: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The body is larger than the operation accepts. */
            413: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The operation does not accept the media type of the body. */
            415: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description Too many requests were sent, or a limit of the team is reached. */
            429: {
                headers: {
                    /** @description Seconds to wait before the next request. Absent when waiting does not help. */
                    "Retry-After"?: number;
                    /** @description `false` when repeating the request does not help. */
                    "should-retry"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description An internal error occurred. */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The host or the sandbox failed, or sent an invalid response. */
            502: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The operation is not possible at the moment. The same request may succeed later. */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
        };
    };
    remove_file: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                id: components["schemas"]["SandboxId"];
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["PathRequest"];
            };
        };
        responses: {
            204: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            /** @description The request cannot be read, or a value is out of its bounds. */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The credential is missing, unknown, expired or revoked. */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The credential does not allow the operation. */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The resource does not exist, or belongs to another team. */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The body took too long to arrive. */
            408: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The state of the resource does not allow the operation, or another request changed the resource first. */
            409: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The body is larger than the operation accepts. */
            413: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The operation does not accept the media type of the body. */
            415: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description Too many requests were sent, or a limit of the team is reached. */
            429: {
                headers: {
                    /** @description Seconds to wait before the next request. Absent when waiting does not help. */
                    "Retry-After"?: number;
                    /** @description `false` when repeating the request does not help. */
                    "should-retry"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description An internal error occurred. */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The host or the sandbox failed, or sent an invalid response. */
            502: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The operation is not possible at the moment. The same request may succeed later. */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
        };
    };
    sign_file: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                id: components["schemas"]["SandboxId"];
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["SignFileRequest"];
            };
        };
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["SignedAddress"];
                };
            };
            /** @description The request cannot be read, or a value is out of its bounds. */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The credential is missing, unknown, expired or revoked. */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The credential does not allow the operation. */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The resource does not exist, or belongs to another team. */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The body took too long to arrive. */
            408: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The state of the resource does not allow the operation, or another request changed the resource first. */
            409: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The body is larger than the operation accepts. */
            413: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The operation does not accept the media type of the body. */
            415: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description Too many requests were sent, or a limit of the team is reached. */
            429: {
                headers: {
                    /** @description Seconds to wait before the next request. Absent when waiting does not help. */
                    "Retry-After"?: number;
                    /** @description `false` when repeating the request does not help. */
                    "should-retry"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description An internal error occurred. */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The host or the sandbox failed, or sent an invalid response. */
            502: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The operation is not possible at the moment. The same request may succeed later. */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
        };
    };
    stat_file: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                id: components["schemas"]["SandboxId"];
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["PathRequest"];
            };
        };
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["FileEntryResponse"];
                };
            };
            /** @description The request cannot be read, or a value is out of its bounds. */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The credential is missing, unknown, expired or revoked. */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The credential does not allow the operation. */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The resource does not exist, or belongs to another team. */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The body took too long to arrive. */
            408: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The state of the resource does not allow the operation, or another request changed the resource first. */
            409: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The body is larger than the operation accepts. */
            413: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The operation does not accept the media type of the body. */
            415: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description Too many requests were sent, or a limit of the team is reached. */
            429: {
                headers: {
                    /** @description Seconds to wait before the next request. Absent when waiting does not help. */
                    "Retry-After"?: number;
                    /** @description `false` when repeating the request does not help. */
                    "should-retry"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description An internal error occurred. */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The host or the sandbox failed, or sent an invalid response. */
            502: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The operation is not possible at the moment. The same request may succeed later. */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
        };
    };
    read_file_stream: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                id: components["schemas"]["SandboxId"];
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["PathRequest"];
            };
        };
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/octet-stream": unknown;
                };
            };
            /** @description The request cannot be read, or a value is out of its bounds. */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The credential is missing, unknown, expired or revoked. */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The credential does not allow the operation. */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The resource does not exist, or belongs to another team. */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The body took too long to arrive. */
            408: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The state of the resource does not allow the operation, or another request changed the resource first. */
            409: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The body is larger than the operation accepts. */
            413: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The operation does not accept the media type of the body. */
            415: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description Too many requests were sent, or a limit of the team is reached. */
            429: {
                headers: {
                    /** @description Seconds to wait before the next request. Absent when waiting does not help. */
                    "Retry-After"?: number;
                    /** @description `false` when repeating the request does not help. */
                    "should-retry"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description An internal error occurred. */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The host or the sandbox failed, or sent an invalid response. */
            502: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The operation is not possible at the moment. The same request may succeed later. */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
        };
    };
    write_file_stream: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                id: components["schemas"]["SandboxId"];
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "multipart/form-data": components["schemas"]["FileUpload"];
            };
        };
        responses: {
            204: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            /** @description The request cannot be read, or a value is out of its bounds. */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The credential is missing, unknown, expired or revoked. */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The credential does not allow the operation. */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The resource does not exist, or belongs to another team. */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The body took too long to arrive. */
            408: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The state of the resource does not allow the operation, or another request changed the resource first. */
            409: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description Too many requests were sent, or a limit of the team is reached. */
            429: {
                headers: {
                    /** @description Seconds to wait before the next request. Absent when waiting does not help. */
                    "Retry-After"?: number;
                    /** @description `false` when repeating the request does not help. */
                    "should-retry"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description An internal error occurred. */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The host or the sandbox failed, or sent an invalid response. */
            502: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The operation is not possible at the moment. The same request may succeed later. */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The disk of the sandbox is full. */
            507: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
        };
    };
    write_file: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                id: components["schemas"]["SandboxId"];
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "multipart/form-data": components["schemas"]["FileUpload"];
            };
        };
        responses: {
            204: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            /** @description The request cannot be read, or a value is out of its bounds. */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The credential is missing, unknown, expired or revoked. */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The credential does not allow the operation. */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The resource does not exist, or belongs to another team. */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The body took too long to arrive. */
            408: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The state of the resource does not allow the operation, or another request changed the resource first. */
            409: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The body is larger than the operation accepts. */
            413: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description Too many requests were sent, or a limit of the team is reached. */
            429: {
                headers: {
                    /** @description Seconds to wait before the next request. Absent when waiting does not help. */
                    "Retry-After"?: number;
                    /** @description `false` when repeating the request does not help. */
                    "should-retry"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description An internal error occurred. */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The host or the sandbox failed, or sent an invalid response. */
            502: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The operation is not possible at the moment. The same request may succeed later. */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The disk of the sandbox is full. */
            507: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
        };
    };
    pause_sandbox: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                id: components["schemas"]["SandboxId"];
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Sandbox"];
                };
            };
            /** @description The request cannot be read, or a value is out of its bounds. */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The credential is missing, unknown, expired or revoked. */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The credential does not allow the operation. */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The resource does not exist, or belongs to another team. */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The state of the resource does not allow the operation, or another request changed the resource first. */
            409: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description Too many requests were sent, or a limit of the team is reached. */
            429: {
                headers: {
                    /** @description Seconds to wait before the next request. Absent when waiting does not help. */
                    "Retry-After"?: number;
                    /** @description `false` when repeating the request does not help. */
                    "should-retry"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description An internal error occurred. */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The host or the sandbox failed, or sent an invalid response. */
            502: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The operation is not possible at the moment. The same request may succeed later. */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
        };
    };
    ping_sandbox: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                id: components["schemas"]["SandboxId"];
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            204: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            /** @description The request cannot be read, or a value is out of its bounds. */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The credential is missing, unknown, expired or revoked. */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The credential does not allow the operation. */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The resource does not exist, or belongs to another team. */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The state of the resource does not allow the operation, or another request changed the resource first. */
            409: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description Too many requests were sent, or a limit of the team is reached. */
            429: {
                headers: {
                    /** @description Seconds to wait before the next request. Absent when waiting does not help. */
                    "Retry-After"?: number;
                    /** @description `false` when repeating the request does not help. */
                    "should-retry"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description An internal error occurred. */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The host or the sandbox failed, or sent an invalid response. */
            502: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The operation is not possible at the moment. The same request may succeed later. */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
        };
    };
    list_ports: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                id: components["schemas"]["SandboxId"];
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["PortList"];
                };
            };
            /** @description The request cannot be read, or a value is out of its bounds. */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The credential is missing, unknown, expired or revoked. */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The credential does not allow the operation. */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The resource does not exist, or belongs to another team. */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The state of the resource does not allow the operation, or another request changed the resource first. */
            409: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description Too many requests were sent, or a limit of the team is reached. */
            429: {
                headers: {
                    /** @description Seconds to wait before the next request. Absent when waiting does not help. */
                    "Retry-After"?: number;
                    /** @description `false` when repeating the request does not help. */
                    "should-retry"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description An internal error occurred. */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The host or the sandbox failed, or sent an invalid response. */
            502: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The operation is not possible at the moment. The same request may succeed later. */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
        };
    };
    link_port: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                id: components["schemas"]["SandboxId"];
                port: components["schemas"]["Port"];
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["PortLink"];
                };
            };
            /** @description The request cannot be read, or a value is out of its bounds. */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The credential is missing, unknown, expired or revoked. */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The credential does not allow the operation. */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The resource does not exist, or belongs to another team. */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The state of the resource does not allow the operation, or another request changed the resource first. */
            409: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description Too many requests were sent, or a limit of the team is reached. */
            429: {
                headers: {
                    /** @description Seconds to wait before the next request. Absent when waiting does not help. */
                    "Retry-After"?: number;
                    /** @description `false` when repeating the request does not help. */
                    "should-retry"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description An internal error occurred. */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The host or the sandbox failed, or sent an invalid response. */
            502: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The operation is not possible at the moment. The same request may succeed later. */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
        };
    };
    list_processes: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                id: components["schemas"]["SandboxId"];
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ProcessList"];
                };
            };
            /** @description The request cannot be read, or a value is out of its bounds. */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The credential is missing, unknown, expired or revoked. */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The credential does not allow the operation. */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The resource does not exist, or belongs to another team. */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The state of the resource does not allow the operation, or another request changed the resource first. */
            409: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description Too many requests were sent, or a limit of the team is reached. */
            429: {
                headers: {
                    /** @description Seconds to wait before the next request. Absent when waiting does not help. */
                    "Retry-After"?: number;
                    /** @description `false` when repeating the request does not help. */
                    "should-retry"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description An internal error occurred. */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The host or the sandbox failed, or sent an invalid response. */
            502: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The operation is not possible at the moment. The same request may succeed later. */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
        };
    };
    kill_process: {
        parameters: {
            query?: {
                /** @description The signal to send; `SIGKILL` when absent. */
                signal?: components["schemas"]["SignalName"];
            };
            header?: never;
            path: {
                id: components["schemas"]["SandboxId"];
                /** @description The process id or the tag of a process */
                selector: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            204: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            /** @description The request cannot be read, or a value is out of its bounds. */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The credential is missing, unknown, expired or revoked. */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The credential does not allow the operation. */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The resource does not exist, or belongs to another team. */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The state of the resource does not allow the operation, or another request changed the resource first. */
            409: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description Too many requests were sent, or a limit of the team is reached. */
            429: {
                headers: {
                    /** @description Seconds to wait before the next request. Absent when waiting does not help. */
                    "Retry-After"?: number;
                    /** @description `false` when repeating the request does not help. */
                    "should-retry"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description An internal error occurred. */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The host or the sandbox failed, or sent an invalid response. */
            502: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The operation is not possible at the moment. The same request may succeed later. */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
        };
    };
    process_stream: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                id: components["schemas"]["SandboxId"];
                selector: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The connection continues as a WebSocket */
            101: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            /** @description The request cannot be read, or a value is out of its bounds. */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The credential is missing, unknown, expired or revoked. */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The credential does not allow the operation. */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description Too many requests were sent, or a limit of the team is reached. */
            429: {
                headers: {
                    /** @description Seconds to wait before the next request. Absent when waiting does not help. */
                    "Retry-After"?: number;
                    /** @description `false` when repeating the request does not help. */
                    "should-retry"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description An internal error occurred. */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The operation is not possible at the moment. The same request may succeed later. */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
        };
    };
    pty: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                id: components["schemas"]["SandboxId"];
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The connection continues as a WebSocket */
            101: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            /** @description The request cannot be read, or a value is out of its bounds. */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The credential is missing, unknown, expired or revoked. */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The credential does not allow the operation. */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description Too many requests were sent, or a limit of the team is reached. */
            429: {
                headers: {
                    /** @description Seconds to wait before the next request. Absent when waiting does not help. */
                    "Retry-After"?: number;
                    /** @description `false` when repeating the request does not help. */
                    "should-retry"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description An internal error occurred. */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The operation is not possible at the moment. The same request may succeed later. */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
        };
    };
    resume_sandbox: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                id: components["schemas"]["SandboxId"];
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Sandbox"];
                };
            };
            /** @description The request cannot be read, or a value is out of its bounds. */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The credential is missing, unknown, expired or revoked. */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The credential does not allow the operation. */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The resource does not exist, or belongs to another team. */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The state of the resource does not allow the operation, or another request changed the resource first. */
            409: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description Too many requests were sent, or a limit of the team is reached. */
            429: {
                headers: {
                    /** @description Seconds to wait before the next request. Absent when waiting does not help. */
                    "Retry-After"?: number;
                    /** @description `false` when repeating the request does not help. */
                    "should-retry"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description An internal error occurred. */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The host or the sandbox failed, or sent an invalid response. */
            502: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The operation is not possible at the moment. The same request may succeed later. */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
        };
    };
    list_teams: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["TeamWithRole"][];
                };
            };
            /** @description The credential is missing, unknown, expired or revoked. */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The credential does not allow the operation. */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description Too many requests were sent, or a limit of the team is reached. */
            429: {
                headers: {
                    /** @description Seconds to wait before the next request. Absent when waiting does not help. */
                    "Retry-After"?: number;
                    /** @description `false` when repeating the request does not help. */
                    "should-retry"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description An internal error occurred. */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The operation is not possible at the moment. The same request may succeed later. */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
        };
    };
    create_team: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["TeamNameRequest"];
            };
        };
        responses: {
            201: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["TeamWithRole"];
                };
            };
            /** @description The request cannot be read, or a value is out of its bounds. */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The credential is missing, unknown, expired or revoked. */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The credential does not allow the operation. */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The body took too long to arrive. */
            408: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The body is larger than the operation accepts. */
            413: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The operation does not accept the media type of the body. */
            415: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description Too many requests were sent, or a limit of the team is reached. */
            429: {
                headers: {
                    /** @description Seconds to wait before the next request. Absent when waiting does not help. */
                    "Retry-After"?: number;
                    /** @description `false` when repeating the request does not help. */
                    "should-retry"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description An internal error occurred. */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The operation is not possible at the moment. The same request may succeed later. */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
        };
    };
    get_team: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                id: components["schemas"]["TeamId"];
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["TeamDetail"];
                };
            };
            /** @description The request cannot be read, or a value is out of its bounds. */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The credential is missing, unknown, expired or revoked. */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The credential does not allow the operation. */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description Too many requests were sent, or a limit of the team is reached. */
            429: {
                headers: {
                    /** @description Seconds to wait before the next request. Absent when waiting does not help. */
                    "Retry-After"?: number;
                    /** @description `false` when repeating the request does not help. */
                    "should-retry"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description An internal error occurred. */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The operation is not possible at the moment. The same request may succeed later. */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
        };
    };
    delete_team: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                id: components["schemas"]["TeamId"];
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            204: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            /** @description The request cannot be read, or a value is out of its bounds. */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The credential is missing, unknown, expired or revoked. */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The credential does not allow the operation. */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description Too many requests were sent, or a limit of the team is reached. */
            429: {
                headers: {
                    /** @description Seconds to wait before the next request. Absent when waiting does not help. */
                    "Retry-After"?: number;
                    /** @description `false` when repeating the request does not help. */
                    "should-retry"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description An internal error occurred. */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The operation is not possible at the moment. The same request may succeed later. */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
        };
    };
    rename_team: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                id: components["schemas"]["TeamId"];
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["TeamNameRequest"];
            };
        };
        responses: {
            204: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            /** @description The request cannot be read, or a value is out of its bounds. */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The credential is missing, unknown, expired or revoked. */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The credential does not allow the operation. */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The body took too long to arrive. */
            408: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The body is larger than the operation accepts. */
            413: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The operation does not accept the media type of the body. */
            415: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description Too many requests were sent, or a limit of the team is reached. */
            429: {
                headers: {
                    /** @description Seconds to wait before the next request. Absent when waiting does not help. */
                    "Retry-After"?: number;
                    /** @description `false` when repeating the request does not help. */
                    "should-retry"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description An internal error occurred. */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The operation is not possible at the moment. The same request may succeed later. */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
        };
    };
    leave_team: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                id: components["schemas"]["TeamId"];
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            204: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            /** @description The request cannot be read, or a value is out of its bounds. */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The credential is missing, unknown, expired or revoked. */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The credential does not allow the operation. */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description Too many requests were sent, or a limit of the team is reached. */
            429: {
                headers: {
                    /** @description Seconds to wait before the next request. Absent when waiting does not help. */
                    "Retry-After"?: number;
                    /** @description `false` when repeating the request does not help. */
                    "should-retry"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description An internal error occurred. */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The operation is not possible at the moment. The same request may succeed later. */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
        };
    };
    list_members: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                id: components["schemas"]["TeamId"];
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Member"][];
                };
            };
            /** @description The request cannot be read, or a value is out of its bounds. */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The credential is missing, unknown, expired or revoked. */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The credential does not allow the operation. */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description Too many requests were sent, or a limit of the team is reached. */
            429: {
                headers: {
                    /** @description Seconds to wait before the next request. Absent when waiting does not help. */
                    "Retry-After"?: number;
                    /** @description `false` when repeating the request does not help. */
                    "should-retry"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description An internal error occurred. */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The operation is not possible at the moment. The same request may succeed later. */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
        };
    };
    add_member: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                id: components["schemas"]["TeamId"];
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["AddMemberRequest"];
            };
        };
        responses: {
            201: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Member"];
                };
            };
            /** @description The request cannot be read, or a value is out of its bounds. */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The credential is missing, unknown, expired or revoked. */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The credential does not allow the operation. */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The body took too long to arrive. */
            408: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The state of the resource does not allow the operation, or another request changed the resource first. */
            409: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The body is larger than the operation accepts. */
            413: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The operation does not accept the media type of the body. */
            415: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description Too many requests were sent, or a limit of the team is reached. */
            429: {
                headers: {
                    /** @description Seconds to wait before the next request. Absent when waiting does not help. */
                    "Retry-After"?: number;
                    /** @description `false` when repeating the request does not help. */
                    "should-retry"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description An internal error occurred. */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The operation is not possible at the moment. The same request may succeed later. */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
        };
    };
    remove_member: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                id: components["schemas"]["TeamId"];
                user_id: components["schemas"]["UserId"];
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["CreatedSandboxes"];
                };
            };
            /** @description The request cannot be read, or a value is out of its bounds. */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The credential is missing, unknown, expired or revoked. */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The credential does not allow the operation. */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The resource does not exist, or belongs to another team. */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description Too many requests were sent, or a limit of the team is reached. */
            429: {
                headers: {
                    /** @description Seconds to wait before the next request. Absent when waiting does not help. */
                    "Retry-After"?: number;
                    /** @description `false` when repeating the request does not help. */
                    "should-retry"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description An internal error occurred. */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The operation is not possible at the moment. The same request may succeed later. */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
        };
    };
    set_member_role: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                id: components["schemas"]["TeamId"];
                user_id: components["schemas"]["UserId"];
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["SetRoleRequest"];
            };
        };
        responses: {
            204: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            /** @description The request cannot be read, or a value is out of its bounds. */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The credential is missing, unknown, expired or revoked. */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The credential does not allow the operation. */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The resource does not exist, or belongs to another team. */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The body took too long to arrive. */
            408: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The body is larger than the operation accepts. */
            413: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The operation does not accept the media type of the body. */
            415: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description Too many requests were sent, or a limit of the team is reached. */
            429: {
                headers: {
                    /** @description Seconds to wait before the next request. Absent when waiting does not help. */
                    "Retry-After"?: number;
                    /** @description `false` when repeating the request does not help. */
                    "should-retry"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description An internal error occurred. */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The operation is not possible at the moment. The same request may succeed later. */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
        };
    };
    search_users: {
        parameters: {
            query: {
                /** @description The beginning of the e-mail address: 3 characters or more, among them an `@`. */
                email: components["schemas"]["EmailPrefix"];
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["FoundUser"][];
                };
            };
            /** @description The request cannot be read, or a value is out of its bounds. */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The credential is missing, unknown, expired or revoked. */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The credential does not allow the operation. */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description Too many requests were sent, or a limit of the team is reached. */
            429: {
                headers: {
                    /** @description Seconds to wait before the next request. Absent when waiting does not help. */
                    "Retry-After"?: number;
                    /** @description `false` when repeating the request does not help. */
                    "should-retry"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description An internal error occurred. */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description The operation is not possible at the moment. The same request may succeed later. */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
        };
    };
    e2b_list_sandboxes: {
        parameters: {
            query?: {
                limit?: number;
                /** @description Labels that a sandbox must have: an encoded query string whose keys and values are encoded once more. */
                metadata?: string;
                /** @description The `x-next-token` of the previous page. */
                nextToken?: components["schemas"]["PageToken"];
                /** @description Order by start time: `desc` (default) or `asc`. */
                order?: string;
                startedAfter?: string;
                /** @description States to include: `running`, `paused`, or both separated by a comma. */
                state?: string;
                template?: components["schemas"]["TemplateName"];
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    /** @description The token of the next page; absent on the last page */
                    "x-next-token"?: components["schemas"]["PageToken"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["e2b.ListedSandbox"][];
                };
            };
            /** @description The request cannot be read, or a value is out of its bounds. */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["e2b.Error"];
                };
            };
            /** @description The credential is missing, unknown, expired or revoked. */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["e2b.Error"];
                };
            };
            /** @description The credential does not allow the operation. */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["e2b.Error"];
                };
            };
            /** @description Too many requests were sent, or a limit of the team is reached. */
            429: {
                headers: {
                    /** @description Seconds to wait before the next request. Absent when waiting does not help. */
                    "Retry-After"?: number;
                    /** @description `false` when repeating the request does not help. */
                    "should-retry"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["e2b.Error"];
                };
            };
            /** @description An internal error occurred. */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["e2b.Error"];
                };
            };
            /** @description The operation is not possible at the moment. The same request may succeed later. */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["e2b.Error"];
                };
            };
        };
    };
    e2b_create_sandbox: {
        parameters: {
            query?: never;
            header?: {
                /** @description A key that makes the request safe to retry: the same key with the same request returns the same sandbox */
                "Idempotency-Key"?: components["schemas"]["IdempotencyKey"] | null;
            };
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["e2b.NewSandbox"];
            };
        };
        responses: {
            201: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["e2b.Sandbox"];
                };
            };
            /** @description The request cannot be read, or a value is out of its bounds. */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["e2b.Error"];
                };
            };
            /** @description The credential is missing, unknown, expired or revoked. */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["e2b.Error"];
                };
            };
            /** @description The credential does not allow the operation. */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["e2b.Error"];
                };
            };
            /** @description The resource does not exist, or belongs to another team. */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["e2b.Error"];
                };
            };
            /** @description The body took too long to arrive. */
            408: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["e2b.Error"];
                };
            };
            /** @description The state of the resource does not allow the operation, or another request changed the resource first. */
            409: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["e2b.Error"];
                };
            };
            /** @description The body is larger than the operation accepts. */
            413: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["e2b.Error"];
                };
            };
            /** @description The operation does not accept the media type of the body. */
            415: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["e2b.Error"];
                };
            };
            /** @description The idempotency key was used with a different request. */
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["e2b.Error"];
                };
            };
            /** @description Too many requests were sent, or a limit of the team is reached. */
            429: {
                headers: {
                    /** @description Seconds to wait before the next request. Absent when waiting does not help. */
                    "Retry-After"?: number;
                    /** @description `false` when repeating the request does not help. */
                    "should-retry"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["e2b.Error"];
                };
            };
            /** @description An internal error occurred. */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["e2b.Error"];
                };
            };
            /** @description The host or the sandbox failed, or sent an invalid response. */
            502: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["e2b.Error"];
                };
            };
            /** @description The operation is not possible at the moment. The same request may succeed later. */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["e2b.Error"];
                };
            };
        };
    };
    e2b_connect_sandbox: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                id: components["schemas"]["e2b.SandboxId"];
            };
            cookie?: never;
        };
        requestBody?: {
            content: {
                "application/json": components["schemas"]["e2b.ConnectSandbox"] | null;
            };
        };
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["e2b.Sandbox"];
                };
            };
            201: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["e2b.Sandbox"];
                };
            };
            /** @description The request cannot be read, or a value is out of its bounds. */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["e2b.Error"];
                };
            };
            /** @description The credential is missing, unknown, expired or revoked. */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["e2b.Error"];
                };
            };
            /** @description The credential does not allow the operation. */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["e2b.Error"];
                };
            };
            /** @description The resource does not exist, or belongs to another team. */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["e2b.Error"];
                };
            };
            /** @description The body took too long to arrive. */
            408: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["e2b.Error"];
                };
            };
            /** @description The state of the resource does not allow the operation, or another request changed the resource first. */
            409: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["e2b.Error"];
                };
            };
            /** @description The body is larger than the operation accepts. */
            413: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["e2b.Error"];
                };
            };
            /** @description Too many requests were sent, or a limit of the team is reached. */
            429: {
                headers: {
                    /** @description Seconds to wait before the next request. Absent when waiting does not help. */
                    "Retry-After"?: number;
                    /** @description `false` when repeating the request does not help. */
                    "should-retry"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["e2b.Error"];
                };
            };
            /** @description An internal error occurred. */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["e2b.Error"];
                };
            };
            /** @description The host or the sandbox failed, or sent an invalid response. */
            502: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["e2b.Error"];
                };
            };
            /** @description The operation is not possible at the moment. The same request may succeed later. */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["e2b.Error"];
                };
            };
        };
    };
}
