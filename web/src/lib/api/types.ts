/** The types of the API, by their names in the OpenAPI document. */
import type { components } from './schema.gen.ts';

export type Schemas = components['schemas'];
/** A person, a key or a part of the platform that did something. */
export interface By {
  kind: 'user' | 'api_key' | 'system';
  id?: string | null;
  name?: string | null;
}
/** The sandbox, with the fields that older platforms leave out. */
export type Sandbox = Schemas['Sandbox'] & {
  desired?: 'running' | 'paused' | 'gone';
  created_by?: By | null;
  ended_by?: By | null;
  ended_at?: string | null;
  host_id?: string | null;
  on_timeout?: Schemas['OnTimeout'] | null;
  auto_resume?: boolean;
  disk_size_mb?: number;
  public_traffic?: boolean;
  origin?: { template: string; parent?: string | null };
};
export type SandboxStatus = Schemas['SandboxStatus'];
export type CreateSandbox = Schemas['CreateSandboxRequest'];
export type Team = Schemas['Team'];
export type TeamWithRole = Schemas['TeamWithRole'];
export type TeamDetail = Schemas['TeamDetail'];
export type Member = Schemas['Member'];
export type Role = Schemas['Role'];
export type ApiKey = Schemas['ApiKey'];
export type KeyScope = Schemas['KeyScope'];
export type AuditEntry = Schemas['AuditEntry'];
export type Me = Schemas['Me'];
export type AuthResponse = Schemas['AuthResponse'];
export type ErrorCode = Schemas['ErrorCode'];
export type FileEntry = Schemas['FileEntry'];
