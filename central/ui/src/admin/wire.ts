// Accounts, tokens, and the audit trail.

import type { Role, Scope } from '../wire';

export const ROLES: readonly Role[] = ['viewer', 'safety-manager', 'administrator'];
export const SCOPES: readonly Scope[] = ['read', 'act', 'people', 'admin'];

export interface User {
  name: string;
  role: Role;
  created_at: string;
  last_used_at: string | null;
}

export interface Token {
  name: string;
  scopes: Scope[];
  created_at: string;
  last_used_at: string | null;
  revoked_at: string | null;
}

export interface Entry {
  id: number;
  at: string;
  actor: string;
  action: string;
  subject: string;
  detail: string | null;
}
