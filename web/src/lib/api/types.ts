/** The types of the API, by their names in the OpenAPI document. */
import type { components } from './schema.gen.ts';

export type Schemas = components['schemas'];
export type Sandbox = Schemas['Sandbox'];
export type Actor = Schemas['Actor'];
export type SandboxClock = Schemas['SandboxClock'];
export type TeamLimits = Schemas['TeamLimits'];
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
export type PortList = Schemas['PortList'];
